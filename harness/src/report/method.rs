//! How and where a campaign was measured, as facts to read.

use super::story::{Fact, fact};
use super::{Input, words};
use crate::format::manifest::{CandidateEntry, Libc, LibcRun, Manifest, Merged};
use crate::units;

/// How it was measured.
pub fn method(input: &Input) -> Vec<Fact> {
    let (manifest, decision) = (input.manifest, input.decision);
    let (adaptive, rounds) =
        (manifest.strategy != "sweep", words::plural(u64::from(manifest.rounds), "round"));
    let rounds = if adaptive { format!("at most {rounds}") } else { rounds };
    vec![
        fact("strategy", format!("{}, {rounds}", manifest.strategy)),
        fact("objective", words::objective(decision.objective)),
        fact(
            "comparison",
            "ratios to the baseline within rounds; every round runs each candidate once, in random order",
        ),
        fact("intervals", format!("{} confidence", words::confidence(decision.confidence))),
        fact("seed", manifest.seed.to_string()),
        fact("candidates", manifest.candidates.len().to_string()),
        fact("begun", manifest.created_at.as_str()),
        fact("measured by", format!("arenalab {}", manifest.arenalab)),
    ]
}

/// Where it was measured.
pub fn host(manifest: &Manifest) -> Vec<Fact> {
    let host = &manifest.host;
    let unknown = "unknown";
    let mut facts = vec![
        fact("host", host.name.as_str()),
        fact("system", host.os.as_deref().unwrap_or(unknown)),
        fact("kernel", format!("{} ({})", host.kernel, host.arch)),
        fact("processor", host.cpu.as_deref().unwrap_or(unknown)),
        fact("CPUs", format!("{} online, {} allowed", host.cpus_online, host.cpus_allowed)),
        fact("memory", units::format_bytes(host.memory as f64)),
        fact("transparent huge pages", host.thp.as_deref().unwrap_or(unknown)),
    ];
    if let Some(limit) = host.cgroup_limit {
        facts.push(fact("cgroup memory limit", units::format_bytes(limit as f64)));
    }
    for libc in &manifest.libcs {
        facts.push(fact(&format!("libc {}", libc.name), words::clean(&of_libc(libc))));
    }
    for (allocator, binary) in &manifest.binaries {
        let hash: String = binary.sha256.chars().take(16).collect();
        facts.push(fact(
            &match allocator.split_once(':') {
                Some(("program", name)) => format!("program, {name}"),
                Some((_, allocator)) => format!("preloaded library, {allocator}"),
                None => format!("workload binary, {allocator}"),
            },
            format!("{}: {}, sha256 {hash}…", binary.file, binary.allocator),
        ));
    }
    facts
}

/// A C library's version, and how trials ran on it.
fn of_libc(libc: &Libc) -> String {
    let version = libc.version.as_deref().unwrap_or("unknown");
    let path = libc.path.as_deref().unwrap_or("an unknown directory");
    match libc.run {
        LibcRun::Host => version.to_owned(),
        LibcRun::Loader => format!("{version}, through the loader of {path}"),
        LibcRun::Root => format!("{version}, inside {path}"),
    }
}

/// Candidates that were not run: the one asked for, the one that stands for it, why.
pub fn merged(manifest: &Manifest) -> Vec<[String; 3]> {
    let of = |entry: &CandidateEntry| {
        let row =
            |m: &Merged| [words::clean(&m.candidate), words::clean(&entry.candidate), words::clean(&m.why)];
        entry.stands_for.iter().map(row).collect::<Vec<_>>()
    };
    manifest.candidates.iter().flat_map(of).collect()
}

/// A command line that a shell reads back as the same words.
pub fn shell(command: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%".contains(c);
    let quote = |word: &String| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    command.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_quoted_where_a_shell_would_split_them() {
        let command = ["arenalab", "sweep", "--", "my prog", "it's"].map(str::to_owned);
        assert_eq!(shell(&command), r"arenalab sweep -- 'my prog' 'it'\''s'");
    }
}
