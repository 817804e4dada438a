//! Which workloads there are: names, parameters and what they stand for. Pure data.

use serde::Serialize;

pub use crate::workload::CATALOGUE;

/// A workload as users see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Description {
    /// Its name on command lines.
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// A paragraph: the pattern, its origin, what it stresses, what to look at.
    pub description: &'static str,
    /// What an operation is, in the plural: `messages`.
    pub unit: &'static str,
    /// Its parameters.
    pub params: &'static [Param],
    /// Whether its threads are replaced while it runs, so that a successor can overlap its predecessor.
    pub replaces_threads: bool,
    /// Whether it is left out of lists: not a measurement but a help for tests.
    pub hidden: bool,
}

/// How the value of a parameter is read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Bytes, with units: `64KiB`.
    Bytes,
    /// A number: `4M`.
    Count,
    /// Percent: `5%` or `5`.
    Percent,
}

/// A parameter of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Param {
    /// Its name in `workload:name=value`.
    pub name: &'static str,
    /// How its value is written.
    pub kind: Kind,
    /// The value where none is given.
    pub default: u64,
    /// Smallest value accepted.
    pub min: u64,
    /// Largest value accepted.
    pub max: u64,
    /// Whether it is a share of all operations; the shares of a workload add up to 100 % at most.
    pub share: bool,
    /// What it means, in a few words.
    pub what: &'static str,
}

impl Param {
    /// A parameter in bytes.
    pub const fn bytes(name: &'static str, default: u64, min: u64, max: u64, what: &'static str) -> Self {
        Self { name, kind: Kind::Bytes, default, min, max, share: false, what }
    }

    /// A parameter that counts something.
    pub const fn count(name: &'static str, default: u64, min: u64, max: u64, what: &'static str) -> Self {
        Self { name, kind: Kind::Count, default, min, max, share: false, what }
    }

    /// A parameter in percent of something, 0 to 100.
    pub const fn percent(name: &'static str, default: u64, what: &'static str) -> Self {
        Self { name, kind: Kind::Percent, default, min: 0, max: 100, share: false, what }
    }

    /// A share of all operations, in percent. Those of one workload add up to 100 % at most.
    pub const fn share(name: &'static str, default: u64, what: &'static str) -> Self {
        Self { share: true, ..Self::percent(name, default, what) }
    }

    /// The parameter `ops` that every workload has.
    pub const fn ops(default: u64) -> Self {
        Self::count("ops", default, 1, 1_000_000_000_000, "operations of the steady phase, over all threads")
    }

    /// The parameter `ops` of workloads whose origin does a fixed amount of work for each thread.
    pub const OPS_AS_ORIGINAL: Self = Self::count(
        "ops",
        0,
        0,
        1_000_000_000_000,
        "operations of the steady phase, over all threads; 0 as many as the original does",
    );

    /// The parameter `warmup` of workloads whose origin counts from the first allocation on.
    pub const NO_WARMUP: Self = Self { default: 0, ..Self::WARMUP };

    /// The parameter `warmup` that every workload has.
    pub const WARMUP: Self =
        Self::percent("warmup", 10, "operations of the warm-up, as a share of those of the steady phase");

    /// The parameter `touch` that every workload has.
    pub const TOUCH: Self = Self::count(
        "touch",
        1,
        0,
        2,
        "what is written to new memory: 0 nothing, 1 a byte of each page, 2 every byte",
    );
}

impl Param {
    /// The parameter `touch` of workloads whose origin writes all that it allocates.
    pub const TOUCH_ALL: Self = Self { default: 2, ..Self::TOUCH };
}

impl Description {
    /// Most threads that can hold an arena at once, the main thread included: an upper bound. Where threads
    /// are replaced, a successor may already allocate while its predecessor ends.
    pub fn reach(&self, threads: u32) -> u32 {
        let overlap = if self.replaces_threads { 2 } else { 1 };
        threads.saturating_mul(overlap).saturating_add(1)
    }

    /// The parameter of that name.
    pub fn param(&self, name: &str) -> Option<&'static Param> {
        self.params.iter().find(|param| param.name == name)
    }
}

/// All workloads, the hidden ones included.
pub fn all() -> &'static [Description] {
    &CATALOGUE
}

/// The workload of that name, hidden ones included.
pub fn find(name: &str) -> Option<&'static Description> {
    all().iter().find(|description| description.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_entry_is_complete_and_every_default_in_range() {
        let names: BTreeSet<_> = all().iter().map(|description| description.name).collect();
        assert_eq!(names.len(), all().len());
        for entry in all() {
            assert!(entry.summary.len() < 100 && entry.description.len() > 100, "{}", entry.name);
            for common in ["ops", "warmup", "touch"] {
                assert!(entry.param(common).is_some(), "{} lacks {common}", entry.name);
            }
            let params: BTreeSet<_> = entry.params.iter().map(|param| param.name).collect();
            assert_eq!(params.len(), entry.params.len(), "{}", entry.name);
            for param in entry.params {
                assert!(param.min <= param.default && param.default <= param.max, "{}", param.name);
            }
        }
    }

    #[test]
    fn reach_counts_the_main_thread_and_overlap() {
        assert_eq!(find("churn").unwrap().reach(4), 5);
        assert_eq!(find("larson").unwrap().reach(4), 9);
        assert_eq!(find("churn").unwrap().reach(u32::MAX), u32::MAX);
    }
}
