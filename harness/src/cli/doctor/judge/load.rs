//! What others do on this host, judged by the rule that trials are judged by: a host on which most trials would count as
//! disturbed is not fit.

use serde::Serialize;

use super::{Finding, bad, ok, warn};
use crate::decide::noisy::Rule;
use crate::trial::host::Activity;

/// Below this part of what the rule allows, load is not worth a word.
const WORTH: f64 = 0.5;

/// The load, in figures.
#[derive(Debug, Serialize)]
pub struct Load {
    /// CPUs that trials may use.
    cpus: Option<u32>,
    /// Share of them that others used.
    others_share: Option<f64>,
    /// Share of them that the hypervisor took away.
    steal_share: Option<f64>,
    /// Percent of the time in which some task waited for a CPU.
    waiting_pct: Option<f64>,
    /// What used the most, the most first.
    top: Vec<User>,
}

#[derive(Debug, Serialize)]
struct User {
    pid: i32,
    command: String,
    cpus: f64,
}

impl Load {
    /// Of what was seen.
    pub fn of(activity: &Activity) -> Self {
        let top = activity.users.iter().map(|user| User {
            pid: user.pid,
            command: user.command.clone(),
            cpus: user.cpus,
        });
        Self {
            cpus: activity.cpus,
            others_share: share(activity, activity.busy_cpus),
            steal_share: share(activity, activity.stolen_cpus),
            waiting_pct: activity.waiting_pct,
            top: top.collect(),
        }
    }
}

fn share(activity: &Activity, cpus: Option<f64>) -> Option<f64> {
    Some(cpus? / f64::from(activity.cpus.filter(|cpus| *cpus > 0)?))
}

/// What others use.
pub(super) fn load(activity: &Activity) -> Finding {
    let rule = Rule::default();
    let known =
        |value: Option<f64>, unit: &str| value.map_or("?".to_owned(), |value| format!("{value:.2}{unit}"));
    let most = activity.cpus.map_or(f64::MAX, f64::from);
    let mut found = format!(
        "others use {} CPUs, load average {}, tasks waited {} of the time",
        known(activity.busy_cpus.map(|busy| busy.min(most)), ""),
        known(activity.load, ""),
        known(activity.waiting_pct, " %"),
    );
    let others = share(activity, activity.busy_cpus).unwrap_or_default();
    let waiting = activity.waiting_pct.unwrap_or_default() / 100.0;
    let beyond = |part: f64| others > rule.foreign * part || waiting > rule.waiting * part;
    if !beyond(WORTH) {
        return ok("load", found);
    }
    if activity.users.is_empty() {
        found = format!("{found}; what takes the CPU cannot be seen from here");
    } else {
        let of = |user: &crate::trial::host::User| {
            format!("{} (pid {}) {:.2}", user.command.escape_debug(), user.pid, user.cpus)
        };
        let users: Vec<String> = activity.users.iter().map(of).collect();
        found = format!("{found}; the most CPU: {}", users.join(", "));
    }
    if beyond(1.0) {
        let advice = "stop what else runs, or wait: load changes what is true, and no verdict is given of a busy host \
                      (unless --accept-busy-host)";
        return bad("load", found, advice);
    }
    warn("load", found, "stop what else runs: it widens the intervals")
}

/// What the hypervisor takes away.
pub(super) fn steal(activity: &Activity) -> Option<Finding> {
    let rule = Rule::default();
    let stolen = share(activity, activity.stolen_cpus).filter(|share| *share > rule.steal * WORTH)?;
    let found = format!("the hypervisor takes away {:.2} CPUs", activity.stolen_cpus?);
    let advice = "measure on a host of its own, or with dedicated CPUs";
    Some(if stolen > rule.steal { bad("steal", found, advice) } else { warn("steal", found, advice) })
}
