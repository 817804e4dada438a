//! Takes the archive that tikv-jemalloc-sys built and gives its public functions other names, `arenalab_malloc`
//! for `malloc`, so that the functions that this library exports can have theirs. The names are read from
//! `src/names.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

include!("src/names.rs");

fn main() {
    println!("cargo:rerun-if-changed=src/names.rs");
    println!("cargo:rerun-if-env-changed=OBJCOPY");
    let target = variable("TARGET");
    assert!(target.contains("linux-gnu"), "the preload libraries are for glibc on Linux, not for {target}");
    // Set by tikv-jemalloc-sys, which links = "jemalloc".
    let archive = Path::new(&variable("DEP_JEMALLOC_ROOT")).join("lib/libjemalloc_pic.a");
    println!("cargo:rerun-if-changed={}", archive.display());
    let out = PathBuf::from(variable("OUT_DIR"));
    rename(&archive, &out.join("libarenalab_je.a"));
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=arenalab_je");
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

/// objcopy comes with the linker (binutils).
fn rename(archive: &Path, renamed: &Path) {
    let objcopy = std::env::var("OBJCOPY").unwrap_or_else(|_| "objcopy".to_owned());
    let pairs = NAMES.iter().map(|name| format!("--redefine-sym={name}=arenalab_{name}"));
    let status = Command::new(&objcopy).args(pairs).arg(archive).arg(renamed).status();
    let status = status.unwrap_or_else(|error| panic!("failed to run {objcopy} (binutils): {error}"));
    assert!(status.success(), "{objcopy} failed on {}: {status}", archive.display());
}
