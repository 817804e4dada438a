//! What glibc's loader says of its tunables under a given environment: `ld.so --list-tunables`, from
//! glibc 2.33 on. A free check that a setting was understood.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use procfs::process::{MMapPath, Process};

/// The dynamic loader that a process was started with, from its maps.
pub fn loader_of(process: &Process) -> Option<PathBuf> {
    let maps = process.maps().ok()?;
    maps.iter().find_map(|map| match &map.pathname {
        MMapPath::Path(path) if is_loader(path) => Some(path.clone()),
        _ => None,
    })
}

pub(super) fn is_loader(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("ld-linux") || name.starts_with("ld-2."))
}

/// The `glibc.malloc.*` tunables in force under `env`, by their last part. `None` where the loader
/// cannot list them.
pub fn list(loader: &Path, env: &BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    let mut command = Command::new(loader);
    command.arg("--list-tunables").env_clear().envs(env).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok()?;
    let listed = parse(&String::from_utf8_lossy(&output.stdout));
    (output.status.success() && !listed.is_empty()).then_some(listed)
}

fn parse(text: &str) -> BTreeMap<String, String> {
    let entry = |line: &str| {
        let (name, rest) = line.strip_prefix("glibc.malloc.")?.split_once(": ")?;
        Some((name.to_owned(), rest.split_whitespace().next()?.to_owned()))
    };
    text.lines().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listing_is_read() {
        let text = "glibc.rtld.nns: 0x4 (min: 0x1, max: 0x10)\n\
                    glibc.malloc.arena_max: 0x3 (min: 0x1, max: 0xffffffffffffffff)\n\
                    glibc.malloc.perturb: 0 (min: 0, max: 255)\n";
        let listed = parse(text);
        assert_eq!(listed.get("arena_max").map(String::as_str), Some("0x3"));
        assert_eq!(listed.len(), 2);
        assert!(parse("ld.so: unrecognized option").is_empty());
    }

    #[test]
    fn the_loader_of_this_process_is_found() {
        let loader = loader_of(&Process::myself().unwrap());
        assert!(loader.is_none_or(|path| path.is_absolute()));
    }
}
