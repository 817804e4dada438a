//! Nothing of Rust unwinds here. Without its personality routine nothing needs std, nor then `libgcc_s`, and the
//! linker leaves both out. `zig cc`, with which `scripts/build-portable` links, takes a linker script only.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    let target = variable("TARGET");
    assert!(target.contains("linux-gnu"), "the preload libraries are for glibc on Linux, not for {target}");
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
