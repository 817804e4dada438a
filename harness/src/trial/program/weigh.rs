//! Whether a candidate was in force where the work was done: the judgements of all images, weighed by what each used of
//! CPU and memory. Pure.
//!
//! A candidate is proven only where the images that used nearly all CPU time, and those that held nearly all memory,
//! are each proven. What ended before anybody could look at it is not known.

use super::image::Image;
use super::judge::{Beforehand, Verdict, asks_nothing, judge};
use super::sight::Served;
use crate::format::trial::Effect;
use crate::trial::executor::Asked;

/// The share of CPU time and of memory that must be proven.
const NEARLY_ALL: f64 = 0.9;
/// The share that must be, where only moments at the ends of images are missing.
const MOST: f64 = 0.7;
/// From this share on something is not in force.
const MUCH: f64 = 0.5;
/// What is said of what nobody could look at.
const GONE: &str = "it ended before it could be looked at";
/// A share that is not worth a word.
const SLIGHT: f64 = 0.05;
/// Arenas are known where the last look came after this share of the work.
const LATE: f64 = 0.6;
/// Memory that every process has, whatever it does, bytes.
const BARE: u64 = 512 << 10;
/// CPU seconds of a running program that are enough to tell it by: before, it may be a launcher that works for itself.
const ENOUGH_S: f64 = 10.0;

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

    fn both(self) -> f64 {
        self.cpu + self.memory
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
        self.images.iter().max_by(|a, b| a.1.both().total_cmp(&b.1.both())).map(|(image, _)| *image)
    }

    /// Whether a share is nearly all, of memory and of CPU time. Of the latter, the moments between the last time that
    /// an image was seen and its end are given to it, within bounds.
    fn proves(&self, share: Share) -> bool {
        let moments = self.unseen.min(self.moments);
        share.memory >= NEARLY_ALL
            && (share.cpu >= NEARLY_ALL || (share.cpu >= MOST && share.cpu + moments >= NEARLY_ALL))
    }
}

/// The image that did most.
pub fn worker(images: &[Image]) -> Option<&Image> {
    Weighed::of(images, None, 1.0).worker()
}

/// What serves `malloc` in the image that did most, where that was seen.
pub fn served(images: &[Image]) -> Option<&Served> {
    worker(images).and_then(|image| image.sight.as_ref()).map(|sight| &*sight.served)
}

/// Arenas in the image that did most, where glibc serves it: the most that any look found; unknown where the last look
/// came when much of its work was still to come.
pub fn arenas(images: &[Image]) -> Option<Option<u32>> {
    let image = worker(images)?;
    let sight = image.sight.as_ref().filter(|sight| sight.served.by == "glibc")?;
    let late = sight.used_s >= image.cpu_s() * LATE;
    let exact = sight.heap.as_ref().is_some_and(|heap| heap.exact);
    Some(Some(sight.most_arenas).filter(|_| late && exact))
}

/// The images that a search of their files may tell more of.
pub fn of_weight(images: &[Image]) -> Vec<usize> {
    let weighed = Weighed::of(images, None, 1.0);
    let heavy = weighed.images.iter().enumerate().filter(|(_, (_, share))| share.most() > SLIGHT);
    heavy.map(|(index, _)| index).collect()
}

/// Judges a candidate by all that was seen. `total_s` is all CPU time of the trial, where it is known, and `cpus` how
/// many CPUs it may have used at once.
pub fn outcome(
    asked: &Asked,
    before: &Beforehand,
    images: &[Image],
    total_s: Option<f64>,
    cpus: f64,
) -> Outcome {
    let weighed = Weighed::of(images, total_s, cpus);
    let judged: Vec<Judged> = (weighed.images.iter())
        .map(|(image, share)| Judged { image, share: *share, verdict: verdict(asked, before, image) })
        .collect();
    if asks_nothing(asked) {
        let words = heaviest(&judged, is_held).map(|judged| judged.verdict.words().to_owned());
        let how = words.unwrap_or_else(|| "the program as it is: nothing was asked for".to_owned());
        return Outcome { effect: Effect { verified: true, how }, no_op: None, disproved: false };
    }
    let (no_op, against) = (sum(&judged, is_no_op), sum(&judged, is_against));
    if weighed.proves(no_op)
        && let Some(judged) = heaviest(&judged, is_no_op)
    {
        let how = format!("no-op: {} has no effect, as {}", what(asked), judged.verdict.words());
        let effect = Effect { verified: false, how: how.clone() };
        return Outcome { effect, no_op: Some(how), disproved: false };
    }
    let verified = weighed.proves(sum(&judged, is_held));
    let how = words(&judged, &weighed, verified);
    Outcome { effect: Effect { verified, how }, no_op: None, disproved: against.most() >= MUCH }
}

/// An image with its judgement.
struct Judged<'a> {
    image: &'a Image,
    share: Share,
    verdict: Verdict,
}

fn sum(judged: &[Judged], kind: fn(&Verdict) -> bool) -> Share {
    judged.iter().filter(|judged| kind(&judged.verdict)).fold(Share::default(), |sum, judged| Share {
        cpu: sum.cpu + judged.share.cpu,
        memory: sum.memory + judged.share.memory,
    })
}

fn heaviest<'a, 'b>(judged: &'a [Judged<'b>], kind: fn(&Verdict) -> bool) -> Option<&'a Judged<'b>> {
    let of_kind = judged.iter().filter(|judged| kind(&judged.verdict));
    of_kind.max_by(|a, b| a.share.both().total_cmp(&b.share.both()))
}

/// What was seen, in words: where it is in force, where it is not, and what is not known.
fn words(judged: &[Judged], weighed: &Weighed, verified: bool) -> String {
    let held = sum(judged, is_held);
    let mut words: Vec<String> = Vec::new();
    match heaviest(judged, is_held) {
        Some(best) if verified => words.push(best.verdict.words().to_owned()),
        Some(best) if held.most() > SLIGHT => words.push(format!(
            "in force in {} alone ({}): {}",
            title(best.image),
            portions(held),
            best.verdict.words()
        )),
        _ => {}
    }
    for kind in [is_against, is_untold] {
        let worst = heaviest(judged, kind).filter(|worst| !verified || worst.share.most() > 1.0 - NEARLY_ALL);
        let alone = words.is_empty();
        words.extend(worst.map(|worst| worst.said(sum(judged, kind), alone)));
    }
    if !verified && weighed.unseen - weighed.moments > 1.0 - NEARLY_ALL && !judged.is_empty() {
        words.push(format!(
            "processes that ended before they could be looked at used {:.0} % of the CPU time",
            weighed.unseen * 100.0
        ));
    }
    if words.is_empty() {
        words.push(GONE.to_owned());
    }
    words.join("; ")
}

impl Judged<'_> {
    /// A clause on the image, which is named unless it stands alone.
    fn said(&self, share: Share, alone: bool) -> String {
        if alone && share.least() >= NEARLY_ALL {
            return self.verdict.words().to_owned();
        }
        let begin = if is_untold(&self.verdict) { "not known in" } else { "not in force in" };
        format!("{begin} {} ({}): {}", title(self.image), portions(share), self.verdict.words())
    }
}

/// Why a running program is not worth waiting for, where all that it is made of has used enough to tell it by.
pub fn hopeless(asked: &Asked, before: &Beforehand, images: &[Image]) -> Option<String> {
    let used_s: f64 = images.iter().map(Image::cpu_s).sum();
    if used_s < ENOUGH_S || asks_nothing(asked) {
        return None;
    }
    outcome(asked, before, images, None, 1.0).no_op
}

fn verdict(asked: &Asked, before: &Beforehand, image: &Image) -> Verdict {
    match (&image.sight, image.blind) {
        (Some(sight), _) => judge(asked, before, sight),
        (None, Some(_)) if before.is_guarded(&image.command) => Verdict::NoOp(format!(
            "{} is setuid or setgid or has capabilities: it may not be looked at, and its loader drops it",
            image.command
        )),
        (None, Some(why)) => Verdict::Untold(why.to_owned()),
        (None, None) => Verdict::Untold(GONE.to_owned()),
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

#[cfg(test)]
mod tests {
    use super::super::image::Mark;
    use super::super::sight::Sight;
    use super::*;
    use crate::knowledge;
    use crate::trial::heaps::Heap;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn arena_max(value: u64) -> Asked {
        let setting = knowledge::find("glibc", "arena_max").unwrap();
        Asked {
            allocator: "glibc".to_owned(),
            settings: vec![(setting, setting.parse(&value.to_string()).unwrap())],
            env: BTreeMap::from([("MALLOC_ARENA_MAX".to_owned(), value.to_string())]),
            preload: None,
            foreign: |_| false,
        }
    }

    fn image(name: &str, cpu_s: f64, megabytes: u64, in_force: Option<u64>) -> Image {
        let (mark, _) = Mark::read(std::process::id().cast_signed()).unwrap();
        let mut image = Image::new(1, name.to_owned(), mark, 0.0, 0.0);
        image.until_s = cpu_s;
        image.at_peak = megabytes << 20;
        image.sight = in_force.map(|value| Sight {
            files: 0,
            served: Arc::new(Served {
                by: "glibc".to_owned(),
                settled: true,
                executable: format!("/bin/{name}").into(),
                environment: Some(BTreeMap::from([("MALLOC_ARENA_MAX".to_owned(), "2".to_owned())])),
                ..Served::default()
            }),
            heap: Some(Heap {
                arenas: 2,
                exact: true,
                system: Some(megabytes << 20),
                settings: BTreeMap::from([("arena_max".to_owned(), value)]),
            }),
            most_arenas: 2,
            size: megabytes << 20,
            used_s: cpu_s * 0.5,
            inside: None,
            mallopt: None,
        });
        image
    }

    fn told(images: &[Image], total_s: f64) -> Outcome {
        outcome(&arena_max(2), &Beforehand::default(), images, Some(total_s), 2.0)
    }

    #[test]
    fn nearly_all_of_both_must_be_proven() {
        assert!(told(&[image("a", 1.0, 10, Some(2))], 1.05).effect.verified);
        let idle = [image("a", 1.0, 10, Some(2)), image("sh", 0.01, 0, None)];
        assert!(told(&idle, 1.02).effect.verified, "a shell that does nothing");
        let half_of_memory = [image("a", 1.0, 10, Some(2)), image("b", 0.01, 10, None)];
        let half_of_time = [image("a", 1.0, 10, Some(2)), image("b", 1.0, 1, None)];
        for images in [half_of_memory, half_of_time] {
            let told = told(&images, images.iter().map(Image::cpu_s).sum());
            assert!(!told.effect.verified && !told.disproved, "{told:?}");
            assert!(told.effect.how.starts_with("in force in a alone"), "{told:?}");
        }
    }

    #[test]
    fn what_is_not_in_force_in_the_greater_part_is_disproved() {
        let told = told(&[image("a", 1.0, 30, Some(2)), image("b", 1.0, 70, Some(0))], 2.0);
        assert!(told.disproved && !told.effect.verified, "{told:?}");
        assert!(
            told.effect.how.contains("not in force in b (50 % of the CPU time, 70 % of the memory)"),
            "{told:?}"
        );
    }

    #[test]
    fn a_setting_of_the_program_s_own_is_told() {
        let told = told(&[image("a", 1.0, 10, Some(1))], 1.0);
        assert!(told.disproved && told.effect.how.contains("sets arena_max=1 itself (mallopt)"), "{told:?}");
    }

    #[test]
    fn what_nobody_saw_is_not_proven() {
        for (images, total_s) in [(vec![], 0.01), (vec![image("a", 0.0, 0, None)], 0.01)] {
            let told = told(&images, total_s);
            assert!(!told.effect.verified && !told.disproved, "{told:?}");
            assert!(told.effect.how.contains("ended before it could be looked at"), "{told:?}");
        }
        let unseen = told(&[image("a", 1.0, 10, Some(2))], 2.0);
        assert!(
            !unseen.effect.verified && unseen.effect.how.contains("used 50 % of the CPU time"),
            "{unseen:?}"
        );
    }

    #[test]
    fn only_the_moments_at_the_ends_of_images_are_given_to_them() {
        let mut last = image("a", 0.8, 10, Some(2));
        assert!(!told(std::slice::from_ref(&last), 1.0).effect.verified);
        last.gap_s = 0.1;
        assert!(told(std::slice::from_ref(&last), 1.0).effect.verified, "two CPUs for a tenth of a second");
        last.until_s = 0.6;
        last.gap_s = 1.0;
        assert!(!told(&[last], 1.0).effect.verified, "too much is missing");
    }

    #[test]
    fn nothing_is_asked_of_the_baseline() {
        let plain = Asked { settings: Vec::new(), env: BTreeMap::new(), ..arena_max(2) };
        let told = outcome(&plain, &Beforehand::default(), &[], Some(0.01), 2.0);
        assert!(told.effect.verified && !told.effect.how.contains("looked at"), "{told:?}");
    }

    #[test]
    fn arenas_are_known_where_a_look_came_late_enough() {
        let mut seen = image("a", 1.0, 10, Some(2));
        assert_eq!(arenas(std::slice::from_ref(&seen)), Some(None));
        seen.sight.as_mut().unwrap().used_s = 0.7;
        assert_eq!(arenas(std::slice::from_ref(&seen)), Some(Some(2)));
        assert_eq!(arenas(&[image("a", 1.0, 10, None)]), None);
    }
}
