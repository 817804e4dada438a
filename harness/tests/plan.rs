//! Candidates and plans from the outside: what bad input is told, what good input means.

use std::time::Duration;

use arenalab::plan::{Candidate, Plan};

#[test]
fn bad_candidates_are_told_what_would_be_right() {
    for (text, expected) in [
        ("jemaloc", "no allocator is called 'jemaloc'; did you mean jemalloc?"),
        ("", "no allocator is called ''; known: glibc, jemalloc, mimalloc, preload=/path/lib.so"),
        ("zzz", "no allocator is called 'zzz'; known: glibc, jemalloc, mimalloc, preload=/path/lib.so"),
        ("glibc:arena_mx=2", "glibc has no setting 'arena_mx'; did you mean arena_max?"),
        ("glibc:MALLOC_ARENA_MAX=2", "MALLOC_ARENA_MAX is the variable; write the key arena_max"),
        (
            "glibc:narenas=2",
            "glibc has no setting narenas (jemalloc has); known: arena_max, arena_test, hugetlb",
        ),
        (
            "glibc:arena_max=0",
            "glibc silently ignores MALLOC_ARENA_MAX=0; give arena_max from 1, or leave arena_max out for \
             glibc's own limit",
        ),
        ("glibc:arena_max=70000", "arena_max is 70000, but must be from 1 to 65536"),
        ("glibc:arena_max=-1", "arena_max is -1, but must be from 1 to 65536"),
        ("glibc:arena_max=4x", "arena_max is '4x', which is no whole number; it takes from 1 to 65536"),
        ("glibc:arena_max=", "arena_max is '', which is no whole number; it takes from 1 to 65536"),
        ("glibc:mmap_threshold=2TiB", "mmap_threshold is 2TiB, but must be from 0B to 1TiB"),
        ("glibc:top_pad=2 parsecs", "top_pad is '2 parsecs', which is no size; it takes from 0B to 1TiB"),
        ("glibc:arena_max=2,arena_max=3", "arena_max is given twice"),
        ("glibc:", "no settings after ':'; write KEY=VALUE, or leave the ':' out"),
        ("glibc:arena_max", "'arena_max' is no KEY=VALUE"),
        ("jemalloc:background_thread=maybe", "background_thread is 'maybe', but must be true or false"),
        (
            "jemalloc:percpu_arena=percpuu",
            "percpu_arena is 'percpuu', which is no choice of it; did you mean percpu",
        ),
        (
            "jemalloc:dirty_decay_ms=-2",
            "dirty_decay_ms is -2, but must be milliseconds from -1 to 18446744072000 (-1: see its description)",
        ),
        ("mimalloc:arena_reserve=1000", "arena_reserve is 1000, but must be a whole multiple of 1KiB"),
        ("preload=lib.so", "the preloaded library must be an absolute path, such as preload=/usr/lib/lib.so"),
        ("preload=", "no library after 'preload='; write preload=/path/to/lib.so"),
        ("preload", "no library after 'preload='; write preload=/path/to/lib.so"),
        ("preload=/a b.so", "LD_PRELOAD cannot carry a path with a space; link the library to another place"),
        ("preload=/a.so:LD_PRELOAD=/b.so", "LD_PRELOAD is set by the candidate itself and cannot be given"),
        ("preload=/a.so:2X=1", "'2X=1' is no KEY=VALUE"),
        ("preload=/libjemalloc.so.2:naremas=4", "jemalloc has no setting 'naremas'; did you mean narenas"),
        ("preload=/libjemalloc.so.2:narenas=0", "narenas is 0, but must be from 1 to 4094"),
        (
            "preload=/libtcmalloc.so.4:release_rate=1,TCMALLOC_RELEASE_RATE=2",
            "release_rate and TCMALLOC_RELEASE_RATE, which carries it, are both given",
        ),
        ("glibc\u{1b}[31m", "it holds a control character"),
    ] {
        let told = text.parse::<Candidate>().unwrap_err().to_string();
        let shown = text.replace('\u{1b}', "\\u{1b}");
        assert!(told.starts_with(&format!("candidate '{shown}': {expected}")), "{told}");
    }
}

#[test]
fn candidates_have_one_canonical_form() {
    for (text, canonical) in [
        (" glibc\n", "glibc"),
        ("glibc:trim_threshold=131072,arena_max=02", "glibc:arena_max=2,trim_threshold=128KiB"),
        ("glibc: arena_max = 2", "glibc:arena_max=2"),
        (
            "jemalloc:dirty_decay_ms=5s,background_thread=on",
            "jemalloc:background_thread=true,dirty_decay_ms=5000",
        ),
        ("jemalloc:dirty_decay_ms=10000", "jemalloc:dirty_decay_ms=10000"),
        ("mimalloc:purge_delay=0", "mimalloc:purge_delay=0"),
        (
            "preload=/usr/lib/libjemalloc.so.2:ZZ=1,MALLOC_CONF=narenas:4,tcache:false",
            "preload=/usr/lib/libjemalloc.so.2:MALLOC_CONF=narenas:4,tcache:false,ZZ=1",
        ),
        (
            "preload=/usr/lib/libmimalloc.so.2:purge_delay=1s,MIMALLOC_VERBOSE=1",
            "preload=/usr/lib/libmimalloc.so.2:MIMALLOC_VERBOSE=1,purge_delay=1000",
        ),
        ("preload=/a.so:B=1\\,C=2", "preload=/a.so:B=1\\,C=2"),
        ("preload=/a.so:narenas=01", "preload=/a.so:narenas=01"),
    ] {
        assert_eq!(text.parse::<Candidate>().unwrap().to_string(), canonical);
    }
}

#[test]
fn the_environment_of_a_candidate() {
    let env = |text: &str| {
        let env = text.parse::<Candidate>().unwrap().env();
        env.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    assert!(env("glibc").is_empty() && env("jemalloc").is_empty() && env("mimalloc").is_empty());
    assert_eq!(
        env("glibc:trim_threshold=128KiB,arena_max=2,tcache_count=0,hugetlb=1"),
        [
            "GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.tcache_count=0",
            "MALLOC_ARENA_MAX=2",
            "MALLOC_TRIM_THRESHOLD_=131072"
        ]
    );
    let jemalloc = env("jemalloc:narenas=4,background_thread=true");
    assert_eq!(jemalloc, ["MALLOC_CONF=background_thread:true,narenas:4"]);
    let mimalloc = env("mimalloc:purge_delay=0,arena_reserve=64MiB");
    assert_eq!(mimalloc, ["MIMALLOC_ARENA_RESERVE=65536KiB", "MIMALLOC_PURGE_DELAY=0"]);
    let known = env("preload=/x/libjemalloc.so.2:narenas=4,tcache=false,B=c");
    assert_eq!(known, ["B=c", "LD_PRELOAD=/x/libjemalloc.so.2", "MALLOC_CONF=narenas:4,tcache:false"]);
    let tcmalloc = env("preload=/x/libtcmalloc.so.4:max_total_thread_cache_bytes=1MiB");
    assert_eq!(tcmalloc, ["LD_PRELOAD=/x/libtcmalloc.so.4", "TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES=1048576"]);
    assert_eq!(env("preload=/x/lib.so:A=b,c,D=e"), ["A=b,c", "D=e", "LD_PRELOAD=/x/lib.so"]);
}

#[test]
fn rungs_share_an_axis_where_nothing_else_differs() {
    let rung = |text: &str| text.parse::<Candidate>().unwrap().rung();
    assert_eq!(rung("glibc"), Some(("glibc:arena_max".to_owned(), f64::INFINITY)));
    assert_eq!(rung("glibc:arena_max=2"), Some(("glibc:arena_max".to_owned(), 2.0)));
    let with = Some(("glibc:arena_max with top_pad=64KiB".to_owned(), 2.0));
    assert_eq!(rung("glibc:arena_max=2,top_pad=64KiB"), with);
    assert_eq!(rung("jemalloc:narenas=4"), Some(("jemalloc:narenas".to_owned(), 4.0)));
    assert_eq!(rung("mimalloc"), None);
}

#[test]
fn settings_that_a_libc_does_not_have_are_told() {
    let told = |text: &str, version: &str| {
        text.parse::<Candidate>().unwrap().unsupported_by(version.parse().unwrap())
    };
    assert_eq!(told("glibc:arena_max=2", "2.36"), None);
    assert_eq!(told("glibc:arena_max=2", "2.5").unwrap(), "arena_max exists from glibc 2.10 on, this is 2.5");
    assert_eq!(
        told("glibc:tcache_count=0", "2.17").unwrap(),
        "tcache_count exists from glibc 2.26 on, this is 2.17"
    );
    assert_eq!(
        told("glibc:mxfast=0", "2.43").unwrap(),
        "mxfast has no effect after glibc 2.42, this is 2.43"
    );
    assert!(told("glibc:tcache_max=64KiB", "2.41").unwrap().contains("above 1032B"));
    assert_eq!(told("glibc:tcache_max=64KiB", "2.42"), None);
    assert_eq!(told("jemalloc:tcache_max=1KiB", "2.17"), None);
}

#[test]
fn thresholds_carry_their_caveat() {
    let caveats = |text: &str| text.parse::<Candidate>().unwrap().caveats();
    assert!(caveats("glibc:arena_max=2").is_empty() && caveats("jemalloc").is_empty());
    assert!(
        caveats("glibc:top_pad=64KiB,trim_threshold=1MiB")[0].contains("giving top_pad and trim_threshold")
    );
}

fn wrong_plan(text: &str) -> String {
    let told = Plan::from_toml(text, "p.toml").unwrap_err().to_string();
    assert!(!told.contains('\n'), "{told}");
    told
}

#[test]
fn bad_plans_are_told_file_and_line() {
    for (rest, expected) in [
        ("[measure]\nroundz = 3", "p.toml:4: unknown key 'roundz' in [measure]; did you mean rounds?"),
        ("[measure]\nthreads = 3", "p.toml:4: unknown key 'threads' in [measure]; it belongs under [sweep]"),
        ("[mesure]\nrounds = 3", "p.toml:3: unknown key 'mesure'; did you mean measure?"),
        (
            "[sweep]\n\nthreads = [4, 0]",
            "p.toml:5: threads is '0', but must be a whole number from 1 to 4096",
        ),
        (
            "[sweep]\nthreads = []",
            "p.toml:4: threads is empty; give at least one value, or leave the key out",
        ),
        ("[sweep]\nthreads = [[1]]", "p.toml:4: threads: expected text or a number, found array"),
        (
            "[sweep]\ncandidates = [\n  \"glibc\",\n  \"jemaloc\"]",
            "p.toml:6: candidate 'jemaloc': no allocator is called 'jemaloc'; did you mean jemalloc?",
        ),
        (
            "[sweep]\nallocators = [\"jemalloc\"]\narena_max = [1]",
            "p.toml: arena_max is a setting of glibc, which is not among the allocators; add glibc or leave it out",
        ),
        ("[measure]\nrounds = [3]", "p.toml:4: rounds takes one value, not a list"),
        (
            "[measure]\nidle = 5",
            "p.toml:4: idle: '5' is not a duration; write a number with a unit: 500ms, 1.5s, 10m",
        ),
        ("[measure]\nrounds = 3\nrounds = 4", "p.toml:5: not TOML: duplicate key"),
        (
            "[choose]\nmax_rss = \"2 parsecs\"",
            "p.toml:4: max_rss: '2 parsecs' is not a size; write bytes with a unit, such as 64KiB or 2GiB",
        ),
        ("measure = 3", "p.toml:3: larson has no parameter 'measure'"),
        ("[[workload]]\nops = 5", "p.toml:3: this [[workload]] has no name"),
        ("[[workload]]\nname = \"larsen\"", "p.toml:4: there is no workload 'larsen'; did you mean larson?"),
        (
            "[[workload]]\nname = \"churn\"\nopz = 5",
            "p.toml:5: churn has no parameter 'opz'; did you mean ops?",
        ),
        (
            "[[workload]]\nname = \"churn\"\nops = \"5,touch=2\"",
            "p.toml:5: 'ops' is '5,touch=2', which is no single value",
        ),
        ("[[workload]\n", "p.toml:3: not TOML: "),
    ] {
        let told = wrong_plan(&format!("[[workload]]\nname = \"larson\"\n{rest}"));
        assert!(told.starts_with(expected), "{rest:?}\n  told     {told}\n  expected {expected}");
    }
    assert_eq!(wrong_plan("rounds = 3"), "p.toml:1: key rounds belongs under [measure]");
    assert_eq!(wrong_plan("workload = 3"), "p.toml:1: workload must be a list; write [[workload]]");
    assert!(wrong_plan("").starts_with("p.toml: no workload is given; name one or more of "));
}

#[test]
fn parameters_are_checked_together_too() {
    let plan =
        |min, max| format!("[[workload]]\nname = \"churn\"\nsize_min = \"{min}\"\nsize_max = \"{max}\"");
    let told = wrong_plan(&plan("2MiB", "1MiB"));
    assert!(told.starts_with("p.toml:1: churn: size_min (2MiB) is above size_max (1MiB)"), "{told}");
    // Above the default of size_max, but not above the one given.
    let plan = Plan::from_toml(&plan("2MiB", "4MiB"), "p.toml").unwrap();
    assert_eq!(plan.workloads[0].to_string(), "churn:size_max=4MiB,size_min=2MiB");
}

#[test]
fn what_is_not_said_takes_its_default() {
    let plan = Plan::from_toml("[[workload]]\nname = \"larson\"", "p.toml").unwrap();
    let names: Vec<_> = plan.sweep.candidates.iter().map(ToString::to_string).collect();
    let arenas = ["glibc:arena_max=1", "glibc:arena_max=2", "glibc:arena_max=4", "glibc:arena_max=8"];
    assert_eq!(names, [&["glibc"], &arenas[..], &["jemalloc", "mimalloc"]].concat());
    assert!(!plan.sweep.baseline_added);
    assert_eq!((plan.sweep.threads, plan.measure.rounds, plan.measure.seed), (vec![4], 16, 1));
    assert_eq!(plan.measure.timeout, Duration::from_secs(60));
    assert_eq!(plan.choose.constraints.max_throughput_loss, Some(0.05));
    assert!((plan.choose.confidence - 0.95).abs() < 1e-12);
}

#[test]
fn the_baseline_is_always_among_the_candidates() {
    let text = "[[workload]]\nname = \"larson\"\n[sweep]\ncandidates = [\"mimalloc\"]";
    let plan = Plan::from_toml(text, "p.toml").unwrap();
    assert!(plan.sweep.baseline_added);
    assert_eq!(plan.sweep.candidates, ["glibc".parse().unwrap(), "mimalloc".parse().unwrap()]);
}

#[test]
fn a_plan_tells_what_must_be_known_before_it_runs() {
    let notes = |text: &str| {
        let text = format!("[[workload]]\nname = \"larson\"\n{text}");
        Plan::from_toml(&text, "p.toml").unwrap().notes()
    };
    assert!(notes("").is_empty());
    let added = notes("[sweep]\ncandidates = [\"jemalloc\"]");
    assert_eq!(added, ["glibc with nothing set is the baseline and is measured too"]);
    assert!(notes("[measure]\nobjective = \"drained\"")[0].contains("idle wait of 12s"));
    assert!(notes("[measure]\nobjective = \"drained\"\nidle = \"12s\"").is_empty());
    let twice = "[sweep]\ncandidates = [\"glibc\", \"glibc:top_pad=0\", \"glibc:top_pad=0B\"]";
    assert_eq!(notes(twice).len(), 1);
}

#[test]
fn scenarios_and_reach_cover_every_thread_count() {
    let text = "[[workload]]\nname = \"churn\"\n[[workload]]\nname = \"larson\"\n[sweep]\nthreads = [2, 8]";
    let plan = Plan::from_toml(text, "p.toml").unwrap();
    let scenarios: Vec<_> = plan.scenarios().into_iter().map(|s| (s.workload, s.threads)).collect();
    let expected = [("churn", 2), ("churn", 8), ("larson", 2), ("larson", 8)];
    assert_eq!(scenarios, expected.map(|(workload, threads)| (workload.to_owned(), threads)));
    // larson's threads overlap their successors: twice 8, and the main thread.
    assert_eq!(plan.reach(), 17);
}

/// The plan that comes with arenalab as an example.
#[test]
fn the_example_is_a_plan_and_what_it_comments_out_is_the_default() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../plans/example.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let plan = Plan::from_toml(&text, "example.toml").unwrap();
    assert_eq!(Plan::from_toml(&plan.to_toml(), "again").unwrap(), plan);
    assert_eq!(plan.workloads.len(), 2);
    let commented: String = text
        .lines()
        .map(|line| line.strip_prefix("#: ").unwrap_or(line))
        .fold(String::new(), |text, line| text + line + "\n");
    assert_eq!(Plan::from_toml(&commented, "example.toml").unwrap(), plan);
}
