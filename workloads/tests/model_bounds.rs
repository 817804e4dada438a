//! Any valid model: it is played to its end, never holds more than its bound, and leaves nothing.

#[path = "support/watched.rs"]
#[allow(dead_code, reason = "each test file uses its part")]
mod watched;

use std::fmt::Write;

use arenalab_wire::telemetry::Page;
use arenalab_workloads::model::{Length, Model, Phase, play};
use proptest::prelude::*;
use watched::{Spectator, Turn, Watched};

/// What a run showed.
struct Seen {
    /// Operations up to each border.
    ops: Vec<u64>,
    /// Live bytes at the last border, as the engine counts them and as the heap does.
    left: (u64, usize),
    /// The most live bytes at any instant.
    most: f64,
}

/// Operations of all phases in which there is something to do.
fn steady(model: &Model) -> u64 {
    let works =
        |phase: &Phase, role: usize| phase.active[role] && model.classes.iter().any(|c| c.role == role);
    let of = |phase: &Phase| match phase.length {
        Length::Ops(ops) => ops * (0..model.roles.len()).filter(|role| works(phase, *role)).count() as u64,
        Length::Time(_) => unreachable!("none is drawn"),
    };
    model.phases.iter().map(of).sum()
}

fn play(model: &Model, threads: u32, seed: u64) -> Seen {
    let turn = Turn::take();
    let (page, _) = Page::create(threads as usize).unwrap();
    let mut seen = Spectator::default();
    play::start(model, (threads, seed), Box::leak(Box::new(page)), Watched, &mut seen).unwrap();
    let left = (seen.0.last().unwrap().live_bytes, turn.left());
    Seen { ops: seen.0.iter().map(|border| border.ops).collect(), left, most: turn.most() as f64 }
}

#[test]
fn few_objects_of_one_life_stay_below_the_bound_whatever_the_set_up_drew() {
    for (life, seeds) in [(1, 20), (3, 40), (10, 100), (100, 20), (1000, 10)] {
        let text = format!(
            "[[role]]\nname = \"a\"\n[[class]]\nname = \"c\"\nrole = \"a\"\nsize = \"4KiB\"\nlifetime = {life}\n\
             [[phase]]\nname = \"p\"\nops = {}\n",
            2 * life
        );
        let model = Model::from_text(&text, "m").unwrap();
        let bound = model.bound(1).live;
        let most = (0..seeds).map(|seed| play(&model, 1, seed).most).fold(0.0, f64::max);
        assert!(most <= bound, "{life}: {most} above {bound}");
        // As many as are born in one life are not a bound: rests of lives are chosen by chance.
        assert!(life < 10 || most > f64::from(life + 1) * 4096.0, "{life}: {most} shows nothing");
    }
}

#[test]
fn what_is_rounded_up_to_an_alignment_stays_below_the_bound() {
    for (align, size) in [(64, "100"), (4096, "{ kind = \"uniform\", min = 0, max = 5000 }")] {
        let text = format!(
            "[[role]]\nname = \"a\"\n[[class]]\nname = \"c\"\nrole = \"a\"\nalign = {align}\nsize = {size}\n\
             lifetime = \"run\"\nlive = 3000\n[[class]]\nname = \"d\"\nrole = \"a\"\nsize = 16\nlifetime = 0\n\
             [[phase]]\nname = \"p\"\nops = 10\n",
        );
        let model = Model::from_text(&text, "m").unwrap();
        let (bound, implied) = (model.bound(1), model.implied(&model.phases[0], 1));
        let most = play(&model, 1, 5).most;
        assert!((most / implied - 1.0).abs() < 0.02, "{most} for {implied} by {text}");
        assert!(most <= bound.live && bound.live < 1.2 * most, "{most} for {bound:?} by {text}");
    }
}

/// A class as it is drawn: owner, receiver, size, lifetime, call, touch, objects an operation.
type Drawn = (usize, Option<usize>, usize, usize, usize, usize, f64);

const SIZES: [&str; 5] = [
    "100",
    "{ kind = \"uniform\", min = 0, max = 3000 }",
    "{ kind = \"log-normal\", median = 100, sigma = 1.2, min = 1, max = 4096 }",
    "{ kind = \"pareto\", min = 16, alpha = 1.5, max = 8192 }",
    "{ kind = \"histogram\", bins = [[0, 1], [64, 5], [100, 200, 2]] }",
];
const LIVES: [&str; 7] = [
    "0",
    "1",
    "25",
    "{ kind = \"uniform\", min = 0, max = 60 }",
    "{ kind = \"exponential\", mean = 20, max = 300 }",
    "{ kind = \"pareto\", min = 2, alpha = 1.2, max = 200 }",
    "{ kind = \"histogram\", bins = [[0, 5], [7, 2], [40, 90, 1]] }",
];
const CALLS: [&str; 5] = ["", "call = \"calloc\"", "align = 16", "align = 64", "align = 4096"];
const TOUCHES: [&str; 3] = ["pages", "all", "none"];

fn class((owner, to, size, life, call, touch, per_op): Drawn, number: usize) -> String {
    let mut text = format!(
        "[[class]]\nname = \"c{number}\"\nrole = \"r{owner}\"\nsize = {}\ntouch = \"{}\"\n{}\n",
        SIZES[size], TOUCHES[touch], CALLS[call]
    );
    let Some(life) = LIVES.get(life) else { return text + "lifetime = \"run\"\nlive = 30\n" };
    let _ = writeln!(text, "lifetime = {life}\nper_op = {per_op}");
    if let Some(to) = to {
        let _ = writeln!(text, "to = \"r{to}\"\nhanded = \"{}%\"", 30 + 35 * (size % 3));
    }
    text
}

prop_compose! {
    /// A class of one of `roles`.
    fn a_class(roles: usize)(
        owner in 0..roles,
        to in prop::option::of(0..roles),
        size in 0..SIZES.len(),
        life in 0..=LIVES.len(),
        call in 0..CALLS.len(),
        touch in 0..TOUCHES.len(),
        per_op in prop_oneof![Just(1.0), 0.0..4.0, 20.0..40.0],
    ) -> Drawn {
        (owner, to, size, life, call, touch, per_op)
    }
}

prop_compose! {
    /// Operations, load, and who rests in a phase, where anybody does.
    fn a_phase(roles: usize)(
        ops in 1u32..400,
        load in prop_oneof![Just(1.0), 0.0..3.0],
        rests in prop::option::weighted(0.3, 0..roles),
    ) -> (u32, f64, Option<usize>) {
        (ops, load, rests)
    }
}

fn phase((ops, load, rests): (u32, f64, Option<usize>), number: usize, roles: usize) -> String {
    let mut text = format!("[[phase]]\nname = \"p{number}\"\nops = {ops}\nload = {load}\n");
    let work: Vec<String> =
        (0..roles).filter(|role| Some(*role) != rests).map(|role| format!("\"r{role}\"")).collect();
    if rests.is_some() && !work.is_empty() {
        let _ = writeln!(text, "roles = [{}]", work.join(", "));
    }
    text
}

/// Roles with their threads, the operations after which these end, and rates; classes; phases; the share of warm-up.
fn a_model() -> impl Strategy<Value = String> {
    (1usize..4).prop_flat_map(|roles| {
        let (lifetime, rate) =
            (prop::option::weighted(0.3, 20u32..200), prop::option::weighted(0.3, 500_000u32..9_000_000));
        let role = (1u32..6, lifetime, rate);
        let threads = prop::collection::vec(role, roles);
        let classes = prop::collection::vec(a_class(roles), 1..4);
        let phases = prop::collection::vec(a_phase(roles), 1..4);
        (threads, classes, phases, 0.0..1.0f64).prop_map(move |(threads, classes, phases, warmup)| {
            let mut text = format!("warmup = {warmup}\n");
            for (number, (threads, lifetime, rate)) in threads.into_iter().enumerate() {
                let _ = writeln!(text, "[[role]]\nname = \"r{number}\"\nthreads = {threads}");
                let _ = lifetime.map(|lifetime| writeln!(text, "lifetime = {lifetime}"));
                let _ = rate.map(|rate| writeln!(text, "rate = {rate}"));
            }
            let classes = classes.into_iter().enumerate().map(|(number, drawn)| class(drawn, number));
            let phases = phases.into_iter().enumerate().map(|(number, drawn)| phase(drawn, number, roles));
            text + &classes.chain(phases).collect::<String>()
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_model_is_played_to_its_end_within_its_bound_and_leaves_nothing(
        text in a_model(),
        more in prop::option::of(0u32..4),
        seed in any::<u64>(),
    ) {
        // Roles without work and phases without workers are drawn too, and are no models.
        let Ok(model) = Model::from_text(&text, "m") else { return Err(TestCaseError::reject("no model")) };
        let threads = more.map_or(model.threads(), |more| model.roles.len() as u32 + more);
        let seen = play(&model, threads, seed);
        let bound = model.bound(threads).live;
        prop_assert!(seen.most <= bound, "{} above {bound}", seen.most);
        prop_assert_eq!(seen.left, (0, 0));
        prop_assert_eq!(seen.ops[2], steady(&model));
    }
}
