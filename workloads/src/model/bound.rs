//! The live bytes that a model implies, by Little's law, and what they stay below.
//!
//! Each object is drawn by itself, so that live bytes are a sum of independent terms, none above the largest
//! size. Bernstein's inequality (S. Boucheron, G. Lugosi, P. Massart, Concentration Inequalities, 2013, section 2.8)
//! bounds it from mean, variance and largest term, up to a chance of 10^-12 at any instant.

use super::inbox::CAPACITY;
use super::play::OUTBOX;
use super::{Class, Life, Model, ModelError, Phase, parts, sampler, seats, wheel};
use arenalab_wire::units;

/// -ln of the chance that is left out.
const CAUTION: f64 = 27.6;
/// Engine's bytes for each live object: its node in the wheel, and room to grow.
const NODE: f64 = 40.0;
/// An allocator takes so much for the smallest object, and so much besides for each: its header, its rounding.
const SMALLEST: f64 = 16.0;
/// Engine's bytes for each seat: actor, histograms, stack, telemetry.
const SEAT: f64 = (256 << 10) as f64;

/// What a model needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// Live bytes on average, in the phase that holds most.
    pub mean: f64,
    /// What live bytes stay below.
    pub live: f64,
    /// What an allocator needs for them at least besides: 16 bytes an object, and what sizes below 16 fall short of it.
    pub heap: f64,
    /// What the engine needs besides, for its own tables.
    pub engine: f64,
}

/// Mean, variance and largest term of a sum.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    mean: f64,
    variance: f64,
    largest: f64,
}

impl Sum {
    fn and(self, other: Self) -> Self {
        Self {
            mean: self.mean + other.mean,
            variance: self.variance + other.variance,
            largest: self.largest.max(other.largest),
        }
    }

    /// What it stays below.
    fn bound(self) -> f64 {
        let third = self.largest * CAUTION / 3.0;
        self.mean + third + (third * third + 2.0 * self.variance * CAUTION).sqrt()
    }
}

/// What a class needs.
#[derive(Default)]
struct Need {
    /// Live bytes as chance has them.
    live: Sum,
    /// Live bytes that cannot be passed at all; for few and large objects it is less than what chance allows.
    certain: f64,
    /// Objects that wheels hold.
    nodes: f64,
    /// What an allocator needs besides.
    heap: f64,
}

/// Objects of a class that may have outlived their time: they wait to be handed over, or to be freed where they were.
fn on_the_way(class: &Class, shares: &[u32]) -> f64 {
    let Some(to) = class.to else { return 0.0 };
    // While a receiver frees what it took out of its inbox, others may fill that again.
    let received = 2 * CAPACITY * shares[to] as usize;
    (received + OUTBOX * shares[class.role] as usize) as f64
}

/// What a count with that mean stays below.
pub(super) fn most(count: f64) -> f64 {
    Sum { mean: count, variance: count, largest: 1.0 }.bound()
}

impl Model {
    /// A class's mean life in operations of one of `seats` threads of its owner; of objects that live as
    /// long as the run, their number.
    pub(super) fn life_in_ops(&self, class: &Class, seats: u32) -> f64 {
        match &class.life {
            Life::Ops(life) => life.mean(),
            Life::Time(life) => life.mean() * self.rate_of_a_seat(class.role, seats),
            Life::Run(live) => *live as f64,
        }
    }

    /// A class's longest life in operations of one of `seats` threads of its owner.
    pub(super) fn longest_in_ops(&self, class: &Class, seats: u32) -> f64 {
        match &class.life {
            Life::Ops(life) => life.max().ceil(),
            Life::Time(life) => (life.max() * self.rate_of_a_seat(class.role, seats)).ceil(),
            Life::Run(_) => 0.0,
        }
    }

    /// Operations a second of one of `seats` threads of a role; 0 without a rate.
    pub(super) fn rate_of_a_seat(&self, role: usize, seats: u32) -> f64 {
        self.roles[role].rate.unwrap_or(0.0) / f64::from(seats.max(1))
    }

    /// Objects of a class that are alive on average, over all seats.
    pub(super) fn alive(&self, class: &Class, load: f64, seats: u32) -> f64 {
        let of_a_seat = match class.life {
            Life::Run(live) => live as f64,
            _ => class.per_op * load * self.life_in_ops(class, seats),
        };
        of_a_seat * f64::from(seats)
    }

    /// Objects of a class that the set-up makes on each of `seats` threads of its owner: what its first phase holds.
    pub(super) fn initial(&self, place: usize, seats: u32) -> u64 {
        let (class, first) = (&self.classes[place], &self.phases[0]);
        let at_work = first.active[class.role] || matches!(class.life, Life::Run(_));
        let load = if at_work { first.load[place] } else { 0.0 };
        (self.alive(class, load, seats) / f64::from(seats)).round() as u64
    }

    /// The factor on a class's `per_op` whose objects a phase holds: its own, or where the owner is at rest that of
    /// the last phase before in which it worked, as lives stand still; 0 where there is none.
    fn load_held(&self, phase: &Phase, place: usize) -> f64 {
        let end = self.phases.iter().position(|other| other.name == phase.name).unwrap_or(0);
        let before = self.phases[..end].iter().rev();
        let worked = |at: &&Phase| at.active[self.classes[place].role];
        std::iter::once(phase).chain(before).find(worked).map_or(0.0, |at| at.load[place])
    }

    /// Live bytes that a phase implies once it has lasted: objects a time, times how long they live, times their
    /// size. With `threads` threads.
    pub fn implied(&self, phase: &Phase, threads: u32) -> f64 {
        let shares = seats::shares(self, threads);
        let of = |(place, class): (usize, &Class)| {
            self.alive(class, self.load_held(phase, place), shares[class.role]) * class.mean_bytes()
        };
        self.classes.iter().enumerate().map(of).sum()
    }

    /// What the model needs with `threads` threads.
    pub fn bound(&self, threads: u32) -> Bound {
        let shares = seats::shares(self, threads);
        let needs: Vec<Need> = (0..self.classes.len()).map(|place| self.need(place, &shares)).collect();
        let total = |of: fn(&Need) -> f64| needs.iter().map(of).sum::<f64>();
        let likely = needs.iter().fold(Sum::default(), |sum, need| sum.and(need.live)).bound();
        let mean = self.phases.iter().map(|phase| self.implied(phase, threads)).fold(0.0, f64::max);
        let engine = total(|need| need.nodes) * NODE + f64::from(threads) * SEAT + self.tables(&shares);
        Bound { mean, live: likely.min(total(|need| need.certain)), heap: total(|need| need.heap), engine }
    }

    /// What a class needs with so many threads of each role.
    fn need(&self, place: usize, shares: &[u32]) -> Need {
        let class = &self.classes[place];
        let seats = f64::from(shares[class.role]);
        let heaviest = self.phases.iter().map(|phase| phase.load[place]).fold(0.0, f64::max);
        let at_start = self.initial(place, shares[class.role]) as f64 * seats;
        let lasting = self.alive(class, heaviest, shares[class.role]).max(at_start);
        // Those that one operation makes and frees again.
        let births = (class.per_op * heaviest).ceil() * seats;
        if lasting + births <= 0.0 {
            return Need::default();
        }
        let on_the_way = on_the_way(class, shares);
        let alive = lasting + births + on_the_way;
        // The set-up's live on for rests that chance chooses: all of them, beside all that were born in a longest life.
        let longest = self.longest_in_ops(class, shares[class.role]);
        let certain = at_start + births * (longest + 1.0) + on_the_way;
        Need {
            live: Sum {
                mean: alive * class.mean_bytes(),
                variance: alive * class.square_mean_bytes(),
                largest: class.most_bytes(),
            },
            certain: certain * class.most_bytes(),
            nodes: most(lasting),
            heap: most(alive) * (SMALLEST + class.short_bytes(SMALLEST)),
        }
    }

    /// Bytes of what sizes and lives are drawn from, and of the wheels' slots.
    fn tables(&self, shares: &[u32]) -> f64 {
        let of = |class: &Class| {
            let lives = match &class.life {
                Life::Ops(life) | Life::Time(life) => sampler::bytes(life, true),
                Life::Run(_) => 0,
            };
            (sampler::bytes(&class.size, false) + lives) as f64
        };
        let slots = |(role, seats): (usize, &u32)| {
            let (longest, _) = parts::wheel(self, role, *seats);
            wheel::bytes(longest) as f64 * f64::from(*seats)
        };
        self.classes.iter().map(of).sum::<f64>() + shares.iter().enumerate().map(slots).sum::<f64>()
    }

    /// Whether it fits into its own limit, and into a host with so much memory.
    ///
    /// # Errors
    /// One line that says what it needs.
    pub fn fits(&self, threads: u32, host: u64) -> Result<(), ModelError> {
        let bound = self.bound(threads);
        let bytes = units::format_bytes;
        let needs = || {
            format!(
                "{} with {threads} threads holds {} on average and may reach {}, an allocator adds {} or more, and the engine needs {} for its tables",
                self.canonical(),
                bytes(bound.mean),
                bytes(bound.live),
                bytes(bound.heap),
                bytes(bound.engine)
            )
        };
        if bound.live > self.memory as f64 {
            let limit = bytes(self.memory as f64);
            return Err(ModelError(format!("{}; its limit, the key memory, is {limit}", needs())));
        }
        if bound.live + bound.heap + bound.engine > host as f64 {
            return Err(ModelError(format!("{}; this host has {}", needs(), bytes(host as f64))));
        }
        Ok(())
    }
}
