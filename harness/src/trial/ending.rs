//! What became of a trial: status and reason, from how its processes ended. Pure.

use super::launcher::Ending;
use crate::format::trial::Status;

/// The exit code of a workload engine that could not get memory for itself.
const OUT_OF_MEMORY: i32 = arenalab_workloads::memory::OUT_OF_MEMORY;

/// What the harness knows besides the ending itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// The engine's own words for giving up, and whether it lacked memory.
    pub failure: Option<(bool, String)>,
    /// Why the harness ended the trial, where it did.
    pub refused: Option<String>,
    /// Whether the harness was asked to stop.
    pub interrupted: bool,
    /// Whether its time was up by the harness's clock. It may end by itself before the launcher ends it, as the harness no
    /// longer listens.
    pub late: bool,
    /// Whether the last phase was completed.
    pub completed: bool,
    /// Processes that the kernel killed for memory on this host meanwhile.
    pub oom_kills: u64,
}

/// Names what became of a trial; a reason for everything but `ok`.
pub fn classify(told: &Told, ending: &Ending, timeout_s: f64) -> (Status, Option<String>) {
    if told.interrupted {
        return (Status::Interrupted, Some("stopped on request".to_owned()));
    }
    if let Some((out_of_memory, reason)) = &told.failure {
        let status = if *out_of_memory { Status::Oom } else { Status::Failed };
        return (status, Some(reason.clone()));
    }
    if told.late || ending.timed_out {
        let reason = format!("still running after {timeout_s} s; ended. Raise --timeout or lower ops");
        return (Status::Timeout, Some(reason));
    }
    if let Some(reason) = &told.refused {
        return (Status::Failed, Some(reason.clone()));
    }
    match (ending.signal, ending.code) {
        (Some(9), _) if told.oom_kills > 0 => {
            (Status::Oom, Some("killed by the kernel for memory (SIGKILL, oom_kill counted)".to_owned()))
        }
        (Some(signal), _) => {
            let reason = format!("ended by signal {signal}{}{}", name_of(signal), last_words(&ending.output));
            (Status::Crashed, Some(reason))
        }
        (None, Some(0)) if told.completed => (Status::Ok, None),
        (None, Some(OUT_OF_MEMORY)) => (
            Status::Oom,
            Some(format!(
                "the workload engine could not get memory for itself{}",
                last_words(&ending.output)
            )),
        ),
        (None, Some(0)) => {
            (Status::Failed, Some(format!("exited before its work was done{}", last_words(&ending.output))))
        }
        (None, code) => {
            let code = code.map_or_else(|| "an unknown code".to_owned(), |code| format!("code {code}"));
            (Status::Failed, Some(format!("exited with {code}{}", last_words(&ending.output))))
        }
    }
}

/// A signal by number and name.
pub fn signal_words(signal: i32) -> String {
    let name = name_of(signal).split(';').next().unwrap_or("").trim_end_matches(')');
    let close = if name.is_empty() { "" } else { ")" };
    format!("signal {signal}{name}{close}")
}

/// How a process ended, as the rest of a sentence.
pub fn how_it_ended(code: Option<i32>, signal: Option<i32>) -> String {
    match (code, signal) {
        (_, Some(signal)) => format!("was ended by {}", signal_words(signal)),
        (Some(code), None) => format!("exited with code {code}"),
        (None, None) => "ended in an unknown way".to_owned(),
    }
}

fn name_of(signal: i32) -> &'static str {
    match signal {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL; no memory kill was counted by the kernel)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

/// The last line that the trial printed, bounded, as a clause.
pub fn last_words(output: &str) -> String {
    let last = output.lines().rev().find(|line| !line.trim().is_empty());
    last.map_or_else(String::new, |line| {
        let short: String = line.trim().chars().take(200).collect();
        format!("; its last words: {short}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(code: Option<i32>, signal: Option<i32>) -> Ending {
        Ending { code, signal, output: "one\nlast words\n".to_owned(), ..Ending::default() }
    }

    #[test]
    fn each_way_to_end_has_its_status() {
        let done = Told { completed: true, ..Told::default() };
        assert_eq!(classify(&done, &ended(Some(0), None), 1.0), (Status::Ok, None));
        assert_eq!(classify(&Told::default(), &ended(Some(0), None), 1.0).0, Status::Failed);
        let (status, reason) = classify(&Told::default(), &ended(None, Some(11)), 1.0);
        assert_eq!(status, Status::Crashed);
        assert!(reason.unwrap().contains("SIGSEGV"));
        let (status, reason) = classify(&Told::default(), &ended(Some(1), None), 1.0);
        assert_eq!(status, Status::Failed);
        assert!(reason.unwrap().contains("last words"));
        let killed = Told { oom_kills: 1, ..Told::default() };
        assert_eq!(classify(&killed, &ended(None, Some(9)), 1.0).0, Status::Oom);
        assert_eq!(classify(&Told::default(), &ended(None, Some(9)), 1.0).0, Status::Crashed);
        assert_eq!(classify(&Told::default(), &ended(Some(OUT_OF_MEMORY), None), 1.0).0, Status::Oom);
        let late = Ending { timed_out: true, ..ended(None, Some(9)) };
        assert_eq!(classify(&Told::default(), &late, 1.0).0, Status::Timeout);
        let late = Told { late: true, ..Told::default() };
        assert_eq!(
            classify(&late, &ended(Some(4), None), 1.0).0,
            Status::Timeout,
            "it ended before TERM came"
        );
        let starved = Told { failure: Some((true, "no memory".to_owned())), ..Told::default() };
        assert_eq!(classify(&starved, &ended(Some(3), None), 1.0).0, Status::Oom);
    }

    #[test]
    fn a_request_to_stop_comes_before_everything() {
        let told = Told { interrupted: true, ..Told::default() };
        let late = Ending { timed_out: true, ..ended(None, Some(9)) };
        assert_eq!(classify(&told, &late, 1.0).0, Status::Interrupted);
    }

    #[test]
    fn a_refusal_is_told_before_the_kill_that_followed_it() {
        let told = Told { refused: Some("wrong allocator".to_owned()), ..Told::default() };
        let (status, reason) = classify(&told, &ended(None, Some(9)), 1.0);
        assert_eq!((status, reason.as_deref()), (Status::Failed, Some("wrong allocator")));
    }
}
