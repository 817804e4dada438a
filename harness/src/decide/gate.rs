//! A gate on a comparison: `rss:worse:5%` fails where RSS has become worse by 5 % or more.

use std::str::FromStr;

use crate::format::compare::{Entry, Metric};
use crate::format::decision::{Comparison, HostState};
use crate::units::parse_share;

/// Fewest rounds on either side that carry a word about a comparison, or a gate: the interval of fewer rests on a spread
/// that they cannot tell.
pub const FEWEST_ROUNDS: u32 = 4;

/// What must not have happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gate {
    /// The figure.
    pub metric: Metric,
    /// Smallest worsening that counts, as a fraction.
    pub beyond: f64,
}

/// What a gate says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// The interval lies on the safe side of the limit.
    Clear,
    /// The figure is shown to be worse, and its estimate is beyond the limit.
    Breached,
    /// Neither, and why.
    Undecided(Why),
}

/// Why a gate is undecided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A host was busy, and that was not accepted.
    BusyHost,
    /// Fewer than [`FEWEST_ROUNDS`] on a side.
    Rounds,
    /// The interval spans the limit.
    Interval,
}

impl Why {
    /// In words.
    pub fn words(self) -> String {
        match self {
            Self::BusyHost => "a host was busy".to_owned(),
            Self::Rounds => format!("a gate needs {FEWEST_ROUNDS} rounds on both sides"),
            Self::Interval => "the interval spans the limit".to_owned(),
        }
    }
}

impl FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no gate; write FIGURE:worse:SHARE, such as rss:worse:5%");
        let mut parts = text.split(':');
        let metric = match parts.next() {
            Some("throughput") => Metric::Throughput,
            Some("rss") => Metric::Rss,
            Some("p99") => Metric::P99,
            Some(other) => return Err(format!("'{other}' is no figure; there are throughput, rss and p99")),
            None => return Err(wrong()),
        };
        if parts.next() != Some("worse") {
            return Err(wrong());
        }
        let beyond = parts.next().map_or(Ok(0.0), parse_share)?;
        if parts.next().is_some() {
            return Err(wrong());
        }
        Ok(Self { metric, beyond })
    }
}

impl Gate {
    /// What it says of an entry, measured on hosts in such a state; `None` where the entry is about another figure.
    pub fn check(&self, entry: &Entry, host: Option<&HostState>) -> Option<Passage> {
        if entry.metric != self.metric {
            return None;
        }
        if host.is_some_and(|host| host.busy && !host.accepted) {
            return Some(Passage::Undecided(Why::BusyHost));
        }
        let Some(ratio) = entry.ratio.filter(|_| entry.rounds.0.min(entry.rounds.1) >= FEWEST_ROUNDS) else {
            return Some(Passage::Undecided(Why::Rounds));
        };
        // As worsenings: how far each bound lies on the bad side.
        let (estimate, most) = match self.metric {
            Metric::Throughput => (1.0 - ratio.estimate, 1.0 - ratio.low),
            Metric::Rss | Metric::P99 => (ratio.estimate - 1.0, ratio.high - 1.0),
        };
        Some(if entry.verdict == Comparison::Worse && estimate >= self.beyond {
            Passage::Breached
        } else if most < self.beyond || entry.verdict == Comparison::Equivalent && estimate < self.beyond {
            Passage::Clear
        } else {
            Passage::Undecided(Why::Interval)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::decision::Ratio;

    fn entry(estimate: f64, low: f64, high: f64, verdict: Comparison) -> Entry {
        Entry {
            workload: "w".into(),
            threads: 1,
            libc: ("host".into(), "host".into()),
            candidate: "glibc".into(),
            metric: Metric::Rss,
            ratio: Some(Ratio { estimate, low, high }),
            verdict,
            resolvable: None,
            rounds: (9, 9),
            paired: false,
        }
    }

    #[test]
    fn gates_are_read() {
        assert_eq!("rss:worse:5%".parse(), Ok(Gate { metric: Metric::Rss, beyond: 0.05 }));
        assert_eq!("throughput:worse".parse(), Ok(Gate { metric: Metric::Throughput, beyond: 0.0 }));
        for wrong in ["", "rss", "rss:better:5%", "rss:worse:lots", "cpu:worse:5%", "rss:worse:5%:x"] {
            assert!(wrong.parse::<Gate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_gate_fails_on_what_is_shown_and_is_open_on_what_is_not() {
        let gate = Gate { metric: Metric::Rss, beyond: 0.05 };
        let check = |e: Entry| gate.check(&e, None).unwrap();
        assert_eq!(check(entry(1.1, 1.02, 1.2, Comparison::Worse)), Passage::Breached);
        assert_eq!(check(entry(1.03, 1.01, 1.04, Comparison::Worse)), Passage::Clear);
        assert_eq!(check(entry(1.03, 0.9, 1.2, Comparison::Undecided)), Passage::Undecided(Why::Interval));
        assert_eq!(check(entry(0.8, 0.7, 0.9, Comparison::Better)), Passage::Clear);
        let other = Gate { metric: Metric::P99, beyond: 0.05 };
        assert_eq!(other.check(&entry(1.1, 1.0, 1.2, Comparison::Worse), None), None);
    }

    #[test]
    fn a_gate_needs_rounds_on_both_sides_and_hosts_at_rest() {
        let gate = Gate { metric: Metric::Rss, beyond: 0.05 };
        let breach = entry(1.5, 1.4, 1.6, Comparison::Worse);
        let few = Entry { rounds: (9, 3), ..breach.clone() };
        assert_eq!(gate.check(&few, None), Some(Passage::Undecided(Why::Rounds)));
        let state = |busy, accepted| HostState { busy, accepted, ..HostState::default() };
        let on = |state: HostState| gate.check(&breach, Some(&state));
        assert_eq!(on(state(true, false)), Some(Passage::Undecided(Why::BusyHost)));
        assert_eq!(on(state(true, true)), Some(Passage::Breached));
        assert_eq!(on(state(false, false)), Some(Passage::Breached));
        // Not even what looks clear is clear there.
        let clear = entry(0.8, 0.7, 0.9, Comparison::Better);
        assert_eq!(gate.check(&clear, Some(&state(true, false))), Some(Passage::Undecided(Why::BusyHost)));
    }
}
