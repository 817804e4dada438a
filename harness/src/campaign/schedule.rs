//! The order of trials in a round. Pure, and a function of the seed: a resumed campaign makes the same.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One trial's place in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Index of the scenario.
    pub scenario: usize,
    /// Index of the arm.
    pub arm: usize,
    /// Place in the round, from 0.
    pub position: u32,
}

/// The order of one round: groups of scenarios in random order, within each its scenarios, within each of these the
/// arms, so that what is compared is close in time and nothing always follows the same neighbour. A group has `libcs`
/// scenarios that lie one after the other: one workload at one thread count under each C library.
pub fn round_order(
    seed: u64,
    round: u32,
    attempt: u32,
    scenarios: &[usize],
    libcs: usize,
    arms: &[usize],
) -> Vec<Slot> {
    let mut rng = stream(seed, round, attempt);
    let mut groups: Vec<Vec<usize>> = scenarios.chunks(libcs.max(1)).map(<[usize]>::to_vec).collect();
    groups.shuffle(&mut rng);
    for group in &mut groups {
        group.shuffle(&mut rng);
    }
    let mut order = Vec::with_capacity(scenarios.len() * arms.len());
    for scenario in groups.into_iter().flatten() {
        let mut arms = arms.to_vec();
        arms.shuffle(&mut rng);
        for arm in arms {
            let position = order.len() as u32;
            order.push(Slot { scenario, arm, position });
        }
    }
    order
}

/// The seed of a round's workloads: the same for every arm, another in each round, so that a comparison
/// is paired and no single random sequence decides it.
pub fn workload_seed(seed: u64, round: u32) -> u64 {
    let mut rng = stream(seed, round, u32::MAX);
    // Within what JSON readers hold exactly.
    rng.random_range(1..1 << 53)
}

fn stream(seed: u64, round: u32, attempt: u32) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from(round) << 32 | u64::from(attempt));
    rng
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_has_each_arm_once_in_each_scenario() {
        let order = round_order(7, 3, 0, &[0, 1], 1, &[0, 2, 5]);
        let mut pairs: Vec<_> = order.iter().map(|s| (s.scenario, s.arm)).collect();
        pairs.sort_unstable();
        assert_eq!(pairs, [(0, 0), (0, 2), (0, 5), (1, 0), (1, 2), (1, 5)]);
        assert!(order.iter().enumerate().all(|(i, s)| s.position as usize == i));
        assert!(order[..3].iter().all(|s| s.scenario == order[0].scenario));
    }

    #[test]
    fn the_libcs_of_a_scenario_are_next_to_each_other_in_changing_order() {
        let mut first = [0u32; 2];
        for round in 0..200 {
            let order = round_order(5, round, 0, &[0, 1, 2, 3], 2, &[0, 1]);
            let mut blocks: Vec<usize> = order.iter().map(|slot| slot.scenario).collect();
            blocks.dedup();
            assert_eq!(blocks.len(), 4);
            assert!(blocks.chunks(2).all(|pair| pair[0] / 2 == pair[1] / 2), "{blocks:?}");
            first[blocks[0] % 2] += 1;
        }
        // Binomial(200, 1/2): mean 100, standard deviation 7; six of them on each side.
        assert!(first.iter().all(|count| (58..142).contains(count)), "{first:?}");
    }

    #[test]
    fn the_seed_makes_the_order() {
        let arms: Vec<usize> = (0..20).collect();
        let order = |seed, round, attempt| round_order(seed, round, attempt, &[0], 1, &arms);
        assert_eq!(order(1, 2, 0), order(1, 2, 0));
        assert_ne!(order(1, 2, 0), order(1, 3, 0));
        assert_ne!(order(1, 2, 0), order(1, 2, 1));
        assert_ne!(order(1, 2, 0), order(2, 2, 0));
        assert_ne!(workload_seed(1, 0), workload_seed(1, 1));
    }

    #[test]
    fn every_place_is_taken_by_every_arm_equally_often() {
        let mut counts = [[0u32; 4]; 4];
        for round in 0..4000 {
            for slot in round_order(9, round, 0, &[0], 1, &[0, 1, 2, 3]) {
                counts[slot.arm][slot.position as usize] += 1;
            }
        }
        // Binomial(4000, 1/4): mean 1000, standard deviation 27; six of them on each side.
        assert!(counts.iter().flatten().all(|n| (836..1164).contains(n)), "{counts:?}");
    }
}
