//! How and where a campaign was measured, as facts to read.

use super::story::{Fact, fact};
use super::{Input, words};
use crate::format::manifest::{Binary, CandidateEntry, Libc, LibcRun, Manifest, Merged};
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
    facts.extend(pretended(manifest));
    for (allocator, binary) in &manifest.binaries {
        let hash: String = binary.sha256.chars().take(16).collect();
        facts.push(fact(
            &match allocator.split_once(':') {
                Some(("program", name)) => format!("program, {name}"),
                Some((_, allocator)) => format!("preloaded library, {allocator}"),
                None => format!("workload binary, {allocator}"),
            },
            format!("{}: {}, sha256 {hash}…{}", binary.file, binary.allocator, built(binary)),
        ));
    }
    facts
}

/// What tells a campaign from another of the same name: host, day, C libraries.
pub fn ground(manifest: &Manifest) -> String {
    let day: String = manifest.created_at.chars().take(10).collect();
    let libc = |libc: &Libc| match (&libc.version, libc.name.as_str()) {
        (Some(version), "host") => format!("libc {version}"),
        (Some(version), name) => format!("libc {name} ({version})"),
        (None, name) => format!("libc {name}"),
    };
    let libcs: Vec<String> = manifest.libcs.iter().map(libc).collect();
    words::clean(&format!("host {}, {day}, {}", manifest.host.name, libcs.join(", ")))
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

/// Compilers and the symbol versions that it needs, after a comma.
fn built(binary: &Binary) -> String {
    let Some(build) = &binary.build else { return String::new() };
    let compilers = build.compilers.iter().map(|compiler| words::clean(compiler));
    let needs = build.needs.iter().map(|(family, version)| words::clean(&format!("{family} {version}")));
    let needs = needs.collect::<Vec<_>>().join(", ");
    let needs = (!needs.is_empty()).then(|| format!("needs {needs}"));
    let said: Vec<String> = compilers.chain(needs).collect();
    if said.is_empty() { String::new() } else { format!(", {}", said.join(", ")) }
}

/// The host that is pretended, and how each candidate is made to behave as there.
fn pretended(manifest: &Manifest) -> Vec<Fact> {
    let Some(pretended) = &manifest.pretended_cpus else { return Vec::new() };
    let no_file = pretended.no_file.as_ref().map_or_else(String::new, |why| format!("; no file: {why}"));
    let mut facts = vec![fact(
        "CPUs pretended",
        format!("{}; the contention of so many real CPUs is not simulated{no_file}", pretended.cpus),
    )];
    let several = manifest.libcs.len() > 1;
    facts.extend(pretended.ways.iter().map(|way| {
        let libc = if several { format!(", libc {}", way.libc) } else { String::new() };
        fact(&format!("pretended, {}{libc}", words::clean(&way.candidate)), words::clean(&way.how))
    }));
    facts
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
