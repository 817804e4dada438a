//! Processes that are not like others: another user's, closed ones, ended ones, traced ones, of 32 bits.

mod common;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use common::{arenalab, both, json, run_expecting};
use serde_json::Value;

/// A user without rights: "nobody".
const NOBODY: u32 = 65534;

/// A process that is ended with the test.
struct Started(Child);

impl Started {
    /// Starts a program, and waits for its first line.
    fn ready(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "it said nothing");
        Self(child)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A copy of the command where everybody may run it.
fn open_copy(dir: &Path) -> PathBuf {
    let copy = dir.join("arenalab");
    std::fs::copy(env!("CARGO_BIN_EXE_arenalab"), &copy).unwrap();
    for path in [dir, &copy] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    copy
}

/// Runs the command without any right: as another user where this is root.
fn without_rights(dir: &Path, args: &[&str]) -> Output {
    let mut command = arenalab();
    if is_root() {
        command = Command::new(open_copy(dir));
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
    }
    command.args(args).output().unwrap()
}

/// Asserts that a look says what is known without any right, and what keeps the rest.
fn assert_closed(looked: &Output, reason: &str) {
    assert_eq!(looked.status.code(), Some(0), "{}", both(looked));
    let seen = json(looked);
    assert_eq!(
        (&seen["not_seen"][0]["what"], &seen["arenas"]),
        (&"memory".into(), &Value::Array(Vec::new()))
    );
    let why = seen["not_seen"][0]["why"].as_str().unwrap();
    assert!(why.contains(reason) && why.contains("CAP_SYS_PTRACE"), "{why}");
    let rss = seen["rss"].as_u64().expect("anybody may see it");
    let rows: u64 = seen["rows"].as_array().unwrap().iter().map(|row| row["rss"].as_u64().unwrap()).sum();
    assert!(rss > 0 && rows.abs_diff(rss) <= rss / 4, "{seen}");
}

/// Compiles a program; `None` where that cannot be done here.
fn compile(source: &str, flags: &[&str], dir: &Path) -> Option<PathBuf> {
    let (file, program) = (dir.join("program.c"), dir.join("program"));
    std::fs::write(&file, source).unwrap();
    let made = Command::new("gcc").args(flags).arg("-o").args([&program, &file]).output().unwrap();
    made.status.success().then_some(program)
}

#[test]
fn another_users_process_is_told_of_as_far_as_anybody_may_see() {
    let dir = tempfile::tempdir().unwrap();
    let init = is_root() || std::fs::File::open("/proc/1/mem").is_err();
    if !init {
        println!("skipped: there is no process of another user");
        return;
    }
    let own = is_root().then(|| Started::ready(Command::new("sh").args(["-c", "echo ready; read line"])));
    let pid = own.as_ref().map_or_else(|| "1".to_owned(), Started::pid);
    let looked = without_rights(dir.path(), &["inspect", "--json", &pid]);
    assert_closed(&looked, "it runs as user 0, and this as user");
    let text = without_rights(dir.path(), &["inspect", &pid]);
    assert!(
        !both(&text).contains("nothing to say"),
        "nothing can be said of what was not seen: {}",
        both(&text)
    );
}

#[test]
fn a_process_that_is_not_dumpable_is_closed_to_its_own_user() {
    let dir = tempfile::tempdir().unwrap();
    let source = "#include <stdio.h>\n#include <sys/prctl.h>\n#include <unistd.h>\n\
        int main(void) { prctl(PR_SET_DUMPABLE, 0); puts(\"ready\"); fflush(stdout); pause(); }";
    let program = compile(source, &[], dir.path()).expect("gcc makes it");
    let mut command = Command::new(&program);
    open_copy(dir.path());
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let closed = Started::ready(&mut command);
    let looked = without_rights(dir.path(), &["inspect", "--json", &closed.pid()]);
    if json(&looked)["not_seen"][0]["what"] != "memory" && !is_root() {
        println!("skipped: this user may look at everything");
        return;
    }
    let reason = if std::fs::exists("/proc/sys/kernel/yama").unwrap() { "" } else { "not dumpable" };
    assert_closed(&looked, reason);
    if is_root() {
        let seen = json(&run_expecting(0, &["inspect", "--json", &closed.pid()]));
        assert_eq!(
            (&seen["allocator"]["name"], &seen["not_seen"]),
            (&"glibc".into(), &Value::Array(Vec::new()))
        );
    }
}

#[test]
fn a_process_that_has_ended_and_waits_for_its_parent_is_said_to() {
    let mut ended = Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
    // Its output ends when it does; it is not waited for.
    ended.stdout.as_mut().unwrap().read_to_end(&mut Vec::new()).unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", ended.id())).unwrap();
    while !stat().contains(") Z ") {
        std::thread::yield_now();
    }
    let seen = json(&run_expecting(0, &["inspect", "--json", &ended.id().to_string()]));
    assert_eq!(seen["allocator"]["how"], "it has ended, and waits for its parent", "{seen}");
    assert_eq!((&seen["rss"], &seen["not_seen"][0]["what"]), (&Value::Null, &"memory".into()));
    ended.wait().unwrap();
}

#[test]
fn a_thread_of_the_kernel_has_no_memory() {
    /// `PF_KTHREAD` of the kernel's include/linux/sched.h.
    const OF_THE_KERNEL: u64 = 0x0020_0000;
    let is_one = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let flags =
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(6)?.parse::<u64>().ok());
        flags.is_some_and(|flags| flags & OF_THE_KERNEL != 0)
    };
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // The first ones stay as long as the kernel does.
    let Some(pid) = pids.find(is_one) else {
        println!("skipped: no thread of the kernel can be seen here");
        return;
    };
    let seen = json(&run_expecting(0, &["inspect", "--json", &pid.to_string()]));
    let how = seen["allocator"]["how"].as_str().unwrap();
    // As another user the kernel says only that it may not be looked at.
    assert!(how == "it is a thread of the kernel" || !is_root() && how.contains("may not be read"), "{seen}");
}

#[test]
fn a_program_of_32_bits_has_its_rows_and_no_arenas() {
    let dir = tempfile::tempdir().unwrap();
    let source = "static const char ready[] = \"ready\\n\";\n\
        void _start(void) {\n\
        __asm__ volatile(\"int $0x80\" : : \"a\"(4), \"b\"(1), \"c\"(ready), \"d\"(6) : \"memory\");\n\
        for (;;) __asm__ volatile(\"int $0x80\" : : \"a\"(29) : \"memory\"); }";
    let flags = ["-m32", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector"];
    let Some(program) = compile(source, &flags, dir.path()) else {
        println!("skipped: gcc makes no programs of 32 bits here");
        return;
    };
    if Command::new(&program)
        .stdout(Stdio::null())
        .spawn()
        .map(|mut child| child.kill().and(child.wait().map(|_| ())))
        .is_err()
    {
        println!("skipped: this kernel runs no programs of 32 bits");
        return;
    }
    let started = Started::ready(&mut Command::new(&program));
    let seen = json(&run_expecting(0, &["inspect", "--json", &started.pid()]));
    assert!(seen["allocator"]["how"].as_str().unwrap().contains("32 bits"), "{seen}");
    assert!(
        seen["arenas"].as_array().unwrap().is_empty() && !seen["rows"].as_array().unwrap().is_empty(),
        "{seen}"
    );
}

#[test]
fn a_process_that_a_debugger_has_stopped_is_looked_at_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    // The parent is its debugger, and says so once it has stopped.
    let source = "#include <signal.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <sys/ptrace.h>\n#include <sys/wait.h>\n\
        #include <unistd.h>\n#include <sys/prctl.h>\n\
        int main(void) {\n\
        pid_t child = fork();\n\
        if (!child) { prctl(PR_SET_PDEATHSIG, SIGKILL); free(malloc(50000)); ptrace(PTRACE_TRACEME, 0, 0, 0); raise(SIGSTOP); _exit(0); }\n\
        int status;\n\
        waitpid(child, &status, 0);\n\
        printf(\"%d\\n\", WIFSTOPPED(status) ? child : 0); fflush(stdout);\n\
        getchar(); kill(child, SIGKILL); }";
    let program = compile(source, &["-O0"], dir.path()).expect("gcc makes it");
    let mut debugger = Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(debugger.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let debugger = Started(debugger);
    let pid = line.trim();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains(&format!("TracerPid:\t{}\n", debugger.pid())), "{status}");
    let seen = json(&run_expecting(0, &["inspect", "--json", "--deep", pid]));
    assert_eq!(
        (&seen["allocator"]["name"], &seen["arenas"][0]["moved"]),
        (&"glibc".into(), &false.into()),
        "{seen}"
    );
    assert_eq!(seen["not_seen"], Value::Array(Vec::new()));
    let still = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(still.contains("State:\tt"), "it is left as it was: {still}");
}

#[test]
fn a_process_that_ends_in_the_middle_of_a_watch_has_its_verdict() {
    let mut started = Started::ready(Command::new("sh").args(["-c", "echo ready; read line"]));
    let mut watch = arenalab();
    watch.args(["inspect", &started.pid(), "--json", "--watch", "20ms"]).stdout(Stdio::piped());
    let mut watch = watch.spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    for _ in 0..6 {
        assert!(lines.next().unwrap().unwrap().contains("\"arenas\""));
    }
    started.0.kill().unwrap();
    started.0.wait().unwrap();
    let last: Value = serde_json::from_str(&lines.last().unwrap().unwrap()).unwrap();
    assert_eq!(watch.wait().unwrap().code(), Some(0));
    assert!(last["looks"].as_u64() >= Some(6) && last["verdict"].is_string(), "{last}");
}
