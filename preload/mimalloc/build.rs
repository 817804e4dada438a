//! Compiles mimalloc from the source in libmimalloc-sys, as its own build does, but without the C library's
//! names (`MI_MALLOC_OVERRIDE`): those are for the functions that this library exports, and features of
//! libmimalloc-sys are the same for all of a workspace.

use std::path::{Path, PathBuf};

/// mimalloc's own functions that this library exports, too.
const RENAMED: [&str; 4] = ["mi_version", "mi_option_get", "mi_is_in_heap_region", "mi_stats_get_json"];

fn main() {
    let target = variable("TARGET");
    assert!(target.contains("linux-gnu"), "the preload libraries are for glibc on Linux, not for {target}");
    // Set by libmimalloc-sys, which links = "mimalloc".
    let include = variable("DEP_MIMALLOC_INCLUDE_DIR");
    let source = Path::new(&include).with_file_name("src");
    let mut build = cc::Build::new();
    for name in RENAMED {
        build.define(name, format!("arenalab_{name}").as_str());
    }
    build
        .file(source.join("static.c"))
        .include(&include)
        .include(&source)
        .flag_if_supported("-Wno-error=date-time")
        .flag_if_supported("-fno-builtin-malloc")
        // Preloaded libraries are there when the program starts: their thread-local variables have room.
        .flag("-ftls-model=initial-exec")
        .flag_if_supported("-fno-semantic-interposition")
        .define("MI_DEBUG", "0")
        .define("MI_BUILD_RELEASE", None)
        .define("NDEBUG", None)
        .warnings(false)
        .compile("arenalab_mi");
    without_std();
}

/// Nothing of Rust unwinds here. Without its personality routine nothing needs std, nor then `libgcc_s`, and
/// the linker leaves both out. `zig cc`, with which `scripts/build-portable` links, takes a linker script only.
fn without_std() {
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    if std::env::var("RUSTC_LINKER").is_ok_and(|linker| linker.contains("zigcc")) {
        let script = PathBuf::from(variable("OUT_DIR")).join("personality.ld");
        std::fs::write(&script, "rust_eh_personality = 0;\n").expect("OUT_DIR can be written to");
        println!("cargo:rustc-link-arg-cdylib=-Wl,-T,{}", script.display());
    } else {
        println!("cargo:rustc-link-arg-cdylib=-Wl,--defsym=rust_eh_personality=0");
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}
