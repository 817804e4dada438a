//! Who a workload binary is: what it says of itself, and the hash of its content.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use arenalab_wire::message::Identity;
use sha2::{Digest, Sha256};

use crate::format::manifest::Binary;
use crate::knowledge::scrub;

/// A workload binary that can be run.
#[derive(Clone, Debug)]
pub struct Fingerprint {
    /// Where it is.
    pub path: PathBuf,
    /// For the manifest.
    pub binary: Binary,
    /// What it says of itself.
    pub identity: Identity,
}

/// Asks a workload binary who it is, and hashes it.
///
/// # Errors
/// One line: it cannot be read or run, or its answer is not one.
pub fn take(path: &Path) -> Result<Fingerprint, String> {
    let identity = identify(path)?;
    let sha256 = hash(path).map_err(|e| format!("failed to read {}: {e}", path.display()))?;
    let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let allocator = format!("{} {}", identity.name, identity.version);
    Ok(Fingerprint { path: path.to_owned(), binary: Binary { file, sha256, allocator }, identity })
}

/// Runs `PROGRAM identify`, free of the variables that an allocator reads.
fn identify(path: &Path) -> Result<Identity, String> {
    let mut command = Command::new(path);
    command.arg("identify").stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(scrub::is_scrubbed)) {
        command.env_remove(name);
    }
    let output = command.output().map_err(|e| format!("failed to run {}: {e}", path.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or("nothing");
        return Err(format!("{} identify ended with {}, saying: {last}", path.display(), output.status));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|e| format!("{} identify said what is no identity: {e}", path.display()))
}

fn hash(path: &Path) -> std::io::Result<String> {
    use std::fmt::Write;
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut part = vec![0u8; 1 << 16];
    loop {
        let got = file.read(&mut part)?;
        if got == 0 {
            break;
        }
        hasher.update(&part[..got]);
    }
    Ok(hasher.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}
