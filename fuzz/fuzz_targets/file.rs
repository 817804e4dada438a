//! A whole file: opened, checked, put in order and summed up.
#![no_main]

use std::io::Write;

use arenalab_trace::read::{TraceFile, summarize};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile();
    file.0.write_all(bytes).expect("the temporary file can be written");
    let Ok(trace) = TraceFile::open(&file.1) else { return };
    trace.check().expect("the file can be read");
    summarize(&trace).expect("the file can be read");
});

/// One file for this process, written anew each time.
fn tempfile() -> (std::fs::File, std::path::PathBuf) {
    let path = std::env::temp_dir().join(format!("arenalab-fuzz-{}.trace", std::process::id()));
    (std::fs::File::create(&path).expect("the temporary directory can be written"), path)
}
