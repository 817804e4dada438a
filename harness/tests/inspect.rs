//! `arenalab inspect`, as a user would start it.

mod common;

use std::process::{Child, Command, Stdio};

use common::{both, json, run, run_expecting};
use serde_json::Value;

/// A process that waits for its input to end, and is ended with the test.
struct Waiting(Child);

impl Waiting {
    fn start(variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).envs(variables.iter().copied());
        let mut child = command.spawn().unwrap();
        // It answers once its libraries are there and its memory is in use.
        let (stdin, stdout) = (child.stdin.as_mut().unwrap(), child.stdout.as_mut().unwrap());
        std::io::Write::write_all(stdin, b"x").unwrap();
        std::io::Read::read_exact(stdout, &mut [0]).unwrap();
        Self(child)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_process_is_told_by_its_pid() {
    let waiting = Waiting::start(&[("MALLOC_ARENA_MAX", "3")]);
    let seen = json(&run_expecting(0, &["inspect", "--json", "--deep", &waiting.pid()]));
    assert_eq!((&seen["comm"], &seen["allocator"]["name"]), (&"cat".into(), &"glibc".into()), "{seen}");
    assert_eq!(seen["settings"]["arena_max"], 3);
    assert_eq!((&seen["arena_limit"]["low"], &seen["arena_limit"]["high"]), (&3.into(), &3.into()));
    assert_eq!((&seen["arenas"][0]["main"], &seen["arenas"][0]["threads"]), (&true.into(), &1.into()));
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{value} in {seen}"));
    let arena = &seen["arenas"][0];
    let parts: u64 = ["in_use", "free", "fast", "top"].iter().map(|part| number(&arena[part])).sum();
    assert_eq!(parts, number(&arena["system"]));
    let rows: u64 = seen["rows"].as_array().unwrap().iter().map(|row| number(&row["rss"])).sum();
    // The kernel counts RSS in its status a few pages late.
    assert!(rows.abs_diff(number(&seen["rss"])) <= number(&seen["rss"]) / 4, "{seen}");
    assert_eq!(seen["advice"], Value::Array(Vec::new()), "there is nothing to say");

    let text = both(&run_expecting(0, &["inspect", &waiting.pid(), "--watch", "10ms", "--for", "90ms"]));
    assert!(text.contains("arenas: 1 of at most 3") && text.contains("main heap"), "{text}");
    assert!(text.contains("nothing to say") && text.contains("10 looks in"), "{text}");
    assert!(text.contains("main heap in use") && text.contains("plateau: nothing grows"), "{text}");
}

#[test]
fn a_process_that_is_not_there_is_one_line() {
    let ended = Waiting::start(&[]).pid();
    for wrong in [ended.as_str(), "4294967295", "no-such-program", "99999999999999999999"] {
        let refused = run(&["inspect", wrong]);
        assert_eq!(refused.status.code(), Some(2), "{wrong}: {}", both(&refused));
        assert_eq!(String::from_utf8_lossy(&refused.stderr).lines().count(), 1, "{}", both(&refused));
    }
}
