//! A memory control group around a command: version 1 (`memory.max_usage_in_bytes`) or 2 (`memory.peak`).

use std::fs::{self, File};
use std::io::{Error, Read, Result, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A control group that lives as long as this.
pub struct Group {
    directory: PathBuf,
    peak: PathBuf,
    /// Held open: version 2 counts anew for the descriptor that wrote to it (Linux 6.12).
    handle: Option<File>,
}

/// Where this process's memory group is, and the name of its peak.
fn own() -> Option<(PathBuf, &'static str)> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path =
        |name: &str| text.lines().find_map(|line| line.split_once(name).map(|(_, path)| path.to_owned()));
    let at = |root: &str, path: String| {
        let inside = Path::new(root).join(path.trim_start_matches('/'));
        // A container may see its own group as the root.
        if inside.is_dir() { inside } else { PathBuf::from(root) }
    };
    match (path(":memory:"), path("0::")) {
        (Some(path), _) => Some((at("/sys/fs/cgroup/memory", path), "memory.max_usage_in_bytes")),
        (None, Some(path)) => Some((at("/sys/fs/cgroup", path), "memory.peak")),
        _ => None,
    }
}

impl Group {
    /// Makes one below this process's own.
    ///
    /// # Errors
    /// When there is no memory controller, or it may not be made.
    pub fn make() -> Result<Self> {
        let (parent, name) = own().ok_or_else(|| Error::other("there is no memory controller"))?;
        let directory = parent.join(format!("arenalab-witness-{}", std::process::id()));
        fs::create_dir(&directory)?;
        let peak = directory.join(name);
        let handle = File::options().read(true).write(true).open(&peak).ok();
        if !peak.exists() {
            let _ = fs::remove_dir(&directory);
            return Err(Error::other(format!("no {name} below {}", parent.display())));
        }
        Ok(Self { directory, peak, handle })
    }

    /// The command, put into the group before it is started.
    pub fn around(&self, words: &[String]) -> Command {
        let mut command = Command::new("sh");
        let enter = format!("echo $$ >'{}/cgroup.procs' && exec \"$@\"", self.directory.display());
        command.args(["-c", &enter, "sh"]).args(words);
        command
    }

    /// Counts anew from here, where the kernel can.
    pub fn reset(&self) {
        if let Some(mut handle) = self.handle.as_ref() {
            let _ = handle.write_all(b"0");
        }
    }

    /// The largest use so far, bytes: pages of files that its processes read first, and the kernel's own, included.
    pub fn peak(&self) -> Option<u64> {
        let mut text = String::new();
        match self.handle.as_ref() {
            Some(mut handle) => {
                handle.rewind().ok()?;
                handle.read_to_string(&mut text).ok()?;
            }
            None => text = fs::read_to_string(&self.peak).ok()?,
        }
        text.trim().parse().ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.directory);
    }
}
