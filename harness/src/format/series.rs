//! A line of `series.jsonl`: RSS and live bytes over time of one trial, thinned to a bounded number of
//! points. Kept for the first rounds of a campaign only; nothing but the drawings needs it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most points a stored series has.
pub const MAX_POINTS: usize = 240;

/// RSS and live bytes over time. All vectors have the same length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    /// As in the trial line.
    pub workload: String,
    /// As in the trial line.
    pub threads: u32,
    /// As in the trial line.
    pub libc: String,
    /// As in the trial line.
    pub candidate: String,
    /// As in the trial line.
    pub round: u32,
    /// As in the trial line.
    pub attempt: u32,
    /// As in the trial line.
    pub twin: bool,
    /// Seconds since the trial's process was started.
    pub at_s: Vec<f64>,
    /// Resident bytes (statm).
    pub rss: Vec<u64>,
    /// Requested bytes not yet freed; `null` where the program does not tell.
    pub live: Option<Vec<u64>>,
    /// When each phase ended, in the order of time: name and seconds.
    pub phases: Vec<(String, f64)>,
}
