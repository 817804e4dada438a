//! What is another after than before, as the two manifests tell it: told before what it did.

use std::collections::BTreeMap;

use crate::format::compare::Change;
use crate::format::manifest::{Binary, Build, Host, Libc, Manifest};
use crate::units::format_bytes;

/// What a manifest has nothing on.
const UNKNOWN: &str = "unknown";

/// The kinds of things that can change, of which each may have an effect of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Host,
    Libc,
    Program,
    Lab,
}

/// Everything that differs, in the order host, C library, programs, arenalab. The libcs are those that are
/// compared; all of each side where that is `None`.
pub fn changed(before: (&Manifest, Option<&str>), after: (&Manifest, Option<&str>)) -> Vec<Change> {
    all(before, after).into_iter().map(|(_, change)| change).collect()
}

/// A warning where things of several kinds have changed.
pub fn too_much(before: (&Manifest, Option<&str>), after: (&Manifest, Option<&str>)) -> Option<String> {
    let mut kinds: Vec<Kind> = all(before, after).into_iter().map(|(kind, _)| kind).collect();
    kinds.dedup();
    let name = |kind: &Kind| match kind {
        Kind::Host => "the host",
        Kind::Libc => "the C library",
        Kind::Program => "a program or library",
        Kind::Lab => "arenalab or its seed",
    };
    let names: Vec<&str> = kinds.iter().map(name).collect();
    let (last, others) = names.split_last()?;
    (!others.is_empty()).then(|| {
        format!("{} and {last} have changed: what each of them did cannot be told apart", others.join(", "))
    })
}

fn all(
    (before, libc_before): (&Manifest, Option<&str>),
    (after, libc_after): (&Manifest, Option<&str>),
) -> Vec<(Kind, Change)> {
    let mut found = Found::default();
    host(&mut found, &before.host, &after.host);
    found.kind = Some(Kind::Libc);
    match (libc_before, libc_after) {
        (None, None) => libcs(&mut found, &before.libcs, &after.libcs),
        (a, b) => found.note("C library", &named(&before.libcs, a), &named(&after.libcs, b)),
    }
    found.kind = Some(Kind::Program);
    binaries(&mut found, &before.binaries, &after.binaries);
    found.kind = Some(Kind::Lab);
    found.note("arenalab", &before.arenalab, &after.arenalab);
    found.note("seed", &before.seed, &after.seed);
    let cpus = |manifest: &Manifest| {
        manifest
            .pretended_cpus
            .as_ref()
            .map_or_else(|| "none".to_owned(), |pretended| pretended.cpus.to_string())
    };
    found.note("CPUs pretended", &cpus(before), &cpus(after));
    found.changes
}

#[derive(Default)]
struct Found {
    kind: Option<Kind>,
    changes: Vec<(Kind, Change)>,
}

impl Found {
    fn note(&mut self, what: &str, before: &impl ToString, after: &impl ToString) {
        // A manifest may come from anywhere, and this is shown on a terminal.
        let clean = |text: String| text.chars().filter(|c| !c.is_control()).collect::<String>();
        let (what, before, after) =
            (clean(what.to_owned()), clean(before.to_string()), clean(after.to_string()));
        if before != after {
            let kind = self.kind.unwrap_or(Kind::Host);
            self.changes.push((kind, Change { what, before, after }));
        }
    }

    fn maybe(&mut self, what: &str, before: Option<&String>, after: Option<&String>) {
        self.note(what, &before.map_or(UNKNOWN, |v| v), &after.map_or(UNKNOWN, |v| v));
    }
}

fn host(found: &mut Found, before: &Host, after: &Host) {
    found.note("host", &before.name, &after.name);
    found.maybe("system", before.os.as_ref(), after.os.as_ref());
    found.note("kernel", &before.kernel, &after.kernel);
    found.note("architecture", &before.arch, &after.arch);
    found.maybe("processor", before.cpu.as_ref(), after.cpu.as_ref());
    found.note("CPUs online", &before.cpus_online, &after.cpus_online);
    found.note("CPUs allowed", &before.cpus_allowed, &after.cpus_allowed);
    found.note("memory", &format_bytes(before.memory as f64), &format_bytes(after.memory as f64));
    let limit =
        |host: &Host| host.cgroup_limit.map_or_else(|| "none".to_owned(), |limit| format_bytes(limit as f64));
    found.note("cgroup memory limit", &limit(before), &limit(after));
    found.maybe("transparent huge pages", before.thp.as_ref(), after.thp.as_ref());
    found.note("page size", &before.page_size, &after.page_size);
}

fn version(libc: &Libc) -> String {
    libc.version.clone().unwrap_or_else(|| UNKNOWN.to_owned())
}

fn libcs(found: &mut Found, before: &[Libc], after: &[Libc]) {
    for libc in before {
        if let Some(other) = after.iter().find(|other| other.name == libc.name) {
            found.note(&format!("C library {}", libc.name), &version(libc), &version(other));
        }
    }
}

fn named(libcs: &[Libc], name: Option<&str>) -> String {
    let known = |libc: &&Libc| name.is_none_or(|name| libc.name == name);
    let named: Vec<String> =
        libcs.iter().filter(known).map(|libc| format!("{} {}", libc.name, version(libc))).collect();
    named.join(", ")
}

/// What a binary is called.
fn label(key: &str) -> String {
    match key.split_once(':') {
        Some(("program", name)) => format!("program {name}"),
        Some((_, allocator)) => format!("preloaded {allocator}"),
        None => format!("workload engine {key}"),
    }
}

fn binaries(found: &mut Found, before: &BTreeMap<String, Binary>, after: &BTreeMap<String, Binary>) {
    for (key, old) in before {
        let Some(new) = after.get(key) else { continue };
        let label = label(key);
        let short = |binary: &Binary| binary.sha256.chars().take(12).collect::<String>();
        found.note(&format!("{label}: content (SHA-256)"), &short(old), &short(new));
        found.note(&format!("{label}: allocator"), &old.allocator, &new.allocator);
        if let (Some(old), Some(new)) = (&old.build, &new.build) {
            builds(found, &label, old, new);
        }
    }
}

fn builds(found: &mut Found, label: &str, before: &Build, after: &Build) {
    let list = |lines: &[String]| if lines.is_empty() { UNKNOWN.to_owned() } else { lines.join("; ") };
    found.note(&format!("{label}: compiler"), &list(&before.compilers), &list(&after.compilers));
    found.note(&format!("{label}: flags"), &list(&before.flags), &list(&after.flags));
    found.maybe(&format!("{label}: build id"), before.build_id.as_ref(), after.build_id.as_ref());
    let families: std::collections::BTreeSet<&String> =
        before.needs.keys().chain(after.needs.keys()).collect();
    for family in families {
        let needed = |build: &Build| build.needs.get(family).cloned().unwrap_or_else(|| "none".to_owned());
        found.note(&format!("{label}: needs {family}"), &needed(before), &needed(after));
    }
    found.note(&format!("{label}: libraries"), &list(&before.libraries), &list(&after.libraries));
    found.maybe(&format!("{label}: libstdc++"), before.libstdcxx.as_ref(), after.libstdcxx.as_ref());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(edit: impl FnOnce(&mut serde_json::Value)) -> Manifest {
        let mut json = serde_json::json!({
            "format": 1, "arenalab": "0.1.0", "created_at": "", "command": [], "seed": 1, "strategy": "sweep",
            "rounds": 1, "plan": "", "objective": "peak", "confidence": 0.95, "baseline": "glibc",
            "constraints": {"max_throughput_loss": null, "max_p99_loss": null, "max_rss": null},
            "host": {"name": "h", "os": "Old 1", "kernel": "5", "arch": "x86_64", "cpu": null, "cpus_online": 2,
                     "cpus_allowed": 2, "memory": 1 << 30, "cgroup_limit": null, "thp": null, "page_size": 4096},
            "binaries": {"program:p": {"file": "p", "sha256": "aaaa", "allocator": "as it is", "build": {
                "compilers": ["GCC: 11"], "flags": ["GNU C++17 11 -O2"], "build_id": "01",
                "needs": {"GLIBC": "2.34", "GLIBCXX": "3.4.29"}, "libraries": [], "libstdcxx": "libstdc++.so.6.0.29"}}},
            "libcs": [{"name": "host", "version": "2.34"}], "scenarios": [], "candidates": [],
        });
        edit(&mut json);
        serde_json::from_value(json).unwrap()
    }

    fn words(changes: &[Change]) -> Vec<String> {
        changes
            .iter()
            .map(|change| format!("{}: {} -> {}", change.what, change.before, change.after))
            .collect()
    }

    #[test]
    fn each_thing_that_differs_is_named_and_nothing_else() {
        let before = manifest(|_| {});
        assert_eq!(changed((&before, None), (&before, None)), []);
        assert_eq!(too_much((&before, None), (&before, None)), None);
        let after = manifest(|json| {
            let program = &mut json["binaries"]["program:p"];
            program["sha256"] = "bbbb".into();
            program["build"]["compilers"] = ["GCC: 14"].into();
            program["build"]["flags"] = ["GNU C++17 14 -O3"].into();
            program["build"]["needs"]["GLIBC"] = "2.38".into();
        });
        assert_eq!(
            words(&changed((&before, None), (&after, None))),
            [
                "program p: content (SHA-256): aaaa -> bbbb",
                "program p: compiler: GCC: 11 -> GCC: 14",
                "program p: flags: GNU C++17 11 -O2 -> GNU C++17 14 -O3",
                "program p: needs GLIBC: 2.34 -> 2.38",
            ]
        );
        assert_eq!(too_much((&before, None), (&after, None)), None, "all of one kind");
    }

    #[test]
    fn several_kinds_at_once_are_a_warning() {
        let before = manifest(|_| {});
        let after = manifest(|json| {
            json["host"]["os"] = "New 2".into();
            json["libcs"][0]["version"] = "2.39".into();
            json["binaries"]["program:p"]["sha256"] = "bbbb".into();
        });
        let warning = too_much((&before, None), (&after, None)).unwrap();
        assert_eq!(
            warning,
            "the host, the C library and a program or library have changed: what each of them did cannot be told apart"
        );
        let named = changed((&after, Some("host")), (&before, Some("host")));
        assert!(words(&named).contains(&"C library: host 2.39 -> host 2.34".to_owned()));
    }

    #[test]
    fn manifests_without_builds_are_read_and_compared() {
        let old = manifest(|json| {
            json["binaries"]["program:p"].as_object_mut().unwrap().remove("build");
        });
        assert_eq!(changed((&old, None), (&manifest(|_| {}), None)), []);
    }
}
