//! The beginning of a process's recording: what is asked for in the environment, and the file.

use core::ffi::CStr;
use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use arenalab_trace::layout::{CONTROL_NAME, PAGE, SUFFIX, Stop};

use crate::process::{Failure, PATH, Process, fill, fill_control};
use crate::sys::{self, Fd};

/// The descriptor and the identity of the file of this process, or in a child that has not begun, of its parent's.
static KEPT: AtomicI32 = AtomicI32::new(0);
static DEVICE: AtomicU64 = AtomicU64::new(0);
static INODE: AtomicU64 = AtomicU64::new(0);

/// Whether the environment asks for a recording.
pub fn is_asked_for() -> bool {
    sys::variable(b"ARENALAB_RECORD").is_some_and(|directory| !directory.is_empty())
}

/// Begins; `false` where nothing asks for it.
pub fn begin(process: &Process, forked: bool) -> Result<bool, Failure> {
    let Some(directory) = sys::variable(b"ARENALAB_RECORD").filter(|directory| !directory.is_empty()) else {
        return Ok(false);
    };
    let (realtime, monotonic) = (sys::now(libc::CLOCK_REALTIME), sys::now(libc::CLOCK_MONOTONIC));
    let pid = sys::pid();
    process.pid.store(pid, Ordering::Relaxed);
    settings(process, realtime ^ u64::from(pid) << 40, monotonic);
    let unreachable = |errno| (Stop::Unreachable, errno);
    if directory.to_bytes().first() != Some(&b'/') {
        return Err(unreachable(libc::ENOENT as u32));
    }
    control(process, directory)?;
    // The recording of this directory is over.
    if process.control().stop.load(Ordering::Relaxed) != 0 {
        return Ok(false);
    }
    let mut path = Text::at(process.path.get().cast());
    path.add(directory.to_bytes())
        .add(b"/")
        .number(u64::from(pid))
        .add(b"-")
        .number(realtime)
        .add(SUFFIX.as_bytes());
    let path = path.end().ok_or((Stop::Unreachable, libc::ENAMETOOLONG as u32))?;
    let fd = sys::open(path, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL).map_err(unreachable)?;
    let (device, inode) = sys::identity(&fd).map_err(unreachable)?;
    process.device.store(device, Ordering::Relaxed);
    process.inode.store(inode, Ordering::Relaxed);
    let page = first_page(&fd)?;
    fill(page.cast(), process, forked, realtime, monotonic);
    process.header.store(page.cast(), Ordering::Relaxed);
    keep(process, &fd, device, inode);
    Ok(true)
}

fn settings(process: &Process, salt: u64, now: u64) {
    let number = |name: &[u8]| sys::variable(name).map_or(0, |text| parse(text.to_bytes()));
    process.sample.store(number(b"ARENALAB_RECORD_SAMPLE").clamp(1, 1 << 30) as u32, Ordering::Relaxed);
    process.salt.store(salt, Ordering::Relaxed);
    let milliseconds = number(b"ARENALAB_RECORD_FOR_MS");
    let until =
        if milliseconds == 0 { 0 } else { now.saturating_add(milliseconds.saturating_mul(1_000_000)) };
    process.until.store(until, Ordering::Relaxed);
    process.most.store(number(b"ARENALAB_RECORD_MAX_SIZE"), Ordering::Relaxed);
}

fn control(process: &Process, directory: &CStr) -> Result<(), Failure> {
    let unreachable = |errno| (Stop::Unreachable, errno);
    let mut path = Text::at(process.path.get().cast());
    path.add(directory.to_bytes()).add(b"/").add(CONTROL_NAME.as_bytes());
    let path = path.end().ok_or((Stop::Unreachable, libc::ENAMETOOLONG as u32))?;
    let fd = sys::open(path, libc::O_RDWR | libc::O_CREAT).map_err(unreachable)?;
    let page = first_page(&fd)?;
    fill_control(page.cast());
    process.control.store(page.cast(), Ordering::Relaxed);
    Ok(())
}

fn first_page(fd: &Fd) -> Result<*mut u8, Failure> {
    if sys::most_of_a_file() < PAGE as u64 {
        return Err((Stop::FileLimit, libc::EFBIG as u32));
    }
    if sys::is_nearly_full(fd) {
        return Err((Stop::NoSpace, libc::ENOSPC as u32));
    }
    sys::reserve(fd, 0, PAGE as u64).map_err(|errno| (Stop::NoSpace, errno))?;
    sys::map_shared(fd, 0, PAGE).map_err(|errno| (Stop::NoMapping, errno))
}

/// Keeps a descriptor of the file, and closes the one that a child has of its parent's.
fn keep(process: &Process, fd: &Fd, device: u64, inode: u64) {
    let parents = KEPT.swap(0, Ordering::Relaxed);
    if parents > 0 {
        let parents = Fd::borrowed(parents);
        let identity = (DEVICE.load(Ordering::Relaxed), INODE.load(Ordering::Relaxed));
        if sys::identity(&parents) == Ok(identity) {
            drop(core::mem::ManuallyDrop::into_inner(parents));
        }
    }
    let kept = fd.kept().unwrap_or(0);
    process.kept.store(kept, Ordering::Relaxed);
    KEPT.store(kept, Ordering::Relaxed);
    DEVICE.store(device, Ordering::Relaxed);
    INODE.store(inode, Ordering::Relaxed);
}

/// A number in decimal digits; 0 for anything else.
fn parse(text: &[u8]) -> u64 {
    let mut number = 0u64;
    for digit in text {
        if !digit.is_ascii_digit() {
            return 0;
        }
        number = number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    }
    number
}

/// Says on standard error that nothing is recorded. Only at the start of a program, when standard error is what
/// whoever started it gave it.
pub fn say_why(errno: u32) {
    let mut room = [0; 192];
    let mut text = Text { begin: room.as_mut_ptr(), length: 0, most: room.len() };
    let reason: &[u8] = match errno.cast_signed() {
        libc::ENOENT => b"its directory is not there, or not an absolute path",
        libc::EACCES | libc::EPERM => b"its directory cannot be written to by this user",
        libc::EROFS => b"its file system is read-only",
        libc::ENOSPC | libc::EDQUOT => b"its disk is full",
        libc::EFBIG => b"the limit on file sizes is too small (ulimit -f)",
        libc::EINVAL => b"this kernel is too old (Linux 4.14 or later is needed)",
        _ => b"the system refused",
    };
    text.add(b"arenalab: process ").number(u64::from(sys::pid())).add(b" is not recorded: ").add(reason);
    text.add(b" (error ").number(u64::from(errno)).add(b")\n");
    let length = text.length.min(room.len());
    // SAFETY: no more than there are.
    sys::say(unsafe { room.get_unchecked(..length) });
}

/// Text in memory of someone else's. What is too long is noticed at its end.
struct Text {
    begin: *mut u8,
    length: usize,
    most: usize,
}

impl Text {
    /// At the start of a path's memory.
    fn at(begin: *mut u8) -> Self {
        Self { begin, length: 0, most: PATH }
    }

    fn add(&mut self, bytes: &[u8]) -> &mut Self {
        for byte in bytes {
            if self.length < self.most {
                // SAFETY: there is room for `most` bytes.
                unsafe { self.begin.add(self.length).write(*byte) };
            }
            self.length += 1;
        }
        self
    }

    fn number(&mut self, number: u64) -> &mut Self {
        if number >= 10 {
            self.number(number / 10);
        }
        self.add(&[b'0' + (number % 10) as u8])
    }

    /// With a zero byte after it; `None` where it is too long.
    fn end(&mut self) -> Option<&'static CStr> {
        self.add(&[0]);
        // SAFETY: it ends with a zero byte; the process's memory stays.
        (self.length <= self.most).then(|| unsafe { CStr::from_ptr(self.begin.cast()) })
    }
}
