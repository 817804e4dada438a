//! What an allocator or the loader says against a setting, in what the program printed: both go on without it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most that is read, bytes.
const MOST: u64 = 2 << 20;
/// The most of a line that is told, characters.
const LONGEST: usize = 200;

/// How such lines begin, and words of which one is in them (jemalloc src/jemalloc.c, `malloc_conf_error`; mimalloc
/// src/options.c; glibc elf/rtld.c and elf/dl-tunables.c).
const SIGNS: [(&str, &[&str]); 4] = [
    ("<jemalloc>: ", &["Invalid", "Malformed", "Conf string", "Unsupported", "Unrecognized", "out of range"]),
    ("mimalloc: ", &["invalid value"]),
    ("ld.so: object", &["cannot be preloaded"]),
    ("ld.so: ", &["GLIBC_TUNABLES"]),
];

/// The first line that says so in the files that hold what a program printed.
pub fn complaint(output: &[PathBuf]) -> Option<String> {
    let of_program = output.iter().filter(|path| path.to_string_lossy().ends_with(".program.log"));
    of_program.filter_map(|path| text(path)).find_map(|text| first(&text))
}

fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn first(text: &str) -> Option<String> {
    let is_one = |line: &&str| {
        SIGNS.iter().any(|(begin, words)| {
            line.split_once(begin).is_some_and(|(_, rest)| words.iter().any(|word| rest.contains(word)))
        })
    };
    text.lines().find(is_one).map(|line| line.trim().chars().take(LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_found_and_other_lines_are_not() {
        let said =
            "rate: 5\n<jemalloc>: Invalid conf pair: lg_chunk:18\n<jemalloc>: Invalid conf pair: x:1\n";
        assert_eq!(first(said).as_deref(), Some("<jemalloc>: Invalid conf pair: lg_chunk:18"));
        let object =
            "ERROR: ld.so: object '/x.so' from LD_PRELOAD cannot be preloaded (wrong ELF class): ignored.";
        assert_eq!(first(object).as_deref(), Some(object));
        let tunables = "WARNING: ld.so: invalid GLIBC_TUNABLES `x': ignored.";
        assert_eq!(first(tunables).as_deref(), Some(tunables));
        assert!(first("mimalloc: warning: environment option mimalloc_x has an invalid value.").is_some());
        assert_eq!(
            first("<jemalloc>: malloc_conf #1\nInvalid conf pair\nmimalloc: warning: no huge pages\n"),
            None
        );
    }
}
