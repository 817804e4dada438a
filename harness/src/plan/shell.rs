//! Lines that a reader pastes into a shell: what stands in them is quoted, so that a blank or a quote in a path changes
//! nothing.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A text as one word of a POSIX shell.
pub fn word(text: &str) -> String {
    // Only a zero byte cannot be quoted, and no path or argument has one.
    shlex::try_quote(text).map_or_else(|_| String::new(), std::borrow::Cow::into_owned)
}

/// A path as one word of a POSIX shell, also where it is no text.
pub fn path(path: &Path) -> String {
    if let Some(text) = path.to_str() {
        return word(text);
    }
    let octal = path.as_os_str().as_bytes().iter().fold(String::new(), |mut octal, byte| {
        let _ = write!(octal, "\\0{byte:03o}");
        octal
    });
    format!("\"$(printf %b '{octal}')\"")
}
