//! What Ctrl-C, TERM and HUP do: the first asks to stop (the trial in flight is ended, what finished is on
//! disk), the second ends at once (the launcher sees its leash go, and ends the trial).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::exit;

/// Whether, and by which signal, the harness was asked to stop.
#[derive(Clone, Default)]
pub struct Stop {
    /// Set by the first signal.
    pub flag: Arc<AtomicBool>,
    /// 0 until one has come.
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Installs the handlers.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn install() -> std::io::Result<Self> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal)) {
            // In this order: the flag that the first one looks at is set by the last.
            flag::register_conditional_shutdown(signal, i32::from(code(signal)), stop.flag.clone())?;
            flag::register_usize(signal, stop.signal.clone(), signal.cast_unsigned() as usize)?;
            flag::register(signal, stop.flag.clone())?;
        }
        Ok(stop)
    }

    /// The exit code that goes with the signal that came.
    pub fn exit_code(&self) -> u8 {
        code(i32::try_from(self.signal.load(Ordering::Relaxed)).unwrap_or(SIGTERM))
    }
}

/// Whether whoever started this program has it ignore a signal, as `nohup` does with HUP.
fn is_ignored(signal: i32) -> bool {
    // SAFETY: sigaction is plain data, for which zero is valid; with no new action it is only filled.
    let current = unsafe {
        let mut current: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut current);
        current
    };
    current.sa_sigaction == libc::SIG_IGN
}

fn code(signal: i32) -> u8 {
    if signal == SIGINT { exit::INTERRUPTED } else { exit::TERMINATED }
}
