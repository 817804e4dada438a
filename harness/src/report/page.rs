//! The whole report: what is told of each campaign, and between them.

use serde::Serialize;

use super::steps::Told;
use super::story::{Figure, Story};
use super::words;

/// A report of one campaign or more.
#[derive(Clone, Debug, Serialize)]
pub struct Page {
    /// What the window is called.
    pub title: String,
    /// Whether there is more than one campaign.
    pub joined: bool,
    /// Whether the campaigns agree, in a sentence; empty for one.
    pub agreement: String,
    /// Whether the host of any was busy.
    pub busy: bool,
    /// What must be known before reading figures of one campaign beside those of another.
    pub warnings: Vec<String>,
    /// Histories.
    pub figures: Vec<Figure>,
    /// Before and after.
    pub steps: Vec<Told>,
    /// The campaigns.
    pub parts: Vec<Story>,
    /// The command that made the report.
    pub command: String,
    /// Program and version.
    pub made_by: String,
}

/// The sentence that leads a joined report. No interval is made over campaigns: each decides by itself.
pub fn agreement(parts: &[(&str, Option<&str>, bool)]) -> String {
    let count = parts.len();
    let distrusted = parts.iter().filter(|(_, _, trusted)| !trusted).count();
    let first = parts.first().and_then(|(_, choice, _)| *choice);
    let same = parts.iter().all(|(_, choice, _)| *choice == first);
    let sentence = match first {
        Some(choice) if same => format!("{count} campaigns, each decided by itself, agree on {choice}."),
        None if same => format!("None of {count} campaigns, each decided by itself, chose a setting."),
        _ => {
            let said = parts.iter().map(|(name, choice, _)| format!("{name}: {}", choice.unwrap_or("none")));
            format!("{count} campaigns do not agree: {}.", said.collect::<Vec<_>>().join("; "))
        }
    };
    let doubt = match distrusted {
        0 => String::new(),
        n => format!(
            " In {} the baseline differs from its own twin: do not act on it.",
            words::plural(n as u64, "campaign")
        ),
    };
    words::clean(&format!("{sentence}{doubt}"))
}

/// The same, led by how many of the campaigns ran on a busy host.
pub fn led(agreement: String, busy: usize, of: usize) -> String {
    match busy {
        0 => agreement,
        1 => format!("Of {of} campaigns, 1 ran on a busy host: see it before all else. {agreement}"),
        many => {
            format!("Of {of} campaigns, {many} ran on a busy host: see them before all else. {agreement}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn campaigns_agree_or_are_told_apart() {
        let say = |a, b| agreement(&[("x", a, true), ("y", b, true)]);
        assert_eq!(say(Some("glibc"), Some("glibc")), "2 campaigns, each decided by itself, agree on glibc.");
        assert_eq!(say(Some("glibc"), None), "2 campaigns do not agree: x: glibc; y: none.");
        assert!(led("They agree.".to_owned(), 1, 2).starts_with("Of 2 campaigns, 1 ran on a busy host"));
        assert_eq!(led("They agree.".to_owned(), 0, 2), "They agree.");
        assert!(agreement(&[("x", None, true), ("y", None, false)]).ends_with("do not act on it."));
    }
}
