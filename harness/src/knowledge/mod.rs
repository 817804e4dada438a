//! What is known about allocators: their settings, how each is passed, what each libc makes of it, and
//! where that is written. Pure data and rules; nothing here looks at the system.
//!
//! One file an allocator: [`glibc`], [`jemalloc`], [`mimalloc`], [`tcmalloc`], and [`preload`] for any other. A
//! setting is a [`Setting`]; [`value`] reads and writes its values. [`arena_limit`] has glibc's rule for the
//! number of arenas, by version; [`behaviour`] what else it does, [`releases`] who ships which, and
//! [`mod@predict`] what follows. [`scrub`] names the variables that must not leak into a trial.

pub mod advice;
pub mod arena_limit;
pub mod behaviour;
pub mod glibc;
pub mod jemalloc;
pub mod libraries;
pub mod mimalloc;
pub mod predict;
pub mod preload;
pub mod releases;
pub mod scrub;
pub mod tcmalloc;
pub mod value;
pub mod version;

pub use arenalab_wire::nearest;
pub use value::Value;
pub use version::Version;

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Count,
    /// Bytes, read with units. Whole multiples of `step` only, the unit in which the allocator counts.
    Bytes {
        /// Bytes in the allocator's own unit.
        step: i64,
    },
    /// Milliseconds, as a plain number or as a duration with its unit.
    Millis,
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// How a setting reaches the allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// In an environment variable of its own.
    Variable(&'static str),
    /// As an item of `GLIBC_TUNABLES`, under this name.
    Tunable(&'static str),
    /// As an item of jemalloc's `MALLOC_CONF`, under the setting's own key.
    MallocConf,
}

/// The value that an allocator takes when nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// A number that does not depend on the host, in the setting's base unit (1 and 0 for a switch).
    Number(i64),
    /// A word that does not depend on the host.
    Word(&'static str),
    /// It depends, in words.
    Depends(&'static str),
}

/// One setting of one allocator.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key in a candidate.
    pub key: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Least value, in the base unit (1 for counts, bytes, milliseconds). Means nothing for switches and choices.
    pub min: i64,
    /// Greatest value, in the base unit.
    pub max: i64,
    /// What the allocator does when the setting is not given.
    pub unset: Unset,
    /// How it is passed.
    pub passing: Passing,
    /// Whether the value 0 is dropped by the allocator without a word.
    pub zero_is_ignored: bool,
    /// What it does, in a sentence.
    pub what: &'static str,
    /// First version of the allocator that has it; `None` where every version that is still met has it.
    pub since: Option<Version>,
    /// Last version in which it has an effect.
    pub until: Option<Version>,
    /// Where this is written.
    pub source: &'static str,
}

impl Setting {
    /// The name of the environment variable that carries it.
    pub const fn variable(&self) -> &'static str {
        match self.passing {
            Passing::Variable(name) => name,
            Passing::Tunable(_) => "GLIBC_TUNABLES",
            Passing::MallocConf => "MALLOC_CONF",
        }
    }
}

/// The allocators that come with arenalab, with these settings.
pub const ALLOCATORS: [(&str, &[Setting]); 3] =
    [("glibc", glibc::SETTINGS), ("jemalloc", jemalloc::SETTINGS), ("mimalloc", mimalloc::SETTINGS)];

/// An allocator that is known, but only met as a preloaded library.
pub const PRELOADED: (&str, &[Setting]) = ("tcmalloc", tcmalloc::SETTINGS);

/// The settings of an allocator by its name; empty for one that has none.
pub fn settings(allocator: &str) -> &'static [Setting] {
    ALLOCATORS
        .iter()
        .chain([&PRELOADED])
        .find(|(name, _)| *name == allocator)
        .map_or(&[], |(_, settings)| settings)
}

/// One setting.
pub fn find(allocator: &str, key: &str) -> Option<&'static Setting> {
    settings(allocator).iter().find(|setting| setting.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_described_and_its_default_is_in_range() {
        for (allocator, settings) in ALLOCATORS.into_iter().chain([PRELOADED]) {
            let mut keys: Vec<_> = settings.iter().map(|setting| setting.key).collect();
            keys.dedup();
            assert!(keys.is_sorted() && keys.len() == settings.len(), "{allocator}: {keys:?}");
            for setting in settings {
                let name = format!("{allocator}:{}", setting.key);
                assert!(!setting.what.is_empty() && !setting.source.is_empty(), "{name}");
                assert!(setting.min <= setting.max, "{name}");
                match (setting.kind, setting.unset) {
                    (Kind::Choice(words), Unset::Word(word)) => assert!(words.contains(&word), "{name}"),
                    (_, Unset::Number(n)) => assert!((setting.min..=setting.max).contains(&n), "{name}"),
                    (_, Unset::Word(_)) => panic!("{name}: a word for a number"),
                    (_, Unset::Depends(why)) => assert!(!why.is_empty(), "{name}"),
                }
            }
        }
    }
}
