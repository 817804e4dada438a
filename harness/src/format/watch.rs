//! What `inspect --watch` says at its end. Sizes are in bytes.

use schemars::JsonSchema;
use serde::Serialize;

/// What became of a process's memory while it was watched.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Watched {
    /// [`super::FORMAT`] of the writer.
    pub format: u32,
    /// The process.
    pub pid: u32,
    /// Its name.
    pub comm: String,
    /// What follows.
    pub verdict: Growing,
    /// Why, in a sentence.
    pub evidence: String,
    /// Looks at it.
    pub looks: u64,
    /// Seconds from the first to the last.
    pub seconds: f64,
    /// What changed by how much, by kind.
    pub growth: Vec<Growth>,
}

/// What grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Growing {
    /// Nothing does, shown.
    Plateau,
    /// What the program holds.
    LiveBytes,
    /// What it gave back to malloc, and malloc keeps.
    FreeBytes,
    /// It cannot be told.
    Undecided,
}

/// How one kind of memory changed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Growth {
    /// `resident`, `live` (in use in arenas, and large blocks), `free` (in arenas), each arena group's (`main heap in use`,
    /// `thread arenas free` and so on), and resident memory by its rows (`resident: stacks`).
    pub kind: String,
    /// At the first look.
    pub first: u64,
    /// At the last.
    pub last: u64,
    /// Bytes a second (the median of all pairs of looks); `null` for fewer than 5 looks.
    pub slope: Option<f64>,
    /// The lower end of its interval of 95 %.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}
