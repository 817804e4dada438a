//! What is asked of the kernel, without the C library's wrappers: those of `open`, `close`, `fallocate` are points
//! at which a thread may be cancelled, and `malloc` is none. Nothing here changes `errno`.

use core::ffi::{CStr, c_char};

use libc::{c_int, c_long, c_void};

/// Runs something, and leaves `errno` as it was.
#[inline]
pub fn keeping_errno<T>(what: impl FnOnce() -> T) -> T {
    // SAFETY: the address of this thread's errno, valid as long as the thread is.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let errno = unsafe { *place };
    let result = what();
    // SAFETY: as above.
    unsafe { *place = errno };
    result
}

/// The error number that this thread's last failed call left.
fn errno() -> u32 {
    // SAFETY: the address of this thread's errno.
    unsafe { (*libc::__errno_location()).cast_unsigned() }
}

fn checked(result: c_long) -> Result<c_long, u32> {
    if result < 0 { Err(errno()) } else { Ok(result) }
}

/// A file descriptor, closed when it goes.
pub struct Fd(c_int);

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: it was opened here, and is closed once.
        unsafe { libc::syscall(libc::SYS_close, self.0) };
    }
}

impl Fd {
    /// One that stays open, at a number that programs seldom come to; `None` where there is none.
    pub fn kept(&self) -> Option<c_int> {
        const HIGH: c_int = 900;
        // SAFETY: takes numbers only.
        let fd = unsafe { libc::syscall(libc::SYS_fcntl, self.0, libc::F_DUPFD_CLOEXEC, HIGH) };
        c_int::try_from(fd).ok().filter(|fd| *fd >= 0)
    }

    /// One that stays open, for a moment: it must not be dropped.
    pub fn borrowed(kept: c_int) -> core::mem::ManuallyDrop<Self> {
        core::mem::ManuallyDrop::new(Self(kept))
    }
}

/// Opens a file.
pub fn open(path: &CStr, flags: c_int) -> Result<Fd, u32> {
    let flags = flags | libc::O_CLOEXEC | libc::O_NOCTTY;
    // SAFETY: the path ends with a zero byte.
    let fd = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o600) };
    checked(fd).map(|fd| Fd(fd as c_int))
}

/// Which file it is: device and inode.
pub fn identity(fd: &Fd) -> Result<(u64, u64), u32> {
    // SAFETY: plain data, for which zero is valid.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: there is room for it.
    checked(unsafe { libc::syscall(libc::SYS_fstat, fd.0, &raw mut stat) })?;
    Ok((stat.st_dev, stat.st_ino))
}

static ZEROS: [u8; 4096] = [0; 4096];

/// Reserves a stretch of a file, so that writing to it through a mapping cannot fail. On file systems that know no
/// reservation, zeros are written.
pub fn reserve(fd: &Fd, offset: u64, length: u64) -> Result<(), u32> {
    let (from, many) = (offset as libc::off_t, length as libc::off_t);
    loop {
        // SAFETY: takes numbers only.
        match checked(unsafe { libc::syscall(libc::SYS_fallocate, fd.0, 0, from, many) }) {
            Ok(_) => return Ok(()),
            Err(error) if error == libc::EINTR as u32 => {}
            Err(error) if error == libc::EOPNOTSUPP as u32 || error == libc::ENOSYS as u32 => break,
            Err(error) => return Err(error),
        }
    }
    let mut done = 0;
    while done < length {
        let most = (length - done).min(4096);
        let at = (offset + done) as libc::off_t;
        // SAFETY: there are so many bytes.
        let wrote = checked(unsafe { libc::syscall(libc::SYS_pwrite64, fd.0, ZEROS.as_ptr(), most, at) });
        match wrote {
            Ok(0) => return Err(libc::ENOSPC as u32),
            Ok(wrote) => done += wrote as u64,
            Err(error) if error == libc::EINTR as u32 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes bytes to a place in a file that was reserved.
pub fn write_at(fd: &Fd, mut from: *const u8, length: usize, offset: u64) -> Result<(), u32> {
    let mut done = 0;
    while done < length {
        let at = (offset + done as u64) as libc::off_t;
        // SAFETY: the caller has so many bytes there.
        match checked(unsafe { libc::syscall(libc::SYS_pwrite64, fd.0, from, length - done, at) }) {
            Ok(0) => return Err(libc::ENOSPC as u32),
            Ok(wrote) => {
                done += wrote as usize;
                // SAFETY: no more than there are.
                from = unsafe { from.add(wrote as usize) };
            }
            Err(error) if error == libc::EINTR as u32 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a file system has next to nothing left: less than a 64th. The rest is the program's.
pub fn is_nearly_full(fd: &Fd) -> bool {
    // SAFETY: plain data, for which zero is valid.
    let mut system: libc::statfs = unsafe { core::mem::zeroed() };
    // SAFETY: there is room for it.
    let asked = unsafe { libc::syscall(libc::SYS_fstatfs, fd.0, &raw mut system) };
    asked == 0 && system.f_blocks > 0 && system.f_bavail < system.f_blocks / 64
}

/// The largest file that this process may write, in bytes. To exceed it would send it a signal.
pub fn most_of_a_file() -> u64 {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let none = core::ptr::null::<c_void>();
    // SAFETY: there is room for the limit; nothing is set.
    let asked = unsafe { libc::syscall(libc::SYS_prlimit64, 0, libc::RLIMIT_FSIZE, none, &raw mut limit) };
    if asked < 0 { u64::MAX } else { limit.rlim_cur }
}

/// Maps a stretch of a file that all see.
pub fn map_shared(fd: &Fd, offset: u64, length: usize) -> Result<*mut u8, u32> {
    let rights = libc::PROT_READ | libc::PROT_WRITE;
    let null = core::ptr::null_mut::<c_void>();
    // SAFETY: a new mapping, where the kernel has room for it.
    let address = unsafe { libc::mmap(null, length, rights, libc::MAP_SHARED, fd.0, offset as libc::off_t) };
    if address == libc::MAP_FAILED { Err(errno()) } else { Ok(address.cast()) }
}

/// Memory that is zero, and zero again in a child by fork.
pub fn map_wiped(length: usize) -> Result<*mut u8, u32> {
    let (rights, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, where the kernel has room for it.
    let address = unsafe { libc::mmap(core::ptr::null_mut(), length, rights, flags, -1, 0) };
    if address == libc::MAP_FAILED {
        return Err(errno());
    }
    // SAFETY: the mapping is ours.
    if unsafe { libc::madvise(address, length, libc::MADV_WIPEONFORK) } != 0 {
        let error = errno();
        unmap(address.cast(), length);
        return Err(error);
    }
    Ok(address.cast())
}

/// Ends a mapping that nobody uses any more.
pub fn unmap(address: *mut u8, length: usize) {
    // SAFETY: it was made here, and its user gave it up.
    unsafe { libc::munmap(address.cast(), length) };
}

/// Bytes of a page.
pub fn page_size() -> u64 {
    // SAFETY: takes a number.
    (unsafe { libc::getauxval(libc::AT_PAGESZ) }).max(4096)
}

/// This process.
pub fn pid() -> u32 {
    // SAFETY: takes nothing. Not the C library's, which old ones remember beyond a fork.
    unsafe { libc::syscall(libc::SYS_getpid) as u32 }
}

/// Its parent.
pub fn parent() -> u32 {
    // SAFETY: takes nothing.
    unsafe { libc::syscall(libc::SYS_getppid) as u32 }
}

/// This thread.
pub fn tid() -> u32 {
    // SAFETY: takes nothing.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// Whether a thread of this process is gone for good.
pub fn is_gone(pid: u32, tid: u32) -> bool {
    // SAFETY: signal 0 only asks.
    let asked = unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, 0) };
    asked < 0 && errno() == libc::ESRCH as u32
}

/// Lets others run.
pub fn pause() {
    // SAFETY: takes nothing.
    unsafe { libc::syscall(libc::SYS_sched_yield) };
}

/// A clock, in nanoseconds.
pub fn now(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: there is room for the time; reads a page of the kernel's, and never blocks.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// The path of the executable; how many bytes it has.
pub fn executable(into: &mut [u8]) -> usize {
    let (path, most) = (c"/proc/self/exe".as_ptr(), into.len());
    // SAFETY: the path ends with a zero byte, and there is room for so many bytes.
    let read = unsafe { libc::syscall(libc::SYS_readlinkat, libc::AT_FDCWD, path, into.as_mut_ptr(), most) };
    usize::try_from(read).unwrap_or(0)
}

/// Writes to standard error.
pub fn say(text: &[u8]) {
    // SAFETY: there are so many bytes.
    unsafe { libc::syscall(libc::SYS_write, 2, text.as_ptr(), text.len()) };
}

/// A variable of the environment as it is now; `None` too where the C library has none yet.
pub fn variable(name: &[u8]) -> Option<&'static CStr> {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: the C library's; a list of texts that ends with null, or null before there is one. A program that changes it in another
    // thread at this very time breaks its own getenv as well.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            let mut at = *entry;
            let mut rest = name;
            while let [first, more @ ..] = rest
                && *at == first.cast_signed()
            {
                at = at.add(1);
                rest = more;
            }
            if rest.is_empty() && *at == b'='.cast_signed() {
                return Some(CStr::from_ptr(at.add(1)));
            }
            entry = entry.add(1);
        }
    }
    None
}

/// Whether the C library has its environment.
pub fn has_environment() -> bool {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    // SAFETY: a pointer of the C library's, read once.
    unsafe { !environ.is_null() }
}
