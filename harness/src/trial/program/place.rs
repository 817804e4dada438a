//! A trial's own place: a fresh directory, removed with it, and a port that nothing listens on.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::plan::program::Places;

/// Ports are taken from below those that the kernel gives to outgoing connections (32768 on), so that a driver
/// cannot take one meanwhile.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// A place. Dropping it removes its directory.
pub struct Place {
    /// What the placeholders stand for.
    pub places: Places,
}

impl Place {
    /// Makes one under a directory for temporary files.
    ///
    /// # Errors
    /// One sentence: no directory can be made, or no port is free.
    pub fn make(temporary: &Path, threads: u32) -> Result<Self, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        let stamp = now ^ u64::from(std::process::id()).rotate_left(32);
        let dir = directory(temporary, stamp)?;
        let mut place = Self { places: Places { port: 0, dir, threads } };
        place.places.port = free_port(stamp)?;
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A program that has just ended may still be at it.
        for _ in 0..3 {
            match std::fs::remove_dir_all(&self.places.dir) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {}
                _ => return,
            }
        }
    }
}

fn directory(temporary: &Path, stamp: u64) -> Result<PathBuf, String> {
    let mut last = String::new();
    for attempt in 0..100 {
        let name =
            format!("arenalab-{}-{:x}", std::process::id(), (stamp >> 8).wrapping_add(attempt) & 0xffff_ffff);
        let dir = temporary.join(name);
        match std::fs::DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) => last = format!("failed to make the trial's directory {}: {error}", dir.display()),
        }
    }
    Err(format!("{last}. Name another place in TMPDIR"))
}

fn free_port(stamp: u64) -> Result<u16, String> {
    let count = u64::from(PORTS.end - PORTS.start);
    let candidates = (0..count).map(|step| PORTS.start + ((stamp / 1000 + step * 7) % count) as u16);
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
    candidates.into_iter().find(free).ok_or_else(|| "no TCP port from 12000 to 31999 is free".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_apart_and_leave_nothing() {
        let root = tempfile::tempdir().unwrap();
        let (a, b) = (Place::make(root.path(), 1).unwrap(), Place::make(root.path(), 1).unwrap());
        assert_ne!(a.places.dir, b.places.dir);
        std::fs::write(a.places.dir.join("file"), "x").unwrap();
        drop((a, b));
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
        assert!(Place::make(Path::new("/nowhere"), 1).is_err_and(|why| why.contains("/nowhere")));
    }

    #[test]
    fn a_port_in_use_is_not_given() {
        // A child that another test is about to start has, until then, the socket that looked whether the port is free.
        let bind = |port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port));
        let listener =
            std::iter::repeat_with(|| free_port(0).unwrap()).find_map(|port| bind(port).ok()).unwrap();
        assert_ne!(free_port(0).unwrap(), listener.local_addr().unwrap().port());
    }
}
