//! Who a workload binary is: what it says of itself, and the hash of its content.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use arenalab_wire::message::Identity;
use sha2::{Digest, Sha256};

use super::{companions, toolchain};
use crate::format::manifest::Binary;

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

/// Asks a workload binary who it is, in an environment free of what an allocator reads, and hashes it.
///
/// # Errors
/// One line: it cannot be read or run, or its answer is not one.
pub fn take(path: &Path, environment: &BTreeMap<String, String>) -> Result<Fingerprint, String> {
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
    let identity = companions::identify(path, environment)?;
    let binary = of_file(path, &format!("{} {}", identity.name, identity.version))?;
    Ok(Fingerprint { path: path.to_owned(), binary, identity })
}

/// Hashes a file that cannot be asked; `allocator` is what is to be said of it.
///
/// # Errors
/// One line: it cannot be read.
pub fn of_file(path: &Path, allocator: &str) -> Result<Binary, String> {
    let sha256 = hash(path).map_err(|e| format!("failed to read {}: {e}", path.display()))?;
    let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    Ok(Binary { file, path: None, sha256, allocator: allocator.to_owned(), build: toolchain::read(path) })
}

fn hash(path: &Path) -> std::io::Result<String> {
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
    Ok(hex(&hasher.finalize()))
}

/// Bytes in hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
