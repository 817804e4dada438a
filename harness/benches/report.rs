//! How long a report of 10,000 trials takes.

#[path = "../tests/report_fixture/mod.rs"]
#[allow(dead_code)]
mod report_fixture;

use arenalab::report::{self, Input};
use criterion::{Criterion, criterion_group, criterion_main};

fn large(criterion: &mut Criterion) {
    let fixture = report_fixture::large();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let input = Input {
        manifest: &fixture.manifest,
        decision: &fixture.decision,
        trials: &fixture.trials,
        series: &fixture.series,
        name: "bench",
    };
    let mut group = criterion.benchmark_group("report");
    group.sample_size(10);
    group.bench_function("10,000 trials", |b| b.iter(|| report::write(&input, dir.path())));
    group.bench_function("terminal", |b| b.iter(|| report::terminal(&fixture.decision, 100, true)));
    group.finish();
}

criterion_group!(benches, large);
criterion_main!(benches);
