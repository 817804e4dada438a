//! Which seat has which role.

use super::Model;

/// A seat's place in its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub role: usize,
    /// Its number among the seats of the role.
    pub number: u32,
}

/// Threads of each role where there are `threads` in all: in proportion to what the model says, at least one each
/// (largest remainders). `threads` is at least the number of roles.
pub(super) fn shares(model: &Model, threads: u32) -> Vec<u32> {
    let whole = f64::from(model.threads());
    let spare = f64::from(threads.saturating_sub(model.roles.len() as u32));
    let extra = whole - model.roles.len() as f64;
    let wanted = |own: u32| if extra > 0.0 { spare * f64::from(own - 1) / extra } else { spare / whole };
    let wanted: Vec<f64> = model.roles.iter().map(|role| wanted(role.threads)).collect();
    let mut shares: Vec<u32> = wanted.iter().map(|wanted| 1 + *wanted as u32).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|a, b| wanted[*b].fract().total_cmp(&wanted[*a].fract()));
    let mut left = threads.saturating_sub(shares.iter().sum());
    for place in order.iter().cycle() {
        if left == 0 {
            break;
        }
        shares[*place] += 1;
        left -= 1;
    }
    shares
}

/// The seats in their order, role by role.
pub(super) fn places(shares: &[u32]) -> Vec<Place> {
    let of = |(role, seats): (usize, &u32)| (0..*seats).map(move |number| Place { role, number });
    shares.iter().enumerate().flat_map(of).collect()
}
