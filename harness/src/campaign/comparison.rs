//! The comparison of two campaigns, or of two libcs of one: what `decide` says, and how their hosts were.

use super::decision::host_state;
use super::store::Campaign;
use crate::decide::compare::{Refusal, Side, compare};
use crate::decide::from_trials::from_trials;
use crate::decide::host;
use crate::decide::question::Question;
use crate::format::compare::Compared;

/// A campaign, and the libc of it that is compared; `None` takes each scenario with its own.
pub type Of<'a> = (&'a Campaign, Option<&'a str>);

/// Compares after with before. Where both are one campaign, within its rounds.
///
/// # Errors
/// Where the two must not be compared.
pub fn of(before: Of, after: Of, question: &Question) -> Result<Compared, Refusal> {
    let seen_before = from_trials(&before.0.trials, &before.0.manifest);
    let other = (!std::ptr::eq(before.0, after.0)).then(|| from_trials(&after.0.trials, &after.0.manifest));
    let seen_after = other.as_ref().unwrap_or(&seen_before);
    let mut compared = compare(
        &Side { manifest: &before.0.manifest, seen: &seen_before, libc: before.1 },
        &Side { manifest: &after.0.manifest, seen: seen_after, libc: after.1 },
        question,
    )?;
    let [old, new] = [before, after].map(|(campaign, libc)| host_state(campaign, question, libc));
    host::weigh_comparison(&mut compared, old, new);
    Ok(compared)
}
