//! glibc's own malloc: what the system's C library serves where nothing else does. A preloaded allocator
//! is found here and never reported as glibc.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsRawFd, IntoRawFd};

use arenalab_wire::message::{Identity, Inspection};
use rustix::fs::MemfdFlags;

use super::{
    Allocator, file_name, function, libc_version, malloc_info, object_of_malloc, preloaded, with_probe,
};

/// The system's allocator, or what was preloaded in its place.
pub struct System;

fn is_libc(path: &str) -> bool {
    let name = file_name(path);
    name.starts_with("libc.so") || name.strip_prefix("libc-2.").is_some_and(|rest| rest.contains(".so"))
}

impl Allocator for System {
    fn identity(&self) -> Identity {
        match object_of_malloc() {
            Some(path) if is_libc(&path) => glibc_identity(&path),
            Some(path) => preloaded::find(&path).identity(),
            None => Identity {
                name: "unknown".to_owned(),
                version: "unknown".to_owned(),
                how: "the dynamic linker does not know what malloc resolves to".to_owned(),
                libc_version: libc_version(),
                settings: BTreeMap::new(),
                counted_cpus: None,
            },
        }
    }

    fn inspect(&self) -> io::Result<Inspection> {
        match object_of_malloc() {
            Some(path) if is_libc(&path) => inspect_glibc(),
            Some(path) => preloaded::find(&path).inspect(),
            None => Ok(Inspection::default()),
        }
    }

    fn trim(&self) -> Option<String> {
        match object_of_malloc() {
            Some(path) if is_libc(&path) => Some(trim_glibc()),
            Some(path) => preloaded::find(&path).trim(),
            None => None,
        }
    }
}

fn trim_glibc() -> String {
    // SAFETY: may be called at any time.
    let gave = unsafe { libc::malloc_trim(0) };
    format!("malloc_trim(0) returned {gave}")
}

/// Bytes in use by mallinfo2, or mallinfo before glibc 2.33, whose counters wrap at 4 GiB.
fn bytes_in_use() -> Option<(u64, &'static str)> {
    type Info2 = unsafe extern "C" fn() -> libc::mallinfo2;
    type Info = unsafe extern "C" fn() -> libc::mallinfo;
    // SAFETY: the types of these functions in every glibc that has them.
    unsafe {
        if let Some(mallinfo2) = function::<Info2>(c"mallinfo2") {
            let info = mallinfo2();
            return Some(((info.uordblks + info.hblkhd) as u64, "mallinfo2"));
        }
        let info = function::<Info>(c"mallinfo")?();
        let wrapped = |value: c_int| u64::from(value.cast_unsigned());
        Some((wrapped(info.uordblks) + wrapped(info.hblkhd), "mallinfo"))
    }
}

fn glibc_identity(path: &str) -> Identity {
    let before = bytes_in_use();
    let during = with_probe(|_| bytes_in_use());
    let counted = match (before, during) {
        (Some((before, _)), Some((during, how))) => {
            (during.wrapping_sub(before) as u32 as usize >= super::PROBE).then_some(how)
        }
        _ => None,
    };
    let version = libc_version();
    let (name, how) = match counted {
        Some(how) => ("glibc", format!("{how} counted a probe of 40 KiB")),
        None => ("unknown", "but its statistics did not count a probe".to_owned()),
    };
    Identity {
        name: name.to_owned(),
        version: version.clone(),
        how: format!("malloc resolves to {}; {how}", file_name(path)),
        libc_version: version,
        // mallopt's settings can be made, but not read back.
        settings: BTreeMap::new(),
        counted_cpus: None,
    }
}

/// What `malloc_info` says, written to a memory file through a buffer of the engine's.
fn inspect_glibc() -> io::Result<Inspection> {
    type MallocInfo = unsafe extern "C" fn(c_int, *mut libc::FILE) -> c_int;
    // SAFETY: the type of malloc_info in every glibc that has it (2.10 and later).
    let Some(malloc_info) = (unsafe { function::<MallocInfo>(c"malloc_info") }) else {
        return Ok(Inspection::default());
    };
    let mut file = File::from(rustix::fs::memfd_create("malloc_info", MemfdFlags::CLOEXEC)?);
    let mut buffer = vec![0u8; 16 << 10];
    let written = through_stream(&file, &mut buffer, |stream| {
        // SAFETY: the stream is open.
        unsafe { malloc_info(0, stream) }
    })?;
    if written != 0 {
        return Err(io::Error::other("malloc_info failed"));
    }
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(malloc_info::parse(&text))
}

/// Opens a C stream over a copy of the file's descriptor, with `buffer`, for the time of `use_it`.
fn through_stream<T>(
    file: &File,
    buffer: &mut [u8],
    use_it: impl FnOnce(*mut libc::FILE) -> T,
) -> io::Result<T> {
    let copy = file.try_clone()?;
    // SAFETY: the descriptor is open, and is the stream's once fdopen has taken it; the buffer outlives the
    // stream, which is closed here.
    unsafe {
        let stream = libc::fdopen(copy.as_raw_fd(), c"w".as_ptr());
        if stream.is_null() {
            return Err(io::Error::last_os_error());
        }
        let _ = copy.into_raw_fd();
        libc::setvbuf(stream, buffer.as_mut_ptr().cast(), libc::_IOFBF, buffer.len());
        let result = use_it(stream);
        if libc::fclose(stream) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libc_is_told_from_others() {
        assert!(is_libc("/lib/x86_64-linux-gnu/libc.so.6"));
        assert!(is_libc("/opt/glibc-2.17/lib/libc-2.17.so"));
        assert!(!is_libc("/usr/lib/libjemalloc.so.2"));
        assert!(!is_libc("/usr/lib/libcustom.so"));
    }

    #[test]
    fn malloc_info_tells_of_this_process() {
        let seen = System.inspect().unwrap();
        assert!(seen.arenas.unwrap() >= 1);
        assert_eq!(seen.by_arena.len(), seen.arenas.unwrap() as usize);
    }
}
