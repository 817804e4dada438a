//! A synthetic campaign of any size, the same at every run: noise comes from a small seeded generator.
//! The decision is made by simple rules, good enough to draw and describe; it is not the lab's own.

use std::collections::BTreeMap;

use arenalab::format::FORMAT;
use arenalab::format::decision::{
    Apply, Comparison, Constraints, Decision, Eliminated, Feasible, Level, Objective, Ratio,
    ScenarioDecision, Standing, Twin, Unsettled, Verdict,
};
use arenalab::format::manifest::{Binary, CandidateEntry, Host, Manifest, Merged, Scenario};
use arenalab::format::series::Series;
use arenalab::format::trial::{
    Anatomy, Arenas, Cpu, Effect, Faults, Latency, Live, Noise as Disturbance, Quantiles, Rss, Status,
    Switches, Throughput, TrialRecord,
};

/// A campaign and its decision.
pub struct Fixture {
    pub manifest: Manifest,
    pub decision: Decision,
    pub trials: Vec<TrialRecord>,
    pub series: Vec<Series>,
}

/// What to make.
pub struct Shape {
    pub candidates: Vec<String>,
    pub scenarios: Vec<(String, u32)>,
    pub rounds: u32,
    pub series: bool,
}

const MIB: f64 = 1_048_576.0;

/// Seven candidates, two thread counts of one workload and one of another.
pub fn typical() -> Fixture {
    let candidates = [
        "glibc",
        "glibc:arena_max=1",
        "glibc:arena_max=2",
        "glibc:arena_max=4",
        "glibc:arena_max=8",
        "jemalloc",
        "mimalloc",
        "glibc:arena_max=2,trim_threshold=128KiB",
    ];
    build(&Shape {
        candidates: candidates.map(str::to_owned).to_vec(),
        scenarios: vec![("larson".into(), 4), ("larson".into(), 16), ("mailstore:messages=20k".into(), 16)],
        rounds: 20,
        series: true,
    })
}

/// `count` candidates of all families.
pub fn many(count: usize, rounds: u32) -> Fixture {
    let mut candidates = vec!["glibc".to_owned(), "jemalloc".to_owned(), "mimalloc".to_owned()];
    candidates.extend(
        (1..)
            .map(|n| match n % 3 {
                0 => format!("jemalloc:narenas={n},background_thread=true"),
                1 => format!("glibc:arena_max={n}"),
                _ => format!("mimalloc:purge_delay={n}"),
            })
            .take(count.saturating_sub(3)),
    );
    candidates.truncate(count);
    let scenarios = vec![("larson".into(), 4), ("churn".into(), 8), ("mailstore".into(), 16)];
    build(&Shape { candidates, scenarios, rounds, series: true })
}

struct Noise(u64);

impl Noise {
    /// About normal, SD 1: the sum of four uniforms.
    fn next(&mut self) -> f64 {
        let mut uniform = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as f64 / (1u64 << 31) as f64 - 0.5
        };
        (uniform() + uniform() + uniform() + uniform()) * 1.73
    }
}

/// True RSS in MiB and M operations/s of a candidate.
fn truth(candidate: &str, threads: u32) -> (f64, f64) {
    let t = f64::from(threads);
    let hash = candidate.bytes().fold(7u64, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(b))) % 100;
    let spice = hash as f64 / 100.0;
    if let Some(rest) = candidate.strip_prefix("glibc:arena_max=") {
        let max: f64 = rest.split(',').next().and_then(|v| v.parse().ok()).unwrap_or(4.0);
        let arenas = max.min(t + 1.0);
        let tidy = if rest.contains("trim") { 0.93 } else { 1.0 };
        return ((90.0 + 11.0 * arenas) * tidy, 14.0 * (1.0 - 0.42 / arenas) * tidy);
    }
    match candidate {
        "glibc" => (90.0 + 11.0 * (t + 1.0).min(17.0), 14.0),
        "jemalloc" => (118.0 + t, 15.6),
        "mimalloc" => (131.0 + t * 2.0, 17.2),
        _ => (110.0 + 90.0 * spice, 11.0 + 6.0 * (1.0 - spice)),
    }
}

pub fn build(shape: &Shape) -> Fixture {
    let mut noise = Noise(42);
    let mut trials = Vec::new();
    let mut series = Vec::new();
    let mut scenarios = Vec::new();
    for (workload, threads) in &shape.scenarios {
        for round in 0..shape.rounds {
            for (position, candidate) in shape.candidates.iter().enumerate() {
                let truth = truth(candidate, *threads);
                let rss = truth.0 * (0.03 * noise.next()).exp();
                let rate = truth.1 * (0.05 * noise.next()).exp();
                trials.push(trial((workload, *threads), candidate, round, position as u32, (rss, rate)));
                if round == 0 && shape.series {
                    series.push(one_series((workload, *threads), candidate, (rss, rate)));
                }
            }
        }
        scenarios.push(scenario(workload, *threads, shape));
    }
    let decision = decision(scenarios, trials.len() as u64);
    Fixture { manifest: manifest(shape), decision, trials, series }
}

fn trial(
    of: (&str, u32),
    candidate: &str,
    round: u32,
    position: u32,
    (rss, rate): (f64, f64),
) -> TrialRecord {
    let bytes = |share: f64| (rss * share * MIB) as u64;
    let quantiles = {
        let slow = 17.0 / rate;
        Quantiles {
            p50: 45.0 * slow,
            p90: 90.0 * slow,
            p99: 900.0 * slow,
            p999: 20_000.0 * slow.powi(2),
            max: 3e6,
            samples: 100_000,
        }
    };
    TrialRecord {
        strays: 0,
        workload: of.0.to_owned(),
        threads: of.1,
        libc: "host".into(),
        libc_version: Some("2.36".into()),
        candidate: candidate.to_owned(),
        round,
        attempt: 0,
        position,
        twin: false,
        host: "lab".into(),
        status: Status::Ok,
        reason: None,
        wall_s: Some(2.0),
        throughput: Some(Throughput { value: rate * 1e6, unit: "operations/s".into() }),
        latency_ns: Some(Latency { malloc: Some(quantiles), free: Some(quantiles), operation: None }),
        cpu: Some(Cpu { user_s: 3.0, system_s: 0.4 }),
        faults: Some(Faults { minor: 40_000, major: 0 }),
        switches: Some(Switches { voluntary: 900, involuntary: 80 }),
        rss: Some(Rss {
            peak: bytes(1.0),
            mean: bytes(0.9),
            end: bytes(0.92),
            drained: Some(bytes(0.4)),
            trimmed: None,
            trim: None,
            lazy_free: Some(0),
            anon_huge: Some(0),
            pss: Some(bytes(0.9)),
            swap: Some(0),
            hugetlb: Some(0),
            bounds: None,
            samples: 400,
            slope: Some(0.0),
            slope_end: None,
            reading_s: 0.002,
            source: "statm, smaps_rollup".into(),
        }),
        burst: None,
        live: Some(Live { peak: 60 << 20, mean: 58 << 20, end: 60 << 20, drained: Some(0), engine: 3 << 20 }),
        arenas: Some(Arenas { limit: None, observed: Some(5) }),
        anatomy: Some(Anatomy { free: Some(bytes(0.25)), metadata: Some(bytes(0.01)), ..Anatomy::default() }),
        allocator: None,
        program: None,
        memory_group: None,
        pretended_cpus: None,
        effect: Effect { verified: true, how: "arenas counted".into() },
        noise: Disturbance {
            psi_cpu_some_pct: Some(12.0),
            steal_s: Some(0.0),
            foreign_cpu_s: Some(0.1),
            cpus: Some(2),
            seconds: None,
        },
        started_at: "2026-11-22T10:00:00Z".into(),
        elapsed_s: 3.2,
    }
}

fn one_series(of: (&str, u32), candidate: &str, (rss, rate): (f64, f64)) -> Series {
    let span = 30.0 / rate;
    let ends = [0.4, 0.8, 0.8 + span, 1.0 + span, 2.0 + span];
    let names = ["setup", "warmup", "steady", "drain", "idle"];
    let at_s: Vec<f64> = (0..200).map(|i| ends[4] * f64::from(i) / 199.0).collect();
    let level = |t: &f64| match *t {
        t if t < ends[0] => 0.6 * t / ends[0],
        t if t < ends[2] => 0.6 + 0.4 * ((t - ends[0]) / (ends[2] - ends[0])).sqrt(),
        t if t < ends[3] => 1.0 - 0.5 * (t - ends[2]) / (ends[3] - ends[2]),
        _ => 0.5,
    };
    let live =
        |t: &f64| if *t < ends[2] { (t / ends[0]).min(1.0) } else { (1.0 - (t - ends[2]) * 5.0).max(0.0) };
    Series {
        workload: of.0.to_owned(),
        threads: of.1,
        libc: "host".into(),
        candidate: candidate.to_owned(),
        round: 0,
        attempt: 0,
        twin: false,
        rss: at_s.iter().map(|t| (level(t) * rss * MIB) as u64).collect(),
        live: Some(at_s.iter().map(|t| (live(t) * 60.0 * MIB) as u64).collect()),
        at_s,
        phases: names.iter().map(|n| (*n).to_owned()).zip(ends).collect(),
    }
}

fn level(value: f64, spread: f64) -> Level {
    Level { estimate: value, low: value * (1.0 - spread), high: value * (1.0 + spread) }
}

fn ratio(value: f64, spread: f64) -> Ratio {
    Ratio { estimate: value, low: value * (1.0 - spread), high: value * (1.0 + spread) }
}

fn compared(ratio: Ratio, more_is_better: bool) -> Comparison {
    let ratio = if more_is_better {
        ratio
    } else {
        Ratio { estimate: 0.0, low: 1.0 / ratio.high, high: 1.0 / ratio.low }
    };
    match ratio {
        r if r.low > 0.98 && r.high < 1.02 => Comparison::Equivalent,
        r if r.low > 1.0 => Comparison::Better,
        r if r.high < 1.0 => Comparison::Worse,
        _ => Comparison::Undecided,
    }
}

fn scenario(workload: &str, threads: u32, shape: &Shape) -> ScenarioDecision {
    let base = truth(&shape.candidates[0], threads);
    let mut standings: Vec<Standing> = shape
        .candidates
        .iter()
        .map(|candidate| {
            let (rss, rate) = truth(candidate, threads);
            let (rss_ratio, rate_ratio) = (ratio(rss / base.0, 0.015), ratio(rate / base.1, 0.022));
            Standing {
                estimates: None,
                per_gib: None,
                instances: None,
                candidate: candidate.clone(),
                rounds: shape.rounds,
                unfinished: BTreeMap::new(),
                throughput: Some(level(rate * 1e6, 0.025)),
                rss: Some(level(rss * MIB, 0.02)),
                throughput_ratio: Some(rate_ratio),
                rss_ratio: Some(rss_ratio),
                p99_ratio: Some(ratio(1.02, 0.05)),
                latency: None,
                throughput_verdict: compared(rate_ratio, true),
                rss_verdict: compared(rss_ratio, false),
                resolvable: Some(0.031),
                feasible: if rate_ratio.low >= 0.75 { Feasible::Yes } else { Feasible::No },
                on_front: false,
                mechanism: vec!["5 arenas instead of 17; 11 MiB of heap in each".into()],
            }
        })
        .collect();
    let beaten: Vec<bool> = standings
        .iter()
        .map(|a| {
            standings.iter().any(|b| {
                let (ra, rb) = (a.rss.unwrap().estimate, b.rss.unwrap().estimate);
                let (ta, tb) = (a.throughput.unwrap().estimate, b.throughput.unwrap().estimate);
                rb <= ra && tb >= ta && (rb < ra || tb > ta)
            })
        })
        .collect();
    for (standing, beaten) in standings.iter_mut().zip(beaten) {
        standing.on_front = !beaten;
    }
    let front = standings.iter().filter(|s| s.on_front).map(|s| s.candidate.clone()).collect();
    ScenarioDecision {
        knee: None,
        workload: workload.to_owned(),
        threads,
        libc: "host".into(),
        unit: "operations/s".into(),
        verdict: Verdict::Chosen,
        choice: shape.candidates.last().cloned(),
        twin: Some(good_twin()),
        standings,
        front,
    }
}

fn good_twin() -> Twin {
    Twin {
        throughput_ratio: Some(ratio(1.004, 0.012)),
        rss_ratio: Some(ratio(0.998, 0.006)),
        trustworthy: true,
    }
}

/// A twin that differs.
pub fn bad_twin() -> Twin {
    Twin {
        throughput_ratio: Some(ratio(1.37, 0.05)),
        rss_ratio: Some(ratio(0.998, 0.006)),
        trustworthy: false,
    }
}

fn decision(scenarios: Vec<ScenarioDecision>, trials_run: u64) -> Decision {
    let first = &scenarios[0];
    let everywhere = |s: &&Standing| {
        let own = |d: &ScenarioDecision| {
            d.standings.iter().any(|o| o.candidate == s.candidate && o.feasible == Feasible::Yes)
        };
        scenarios.iter().all(own)
    };
    let rss = |s: &Standing| s.rss.unwrap().estimate;
    let feasible = first.standings.iter().filter(everywhere);
    let of_choice = feasible.min_by(|a, b| rss(a).total_cmp(&rss(b))).unwrap();
    let choice = of_choice.candidate.clone();
    let (rss_ratio, throughput_ratio) = (of_choice.rss_ratio, of_choice.throughput_ratio);
    Decision {
        tested: Some(true),
        next: None,
        host_memory: None,
        format: FORMAT,
        baseline: first.standings[0].candidate.clone(),
        objective: Objective::Peak,
        constraints: Constraints { max_throughput_loss: Some(0.25), ..Constraints::default() },
        confidence: 0.95,
        verdict: Verdict::Chosen,
        choice: Some(choice.clone()),
        reason: format!(
            "{choice} has the least peak RSS of the candidates that are shown to keep 75 % of the throughput."
        ),
        throughput_ratio,
        rss_ratio,
        twin: Some(good_twin()),
        front: first.front.clone(),
        undecided: vec![Unsettled {
            rounds_needed: None,
            candidate: "glibc:arena_max=3".into(),
            why: "its throughput may be above or below the floor".into(),
            minutes_needed: Some(12.0),
        }],
        eliminated: vec![Eliminated {
            by: None,
            candidate: "glibc:arena_max=1".into(),
            why: "throughput is below the floor".into(),
            bound: Some(0.61),
        }],
        trials_run,
        apply: Some(Apply {
            env: vec!["MALLOC_ARENA_MAX=2".into()],
            systemd: "[Service]\nEnvironment=MALLOC_ARENA_MAX=2\n".into(),
            shell: "export MALLOC_ARENA_MAX=2\n".into(),
            kubernetes: "env:\n  - name: MALLOC_ARENA_MAX\n    value: \"2\"\n".into(),
            note: None,
        }),
        scenarios,
        warnings: vec![],
        host: None,
    }
}

fn manifest(shape: &Shape) -> Manifest {
    let entry = |candidate: &String| CandidateEntry {
        candidate: candidate.clone(),
        env: BTreeMap::new(),
        stands_for: vec![],
    };
    let mut candidates: Vec<CandidateEntry> = shape.candidates.iter().map(entry).collect();
    candidates[0].stands_for.push(Merged {
        candidate: "glibc:arena_max=64".into(),
        why: "16 threads never make more than 17 arenas".into(),
    });
    Manifest {
        extended: Vec::new(),
        tolerance: Some(0.02),
        accept_busy_host: false,
        time_budget_s: None,
        format: FORMAT,
        arenalab: "0.1.0".into(),
        created_at: "2026-11-22T10:00:00Z".into(),
        command: ["arenalab", "sweep", "larson", "--threads", "4,16"].map(str::to_owned).to_vec(),
        seed: 7,
        strategy: "sweep".into(),
        rounds: shape.rounds,
        plan: "[[workload]]\nname = \"larson\"\n".into(),
        objective: Objective::Peak,
        constraints: Constraints::default(),
        confidence: 0.95,
        host: Host {
            name: "lab".into(),
            os: Some("Debian GNU/Linux 12 (bookworm)".into()),
            kernel: "6.18.0".into(),
            arch: "x86_64".into(),
            cpu: Some("A processor".into()),
            cpus_online: 2,
            cpus_allowed: 2,
            memory: 16 << 30,
            cgroup_limit: None,
            thp: Some("madvise".into()),
            page_size: 4096,
        },
        binaries: BTreeMap::from([(
            "glibc".to_owned(),
            Binary {
                path: None,
                file: "arenalab-workload-glibc".into(),
                sha256: "0123456789abcdef".repeat(4),
                allocator: "glibc 2.36".into(),
                build: None,
            },
        )]),
        libcs: vec![arenalab::campaign::prepare::host_libc(Some("2.36".into()))],
        scenarios: shape
            .scenarios
            .iter()
            .map(|(workload, threads)| Scenario { workload: workload.clone(), threads: *threads })
            .collect(),
        candidates,
        baseline: shape.candidates[0].clone(),
        dropped_env: Vec::new(),
        pretended_cpus: None,
    }
}

/// Lets the baseline run twice in each round, as a real campaign does.
pub fn with_twins(fixture: &mut Fixture) {
    let mut noise = Noise(7);
    let of_baseline = fixture.trials.iter().filter(|t| t.candidate == fixture.manifest.baseline);
    let twins: Vec<TrialRecord> = of_baseline
        .map(|trial| {
            let mut twin = TrialRecord { twin: true, position: 10_000, ..trial.clone() };
            if let Some(rss) = &mut twin.rss {
                rss.peak = (rss.peak as f64 * (0.01 * noise.next()).exp()) as u64;
            }
            if let Some(throughput) = &mut twin.throughput {
                throughput.value *= (0.02 * noise.next()).exp();
            }
            twin
        })
        .collect();
    fixture.trials.extend(twins);
}

/// 8 scenarios, 12 candidates, 105 rounds: more than 10,000 trials.
pub fn large() -> Fixture {
    let mut candidates: Vec<String> = ["glibc", "jemalloc", "mimalloc"].map(str::to_owned).to_vec();
    candidates.extend((1..10).map(|n| format!("glibc:arena_max={n}")));
    let scenarios = (0..8).map(|i| (format!("workload{}", i / 4), 2u32 << (i % 4))).collect();
    build(&Shape { candidates, scenarios, rounds: 105, series: true })
}
