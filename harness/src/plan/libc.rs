//! The C libraries that a plan measures under: the host's, and others by name and directory.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::knowledge::nearest::quote;

/// The name of the host's own.
pub const HOST: &str = "host";
/// Most C libraries of a plan.
pub const MOST: usize = 32;
/// Longest name.
const LONGEST_NAME: usize = 32;
/// Longest directory (`PATH_MAX`).
const LONGEST_DIR: usize = 4096;
/// In front of a directory that is run in as a whole.
const WHOLE: &str = "root:";

/// A C library to measure under. `Display` writes what [`PlannedLibc::parse`] reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlannedLibc {
    /// The host's own.
    Host,
    /// One in a directory.
    Other {
        /// Its name in all that is written.
        name: String,
        /// The directory: a root with a glibc.
        dir: PathBuf,
        /// Whether programs run inside of it, with its whole userland; else through its dynamic loader alone.
        whole: bool,
    },
}

impl PlannedLibc {
    /// Reads `host`, `NAME=DIR`, or `NAME=root:DIR` for one that programs run inside of.
    ///
    /// # Errors
    /// One clause that says what it takes.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == HOST {
            return Ok(Self::Host);
        }
        let Some((name, dir)) = text.split_once('=') else {
            return Err(format!("{} is no libc; write NAME=DIR, or {HOST}", quote(text)));
        };
        let (dir, whole) = dir.strip_prefix(WHOLE).map_or((dir, false), |dir| (dir, true));
        Self::other(name, dir, whole)
    }

    /// One in a directory.
    ///
    /// # Errors
    /// One clause that says what is wrong with name or directory.
    pub fn other(name: &str, dir: &str, whole: bool) -> Result<Self, String> {
        check_name(name)?;
        if dir.is_empty() {
            return Err(format!("no directory after '{name}='; write {name}=/path/of/a/root"));
        }
        if dir.len() > LONGEST_DIR || dir.chars().any(char::is_control) {
            return Err(format!("the directory of {name} is too long, or holds a control character"));
        }
        Ok(Self::Other { name: name.to_owned(), dir: PathBuf::from(dir), whole })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Host => HOST,
            Self::Other { name, .. } => name,
        }
    }

    /// The same, with a directory that is taken from another where it is relative.
    #[must_use]
    pub fn from_directory(self, from: &Path) -> Self {
        match self {
            Self::Host => Self::Host,
            Self::Other { name, dir, whole } => Self::Other { name, dir: from.join(dir), whole },
        }
    }
}

impl fmt::Display for PlannedLibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str(HOST),
            Self::Other { name, dir, whole } => {
                write!(f, "{name}={}{}", if *whole { WHOLE } else { "" }, dir.display())
            }
        }
    }
}

/// A name is part of file names and of tables.
fn check_name(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if name == HOST {
        return Err(format!("the name {HOST} is the host's own libc; give {} another", quote(name)));
    }
    if begins && name.len() <= LONGEST_NAME && name.chars().all(fits) {
        return Ok(());
    }
    Err(format!(
        "{} is no name of a libc; it takes up to {LONGEST_NAME} lower-case letters, digits, dots and dashes, a letter or \
         digit first",
        quote(name)
    ))
}

/// Checks the list as a whole.
///
/// # Errors
/// One line: too many, or two of one name.
pub fn check(libcs: &[PlannedLibc]) -> Result<(), String> {
    if libcs.len() > MOST {
        return Err(format!(
            "{} libcs are too many; up to {MOST} can be measured in one campaign",
            libcs.len()
        ));
    }
    // As in the names of charts, where a dot is a dash.
    let alike = |libc: &PlannedLibc| libc.name().replace('.', "-");
    for (index, libc) in libcs.iter().enumerate() {
        if libcs[..index].iter().any(|earlier| alike(earlier) == alike(libc)) {
            return Err(format!("two libcs are called {}, or alike; name them apart", libc.name()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["host", "new=/roots/13", "2.31=/a b/c:d", "old=root:/images/old"] {
            assert_eq!(PlannedLibc::parse(text).unwrap().to_string(), text);
        }
        let relative = PlannedLibc::parse("new=roots/13").unwrap();
        assert_eq!(relative.from_directory(Path::new("/plans")).to_string(), "new=/plans/roots/13");
    }

    #[test]
    fn mistakes_are_told_in_a_clause() {
        let told = |text: &str| PlannedLibc::parse(text).unwrap_err();
        assert_eq!(told("new"), "'new' is no libc; write NAME=DIR, or host");
        assert_eq!(told("new="), "no directory after 'new='; write new=/path/of/a/root");
        assert!(told("host=/x").contains("host's own libc"));
        for name in ["", "../x", "New", "a/b", "-x", &"x".repeat(33), "a\u{1b}"] {
            let told = PlannedLibc::parse(&format!("{name}=/x")).unwrap_err();
            assert!(told.contains("is no name of a libc"), "{told}");
            assert!(!told.contains('\u{1b}'), "{told}");
        }
        assert!(told("new=/x\ny").contains("control character"));
    }

    #[test]
    fn names_are_told_apart() {
        let libcs = |texts: &[&str]| -> Vec<PlannedLibc> {
            texts.iter().map(|text| PlannedLibc::parse(text).unwrap()).collect()
        };
        assert_eq!(check(&libcs(&["host", "a=/x", "b=/x"])), Ok(()));
        assert!(check(&libcs(&["host", "host"])).is_err());
        assert!(check(&libcs(&["2.31=/x", "2-31=/y"])).is_err());
    }
}
