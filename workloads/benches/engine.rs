//! What the engine itself costs an operation: random choices, slots, counting, sampling, telemetry. The heap
//! does nothing here, so that all that remains is overhead on what is measured.

use std::sync::Arc;
use std::time::Duration;

use arenalab_wire::telemetry::Page;
use arenalab_workloads::engine::actor::Actor;
use arenalab_workloads::engine::gate::Gate;
use arenalab_workloads::engine::latency::Gap;
use arenalab_workloads::heap::{NullHeap, Touch};
use arenalab_workloads::random::Rng;
use arenalab_workloads::spec::Spec;
use arenalab_workloads::workload::{self, Visitor, Workload};
use criterion::{Criterion, criterion_group, criterion_main};

/// CPU time of this thread: a busy host does not enter it.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn operation<W: Workload>(criterion: &mut Criterion) {
    let name = W::DESCRIPTION.name;
    let Ok(spec) = name.parse::<Spec>() else { return };
    let Ok((page, _)) = Page::create(1) else { return };
    let page: &'static Page = Box::leak(Box::new(page));
    let pattern = W::new(&spec, 1);
    let Ok(gate) = Gate::new(1) else { return };
    let gate = Arc::new(gate);
    let gap = Gap::for_operations(spec.get("ops"));
    let (rng, cell) = (Rng::new(1, 0), page.writable_seat(0));
    let mut actor = Actor::new(NullHeap, Touch::Pages, rng, 0, cell, gate, name, gap);
    let mut seat = pattern.seat(0);
    pattern.prepare(&mut actor);
    pattern.setup(&mut seat, &mut actor);
    criterion.bench_function(&format!("{name}, one operation without a heap"), |bencher| {
        bencher.iter_custom(|iterations| {
            let start = cpu_time();
            pattern.work(&mut seat, &mut actor, iterations, true);
            cpu_time().saturating_sub(start)
        });
    });
}

/// Measures one workload after the other; hidden ones are no workloads.
struct Operations<'a>(&'a mut Criterion);

impl Visitor for Operations<'_> {
    fn visit<W: Workload>(&mut self) {
        if !W::DESCRIPTION.hidden {
            operation::<W>(self.0);
        }
    }
}

fn operations(criterion: &mut Criterion) {
    workload::visit_all(&mut Operations(criterion));
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = operations
}
criterion_main!(benches);
