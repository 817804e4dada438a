//! What is asked of the data.

use crate::format::decision::{Constraints, Objective};
use crate::format::manifest::Manifest;

/// What is asked of the data, and how sure the answer must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Question {
    /// The RSS figure to minimise.
    pub objective: Objective,
    /// What must hold.
    pub constraints: Constraints,
    /// Stated confidence, from 0.5 to 0.9999; what lies outside is brought to the nearer end.
    pub confidence: f64,
    /// Ratios within `1 / (1 + margin)` and `1 + margin` are called equivalent.
    ///
    /// The default of 0.03 lies below the usual floor of 5 %, and at the size of what the placing of code
    /// and environment alone can do to a program's speed (Mytkowicz et al., "Producing Wrong Data Without
    /// Doing Anything Obviously Wrong!", ASPLOS 2009): a smaller difference is not the candidate's.
    pub equivalence_margin: f64,
    /// Gains of RSS up to this share are not worth further search: default 0.02.
    pub tolerance: f64,
    /// Memory of the host that instances are to fit in, in bytes.
    pub host_memory: Option<u64>,
    /// Whether words are given of a busy host as well (`--accept-busy-host`).
    pub accept_busy_host: bool,
    /// Seed of the resampling.
    pub seed: u64,
}

impl Default for Question {
    fn default() -> Self {
        Self {
            objective: Objective::Peak,
            constraints: Constraints { max_throughput_loss: Some(0.05), ..Constraints::default() },
            confidence: 0.95,
            equivalence_margin: 0.03,
            tolerance: 0.02,
            host_memory: None,
            accept_busy_host: false,
            seed: 1,
        }
    }
}

impl Question {
    /// What a campaign was begun to answer.
    pub fn of(manifest: &Manifest) -> Self {
        Self {
            objective: manifest.objective,
            constraints: manifest.constraints,
            confidence: manifest.confidence,
            seed: manifest.seed,
            accept_busy_host: manifest.accept_busy_host,
            ..Self::default()
        }
    }

    /// Chance of error that is allowed.
    pub(super) fn alpha(&self) -> f64 {
        let confidence = if self.confidence.is_nan() { 0.95 } else { self.confidence };
        1.0 - confidence.clamp(0.5, 0.9999)
    }

    /// Logarithm of the least throughput ratio allowed; `None` where not asked.
    pub(super) fn throughput_floor(&self) -> Option<f64> {
        let loss = self.constraints.max_throughput_loss.filter(|loss| loss.is_finite())?;
        (loss < 1.0).then(|| (1.0 - loss).ln())
    }

    /// Logarithm of the largest latency ratio allowed; `None` where not asked.
    pub(super) fn p99_ceiling(&self) -> Option<f64> {
        let loss = self.constraints.max_p99_loss.filter(|loss| loss.is_finite() && *loss > -1.0)?;
        Some(loss.ln_1p())
    }

    /// Logarithm of the largest RSS allowed; `None` where not asked.
    pub(super) fn rss_ceiling(&self) -> Option<f64> {
        self.constraints.max_rss.map(|bytes| (bytes as f64).ln())
    }

    /// Logarithm of the RSS ratio that a gain must undercut to be worth having.
    pub(super) fn worthwhile(&self) -> f64 {
        (1.0 - self.tolerance.clamp(0.0, 0.9)).ln()
    }

    /// Logarithm of the upper end of what is called equivalent.
    pub(super) fn margin(&self) -> f64 {
        self.equivalence_margin.max(0.0).ln_1p()
    }

    /// What of the question makes no sense, in words.
    pub(super) fn conflict(&self) -> Option<String> {
        let constraints = &self.constraints;
        let bad = |loss: Option<f64>| loss.is_some_and(|loss| !(0.0..1.0).contains(&loss));
        if !(0.5..=0.9999).contains(&self.confidence) {
            return Some(format!(
                "a confidence of {} was taken as the nearest of 50 % to 99.99 %",
                self.confidence
            ));
        }
        if bad(constraints.max_throughput_loss) {
            return Some("the largest loss of throughput lies outside 0 % to 100 %".to_owned());
        }
        if constraints.max_p99_loss.is_some_and(|loss| !loss.is_finite() || loss < 0.0) {
            return Some("the largest rise of p99 latency is no share of 0 % or more".to_owned());
        }
        (constraints.max_rss == Some(0)).then(|| "no program runs in 0 bytes of RSS".to_owned())
    }
}
