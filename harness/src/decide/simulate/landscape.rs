//! What is true of the candidates. Each kind is drawn anew for every campaign, so that nothing can be
//! tuned to one fortunate draw.

use super::host::{Chance, Host};

/// What is true of a candidate. Throughput and RSS are logarithms of the ratio to the baseline's.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Name.
    pub name: String,
    /// Place on an ordered axis.
    pub rung: Option<(String, f64)>,
    /// Throughput.
    pub throughput: f64,
    /// RSS.
    pub rss: f64,
    /// Chance that a trial crashes.
    pub crashes: f64,
}

/// Candidates, the baseline first, on a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Landscape {
    /// The candidates.
    pub truths: Vec<Truth>,
    /// The host.
    pub host: Host,
}

/// Kinds of landscape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Throughput and RSS have nothing to do with each other, nor with any order.
    Scatter,
    /// Four ladders of arenas: every doubling of the arenas divides the loss of throughput by 3 to 8.
    Ladder,
    /// The same with a loss that falls so slowly that several rungs lie within noise of the floor, each
    /// with far less RSS than the next: the hardest to search.
    Slope,
    /// Ladders on which throughput is flat, and then falls off a cliff.
    Cliff,
    /// All within 1 % of the baseline's throughput; RSS falls slowly and levels out.
    Plateau,
    /// Everything is identical to the baseline.
    Ties,
    /// Everything with less RSS than the baseline lies just below the floor, but for a few.
    Edge,
    /// A scatter on a host where other work hits one trial in fifty.
    NoisyHost,
    /// A ladder on a host that loses 1 % of its speed every round.
    DriftingHost,
    /// A scatter under noise with heavy tails.
    HeavyTails,
    /// A scatter whose leanest candidates crash now and then.
    Crashes,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::Scatter,
        Self::Ladder,
        Self::Slope,
        Self::Cliff,
        Self::Plateau,
        Self::Ties,
        Self::Edge,
        Self::NoisyHost,
        Self::DriftingHost,
        Self::HeavyTails,
        Self::Crashes,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scatter => "scatter",
            Self::Ladder => "arena ladder",
            Self::Slope => "gentle slope",
            Self::Cliff => "cliff",
            Self::Plateau => "plateau",
            Self::Ties => "ties",
            Self::Edge => "edge of the floor",
            Self::NoisyHost => "noisy host",
            Self::DriftingHost => "drifting host",
            Self::HeavyTails => "heavy tails",
            Self::Crashes => "crashing candidates",
        }
    }

    /// Draws a landscape with so many candidates, the baseline among them. `noise` is the standard
    /// deviation of the within-round log-ratio of throughput.
    pub fn draw(self, candidates: usize, noise: f64, chance: &mut Chance) -> Landscape {
        let quiet = Host::quiet(noise);
        let host = match self {
            Self::NoisyHost => Host { hits: 0.02, by_round: 0.2, ..quiet },
            Self::DriftingHost => Host { drift: -0.01, by_round: 0.02, ..quiet },
            Self::HeavyTails => Host { heavy: true, by_round: 0.1, ..quiet },
            _ => quiet,
        };
        let others = candidates.saturating_sub(1);
        let mut truths = match self {
            Self::Scatter | Self::NoisyHost | Self::HeavyTails | Self::Crashes => scatter(others, chance),
            Self::Ladder | Self::DriftingHost => ladders(others, chance, slope, (1.6, 3.0)),
            Self::Slope => ladders(others, chance, slope, (0.8, 1.6)),
            Self::Cliff => ladders(others, chance, cliff, (1.0, 1.0)),
            Self::Plateau => plateau(others, chance),
            Self::Ties => (0..others).map(|i| plain(i, 0.0, 0.0)).collect(),
            Self::Edge => edge(others, chance),
        };
        if self == Self::Crashes {
            truths.sort_by(|a, b| a.rss.total_cmp(&b.rss));
            truths.iter_mut().take(4).for_each(|truth| truth.crashes = 0.5);
        }
        truths.insert(0, Truth { name: "glibc".to_owned(), ..plain(0, 0.0, 0.0) });
        Landscape { truths, host }
    }
}

fn plain(index: usize, throughput: f64, rss: f64) -> Truth {
    Truth { name: format!("candidate:place={index}"), rung: None, throughput, rss, crashes: 0.0 }
}

fn scatter(count: usize, chance: &mut Chance) -> Vec<Truth> {
    (0..count).map(|i| plain(i, -0.05 + 0.1 * chance.normal(), chance.within(-0.8, 0.2))).collect()
}

fn plateau(count: usize, chance: &mut Chance) -> Vec<Truth> {
    let deepest = chance.within(0.2, 0.6);
    let rss = |i: usize| -deepest * (1.0 - (-4.0 * i as f64 / count as f64).exp());
    (0..count).map(|i| plain(i, chance.within(-0.01, 0.01), rss(i))).collect()
}

fn edge(count: usize, chance: &mut Chance) -> Vec<Truth> {
    let floor = 0.95f64.ln();
    let truth = |i: usize| {
        let throughput = if i.is_multiple_of(8) { chance.within(-0.02, 0.02) } else { floor - 0.002 };
        plain(i, throughput, chance.within(-0.8, 0.1))
    };
    (0..count).map(truth).collect()
}

/// A ladder: what it loses at one arena, how fast that falls, how much memory it spans, and how much
/// faster and leaner it is as a whole.
struct Ladder {
    loss: f64,
    fall: f64,
    span: f64,
    faster: f64,
    leaner: f64,
}

/// Throughput at so many arenas.
type Shape = fn(&Ladder, arenas: f64) -> f64;

/// The loss falls as a power of the number of arenas.
fn slope(ladder: &Ladder, arenas: f64) -> f64 {
    -ladder.loss * arenas.powf(-ladder.fall)
}

/// Half the throughput is gone below some number of arenas, and nothing from there on.
fn cliff(ladder: &Ladder, arenas: f64) -> f64 {
    if arenas < 2.0 + 8.0 * ladder.loss { -0.7 } else { -0.005 }
}

/// Numbers of arenas that people try.
const ARENAS: [f64; 16] =
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0, 24.0, 32.0, 40.0, 48.0, 64.0];

/// Ladders of 16 rungs, each with its own shape.
fn ladders(count: usize, chance: &mut Chance, shape: Shape, fall: (f64, f64)) -> Vec<Truth> {
    let mut truths = Vec::with_capacity(count);
    for index in 0..count.div_ceil(ARENAS.len()) {
        let ladder = Ladder {
            loss: chance.within(0.2, 1.2),
            fall: chance.within(fall.0, fall.1),
            span: chance.within(0.3, 0.9),
            faster: chance.within(-0.02, 0.03),
            leaner: chance.within(-0.1, 0.1),
        };
        for arenas in ARENAS.into_iter().take(count - truths.len()) {
            let rss = -ladder.span * (1.0 - arenas.ln() / 64.0f64.ln());
            let throughput = shape(&ladder, arenas);
            truths.push(Truth {
                name: format!("ladder{index}:arenas={arenas}"),
                rung: Some((format!("ladder{index}:arenas"), arenas)),
                throughput: throughput + ladder.faster + 0.004 * chance.normal(),
                rss: rss + ladder.leaner + 0.01 * chance.normal(),
                crashes: 0.0,
            });
        }
    }
    truths
}
