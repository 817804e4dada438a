//! Any other allocator, put in front of the system's with `LD_PRELOAD`. Nothing is known of its settings:
//! what follows the path are environment variables, passed as they are.

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
