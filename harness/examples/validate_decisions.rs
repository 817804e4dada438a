//! Holds the chooser to what it claims: many campaigns on landscapes with known truth, counted.
//!
//! `cargo run --release --example validate_decisions -- [CAMPAIGNS] [NOISE…]` writes the Markdown tables of
//! docs/validation.md to stdout. The same figures come out on every machine.

use arenalab::decide::question::Question;
use arenalab::decide::simulate::campaign::{Mark, best_mean, mark, mark_shipped, run};
use arenalab::decide::simulate::host::Chance;
use arenalab::decide::simulate::landscape::Kind;
use arenalab::decide::simulate::tally::Tally;
use arenalab::decide::strategy::{Effort, FullGrid, ScreenAndConfirm, Strategy};

const CANDIDATES: usize = 64;

/// Ways to choose.
#[derive(Clone, Copy)]
enum Way {
    ScreenAndConfirm,
    FullGrid(u32),
    BestMean(u32),
}

impl Way {
    fn name(self) -> String {
        match self {
            Self::ScreenAndConfirm => "screen and confirm".to_owned(),
            Self::FullGrid(rounds) => format!("full grid, {rounds} rounds"),
            Self::BestMean(rounds) => format!("best mean of {rounds}"),
        }
    }

    fn campaign(self, kind: Kind, noise: f64, seed: u64) -> Mark {
        let mut chance = Chance::new(seed);
        let landscape = kind.draw(CANDIDATES, noise, &mut chance);
        let question = Question { seed, ..Question::default() };
        let mut strategy: Box<dyn Strategy> = match self {
            Self::ScreenAndConfirm => Box::new(ScreenAndConfirm::new(question, Effort::default())),
            Self::FullGrid(rounds) | Self::BestMean(rounds) => Box::new(FullGrid { rounds }),
        };
        let seen = run(&landscape, strategy.as_mut(), 400, &mut chance);
        if let Self::BestMean(_) = self {
            return mark_shipped(&landscape, &seen, best_mean(&seen, &question), &question);
        }
        mark(&landscape, &seen, &strategy.decide(&seen, &question), &question)
    }
}

fn tally(way: Way, kind: Kind, noise: f64, campaigns: u64) -> Tally {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let share = |thread: u64| -> Vec<Mark> {
        (thread..campaigns)
            .step_by(threads as usize)
            .map(|seed| way.campaign(kind, noise, seed + 1))
            .collect()
    };
    let marks = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || share(thread))).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect::<Vec<Mark>>()
    });
    Tally::of(&marks)
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let campaigns = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(300);
    let mut noises: Vec<f64> = arguments.filter_map(|text| text.parse().ok()).collect();
    if noises.is_empty() {
        noises = vec![0.03, 0.08, 0.3];
    }
    for noise in noises {
        println!("### Noise {noise}\n");
        println!(
            "| landscape | way | floor met | mean regret in RSS | trials a candidate | chosen | undecided \
             | twin accused | identical called different |"
        );
        println!("|---|---|---:|---:|---:|---:|---:|---:|---:|");
        for kind in Kind::ALL {
            let ways = [Way::ScreenAndConfirm, Way::FullGrid(20), Way::BestMean(1), Way::BestMean(10)];
            for way in ways {
                let counted = tally(way, kind, noise, campaigns);
                let percent = |count: u32| f64::from(count) / f64::from(counted.campaigns) * 100.0;
                // What ships the best mean never says that it does not know.
                let words = match way {
                    Way::BestMean(_) => "- | - | -".to_owned(),
                    _ => format!(
                        "{:.0} % | {:.0} % | {:.0} %",
                        percent(counted.chosen),
                        percent(counted.undecided),
                        percent(counted.accused)
                    ),
                };
                println!(
                    "| {} | {} | {:.1} % | {:.1} % | {:.1} | {words} | {} |",
                    kind.name(),
                    way.name(),
                    counted.met_share() * 100.0,
                    counted.regret * 100.0,
                    counted.trials,
                    match counted.identical.0 {
                        0 => "-".to_owned(),
                        _ => format!("{:.1} %", counted.false_words() * 100.0),
                    }
                );
            }
        }
        println!();
    }
}
