//! The first round of a campaign: where the baseline fails in all its runs of it, there is nothing to compare with, and
//! fifteen more rounds would show the same.

use std::fmt::Write;
use std::io::Read;
use std::path::Path;

use crate::format::trial::{Status, TrialRecord};

/// Lines of what a program printed that are shown.
const LINES: usize = 5;
/// Bytes of it that are looked at.
const BYTES: u64 = 4096;

/// Whether the baseline and its twin failed in every run of the trials given, of which there must be one.
pub fn baseline_failed<'a>(trials: impl IntoIterator<Item = &'a TrialRecord>, baseline: &str) -> bool {
    let mut of_baseline = trials.into_iter().filter(|trial| trial.candidate == baseline).peekable();
    of_baseline.peek().is_some() && of_baseline.all(|trial| trial.status != Status::Ok)
}

/// Why a campaign in a directory was stopped: the reason of the first failure, and how what it printed begins.
pub fn why(trials: &[TrialRecord], baseline: &str, dir: &Path) -> String {
    let runs: Vec<&TrialRecord> = trials.iter().filter(|trial| trial.candidate == baseline).collect();
    let first = runs.first();
    let reason = first.and_then(|trial| trial.reason.as_deref()).unwrap_or("no reason is known");
    let status = first.map_or_else(String::new, |trial| format!("{:?}", trial.status).to_lowercase());
    let mut why = format!(
        "stopped after the first round: the baseline, {baseline}, failed in all its {} runs, so that there is nothing to \
         compare with. The first: {status}, {reason}",
        runs.len()
    );
    let mut kept =
        first.and_then(|trial| trial.program.as_ref()).into_iter().flat_map(|program| &program.output);
    let printed = kept.find_map(|file| Some((file, beginning(&dir.join(file))?)));
    if let Some((file, lines)) = printed {
        let _ = writeln!(why, ". What it printed begins ({}):", dir.join(file).display());
        for line in lines {
            let _ = writeln!(why, "  | {line}");
        }
    } else {
        why.push_str(". ");
    }
    why
}

/// The first lines of a file, free of control characters; `None` where there are none.
fn beginning(path: &Path) -> Option<Vec<String>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let plain = |line: &str| line.chars().filter(|c| !c.is_control()).take(200).collect::<String>();
    let lines: Vec<String> =
        text.lines().map(plain).filter(|line| !line.trim().is_empty()).take(LINES).collect();
    (!lines.is_empty()).then_some(lines)
}
