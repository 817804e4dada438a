//! The version of a glibc, by the words in its own file: `GNU C Library (Debian GLIBC 2.36-9) stable release
//! version 2.36.` (version.c).

use std::path::Path;

/// Where the words begin.
const BEGIN: &[u8] = b"GNU C Library ";
/// What comes before the number.
const BEFORE: &str = "release version ";
/// Longest line that is looked at, bytes.
const LONGEST: usize = 512;

/// The version, such as `2.36`; `None` where the bytes are not of a glibc.
pub fn version(bytes: &[u8]) -> Option<String> {
    let first = BEGIN[0];
    let mut from = 0;
    while let Some(step) = bytes[from..].iter().position(|byte| *byte == first) {
        from += step;
        if bytes[from..].starts_with(BEGIN) {
            let line = &bytes[from..bytes.len().min(from + LONGEST)];
            if let Some(version) = in_line(line) {
                return Some(version);
            }
        }
        from += 1;
    }
    None
}

/// The version of a libc's file.
pub fn of_file(path: &Path) -> Option<String> {
    super::read(path).ok().and_then(|bytes| version(&bytes))
}

fn in_line(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line);
    let (_, rest) = line.lines().next()?.split_once(BEFORE)?;
    let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let number = number.trim_end_matches('.');
    number.contains('.').then(|| number.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_distribution_s_words_are_read() {
        for (words, expected) in [
            (
                "GNU C Library (Debian GLIBC 2.31-13+deb11u11) stable release version 2.31.\nCopyright",
                Some("2.31"),
            ),
            ("GNU C Library (GNU libc) stable release version 2.28.\n", Some("2.28")),
            ("GNU C Library stable release version 2.12, by Roland McGrath et al.\n", Some("2.12")),
            ("GNU C Library (GNU libc) development release version 2.38.9000.\n", Some("2.38.9000")),
            ("GNU C Library of something else\n", None),
        ] {
            let bytes = [b"\0GGNU C Librarian\0\x7f".as_slice(), words.as_bytes(), b"\0"].concat();
            assert_eq!(version(&bytes).as_deref(), expected, "{words}");
        }
        assert_eq!(version(b""), None);
    }
}
