//! Live progress of a campaign on standard error: a bar with the standing on a terminal, plain lines
//! elsewhere. Consumes the campaign's events; nothing else of the program prints while it measures.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use super::say;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::campaign::run::Event;
use crate::campaign::standing::Standing;
use crate::format::decision::Objective;
use crate::format::trial::{Status, TrialRecord};
use crate::report::words::scenario;
use crate::units::{format_change, format_seconds};

/// Plain lines come at most this often, but for the first and the last.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// Nothing but errors.
    Quiet,
    /// Progress.
    Progress,
    /// Each trial as well.
    EachTrial,
}

/// The display.
pub struct Progress {
    say: Say,
    bar: ProgressBar,
    live: bool,
    arms: Vec<String>,
    baseline: usize,
    objective: Objective,
    standing: Standing,
    rounds: Option<u32>,
    total: Option<u64>,
    ended: u64,
    replayed: u64,
    begin: Instant,
    last_plain: Option<Instant>,
    statuses: BTreeMap<Status, u32>,
    round: u32,
    round_trials: u64,
}

impl Progress {
    /// Makes a display. `rounds` and `total` (trials) are `None` where the strategy decides as it goes.
    pub fn new(
        say: Say,
        arms: Vec<String>,
        baseline: usize,
        objective: Objective,
        rounds: Option<u32>,
        total: Option<u64>,
    ) -> Self {
        let live = say == Say::Progress && std::io::stderr().is_terminal();
        let target = if live { ProgressDrawTarget::stderr_with_hz(4) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(total, target);
        bar.set_style(style(total.is_some()));
        Self {
            say,
            bar,
            live,
            arms,
            baseline,
            objective,
            standing: Standing::default(),
            rounds,
            total,
            ended: 0,
            replayed: 0,
            begin: Instant::now(),
            last_plain: None,
            statuses: BTreeMap::new(),
            round: 0,
            round_trials: 0,
        }
    }

    /// Takes an event.
    pub fn on(&mut self, event: &Event) {
        match event {
            Event::RoundBegins { round, attempt, phase, trials } => {
                self.round_trials = *trials as u64;
                self.round_begins(*round, *attempt, phase);
            }
            Event::TrialBegins(spec) => {
                let twin = if spec.twin { " (twin)" } else { "" };
                let what = format!(
                    "{}, {}{twin}",
                    scenario(&spec.workload, spec.threads, &spec.libc),
                    spec.candidate
                );
                self.bar.set_prefix(format!("{}: {what}", self.round_name()));
            }
            Event::TrialEnded { record, arm, replayed } => self.trial_ended(record, *arm, *replayed),
            Event::BlockEnded => self.block_ended(),
            Event::RoundRepeated { why } => {
                self.total = self.total.map(|total| total + self.round_trials);
                self.bar.set_length(self.total.unwrap_or(0));
                self.line(&format!("{} is run again: {why}", self.round_name()));
            }
            Event::Eliminated(out) => {
                for eliminated in *out {
                    self.line(&format!("out: {}: {}", eliminated.candidate, eliminated.why));
                }
            }
            Event::Stopped { why } => self.finish(why),
        }
    }

    /// Ends the display, with a last line.
    pub fn finish(&mut self, why: &str) {
        self.bar.finish_and_clear();
        let unfinished: Vec<String> = self
            .statuses
            .iter()
            .filter(|(status, _)| **status != Status::Ok)
            .map(|(status, count)| format!("{count} {}", format!("{status:?}").to_lowercase()))
            .collect();
        let ok = self.statuses.get(&Status::Ok).copied().unwrap_or(0);
        let rest = if unfinished.is_empty() { String::new() } else { format!(", {}", unfinished.join(", ")) };
        let took = format_seconds(self.begin.elapsed().as_secs_f64());
        self.line(&format!("{why}: {ok} trials ok{rest}, {took}"));
    }

    fn round_begins(&mut self, round: u32, attempt: u32, phase: &str) {
        self.round = round;
        let due = self.last_plain.is_none_or(|last| last.elapsed() >= PLAIN_EVERY);
        if self.live || !due || self.say == Say::Quiet {
            return;
        }
        self.last_plain = Some(Instant::now());
        let again = if attempt > 0 { ", again" } else { "" };
        let left = self.left_s().map_or_else(String::new, |s| format!(", about {} left", format_seconds(s)));
        let of = self.total.map_or_else(String::new, |total| format!(" of {total}"));
        let standing = self.standing(3);
        self.line(&format!(
            "{} ({phase}{again}), {}{of} trials done{left}{}",
            self.round_name(),
            self.ended,
            if standing.is_empty() { String::new() } else { format!("; so far: {}", standing.join(" · ")) }
        ));
    }

    fn round_name(&self) -> String {
        match self.rounds {
            Some(rounds) => format!("round {} of {rounds}", self.round + 1),
            None => format!("round {}", self.round + 1),
        }
    }

    fn trial_ended(&mut self, record: &TrialRecord, arm: usize, replayed: bool) {
        self.ended += 1;
        self.replayed += u64::from(replayed);
        *self.statuses.entry(record.status).or_default() += 1;
        self.bar.set_position(self.ended);
        let rss = record.rss.as_ref().and_then(|rss| match self.objective {
            Objective::Peak => Some(rss.peak),
            Objective::Mean => Some(rss.mean),
            Objective::End => Some(rss.end),
            Objective::Drained => rss.drained,
        });
        if let (Status::Ok, Some(rss), Some(throughput)) = (record.status, rss, &record.throughput) {
            self.standing.add(arm, rss as f64, throughput.value);
        }
        if record.status != Status::Ok && !replayed {
            let reason = record.reason.as_deref().unwrap_or("no reason known");
            let status = format!("{:?}", record.status).to_lowercase();
            self.line(&format!(
                "{status}: {}, {}, round {}: {reason}",
                scenario(&record.workload, record.threads, &record.libc),
                record.candidate,
                record.round + 1
            ));
        } else if self.say == Say::EachTrial && !replayed {
            self.line(&one_trial(record));
        }
    }

    fn block_ended(&mut self) {
        self.standing.close_block(self.baseline);
        let left = self.left_s().map_or_else(String::new, |s| format!("about {} left", format_seconds(s)));
        let standing = self.standing(4).join("\n  ");
        self.bar.set_message(format!("{left}\n  {standing}"));
    }

    /// Seconds left, from the trials run so far.
    fn left_s(&self) -> Option<f64> {
        let run = self.ended - self.replayed;
        let left = self.total?.checked_sub(self.ended)?;
        (run > 0).then(|| self.begin.elapsed().as_secs_f64() / run as f64 * left as f64)
    }

    /// The first few candidates against the baseline, least RSS first.
    fn standing(&self, most: usize) -> Vec<String> {
        let twin = self.arms.len() - 1;
        let places = self.standing.places(self.baseline);
        places
            .iter()
            .filter(|place| place.arm != twin)
            .take(most)
            .map(|place| {
                format!(
                    "{} RSS {} throughput {}",
                    self.arms[place.arm],
                    format_change(place.rss_ratio),
                    format_change(place.throughput_ratio)
                )
            })
            .collect()
    }

    fn line(&self, text: &str) {
        if self.say == Say::Quiet {
            return;
        }
        if self.live {
            self.bar.suspend(|| say::err(text));
        } else {
            say::err(text);
        }
    }
}

fn style(known_total: bool) -> ProgressStyle {
    let template = if known_total {
        "{prefix:.bold}\n[{bar:30}] {pos} of {len} trials, {msg}"
    } else {
        "{prefix:.bold}\n{spinner} {pos} trials, {elapsed}, {msg}"
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn one_trial(record: &TrialRecord) -> String {
    use crate::units::{format_bytes, format_rate};
    let twin = if record.twin { " (twin)" } else { "" };
    let rss = record.rss.as_ref().map_or_else(String::new, |rss| {
        format!(", peak {}, end {}", format_bytes(rss.peak as f64), format_bytes(rss.end as f64))
    });
    let rate = record
        .throughput
        .as_ref()
        .map_or_else(String::new, |t| format!(", {}", format_rate(t.value, &t.unit)));
    format!(
        "{}, {}{twin}, round {}: {}{rate}{rss}",
        scenario(&record.workload, record.threads, &record.libc),
        record.candidate,
        record.round + 1,
        format_seconds(record.elapsed_s)
    )
}
