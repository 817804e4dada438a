//! Each reading that spoils a measurement is told, and nothing else is.

use super::*;
use crate::knowledge::arena_limit::Cpus;
use crate::trial::host::{Limits, User};

fn companion_of(allocator: &'static str) -> Companion {
    let identity = Identity {
        name: allocator.to_owned(),
        version: "1.2".to_owned(),
        how: "asked".to_owned(),
        libc_version: "2.36".to_owned(),
        settings: std::collections::BTreeMap::new(),
        counted_cpus: None,
    };
    Companion { allocator, path: Some(PathBuf::from("/x")), identity: Ok(identity) }
}

fn quiet() -> Evidence {
    let readings = Readings {
        cpus: Some(Cpus { online: 4, allowed: 4 }),
        limits: Limits::default(),
        memory: Some(16 << 30),
        memory_available: Some(8 << 30),
        swap_used: Some(0),
        thp: Some("madvise".to_owned()),
        overcommit: Some(0),
        governor: Some("performance".to_owned()),
        turbo: None,
        clock_source: Some("tsc".to_owned()),
        address_space: None,
        user_tasks: None,
        smaps_rollup: true,
        steering_files: Vec::new(),
        pressure: true,
    };
    Evidence {
        host: Ok(crate::trial::host::fingerprint(None).unwrap()),
        readings,
        activity: Activity {
            cpus: Some(4),
            busy_cpus: Some(0.1),
            stolen_cpus: Some(0.0),
            load: Some(0.0),
            waiting_pct: Some(0.0),
            users: Vec::new(),
        },
        space: Ok(Space { directory: PathBuf::from("/r"), free: 1 << 40, writable: true }),
        steering: Vec::new(),
        companions: ["glibc", "jemalloc", "mimalloc"].map(companion_of).to_vec(),
        libraries: Vec::new(),
        roots: Ok(()),
    }
}

/// What is not ok, after a change to a quiet host.
fn told(change: impl FnOnce(&mut Evidence)) -> Vec<(&'static str, Level)> {
    let mut evidence = quiet();
    change(&mut evidence);
    let mut findings = findings(&evidence);
    for finding in &findings {
        assert_eq!(finding.advice.is_some(), finding.level != Level::Ok, "{finding:?}");
    }
    findings.retain(|finding| finding.level != Level::Ok);
    findings.iter().map(|finding| (finding.check, finding.level)).collect()
}

#[test]
fn a_quiet_host_has_nothing_to_tell() {
    assert_eq!(told(|_| ()), []);
}

#[test]
fn what_cannot_be_read_is_not_complained_of() {
    let unknown = |evidence: &mut Evidence| {
        evidence.activity = Activity::default();
        evidence.readings.cpus = None;
        evidence.readings.memory_available = None;
        evidence.readings.thp = None;
        evidence.readings.clock_source = None;
        evidence.readings.governor = None;
    };
    assert_eq!(told(unknown), []);
}

#[test]
fn what_prevents_trials_is_bad() {
    assert_eq!(told(|e| e.host = Err("no /proc".to_owned())), [("host", Level::Bad)]);
    assert_eq!(told(|e| e.companions[0].identity = Err("gone".to_owned())), [("glibc", Level::Bad)]);
    let swapped = |e: &mut Evidence| e.companions[2].identity = e.companions[0].identity.clone();
    assert_eq!(told(swapped), [("mimalloc", Level::Bad)]);
    assert_eq!(told(|e| e.space = Err("none".to_owned())), [("results", Level::Bad)]);
    assert_eq!(told(|e| e.space.as_mut().unwrap().writable = false), [("results", Level::Bad)]);
    assert_eq!(told(|e| e.readings.address_space = Some(1 << 30)), [("address space", Level::Bad)]);
}

#[test]
fn what_spoils_a_measurement_is_a_warning() {
    type Change = fn(&mut Evidence);
    let cases: [(&'static str, Change); 20] = [
        ("jemalloc", |e| e.companions[1].identity = Err("gone".to_owned())),
        ("results", |e| e.space.as_mut().unwrap().free = 1 << 20),
        ("environment", |e| e.steering.push("MALLOC_ARENA_MAX=1".to_owned())),
        ("system files", |e| e.readings.steering_files.push("/etc/malloc.conf")),
        ("cpus", |e| e.readings.cpus = Some(Cpus { online: 4, allowed: 1 })),
        ("cpus", |e| e.readings.cpus = Some(Cpus { online: 4, allowed: 2 })),
        ("cpu quota", |e| e.readings.limits.cpus = Some(1.5)),
        ("load", |e| e.activity.busy_cpus = Some(0.3)),
        ("load", |e| e.activity.waiting_pct = Some(15.0)),
        ("steal", |e| e.activity.stolen_cpus = Some(0.06)),
        ("frequency", |e| e.readings.governor = Some("powersave".to_owned())),
        ("clock", |e| e.readings.clock_source = Some("hpet".to_owned())),
        ("memory", |e| e.readings.memory_available = Some(100 << 20)),
        ("memory", |e| e.readings.limits.memory = Some(100 << 20)),
        ("swap", |e| e.readings.swap_used = Some(1 << 20)),
        ("huge pages", |e| e.readings.thp = Some("always".to_owned())),
        ("overcommit", |e| e.readings.overcommit = Some(2)),
        ("address space", |e| e.readings.address_space = Some(1 << 40)),
        ("threads", |e| e.readings.limits.tasks = Some(100)),
        ("smaps_rollup", |e| e.readings.smaps_rollup = false),
    ];
    for (check, change) in cases {
        assert_eq!(told(change), [(check, Level::Warn)]);
    }
    assert_eq!(told(|e| e.readings.pressure = false), [("pressure", Level::Warn)]);
}

#[test]
fn a_host_on_which_no_verdict_would_be_given_is_unfit_and_what_loads_it_is_named() {
    assert_eq!(told(|e| e.activity.busy_cpus = Some(1.0)), [("load", Level::Bad)]);
    assert_eq!(told(|e| e.activity.waiting_pct = Some(50.0)), [("load", Level::Bad)]);
    assert_eq!(told(|e| e.activity.stolen_cpus = Some(0.5)), [("steal", Level::Bad)]);
    let mut evidence = quiet();
    evidence.activity.busy_cpus = Some(3.1);
    let user = |pid, command: &str, cpus| User { pid, command: command.to_owned(), cpus };
    evidence.activity.users = vec![user(7, "rustc", 2.0), user(9, "cc1plus", 1.0)];
    let load = findings(&evidence).into_iter().find(|finding| finding.check == "load").unwrap();
    assert!(load.found.starts_with("others use 3.10 CPUs"), "{}", load.found);
    assert!(load.found.ends_with("the most CPU: rustc (pid 7) 2.00, cc1plus (pid 9) 1.00"), "{}", load.found);
    let json = serde_json::to_value(Load::of(&evidence.activity)).unwrap();
    assert_eq!((json["top"][0]["command"].as_str(), json["cpus"].as_u64()), (Some("rustc"), Some(4)));
    assert!((json["others_share"].as_f64().unwrap() - 0.775).abs() < 1e-9);
}

#[test]
fn limits_that_bind_nothing_are_not_told() {
    assert_eq!(told(|e| e.readings.limits.cpus = Some(8.0)), []);
    assert_eq!(told(|e| e.readings.limits.memory = Some(64 << 30)), []);
    assert_eq!(told(|e| e.readings.user_tasks = Some(60_000)), []);
}
