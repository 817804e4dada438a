//! Allocators by what their libraries are called. A name is a hint: what a file exports says more.

/// Allocators by the beginning of their libraries' file names.
const LIBRARIES: [(&str, &str); 8] = [
    ("libjemalloc", "jemalloc"),
    ("libmimalloc", "mimalloc"),
    ("libtcmalloc", "tcmalloc"),
    ("librpmalloc", "rpmalloc"),
    ("libsnmalloc", "snmalloc"),
    ("libhoard", "hoard"),
    ("libarenalab_jemalloc", "jemalloc"),
    ("libarenalab_mimalloc", "mimalloc"),
];

/// The allocator that a library of this file name is; `None` where the name tells nothing.
pub fn allocator(file: &str) -> Option<&'static str> {
    LIBRARIES.iter().find(|(prefix, _)| file.starts_with(prefix)).map(|(_, allocator)| *allocator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_known_by_the_beginning_of_its_name() {
        assert_eq!(allocator("libjemalloc.so.2"), Some("jemalloc"));
        assert_eq!(allocator("libtcmalloc_minimal.so.4"), Some("tcmalloc"));
        assert_eq!(allocator("libarenalab_mimalloc.so"), Some("mimalloc"));
        assert_eq!(
            (allocator("libc.so.6"), allocator("my-libjemalloc.so"), allocator("")),
            (None, None, None)
        );
    }
}
