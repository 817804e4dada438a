//! A program's figures from what was printed.

use super::{Broken, Playing};
use crate::plan::program::{Figure, From, Throughput, read};

/// The most that is read of what was printed, bytes.
const MOST: u64 = 4 << 20;

impl Playing<'_> {
    /// Reads throughput and latency, once everything has ended well.
    pub(super) fn read_figures(&mut self) -> Result<(), Broken> {
        if let Some(unkept) = &self.story.ending.unkept {
            return Err(Broken::Failed(unkept.clone()));
        }
        if !self.program.is_service() && self.story.ending.code != Some(0) {
            // Its ending tells why.
            return Ok(());
        }
        self.story.throughput = Some(match &self.program.throughput {
            Throughput::Work { amount, unit } => {
                let seconds = self.story.wall_s.filter(|seconds| *seconds > 0.0);
                let seconds = seconds.ok_or_else(|| Broken::Failed("the work took no time".to_owned()))?;
                (*amount as f64 / seconds, unit.clone())
            }
            Throughput::Printed(figure) => (self.read(figure, "throughput")?, figure.unit.clone()),
        });
        if let Some(latency) = &self.program.latency {
            self.story.latency = Some((self.read(latency, "latency")?, latency.unit.clone()));
        }
        Ok(())
    }

    fn read(&self, figure: &Figure, what: &str) -> Result<f64, Broken> {
        let ending = match &figure.from {
            From::Driver => ".driver.log",
            From::Output => ".program.log",
            From::File(_) => "",
        };
        let printed = self.story.output.iter().find(|path| path.to_string_lossy().ends_with(ending)).cloned();
        let (path, place) = match &figure.from {
            From::File(path) => {
                let path = self.place.places.fill(path);
                // Relative to where the program itself runs.
                let path = self.directory().map_or_else(|| path.clone().into(), |dir| dir.join(&path));
                (Some(path.clone()), path.display().to_string())
            }
            From::Driver => (printed, "what the driver printed".to_owned()),
            From::Output => (printed, "what the program printed".to_owned()),
        };
        let failed = |why: String| Broken::Failed(format!("no {what} in {place}: {why}"));
        let text = match path.map(|path| text_of(&path)) {
            Some(Ok(text)) => text,
            // Nothing was printed, or there is no such file.
            Some(Err(e))
                if e.kind() == std::io::ErrorKind::NotFound && !matches!(figure.from, From::File(_)) =>
            {
                String::new()
            }
            Some(Err(error)) => return Err(failed(error.to_string())),
            None => String::new(),
        };
        read::positive(&text, &figure.find, figure.take).map_err(failed)
    }
}

fn text_of(path: &std::path::Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
