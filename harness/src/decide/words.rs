//! The sentences of a decision, so that they are the same everywhere.

use crate::format::decision::Objective;
use crate::statistics::Interval;
use crate::units::{format_bytes, format_change, format_share};

/// The reason of a decision on a host that is not to be trusted.
pub(super) const DISTRUST: &str = "the baseline differs from its own twin: this host, or the way it was \
                                   measured, makes differences of its own";

/// What a constraint limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limited {
    /// Throughput against the baseline, from below.
    Throughput,
    /// Latency against the baseline, from above.
    P99,
    /// RSS in bytes, from above.
    Rss,
}

impl Limited {
    pub(super) fn is_floor(self) -> bool {
        self == Self::Throughput
    }

    fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::P99 => "p99 latency of malloc",
            Self::Rss => "RSS",
        }
    }

    fn figure(self, log: f64) -> String {
        match self {
            Self::Rss => format_bytes(log.exp()),
            _ => format_change(log.exp()),
        }
    }

    /// Nothing is known.
    pub(super) fn unknown(self) -> String {
        format!("{} was not measured in four rounds or more", self.name())
    }

    /// Shown to break the limit.
    pub(super) fn broken(self, bound: f64, limit: f64) -> String {
        let (best, allowed) =
            if self.is_floor() { ("at most", "the floor is") } else { ("at least", "the limit is") };
        format!("{} {best} {}; {allowed} {}", self.name(), self.figure(bound), self.figure(limit))
    }

    /// Neither.
    pub(super) fn open(self, seen: &Interval, limit: f64) -> String {
        let allowed = if self.is_floor() { "floor" } else { "limit" };
        format!(
            "{} {} to {} spans the {allowed} of {}",
            self.name(),
            self.figure(seen.low),
            self.figure(seen.high),
            self.figure(limit)
        )
    }
}

/// `peak RSS`.
pub(super) fn objective(objective: Objective) -> &'static str {
    match objective {
        Objective::Peak => "peak RSS",
        Objective::Mean => "mean RSS",
        Objective::End => "RSS at the end",
        Objective::Drained => "RSS after the drain",
    }
}

/// `-31.0 % (-33.0 to -29.0 %)`, of an interval of logarithms.
pub(super) fn change(interval: &Interval) -> String {
    let low = format_change(interval.low.exp());
    let low = low.trim_end_matches(" %");
    format!("{} ({low} to {})", format_change(interval.estimate.exp()), format_change(interval.high.exp()))
}

/// `2 rounds, too few for an interval`.
pub(super) fn too_few(rounds: u32) -> String {
    let plural = if rounds == 1 { "round" } else { "rounds" };
    format!("{rounds} {plural}, too few for an interval")
}

/// `95 %`.
pub(super) fn confidence(alpha: f64) -> String {
    let text = format_share(1.0 - alpha);
    text.replace(".0 %", " %")
}

/// A scenario's data are too coarse for the floor.
pub(super) fn coarse(scenario: &str, resolvable: f64, loss: f64) -> String {
    format!(
        "{scenario}: a loss of throughput must reach {} to be seen for every candidate; {} was asked for",
        format_share(resolvable),
        format_share(loss)
    )
}
