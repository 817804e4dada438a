//! Finds the glibc of a root: extracted packages, a container's root, a mounted image, or a directory that holds
//! the libraries themselves.
//!
//! Where they lie differs: Debian and its kin have `lib/x86_64-linux-gnu`, RHEL and its kin `lib64`; `lib` may be
//! a link to `usr/lib`, or only one of the two may be there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use object::{Architecture, Object};

use super::{banner, inside};
use crate::trial::fingerprint;

/// The C library's file.
const LIBC: &str = "libc.so.6";

/// Libraries that come with glibc and must be of one build with it. A host's copy of one of them never mixes with
/// another's.
pub const PIECES: [&str; 19] = [
    "libc.so.6",
    "libm.so.6",
    "libmvec.so.1",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libresolv.so.2",
    "libutil.so.1",
    "libanl.so.1",
    "libBrokenLocale.so.1",
    "libthread_db.so.1",
    "libc_malloc_debug.so.0",
    "libmemusage.so",
    "libpcprofile.so",
    "libSegFault.so",
    "libnss_files.so.2",
    "libnss_dns.so.2",
    "libnss_compat.so.2",
    "libnss_hesiod.so.2",
];

/// Libraries that are taken from the root where it has them, as the compiler's own of that release.
const COMPANIONS: [&str; 5] =
    ["libgcc_s.so.1", "libstdc++.so.6", "libatomic.so.1", "libcrypt.so.1", "libnsl.so.1"];

/// A machine that glibc runs on here.
struct Machine {
    name: &'static str,
    architecture: Architecture,
    loader: &'static str,
    /// Debian's name of it in paths.
    tuple: &'static str,
}

const MACHINES: [Machine; 2] = [
    Machine {
        name: "x86_64",
        architecture: Architecture::X86_64,
        loader: "ld-linux-x86-64.so.2",
        tuple: "x86_64-linux-gnu",
    },
    Machine {
        name: "aarch64",
        architecture: Architecture::Aarch64,
        loader: "ld-linux-aarch64.so.1",
        tuple: "aarch64-linux-gnu",
    },
];

/// A root with a glibc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The directory, absolute and without links.
    pub dir: PathBuf,
    /// Its dynamic loader.
    pub loader: PathBuf,
    /// Its `libc.so.6`, without links: as a process's maps show it.
    pub libc: PathBuf,
    /// Its version, such as `2.31`.
    pub version: String,
    /// SHA-256 of `libc`, in hex.
    pub sha256: String,
    /// Its libraries by name, without links.
    pub libraries: BTreeMap<String, PathBuf>,
}

/// Finds the glibc of a directory, for a machine as `uname -m` names it.
///
/// # Errors
/// One line that says what is there instead.
pub fn locate(dir: &Path, machine: &str) -> Result<Root, String> {
    let refused = |what: &str| format!("{what} in {}", dir.display());
    let root = dir.canonicalize().map_err(|e| format!("failed to look at {}: {e}", dir.display()))?;
    if !root.is_dir() {
        return Err(format!("{} is no directory; give a root that holds a glibc", dir.display()));
    }
    let machine = MACHINES
        .iter()
        .find(|known| known.name == machine)
        .ok_or_else(|| format!("another libc than the host's is not supported on {machine}"))?;
    let places = places(machine);
    let Some(libc) = find(&root, &places, LIBC)? else {
        return Err(refused(&what_instead(&root, machine)));
    };
    let bytes = super::read(&libc).map_err(|e| format!("failed to read {}: {e}", libc.display()))?;
    check_machine(&bytes, machine).map_err(|what| format!("{} {what}", libc.display()))?;
    let version = banner::version(&bytes)
        .ok_or_else(|| format!("{} is no glibc: it does not say which version it is", libc.display()))?;
    let loader = find(&root, &places, machine.loader)?
        .ok_or_else(|| refused(&format!("no loader {} beside glibc {version}", machine.loader)))?;
    let sha256 = fingerprint::of_file(&libc, "")?.sha256;
    let libraries = libraries(&root, &places, &libc)?;
    Ok(Root { dir: root, loader, libc, version, sha256, libraries })
}

/// The directories of a root in which its libraries may lie.
fn places(machine: &Machine) -> Vec<PathBuf> {
    let tuple = machine.tuple;
    let multiarch = [format!("lib/{tuple}"), format!("usr/lib/{tuple}")];
    let plain = ["lib64", "usr/lib64", "lib", "usr/lib", "."].map(str::to_owned);
    multiarch.into_iter().chain(plain).map(PathBuf::from).collect()
}

/// The first place's file of a name, where links lead to within the root.
fn find(root: &Path, places: &[PathBuf], name: &str) -> Result<Option<PathBuf>, String> {
    for place in places {
        let path = place.join(name);
        let found = inside::resolve(root, &path)
            .map_err(|e| format!("failed to look at {}: {e}", root.join(&path).display()))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn libraries(root: &Path, places: &[PathBuf], libc: &Path) -> Result<BTreeMap<String, PathBuf>, String> {
    // glibc's own from where its libc lies first, so that two builds in one root are not mixed.
    let beside = libc.strip_prefix(root).ok().and_then(Path::parent).map(Path::to_owned);
    let places: Vec<PathBuf> = beside.into_iter().chain(places.iter().cloned()).collect();
    let mut found = BTreeMap::new();
    for name in PIECES.into_iter().chain(COMPANIONS) {
        if let Some(path) = find(root, &places, name)? {
            found.insert(name.to_owned(), path);
        }
    }
    Ok(found)
}

fn check_machine(bytes: &[u8], machine: &Machine) -> Result<(), String> {
    let elf = object::File::parse(bytes).map_err(|_| "is no ELF file".to_owned())?;
    let found = elf.architecture();
    if found == machine.architecture {
        return Ok(());
    }
    let known = MACHINES.iter().find(|known| known.architecture == found);
    let name = known.map_or_else(|| format!("{found:?}").to_lowercase(), |known| known.name.to_owned());
    Err(format!("is for {name}, and this host is {}", machine.name))
}

/// What a root has in place of a glibc for this machine.
fn what_instead(root: &Path, own: &Machine) -> String {
    let listed = |place: &str| {
        let place = inside::resolve(root, Path::new(place)).ok().flatten();
        let entries = place.and_then(|place| std::fs::read_dir(place).ok()).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect::<Vec<_>>()
    };
    let names: Vec<String> = ["lib", "usr/lib", "lib64", "."].into_iter().flat_map(listed).collect();
    if let Some(musl) = names.iter().find(|name| name.starts_with("ld-musl-")) {
        return format!("no glibc, but musl ({musl}), whose malloc has no such settings,");
    }
    let foreign = |name: &&String| {
        name.contains("-linux-gnu")
            && ["lib", "usr/lib"].iter().any(|place| {
                let path = Path::new(place).join(name.as_str()).join(LIBC);
                inside::resolve(root, &path).is_ok_and(|found| found.is_some())
            })
    };
    if let Some(tuple) = names.iter().find(foreign) {
        let machine = tuple.split('-').next().unwrap_or(tuple);
        return format!("no glibc for {}, but one for {machine},", own.name);
    }
    format!("no {LIBC} (looked for in lib, lib64, usr/lib, usr/lib64 and the directory itself)")
}

#[cfg(test)]
mod tests;
