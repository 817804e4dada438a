//! Any other allocator, put in front of the system's with `LD_PRELOAD`. What follows the path are environment
//! variables, passed as they are. A jemalloc, mimalloc or tcmalloc, known by its file name, takes the keys of
//! its settings besides.

use std::path::Path;

/// Allocators by what their libraries' names begin with: upstream's (`libjemalloc.so.2`,
/// `libtcmalloc_minimal.so.4`) and those of this workspace.
const NAMES: [(&str, &str); 6] = [
    ("libarenalab_jemalloc.", "jemalloc"),
    ("libarenalab_mimalloc.", "mimalloc"),
    ("libjemalloc.", "jemalloc"),
    ("libmimalloc.", "mimalloc"),
    ("libtcmalloc.", "tcmalloc"),
    ("libtcmalloc_minimal.", "tcmalloc"),
];

/// The allocator that a library should be, by its file name; `None` for one that is not known.
pub fn recognise(library: &Path) -> Option<&'static str> {
    let name = library.file_name()?.to_str()?;
    NAMES.iter().find(|(begin, _)| name.starts_with(begin)).map(|(_, allocator)| *allocator)
}

/// Names that a candidate may not set: they decide what is preloaded at all.
pub const RESERVED: [&str; 2] = ["LD_PRELOAD", "LD_AUDIT"];

/// The variable that the preloaded jemalloc which comes with arenalab reads its settings from.
pub const JEMALLOC_CONF: &str = "MALLOC_CONF";

/// The file name of the library that puts one of the bundled allocators in front of the C library's.
pub fn library(allocator: &str) -> String {
    format!("libarenalab_{allocator}.so")
}

/// Checks a library path. `ld.so` splits `LD_PRELOAD` at spaces and colons and knows no way to quote them
/// (ld.so(8)), and candidates end the path at a colon.
///
/// # Errors
/// One clause that says what is wrong.
pub fn check_path(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err("no library after 'preload='; write preload=/path/to/lib.so".to_owned());
    }
    if !path.starts_with('/') {
        return Err(
            "the preloaded library must be an absolute path, such as preload=/usr/lib/lib.so".to_owned()
        );
    }
    if path.contains([' ', '\t', '\n', ';']) {
        return Err(
            "LD_PRELOAD cannot carry a path with a space; link the library to another place".to_owned()
        );
    }
    Ok(())
}

/// Checks a variable's name.
///
/// # Errors
/// One clause that says what is wrong.
pub fn check_name(name: &str) -> Result<(), String> {
    if !is_name(name) {
        let quoted = super::nearest::quote(name);
        return Err(format!("{quoted} is no name of an environment variable"));
    }
    if RESERVED.contains(&name) {
        return Err(format!("{name} is set by the candidate itself and cannot be given"));
    }
    Ok(())
}

/// Whether this can be the name of a variable: a letter or underscore, then letters, digits, underscores.
pub fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_recognised_by_their_names() {
        let recognised = |path: &str| recognise(Path::new(path));
        assert_eq!(recognised("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"), Some("jemalloc"));
        assert_eq!(recognised("/a/libmimalloc.so.2.0"), Some("mimalloc"));
        assert_eq!(recognised("/a/libtcmalloc_minimal.so.4.5.10"), Some("tcmalloc"));
        assert_eq!(recognised("/a/libarenalab_mimalloc.so"), Some("mimalloc"));
        assert_eq!(recognised("/a/libmimalloc-secure.so.2"), None);
        assert_eq!(recognised("/a/libtcmalloc_minimal_debug.so.4"), None);
        assert_eq!(recognised("/libjemalloc.so.2/"), Some("jemalloc"));
        assert_eq!(recognised("/"), None);
    }
}
