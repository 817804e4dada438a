//! Whether a candidate was in force where the work was done: the judgements of all images, weighed by what each used of
//! CPU and memory. Pure.
//!
//! A candidate is proven only where the images that used nearly all CPU time, and those that held nearly all memory,
//! are each proven. What ended before anybody could look at it is not known.

use super::image::Image;
use super::judge::{Beforehand, Served, Sight, Verdict, judge};
use crate::format::trial::Effect;
use crate::trial::executor::Asked;

/// The share of CPU time and of memory that must be proven.
const NEARLY_ALL: f64 = 0.9;
/// The share that must be, where only moments at the ends of images are missing.
const MOST: f64 = 0.7;
/// From this share on something is not in force.
const MUCH: f64 = 0.5;
/// Arenas are known where the last look came after this share of the work.
const LATE: f64 = 0.6;
/// Memory that every process has, whatever it does, bytes.
const BARE: u64 = 512 << 10;
/// CPU seconds of a running program that are enough to tell it by.
const ENOUGH_S: f64 = 0.3;

/// What it all amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// For the journal.
    pub effect: Effect,
    /// Why it can have no effect, where that is so.
    pub no_op: Option<String>,
    /// Whether something else was seen to be in force.
    pub disproved: bool,
}

/// A share of CPU time and one of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Share {
    cpu: f64,
    memory: f64,
}

impl Share {
    fn least(self) -> f64 {
        self.cpu.min(self.memory)
    }

    fn most(self) -> f64 {
        self.cpu.max(self.memory)
    }
}

/// All images by weight.
struct Weighed<'a> {
    images: Vec<(&'a Image, Share)>,
    /// CPU time that no image is known to have used.
    unseen: f64,
    /// How much of that may be the moments at the ends of images.
    moments: f64,
}

impl<'a> Weighed<'a> {
    /// `total_s` is all CPU time of the trial, where it is known.
    fn of(images: &'a [Image], total_s: Option<f64>, cpus: f64) -> Self {
        let known_s: f64 = images.iter().map(Image::cpu_s).sum();
        let total_s = total_s.unwrap_or(known_s).max(known_s).max(1e-6);
        let own = |image: &Image| image.at_peak.saturating_sub(BARE) as f64;
        let all: f64 = images.iter().map(own).sum();
        let raw: f64 = images.iter().map(|image| image.at_peak as f64).sum();
        let share = |image: &Image| Share {
            cpu: image.cpu_s() / total_s,
            memory: match () {
                () if all > 0.0 => own(image) / all,
                () if raw > 0.0 => image.at_peak as f64 / raw,
                () => 0.0,
            },
        };
        let gaps: f64 = images.iter().map(|image| image.gap_s).sum();
        Self {
            images: images.iter().map(|image| (image, share(image))).collect(),
            unseen: (total_s - known_s) / total_s,
            moments: gaps * cpus / total_s,
        }
    }

    /// The image that did most, by memory and CPU.
    fn worker(&self) -> Option<&'a Image> {
        let weight = |share: &Share| share.cpu + share.memory;
        self.images.iter().max_by(|a, b| weight(&a.1).total_cmp(&weight(&b.1))).map(|(image, _)| *image)
    }
}

/// The image that did most.
pub fn worker(images: &[Image]) -> Option<&Image> {
    Weighed::of(images, None, 1.0).worker()
}

/// What serves `malloc` in the image that did most, where that was seen.
pub fn served(images: &[Image]) -> Option<&Served> {
    worker(images).and_then(|image| image.sight.as_ref()).map(|sight| &sight.served)
}

/// Arenas in the image that did most, where glibc serves it: the most that any look found; unknown where the last look
/// came when much of its work was still to come.
pub fn arenas(images: &[Image]) -> Option<Option<u32>> {
    let image = worker(images)?;
    let sight = image.sight.as_ref().filter(|sight| sight.served.by == "glibc" || is_glibc(sight))?;
    let late = sight.used_s >= image.cpu_s() * LATE;
    let exact = sight.heap.as_ref().is_some_and(|heap| heap.exact);
    Some(Some(sight.most_arenas).filter(|_| late && exact))
}

fn is_glibc(sight: &Sight) -> bool {
    sight.heap.as_ref().is_some_and(|heap| heap.system.is_some_and(|bytes| bytes > 0))
}

/// The images that a search of their files may tell more of.
pub fn of_weight(images: &[Image]) -> Vec<usize> {
    let weighed = Weighed::of(images, None, 1.0);
    let heavy = weighed.images.iter().enumerate().filter(|(_, (_, share))| share.most() > 0.05);
    heavy.map(|(index, _)| index).collect()
}

/// Judges a candidate by all that was seen.
pub fn outcome(
    asked: &Asked,
    before: &Beforehand,
    images: &[Image],
    total_s: Option<f64>,
    cpus: f64,
) -> Outcome {
    let weighed = Weighed::of(images, total_s, cpus);
    let verdicts: Vec<(&Image, Share, Verdict)> =
        weighed.images.iter().map(|(image, share)| (*image, *share, verdict(asked, before, image))).collect();
    let sum = |kind: fn(&Verdict) -> bool| {
        verdicts.iter().filter(|(_, _, verdict)| kind(verdict)).fold(
            Share::default(),
            |sum, (_, share, _)| Share { cpu: sum.cpu + share.cpu, memory: sum.memory + share.memory },
        )
    };
    let heaviest = |kind: fn(&Verdict) -> bool| {
        let of_kind = verdicts.iter().filter(|(_, _, verdict)| kind(verdict));
        of_kind.max_by(|a, b| (a.1.cpu + a.1.memory).total_cmp(&(b.1.cpu + b.1.memory)))
    };
    let (holds, no_op, fails) = (sum(is_held), sum(is_no_op), sum(is_failed));
    if asked.env.is_empty() {
        let words = heaviest(is_held).map(|(_, _, verdict)| verdict.words().to_owned());
        let how = words.unwrap_or_else(|| "the program as it is: nothing was asked for".to_owned());
        return Outcome { effect: Effect { verified: true, how }, no_op: None, disproved: false };
    }
    let proven = |share: Share| {
        let moments = weighed.unseen.min(weighed.moments);
        share.memory >= NEARLY_ALL
            && (share.cpu >= NEARLY_ALL || (share.cpu >= MOST && share.cpu + moments >= NEARLY_ALL))
    };
    if proven(no_op)
        && let Some((_, _, verdict)) = heaviest(is_no_op)
    {
        let how = format!("no-op: {} has no effect, as {}", what(asked), verdict.words());
        return Outcome {
            effect: Effect { verified: false, how: how.clone() },
            no_op: Some(how),
            disproved: false,
        };
    }
    let without = Share { cpu: fails.cpu + no_op.cpu, memory: fails.memory + no_op.memory };
    let disproved = without.most() >= MUCH;
    let verified = proven(holds);
    let held = heaviest(is_held).map(|(image, _, verdict)| (image, verdict.words()));
    let against = heaviest(is_against).filter(|(_, share, _)| share.most() > 1.0 - NEARLY_ALL || !verified);
    let untold = heaviest(is_untold).filter(|(_, share, _)| share.most() > 1.0 - NEARLY_ALL || !verified);
    let mut words: Vec<String> = Vec::new();
    match held {
        Some((_, how)) if verified => words.push(how.to_owned()),
        Some((image, how)) if holds.most() > 0.05 => {
            words.push(format!("in force in {} alone ({}): {how}", title(image), portions(holds)));
        }
        _ => {}
    }
    words.extend(against.map(|(image, _, verdict)| said(image, without, verdict, words.is_empty())));
    words.extend(untold.map(|(image, share, verdict)| said(image, *share, verdict, words.is_empty())));
    if !verified && weighed.unseen > 1.0 - NEARLY_ALL {
        words.push(match verdicts.is_empty() {
            true => "it ended before it could be looked at".to_owned(),
            false => format!(
                "processes that ended before they could be looked at used {:.0} % of the CPU time",
                weighed.unseen * 100.0
            ),
        });
    }
    if words.is_empty() {
        words.push("it ended before it could be looked at".to_owned());
    }
    Outcome { effect: Effect { verified, how: words.join("; ") }, no_op: None, disproved }
}

/// Why a running program is not worth waiting for, where all that it is made of has used enough to tell it by.
pub fn hopeless(asked: &Asked, before: &Beforehand, images: &[Image]) -> Option<String> {
    let used_s: f64 = images.iter().map(Image::cpu_s).sum();
    if used_s < ENOUGH_S || asked.env.is_empty() {
        return None;
    }
    outcome(asked, before, images, None, 1.0).no_op
}

fn verdict(asked: &Asked, before: &Beforehand, image: &Image) -> Verdict {
    match (&image.sight, image.blind) {
        (Some(sight), _) => judge(asked, before, sight),
        (None, Some(why)) => Verdict::Untold(why.to_owned()),
        (None, None) => Verdict::Untold("it ended before it could be looked at".to_owned()),
    }
}

fn is_held(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Holds(_))
}

fn is_no_op(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::NoOp(_))
}

fn is_failed(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Fails(_))
}

fn is_untold(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Untold(_))
}

fn is_against(verdict: &Verdict) -> bool {
    is_failed(verdict) || is_no_op(verdict)
}

/// A clause on an image, which is named unless it stands alone.
fn said(image: &Image, share: Share, verdict: &Verdict, alone: bool) -> String {
    if alone && share.least() >= NEARLY_ALL {
        return verdict.words().to_owned();
    }
    format!("not in {} ({}): {}", title(image), portions(share), verdict.words())
}

fn title(image: &Image) -> String {
    let file = image.sight.as_ref().and_then(|sight| sight.served.executable.file_name());
    file.map_or_else(|| image.command.clone(), |name| name.to_string_lossy().into_owned())
}

fn portions(share: Share) -> String {
    format!("{:.0} % of the CPU time, {:.0} % of the memory", share.cpu * 100.0, share.memory * 100.0)
}

fn what(asked: &Asked) -> String {
    match &asked.preload {
        Some(library) => format!("LD_PRELOAD={}", library.display()),
        None => asked.env.keys().cloned().collect::<Vec<_>>().join(" and "),
    }
}
