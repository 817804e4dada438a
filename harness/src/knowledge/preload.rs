//! Any other allocator, put in front of the system's with `LD_PRELOAD`. What follows the path are environment
//! variables, passed as they are. A jemalloc, mimalloc or tcmalloc, known by its file name, takes the keys of
//! its settings besides.

use std::path::Path;

use super::{glibc, jemalloc, scrub};

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

/// The allocator that alone reads a variable, where that is known.
fn reader(name: &str, value: &str) -> Option<&'static str> {
    let of_glibc =
        |setting: &super::Setting| matches!(setting.passing, super::Passing::Variable(own) if own == name);
    match name {
        "GLIBC_TUNABLES" => value.split(':').all(scrub::is_tunable_of_ours).then_some("glibc"),
        "MALLOC_CHECK_" => Some("glibc"),
        "MALLOC_CONF" | "_RJEM_MALLOC_CONF" | "JE_MALLOC_CONF" => Some("jemalloc"),
        _ if glibc::SETTINGS.iter().any(of_glibc) => Some("glibc"),
        _ if name.to_ascii_uppercase().starts_with("MIMALLOC_") => Some("mimalloc"),
        _ if name.starts_with("TCMALLOC_") => Some("tcmalloc"),
        _ => None,
    }
}

/// Checks a variable that is given to a preloaded library, known as an allocator or as `preload`.
///
/// # Errors
/// One clause: another allocator reads it, or it has what no jemalloc knows.
pub fn check_variable(library: &Path, known_as: &str, name: &str, value: &str) -> Result<(), String> {
    match reader(name, value) {
        Some(reader) if known_as != "preload" && reader != known_as => Err(format!(
            "{name} is read by {reader}'s malloc alone, and this library is {known_as}: it would change nothing"
        )),
        Some("jemalloc") if known_as == "jemalloc" => {
            let file =
                library.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            jemalloc::check_conf(name, value, file.starts_with("libarenalab_"))
        }
        _ => Ok(()),
    }
}

/// What one who measures a preloaded library with a variable should know, in a clause.
pub fn caveat(known_as: &str, name: &str, value: &str) -> Option<String> {
    match (known_as, reader(name, value)) {
        ("preload", Some("glibc")) => Some(format!(
            "{name} is read by glibc's malloc, whose place the library takes: without a library that looks at it as well it \
             changes nothing"
        )),
        ("jemalloc", Some("jemalloc")) => jemalloc::caveat(value),
        _ => None,
    }
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
    fn a_variable_of_another_allocator_is_refused_with_the_reason() {
        let jemalloc = Path::new("/x/libjemalloc.so.2");
        let check = |known_as, name, value| check_variable(jemalloc, known_as, name, value);
        let why = check("jemalloc", "MALLOC_ARENA_MAX", "2").unwrap_err();
        assert!(why.contains("read by glibc's malloc alone, and this library is jemalloc"), "{why}");
        for (known_as, name, value) in [
            ("jemalloc", "GLIBC_TUNABLES", "glibc.malloc.arena_max=2"),
            ("jemalloc", "MIMALLOC_PURGE_DELAY", "0"),
            ("mimalloc", "MALLOC_CONF", "narenas:1"),
            ("tcmalloc", "MALLOC_TRIM_THRESHOLD_", "1"),
        ] {
            assert!(check(known_as, name, value).is_err(), "{known_as} {name}");
        }
        assert_eq!(check("jemalloc", "GLIBC_TUNABLES", "glibc.pthread.rseq=0"), Ok(()));
        assert_eq!(
            (check("preload", "MALLOC_ARENA_MAX", "2"), check("jemalloc", "OTHER", "2")),
            (Ok(()), Ok(()))
        );
        assert!(
            caveat("preload", "MALLOC_ARENA_MAX", "2").unwrap().contains("whose place the library takes")
        );
        assert_eq!(caveat("preload", "OTHER", "2"), None);
    }

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
