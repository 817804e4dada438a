//! Which seat has which role.

use super::Model;

/// A seat's place in its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub role: usize,
    /// Its number among the seats of the role.
    pub number: u32,
}

/// Threads of each role where there are `threads` in all, at least as many as roles: in the proportion of the model
/// (largest remainders). A role whose part is less than a thread has one, and the others share out the rest.
pub(super) fn shares(model: &Model, threads: u32) -> Vec<u32> {
    let own: Vec<u64> = model.roles.iter().map(|role| u64::from(role.threads)).collect();
    let mut single = vec![false; own.len()];
    loop {
        let (left, whole) = rest(&own, &single, threads);
        let small = |place: &usize| !single[*place] && left * own[*place] < whole;
        let small: Vec<usize> = (0..own.len()).filter(small).collect();
        if small.is_empty() {
            break;
        }
        for place in small {
            single[place] = true;
        }
    }
    apportioned(&own, &single, threads)
}

/// Threads that are left beside roles with a single one, and the weight of the others.
fn rest(own: &[u64], single: &[bool], threads: u32) -> (u64, u64) {
    let singles = single.iter().filter(|single| **single).count() as u64;
    let whole = own.iter().zip(single).filter(|(_, single)| !**single).map(|(own, _)| own).sum();
    (u64::from(threads).saturating_sub(singles), whole)
}

/// One thread for each single role, and for the others what is left by largest remainders.
fn apportioned(own: &[u64], single: &[bool], threads: u32) -> Vec<u32> {
    let (left, whole) = rest(own, single, threads);
    let whole_part = |place: usize| if single[place] { 1 } else { left * own[place] / whole };
    let mut shares: Vec<u64> = (0..own.len()).map(whole_part).collect();
    let mut order: Vec<usize> = (0..own.len()).filter(|place| !single[*place]).collect();
    order.sort_by_key(|place| std::cmp::Reverse(left * own[*place] % whole));
    let given: u64 = shares.iter().sum();
    let missing = u64::from(threads).saturating_sub(given) as usize;
    order.into_iter().take(missing).for_each(|place| shares[place] += 1);
    shares.into_iter().map(|share| share as u32).collect()
}

/// The seats in their order, role by role.
pub(super) fn places(shares: &[u32]) -> Vec<Place> {
    let of = |(role, seats): (usize, &u32)| (0..*seats).map(move |number| Place { role, number });
    shares.iter().enumerate().flat_map(of).collect()
}
