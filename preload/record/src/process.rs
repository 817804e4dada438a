//! The recording of this process: its file, and what all its threads share. It lies in memory that the kernel
//! empties in a child by fork ([`sys::map_wiped`]), so that the child finds nothing begun, and begins its own.

use core::ffi::CStr;
use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use arenalab_trace::layout::{self, CONTROL_MAGIC, Control, FLAG_FORKED, PAGE, PROCESS_MAGIC, Stop, VERSION};

use crate::begin;
use crate::sys::{self, Fd};
use crate::thread::Thread;

/// Set once nothing is recorded any more in this process, nor in its children by fork.
pub static OFF: AtomicU32 = AtomicU32::new(0);

/// The first page of this process's file, or in a child by fork that has not begun, of its parent's. Mapped for good.
static HEADER: AtomicPtr<layout::Process> = AtomicPtr::new(core::ptr::null_mut());
static SHARED: AtomicPtr<Process> = AtomicPtr::new(core::ptr::null_mut());

/// Threads that ended whose memory waits for the next.
const ENDED: usize = 512;
/// Bytes of a path, with its zero byte.
pub const PATH: usize = 4096;

/// All zero in the beginning.
#[repr(C)]
pub struct Process {
    /// 0: nothing; [`BEGINNING`]; [`ON`].
    state: AtomicU32,
    pub pid: AtomicU32,
    /// The file's descriptor; 0 where it is opened anew each time.
    pub kept: AtomicI32,
    /// One in so many objects.
    pub sample: AtomicU32,
    pub salt: AtomicU64,
    pub device: AtomicU64,
    pub inode: AtomicU64,
    /// When to stop (`CLOCK_MONOTONIC`); 0 for never.
    pub until: AtomicU64,
    /// The most bytes of all files; 0 for no limit.
    pub most: AtomicU64,
    pub control: AtomicPtr<Control>,
    pub header: AtomicPtr<layout::Process>,
    ended: [AtomicPtr<Thread>; ENDED],
    pub path: core::cell::UnsafeCell<[u8; PATH]>,
}

const BEGINNING: u32 = 1;
const ON: u32 = 2;

/// Why nothing is recorded, and the system's error number.
pub type Failure = (Stop, u32);

/// This process's recording, begun where it was not. `None` where there is none. The thread is busy, so that what
/// allocates here does not come back.
#[cold]
pub fn process() -> Option<&'static Process> {
    if OFF.load(Ordering::Relaxed) != 0 || !sys::has_environment() {
        return None;
    }
    let process = shared()?;
    loop {
        match process.state.compare_exchange(0, BEGINNING, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => break,
            Err(ON) => return Some(process),
            Err(_) if OFF.load(Ordering::Relaxed) != 0 => return None,
            // Another thread begins right now: it asks the system a few things, and takes no lock meanwhile.
            Err(_) => sys::pause(),
        }
    }
    let parent = HEADER.load(Ordering::Acquire);
    match begin::begin(process, !parent.is_null()) {
        Ok(true) => {
            HEADER.store(process.header.load(Ordering::Relaxed), Ordering::Release);
            process.state.store(ON, Ordering::Release);
            Some(process)
        }
        Ok(false) => {
            OFF.store(1, Ordering::Relaxed);
            None
        }
        Err((_, errno)) => {
            OFF.store(1, Ordering::Relaxed);
            // SAFETY: null, or mapped for good; a child by fork shares its parent's page.
            match unsafe { parent.as_ref() } {
                Some(parent) => {
                    parent.children_errno.store(errno, Ordering::Relaxed);
                    parent.children_lost.fetch_add(1, Ordering::Relaxed);
                }
                None => begin::say_why(errno),
            }
            None
        }
    }
}

fn shared() -> Option<&'static Process> {
    let mut shared = SHARED.load(Ordering::Acquire);
    if shared.is_null() {
        let size = size_of::<Process>().next_multiple_of(PAGE);
        let fresh = match sys::map_wiped(size) {
            Ok(fresh) => fresh,
            Err(errno) => {
                OFF.store(1, Ordering::Relaxed);
                if begin::is_asked_for() {
                    begin::say_why(errno);
                }
                return None;
            }
        };
        let theirs =
            SHARED.compare_exchange(core::ptr::null_mut(), fresh.cast(), Ordering::AcqRel, Ordering::Acquire);
        shared = fresh.cast();
        if let Err(theirs) = theirs {
            sys::unmap(fresh, size);
            shared = theirs;
        }
    }
    // SAFETY: mapped for good, aligned to a page, and zero is valid for all its fields.
    unsafe { shared.as_ref() }
}

/// What a file's first page is filled with.
pub fn fill(page: *mut layout::Process, process: &Process, forked: bool, realtime: u64, monotonic: u64) {
    // SAFETY: a fresh page of zeros that nobody else has yet.
    unsafe {
        let exe = &mut (*page).exe;
        let most = exe.len() - 1;
        sys::executable(exe.get_unchecked_mut(..most));
        (*page).version = VERSION;
        (*page).length = PAGE as u32;
        (*page).pid = sys::pid();
        (*page).parent = sys::parent();
        (*page).realtime = realtime;
        (*page).monotonic = monotonic;
        (*page).sample = process.sample.load(Ordering::Relaxed);
        (*page).flags = if forked { FLAG_FORKED } else { 0 };
        (*page).salt = process.salt.load(Ordering::Relaxed);
        (*page).end.store(sys::page_size(), Ordering::Relaxed);
        (*page).magic.store(u64::from_le_bytes(PROCESS_MAGIC), Ordering::Release);
    }
}

/// Makes sure that a control file's page says what it is. All who come say the same.
pub fn fill_control(control: *mut Control) {
    // SAFETY: a page of a file that is mapped for good.
    unsafe {
        (*control).magic = CONTROL_MAGIC;
        (*control).version = VERSION;
    }
}

impl Process {
    /// The first page of the file.
    pub fn header(&self) -> &layout::Process {
        // SAFETY: set before the recording was on, mapped for good.
        unsafe { &*self.header.load(Ordering::Relaxed) }
    }

    /// What all recorders of the directory share.
    pub fn control(&self) -> &Control {
        // SAFETY: set before the recording was on, mapped for good.
        unsafe { &*self.control.load(Ordering::Relaxed) }
    }

    /// Ends recording in this process.
    #[cold]
    pub fn stop(&self, (why, errno): Failure) {
        OFF.store(1, Ordering::Relaxed);
        let header = self.header();
        let first = header.stop.compare_exchange(0, why as u32, Ordering::Relaxed, Ordering::Relaxed);
        if first.is_ok() {
            header.stop_errno.store(errno, Ordering::Relaxed);
            header.stopped.store(sys::now(libc::CLOCK_MONOTONIC), Ordering::Relaxed);
        }
    }

    /// Why recording should stop now, where it should.
    pub fn is_over(&self, now: u64) -> Option<Failure> {
        let until = self.until.load(Ordering::Relaxed);
        if self.control().stop.load(Ordering::Relaxed) != 0 {
            return Some((Stop::Told, 0));
        }
        (until != 0 && now >= until).then_some((Stop::TimeOver, 0))
    }

    /// Reserves and maps a stretch of the file for one thread.
    pub fn window(&self, length: u64) -> Result<*mut u8, Failure> {
        self.reserved(length, |fd, offset| {
            sys::map_shared(fd, offset, length as usize).map_err(|errno| (Stop::NoMapping, errno))
        })
    }

    /// Reserves a stretch of the file: where it begins.
    pub fn place(&self, length: u64) -> Result<u64, Failure> {
        self.reserved(length, |_, offset| Ok(offset))
    }

    /// Writes bytes to a stretch that was reserved.
    pub fn write(&self, bytes: *const u8, length: usize, offset: u64) -> Result<(), Failure> {
        // What was reserved cannot be beyond this but where the limit was lowered since.
        if sys::most_of_a_file() < offset + length as u64 {
            return Err((Stop::FileLimit, libc::EFBIG as u32));
        }
        self.with_file(|fd| sys::write_at(fd, bytes, length, offset).map_err(|errno| (Stop::NoSpace, errno)))
    }

    /// Reserves a stretch of the file, and does something with it.
    fn reserved<T>(
        &self,
        length: u64,
        what: impl FnOnce(&Fd, u64) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let offset = self.header().end.fetch_add(length, Ordering::Relaxed);
        if sys::most_of_a_file() < offset + length {
            return Err((Stop::FileLimit, libc::EFBIG as u32));
        }
        let used = self.control().used.fetch_add(length, Ordering::Relaxed);
        let most = self.most.load(Ordering::Relaxed);
        if most != 0 && used + length > most {
            self.control().used.fetch_sub(length, Ordering::Relaxed);
            return Err((Stop::SizeReached, 0));
        }
        self.with_file(|fd| {
            if sys::is_nearly_full(fd) {
                return Err((Stop::NoSpace, libc::ENOSPC as u32));
            }
            let reserved = sys::reserve(fd, offset, length);
            reserved.map_err(|errno| {
                let limit = errno == libc::EFBIG as u32;
                (if limit { Stop::FileLimit } else { Stop::NoSpace }, errno)
            })?;
            what(fd, offset)
        })
    }

    /// With the file: by the descriptor that was kept, if it is still this file, else by its path. A program may have
    /// closed the one, and opened another file at the number.
    fn with_file<T>(&self, what: impl FnOnce(&Fd) -> Result<T, Failure>) -> Result<T, Failure> {
        let identity = (self.device.load(Ordering::Relaxed), self.inode.load(Ordering::Relaxed));
        let kept = self.kept.load(Ordering::Relaxed);
        if kept > 0 {
            let kept = Fd::borrowed(kept);
            if sys::identity(&kept) == Ok(identity) {
                return what(&kept);
            }
            self.kept.store(0, Ordering::Relaxed);
        }
        let unreachable = |errno| (Stop::Unreachable, errno);
        // SAFETY: the path was written before the recording was on, and ends with a zero byte.
        let path = unsafe { CStr::from_ptr(self.path.get().cast()) };
        let fd = sys::open(path, libc::O_RDWR | libc::O_NOFOLLOW).map_err(unreachable)?;
        if sys::identity(&fd).map_err(unreachable)? != identity {
            return Err((Stop::Unreachable, 0));
        }
        what(&fd)
    }

    /// Keeps the memory of a thread that ends for another. It may still be written to until the thread is gone.
    pub fn give_back(&self, thread: *mut Thread) {
        for place in &self.ended {
            let null = core::ptr::null_mut();
            if place.load(Ordering::Relaxed).is_null()
                && place.compare_exchange(null, thread, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            {
                return;
            }
        }
    }

    /// The memory of a thread that is gone; `None` where there is none.
    pub fn take_ended(&self) -> Option<*mut Thread> {
        let pid = self.pid.load(Ordering::Relaxed);
        let mut looked = 0;
        for place in &self.ended {
            if place.load(Ordering::Relaxed).is_null() {
                continue;
            }
            let thread = place.swap(core::ptr::null_mut(), Ordering::AcqRel);
            if thread.is_null() {
                continue;
            }
            // SAFETY: what is in the list is mapped, and this thread has taken it.
            let tid = unsafe { (*thread).tid.get() };
            if sys::is_gone(pid, tid) {
                return Some(thread);
            }
            self.give_back(thread);
            looked += 1;
            if looked == 8 {
                break;
            }
        }
        None
    }
}

/// Says that the process ended by itself.
pub fn ended() {
    // SAFETY: null, or mapped for good.
    let Some(header) = (unsafe { HEADER.load(Ordering::Acquire).as_ref() }) else { return };
    // A child by fork that never began has its parent's page here.
    if header.pid == sys::pid() {
        header.ended.store(1, Ordering::Relaxed);
    }
}
