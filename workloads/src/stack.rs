//! What Rust's runtime does in every thread to report an overflow of its stack, left out.

/// Has a program leave it out; each workload program has this beside its `main`. In the library itself it would run in
/// whatever links that, and the harness would have the programs that it starts ignore these signals: what is ignored is
/// handed on.
#[macro_export]
macro_rules! plain_stacks {
    () => {
        /// Runs before the runtime starts: it leaves handlers alone that are not the default ones.
        #[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
        #[used]
        static BEFORE: extern "C" fn() = $crate::stack::set;
    };
}

const SIGNALS: [libc::c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// Ignores what the runtime would handle.
pub extern "C" fn set() {
    handle(libc::SIG_IGN);
}

fn handle(how: libc::sighandler_t) {
    for signal in SIGNALS {
        // SAFETY: signal takes any disposition for these two.
        unsafe { libc::signal(signal, how) };
    }
}

/// Sets the default again, before any thread starts. Rust's runtime would allocate with the measured `malloc` in every thread of its
/// own that starts, to learn where its stack ends, and map and unmap another stack for a handler. An overflow still ends
/// the process, without a line.
pub fn plain() {
    handle(libc::SIG_DFL);
}
