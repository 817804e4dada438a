//! A model made ready to be played: samplers, operations and births by role and phase.

use arenalab_wire::telemetry::Stage;

use super::bound::most;
use super::sampler::{Residual, Sampler};
use super::{Call, Class, Life, Model};
use crate::object::Touch;

/// A class, prepared.
pub(super) struct Goods {
    pub size: Sampler,
    pub life: Option<Sampler>,
    pub residual: Option<Residual>,
    /// Objects at set-up, by seat.
    pub initial: u64,
    pub to: Option<usize>,
    /// Chance to be handed over, of 2^32.
    pub handed: u64,
    pub touch: Touch,
    pub call: Call,
}

/// A phase, prepared.
pub(super) struct Part {
    /// Operations of each role.
    pub ops: Vec<u64>,
    /// For each role and each of its classes: objects an operation, the whole ones and the chance of one more, of 2^32.
    pub births: Vec<Vec<(u32, u64)>>,
    pub stage: Stage,
}

/// A chance as a threshold for 32 random bits.
fn threshold(chance: f64) -> u64 {
    (chance * 4_294_967_296.0).round() as u64
}

pub(super) fn goods(model: &Model, class: &Class, seats: u32) -> Goods {
    let life = match &class.life {
        Life::Ops(life) => Some(life.clone()),
        Life::Time(life) => Some(life.scaled(model.rate_of_a_seat(class.role, seats))),
        Life::Run(_) => None,
    };
    let place = model.classes.iter().position(|other| other.name == class.name).unwrap_or(0);
    let initial = model.initial(place, seats);
    Goods {
        size: Sampler::new(&class.size),
        residual: life.as_ref().filter(|life| initial > 0 && life.mean() > 0.0).map(Residual::new),
        life: life.as_ref().map(Sampler::new),
        initial,
        to: class.to,
        handed: threshold(class.handed),
        touch: class.touch,
        call: class.call,
    }
}

/// The warm-up, and then the phases.
pub(super) fn phases(model: &Model) -> Vec<Part> {
    let bursts: Vec<usize> = (0..model.phases.len()).filter(|at| model.phases[*at].burst).collect();
    let stage = |at: usize| match (bursts.first(), bursts.last()) {
        (Some(first), _) if at < *first => Stage::Before,
        (Some(_), Some(last)) if at > *last => Stage::After,
        (Some(_), _) => Stage::Burst,
        _ => Stage::None,
    };
    let part = |at: usize, share: f64, stage: Stage| {
        let phase = &model.phases[at];
        let ops = |role| (model.ops(phase, Some(role)) as f64 * share).round() as u64;
        let birth = |(class, load): (&Class, &f64)| {
            let births = class.per_op * load;
            (births as u32, threshold(births.fract()))
        };
        let births = |role| {
            let own = model.classes.iter().zip(&phase.load).filter(|(class, _)| class.role == role);
            own.map(birth).collect()
        };
        let roles = 0..model.roles.len();
        Part { ops: roles.clone().map(ops).collect(), births: roles.map(births).collect(), stage }
    };
    let warmup = part(0, model.warmup, Stage::None);
    let rest = (0..model.phases.len()).map(|at| part(at, 1.0, stage(at)));
    std::iter::once(warmup).chain(rest).collect()
}

/// How long a role's objects live at most, and how many of them a seat holds at most.
pub(super) fn wheel(model: &Model, role: usize, seats: u32) -> (u64, usize) {
    let (mut longest, mut objects) = (0.0f64, 0.0);
    for (place, class) in model.classes.iter().enumerate().filter(|(_, class)| class.role == role) {
        if matches!(class.life, Life::Run(_)) {
            continue;
        }
        longest = longest.max(model.longest_in_ops(class, seats));
        let load = model.phases.iter().map(|phase| phase.load[place]).fold(0.0, f64::max);
        objects += most(model.alive(class, load, seats) / f64::from(seats));
    }
    (longest as u64 + 1, objects.ceil() as usize + 64)
}
