//! Versions of a C library, as far as rules depend on them: major and minor.

use std::fmt;
use std::str::FromStr;

/// A version such as 2.36. What follows the minor number (`-9+deb12u14`, `.9000`) is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 2 in 2.36.
    pub major: u32,
    /// 36 in 2.36.
    pub minor: u32,
}

impl Version {
    /// A version from its two numbers.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{}' is not a version such as 2.36", text.escape_debug());
        let (major, rest) = text.trim().split_once('.').ok_or_else(wrong)?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let major = major.parse().map_err(|_| wrong())?;
        let minor = rest[..end].parse().map_err(|_| wrong())?;
        Ok(Self { major, minor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_distributions_append_is_not_kept() {
        for text in ["2.36", "2.36-9+deb12u14", " 2.36.9000"] {
            assert_eq!(text.parse(), Ok(Version::new(2, 36)), "{text}");
        }
        assert!(Version::new(2, 9) < Version::new(2, 10));
        for text in ["", "2", "2.", "glibc 2.36", "2.x"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
