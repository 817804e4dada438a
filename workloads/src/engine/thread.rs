//! Threads in which nothing calls the measured `malloc` but what they are started for.
//!
//! Rust's own threads register a destructor with the C library when they start, which takes memory of the heap for it: in
//! workloads whose threads live for one object, every second object would be that. (What the C library itself allocates for a new
//! thread, in the one that starts it, every program has.)

use std::ffi::c_void;
use std::io;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::null_mut;

use crate::memory::page_size;

/// A thread that was started. Dropped, it goes on by itself, and its result is lost.
pub struct Thread<T> {
    id: libc::pthread_t,
    result: PhantomData<fn() -> T>,
}

type Work<T> = Box<dyn FnOnce() -> T + Send>;

impl<T: Send + 'static> Thread<T> {
    /// Starts a thread with a stack of so many bytes, or as many as the system asks for. A panic in it ends the process.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn start(stack: usize, work: impl FnOnce() -> T + Send + 'static) -> io::Result<Self> {
        let work: Work<T> = Box::new(work);
        let argument = Box::into_raw(Box::new(work));
        // SAFETY: the attributes outlive the call, and `live` takes the argument over.
        let started = unsafe { create(stack, live::<T>, argument.cast()) };
        started.map(|id| Self { id, result: PhantomData }).inspect_err(|_| {
            // SAFETY: no thread was started that could have taken it over.
            drop(unsafe { Box::from_raw(argument) });
        })
    }

    /// Waits for its end; what it returned.
    pub fn join(self) -> T {
        let id = ManuallyDrop::new(self).id;
        let mut result = null_mut();
        // SAFETY: it is neither joined nor detached yet, as that consumes the only handle.
        let joined = unsafe { libc::pthread_join(id, &raw mut result) };
        assert_eq!(joined, 0, "a thread cannot be joined");
        // SAFETY: `live` returned it, and nobody else has it.
        *unsafe { Box::from_raw(result.cast()) }
    }
}

impl<T> Drop for Thread<T> {
    fn drop(&mut self) {
        // SAFETY: it is neither joined nor detached yet, as that consumes the only handle.
        unsafe { libc::pthread_detach(self.id) };
    }
}

/// What a thread does. Unwinding out of it ends the process.
extern "C" fn live<T>(argument: *mut c_void) -> *mut c_void {
    // SAFETY: made by `Thread::start` for this thread alone.
    let work: Box<Work<T>> = unsafe { Box::from_raw(argument.cast()) };
    Box::into_raw(Box::new(work())).cast()
}

/// # Safety
/// `life` may be called in another thread with `argument`.
unsafe fn create(
    stack: usize,
    life: extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
) -> io::Result<libc::pthread_t> {
    // SAFETY: sysconf only reads.
    let least = usize::try_from(unsafe { libc::sysconf(libc::_SC_THREAD_STACK_MIN) }).unwrap_or(0);
    let stack = stack.max(least).next_multiple_of(page_size());
    let mut attributes = MaybeUninit::uninit();
    let (attributes, mut id) = (attributes.as_mut_ptr(), MaybeUninit::uninit());
    // SAFETY: attributes are initialised before they are used, and destroyed once; the id is there where it is created.
    unsafe {
        checked(libc::pthread_attr_init(attributes))?;
        let created = checked(libc::pthread_attr_setstacksize(attributes, stack))
            .and_then(|()| checked(libc::pthread_create(id.as_mut_ptr(), attributes, life, argument)));
        libc::pthread_attr_destroy(attributes);
        created.map(|()| id.assume_init())
    }
}

fn checked(error: libc::c_int) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn what_it_returns_is_joined() {
        // Less than the system asks for.
        let stack = 1;
        let word = "said".to_owned();
        let threads: Vec<_> = (0..8)
            .map(|n| (n, word.clone()))
            .map(|(n, word)| Thread::start(stack, move || (n, word)))
            .collect();
        for (n, thread) in threads.into_iter().enumerate() {
            assert_eq!(thread.unwrap().join(), (n, "said".to_owned()));
        }
    }

    #[test]
    fn one_that_is_let_go_goes_on() {
        let (say, heard) = channel();
        let (go, gone) = channel();
        drop(Thread::start(256 << 10, move || {
            gone.recv().unwrap();
            say.send(7).unwrap();
        }));
        go.send(()).unwrap();
        assert_eq!(heard.recv(), Ok(7));
    }

    #[test]
    fn a_refusal_is_an_error_and_drops_what_was_to_be_done() {
        let held = std::sync::Arc::new(());
        let its = std::sync::Arc::clone(&held);
        assert!(Thread::start(1 << 60, move || drop(its)).is_err(), "no stack of an exbibyte");
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
    }
}
