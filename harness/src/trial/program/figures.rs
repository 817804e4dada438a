//! A program's figures from what was seen and printed.

use super::look::Look;
use super::{Broken, Playing, Story};
use crate::format::trial::Rss;
use crate::plan::program::number::Wanted;
use crate::plan::program::{Figure, From, Throughput, read};
use crate::trial::sampler::{self, Sample};

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
        let wanted = if what == "latency" { Wanted::time(&figure.unit) } else { Wanted::rate(&figure.unit) };
        read::positive(&text, &figure.find, figure.take, wanted).map_err(failed)
    }
}

fn text_of(path: &std::path::Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Memory of the whole tree; `None` where it was never seen.
///
/// Resident sizes are sampled; what more than one process shares, or shares with others on the host, is in each
/// of them. How much that is, is known at the exact looks (resident minus proportional size), and the nearest
/// look's is taken off every sample.
pub fn rss(story: &Story) -> Option<Rss> {
    let looks = looks(story);
    let shared = shared(story);
    let corrected = |sample: &Sample| sample.rss.saturating_sub(shared(sample.at_s)).max(1);
    let samples = &story.seen.samples;
    let (from, to) = story.work?;
    let (high_water, peak_source) = high_water(story);
    let at_peak = looks.first().map_or(0, |look| look.rss().saturating_sub(look.pss()));
    let sampled = samples.iter().map(corrected).max().unwrap_or(0);
    let exact = looks.iter().map(|look| look.pss()).max().unwrap_or(0);
    let peak = sampled.max(exact).max(high_water.saturating_sub(at_peak));
    if peak == 0 {
        return None;
    }
    let within = samples.iter().filter(|sample| sample.at_s >= from && sample.at_s <= to).count();
    let mean = sampler::mean(samples, from, to, corrected).map(|mean| mean as u64);
    let last = samples.iter().rev().find(|sample| sample.at_s <= to).map(corrected);
    let service = story.drained.is_some();
    let end = story.end.as_ref().filter(|_| service).map(Look::pss).or(last).unwrap_or(peak);
    let end_source =
        if service { "end and drained are exact (Pss in smaps_rollup)" } else { "end is the last sample" };
    let some = |look: &Option<Look>, figure: fn(&crate::trial::readings::Exact) -> Option<u64>| {
        look.as_ref().map(|look| look.sum(figure))
    };
    Some(Rss {
        peak,
        mean: mean.unwrap_or(end),
        end,
        drained: story.drained.as_ref().map(Look::pss),
        trimmed: None,
        trim: None,
        lazy_free: some(&story.drained, |exact| exact.lazy_free),
        anon_huge: some(&story.end, |exact| exact.anon_huge),
        pss: story.end.as_ref().map(Look::pss),
        swap: some(&story.end, |exact| exact.swap),
        samples: within as u32,
        slope: sampler::slope(samples, from, to, corrected),
        reading_s: story.seen.looking_s + looks.iter().take(2).map(|look| look.took_s).sum::<f64>(),
        source: format!(
            "all processes of the program, pages that they share counted once (Pss); peak from {peak_source}, mean \
             from statm samples, both less what the nearest exact look found shared; {end_source}"
        ),
    })
}

fn looks(story: &Story) -> Vec<&Look> {
    [&story.end, &story.drained, &story.seen.look].into_iter().flatten().collect()
}

/// Bytes that are counted more than once, or belong to others as well, by the exact look nearest to an instant.
pub fn shared(story: &Story) -> impl Fn(f64) -> u64 {
    let looks = looks(story);
    move |at_s: f64| {
        let nearest = looks.iter().min_by(|a, b| (a.at_s - at_s).abs().total_cmp(&(b.at_s - at_s).abs()));
        nearest.map_or(0, |look| look.rss().saturating_sub(look.pss()))
    }
}

/// The largest mark of the kernel's own of any one process: exact where there was one process alone, and of
/// several, whose marks need not be of one instant, a bound from below.
fn high_water(story: &Story) -> (u64, &'static str) {
    let ending = &story.ending;
    let of_looks = [&story.end, &story.drained].into_iter().flatten();
    let marked =
        of_looks.flat_map(|look| look.rows.iter().filter_map(|row| row.exact.peak)).max().unwrap_or(0);
    let reaped = Some(ending.max_rss).filter(|reaped| *reaped > ending.least_max_rss).unwrap_or(0);
    let largest = marked.max(reaped).max(story.seen.high_water);
    match story.seen.most {
        0 | 1 if largest > 0 => (largest, "the kernel's high-water mark of its one process"),
        _ => (
            largest,
            "the largest sample of all processes together (a shorter peak between samples is not seen)",
        ),
    }
}
