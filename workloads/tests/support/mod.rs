//! Runs the workload binaries for the integration tests.
#![allow(dead_code, reason = "each test file uses its part")]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use arenalab_wire::channel::Channel;
use arenalab_wire::message::{Border, FromEngine, Hello, Identity, Inspection, Phase, ToEngine};
use arenalab_wire::telemetry::Page;

pub const BINARIES: [(&str, &str); 3] = [
    ("glibc", env!("CARGO_BIN_EXE_arenalab-workload-glibc")),
    ("jemalloc", env!("CARGO_BIN_EXE_arenalab-workload-jemalloc")),
    ("mimalloc", env!("CARGO_BIN_EXE_arenalab-workload-mimalloc")),
];

/// Nothing here takes this long; it only keeps a broken test from hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command for one of the binaries, without allocator settings from outside.
pub fn command(allocator: &str) -> Command {
    let (_, path) = BINARIES.iter().find(|(name, _)| *name == allocator).unwrap();
    let mut command = Command::new(path);
    for name in ["LD_PRELOAD", "GLIBC_TUNABLES", "MALLOC_ARENA_MAX", "MALLOC_CONF"] {
        command.env_remove(name);
    }
    command
}

pub fn output(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

pub fn identify(command: &mut Command) -> Identity {
    let output = output(command.arg("identify"));
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A whole run by hand: each phase's border and inspection.
pub fn run_by_hand(command: &mut Command, arguments: &[&str]) -> Vec<(Border, Inspection)> {
    let output = output(command.arg("run").args(arguments).arg("--json"));
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let messages: Vec<FromEngine> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    messages
        .chunks(2)
        .map(|pair| match pair {
            [FromEngine::Border(border), FromEngine::Inspection(seen)] => (border.clone(), seen.clone()),
            other => panic!("{other:?}"),
        })
        .collect()
}

/// A binary led over the control socket.
pub struct Led {
    pub channel: Channel,
    pub child: Reaped,
}

/// A child that does not outlive its test.
pub struct Reaped(Child);

impl Led {
    pub fn start(command: &mut Command, arguments: &[&str]) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let fd = theirs.as_raw_fd();
        command.arg("run").args(arguments).args(["--control-fd", &fd.to_string()]);
        // SAFETY: fcntl is async-signal-safe; the descriptor is open in the parent until after spawn.
        unsafe {
            command.pre_exec(move || {
                let fd = BorrowedFd::borrow_raw(fd);
                Ok(rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?)
            });
        }
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        drop(theirs);
        let channel = Channel::new(ours);
        channel.set_timeout(Some(PATIENCE)).unwrap();
        Self { channel, child: Reaped(child) }
    }

    pub fn hello(&mut self) -> (Hello, Page) {
        let hello = match self.channel.receive().unwrap() {
            Some(FromEngine::Hello(hello)) => hello,
            other => panic!("{other:?}"),
        };
        let file: OwnedFd = self.channel.take_descriptor().unwrap();
        (hello, Page::open(file.as_fd()).unwrap())
    }

    pub fn go(&self) {
        self.channel.send(&ToEngine::Go, None).unwrap();
    }

    pub fn border(&mut self, phase: Phase) -> Border {
        assert_eq!(self.channel.receive::<FromEngine>().unwrap(), Some(FromEngine::Arrived));
        self.channel.send(&ToEngine::Report, None).unwrap();
        match self.channel.receive().unwrap() {
            Some(FromEngine::Border(border)) if border.phase == phase => border,
            other => panic!("{other:?}"),
        }
    }

    pub fn inspect(&mut self) -> Inspection {
        self.channel.send(&ToEngine::Inspect, None).unwrap();
        match self.channel.receive().unwrap() {
            Some(FromEngine::Inspection(inspection)) => inspection,
            other => panic!("{other:?}"),
        }
    }

    /// Closes this end of the conversation.
    pub fn desert(self) -> Reaped {
        self.child
    }
}

impl Reaped {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits for the process to end by itself; its exit code.
    pub fn ends(mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the engine lives on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
