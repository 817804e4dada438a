//! Watches the processes of a trial from a thread of the harness; [`super::watcher`] is what that thread does.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::bounds::Mark;
use super::images::Images;
use super::look::Look;
use super::mapped::Mapped;
use super::tally::Point;
use super::watcher::Watcher;
use crate::trial::group::Counter;

/// The end of a process by a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallen {
    /// Its short name.
    pub command: String,
    /// The signal.
    pub signal: i32,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What all processes held, over time.
    pub points: Vec<Point>,
    /// When the union of their pages was read.
    pub marks: Vec<Mark>,
    /// When the pages of files and shared memory were counted.
    pub mapped: Vec<Mapped>,
    /// The most processes at once.
    pub most: u32,
    /// The largest `VmHWM` of any one process.
    pub high_water: u64,
    /// By how much the `VmHWM` of processes of one time surpass what was sampled of them, in all.
    pub missed: u64,
    /// Processes that a signal ended, in the order in which it was noticed.
    pub fallen: Vec<Fallen>,
    /// The last exact look.
    pub look: Option<Look>,
    /// Seconds that exact looks took.
    pub looking_s: f64,
    /// CPU seconds that watching took in all.
    pub cpu_s: f64,
}

/// What the thread is asked besides.
enum Ask {
    /// To see at once who came and went, and to answer when that is done.
    Rescan(Sender<()>),
    /// To look exactly at once, and to answer with what was seen.
    Look(Sender<Look>),
    /// To end.
    Stop,
}

/// A thread that watches until it is stopped.
pub struct Watch {
    seen: Arc<Mutex<Seen>>,
    ask: Sender<Ask>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts to watch the processes below a launcher.
    pub fn start(launcher: i32, begin: Instant, images: Images, counter: Option<Counter>) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (ask, asked) = channel();
        let shared = Arc::clone(&seen);
        let thread = std::thread::spawn(move || {
            let mut watcher = Watcher::new(launcher, begin, images, counter, shared);
            let mut wait = Duration::ZERO;
            loop {
                match asked.recv_timeout(wait) {
                    Err(RecvTimeoutError::Timeout) => wait = watcher.step(),
                    Ok(Ask::Rescan(done)) => {
                        watcher.rescan();
                        let _ = done.send(());
                    }
                    Ok(Ask::Look(done)) => {
                        watcher.rescan();
                        let _ = done.send(watcher.look_at_border());
                    }
                    Ok(Ask::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            watcher.finish();
        });
        Self { seen, ask, thread: Some(thread) }
    }

    /// Sees at once who came and went.
    pub fn rescan(&self) {
        let (done, wait) = channel();
        if self.ask.send(Ask::Rescan(done)).is_ok() {
            let _ = wait.recv();
        }
    }

    /// Looks exactly at once. `None` where there is no process that can be read.
    pub fn look(&self) -> Option<Look> {
        let (done, wait) = channel();
        self.ask.send(Ask::Look(done)).ok()?;
        wait.recv().ok().filter(|look| !look.rows.is_empty())
    }

    /// What is asked of what was seen so far.
    pub fn ask<T>(&self, question: impl FnOnce(&Seen) -> T) -> T {
        question(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends watching and gives what was seen.
    pub fn finish(mut self) -> Seen {
        let _ = self.ask.send(Ask::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
