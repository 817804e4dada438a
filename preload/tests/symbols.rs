//! What each preload library exports, needs and brings along: nothing that it should not.

use std::path::PathBuf;
use std::process::Command;

/// The C family, which every library exports.
const FAMILY: [&str; 14] = [
    "aligned_alloc",
    "calloc",
    "cfree",
    "free",
    "free_aligned_sized",
    "free_sized",
    "malloc",
    "malloc_usable_size",
    "memalign",
    "posix_memalign",
    "pvalloc",
    "realloc",
    "reallocarray",
    "valloc",
];

const JEMALLOC: [&str; 11] = [
    "dallocx",
    "mallctl",
    "mallctlbymib",
    "mallctlnametomib",
    "malloc_stats_print",
    "mallocx",
    "nallocx",
    "rallocx",
    "sallocx",
    "sdallocx",
    "xallocx",
];

const MIMALLOC: [&str; 4] = ["mi_is_in_heap_region", "mi_option_get", "mi_stats_get_json", "mi_version"];

fn library(name: &str) -> PathBuf {
    std::env::current_exe().unwrap().with_file_name(name)
}

/// What a tool of binutils says of a library.
fn told(tool: &str, arguments: &[&str], name: &str) -> String {
    let output = Command::new(tool).args(arguments).arg(library(name)).output().unwrap();
    assert!(output.status.success(), "{tool} failed on {name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn exported(name: &str) -> Vec<String> {
    let symbols = told("nm", &["--dynamic", "--defined-only", "--format=posix"], name);
    let mut names: Vec<String> =
        symbols.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_c_family_and_the_allocator_s_own_questions_are_exported_and_nothing_else() {
    for (name, own) in
        [("libarenalab_jemalloc.so", &JEMALLOC[..]), ("libarenalab_mimalloc.so", &MIMALLOC[..])]
    {
        let mut expected = [&FAMILY[..], own].concat();
        expected.sort_unstable();
        assert_eq!(exported(name), expected, "{name}");
    }
}

#[test]
fn thread_local_variables_are_static_and_nothing_of_rust_is_left_that_could_allocate() {
    for name in ["libarenalab_jemalloc.so", "libarenalab_mimalloc.so"] {
        let dynamic = told("readelf", &["--dynamic", "--wide"], name);
        assert!(dynamic.contains("STATIC_TLS"), "{name}: a slow model of thread-local storage\n{dynamic}");
        let symbols = told("nm", &["--defined-only"], name);
        let allocates = symbols.lines().find(|line| line.contains("__rust_alloc") || line.contains("__rdl_"));
        assert_eq!(allocates, None, "{name}");
        // __tls_get_addr would allocate for a library that is loaded late.
        let needed = told("nm", &["--dynamic", "--undefined-only"], name);
        assert!(!needed.contains("__tls_get_addr"), "{name}");
    }
}
