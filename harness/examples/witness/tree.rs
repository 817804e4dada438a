//! The processes below another.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Adds the children in a `children` file of procfs, with their parent.
pub fn listed(file: &File, parent: i32, found: &mut Vec<(i32, i32)>) {
    let mut buffer = [0u8; 16384];
    let Ok(got) = file.read_at(&mut buffer, 0) else { return };
    for word in buffer[..got].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        let pid = word.iter().fold(0i32, |pid, digit| pid * 10 + i32::from(digit - b'0'));
        if !found.iter().any(|(known, _)| *known == pid) {
            found.push((pid, parent));
        }
    }
}

/// The `children` file of a process's first thread.
pub fn of_first_thread(pid: i32) -> Option<File> {
    File::open(format!("/proc/{pid}/task/{pid}/children")).ok()
}

/// Adds the children of all threads.
pub fn of_all_threads(pid: i32, found: &mut Vec<(i32, i32)>) {
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        if let Ok(file) = File::open(task.path().join("children")) {
            listed(&file, pid, found);
        }
    }
}

/// The executable that a process runs.
pub fn executable(pid: i32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// Whether its command line, words apart by blanks, has a text in it.
pub fn has_words(pid: i32, text: &str) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line: Vec<u8> = line.into_iter().map(|byte| if byte == 0 { b' ' } else { byte }).collect();
    String::from_utf8_lossy(&line).contains(text)
}

/// CPU seconds of a process so far, to the kernel's tick of 10 ms.
pub fn cpu_s(pid: i32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // After the name, which may hold anything: state is the first word, utime and stime are the 12th and 13th.
    let words = stat.rsplit(')').next().unwrap_or("").split_whitespace().skip(11).take(2);
    words.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
