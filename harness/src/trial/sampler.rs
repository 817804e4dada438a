//! Samples RSS and live bytes of a running process: one `pread` of `statm` and a look at the telemetry
//! page a sample, from a thread of the harness.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arenalab_wire::telemetry::{Page, Stage};
use procfs::FromRead;
use procfs::process::StatM;

use super::readings;

/// Time between samples. At this rate the cost is below what interleaved pairs can resolve; see
/// `docs/measuring.md` for the figure.
pub const INTERVAL: Duration = Duration::from_millis(10);

/// Samples kept of one trial; past it every second one is dropped and the interval doubled.
pub(super) const MOST: usize = 32_768;

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Seconds since the trial was started.
    pub at_s: f64,
    /// Resident bytes, as `statm` has them (approximate: see the kernel's per-CPU counters), and what is in hugetlbfs or in
    /// swap.
    pub rss: u64,
    /// Live bytes, where the program tells.
    pub live: u64,
    /// Where the program stands with regard to bursts.
    pub stage: Stage,
}

/// A thread that samples until it is stopped.
pub struct Sampler {
    stop: Sender<()>,
    thread: JoinHandle<Vec<Sample>>,
}

/// Starts to sample a process.
///
/// # Errors
/// When its `statm` cannot be opened.
pub fn start(pid: i32, page: Arc<Page>, begin: Instant) -> Result<Sampler, String> {
    let path = format!("/proc/{pid}/statm");
    let statm = File::open(&path).map_err(|e| format!("failed to open {path}: {e}"))?;
    let (stop, stopped) = channel();
    let thread = std::thread::spawn(move || {
        let mut samples = Vec::with_capacity(1024);
        let mut interval = INTERVAL;
        let mut beyond = Beyond::of(pid);
        while let Some(resident) = resident(&statm) {
            let (live, stage) = (page.totals().live_bytes, page.stage());
            let rss = resident + beyond.bytes();
            samples.push(Sample { at_s: begin.elapsed().as_secs_f64(), rss, live, stage });
            if samples.len() >= MOST {
                thin(&mut samples);
                interval *= 2;
            }
            if stopped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        samples
    });
    Ok(Sampler { stop, thread })
}

impl Sampler {
    /// Ends sampling and gives what was seen, in the order of time.
    pub fn finish(self) -> Vec<Sample> {
        let _ = self.stop.send(());
        self.thread.join().unwrap_or_default()
    }
}

/// Samples of which one looks into swap: what is there does not come and go in moments.
const SWAPPED_EVERY: u32 = 16;

/// Memory of a process that is in no resident size: pages of hugetlbfs, and what was swapped out. It is only read on
/// hosts that have any, as `status` costs ten times what `statm` does.
struct Beyond {
    pid: i32,
    huge: bool,
    swaps: bool,
    round: u32,
    last: u64,
}

impl Beyond {
    fn of(pid: i32) -> Self {
        let (huge, swaps) = readings::can_leave_resident();
        Self { pid, huge, swaps, round: 0, last: 0 }
    }

    fn bytes(&mut self) -> u64 {
        let due = self.huge || (self.swaps && self.round.is_multiple_of(SWAPPED_EVERY));
        self.round = self.round.wrapping_add(1);
        if due {
            self.last = readings::status(self.pid).map_or(self.last, |status| status.beyond());
        }
        self.last
    }
}

/// Resident bytes; `None` once the process is gone.
pub(super) fn resident(statm: &File) -> Option<u64> {
    let mut text = [0u8; 256];
    let got = statm.read_at(&mut text, 0).ok()?;
    let statm = StatM::from_read(&text[..got]).ok()?;
    (statm.size > 0).then(|| statm.resident * procfs::page_size())
}

/// Drops every second sample.
pub(super) fn thin<T>(samples: &mut Vec<T>) {
    let mut keep = false;
    samples.retain(|_| {
        keep = !keep;
        keep
    });
}

/// Time-weighted mean of a figure between two instants: each sample counts for the time until the next.
/// `None` where there is no sample in between.
pub fn mean(samples: &[Sample], from_s: f64, to_s: f64, figure: impl Fn(&Sample) -> u64) -> Option<f64> {
    let inside: Vec<&Sample> = samples.iter().filter(|s| s.at_s >= from_s && s.at_s <= to_s).collect();
    let (mut area, mut time) = (0.0, 0.0);
    for (i, sample) in inside.iter().enumerate() {
        let until = inside.get(i + 1).map_or(to_s, |next| next.at_s);
        area += figure(sample) as f64 * (until - sample.at_s);
        time += until - sample.at_s;
    }
    (time > 0.0).then(|| area / time)
}

/// Fewest samples that a slope is taken from.
const FEWEST: usize = 10;

/// Slope of the least-squares line through a figure between two instants, per second. `None` with fewer than 10
/// samples in between.
pub fn slope(samples: &[Sample], from_s: f64, to_s: f64, figure: impl Fn(&Sample) -> u64) -> Option<f64> {
    let inside: Vec<(f64, f64)> = samples
        .iter()
        .filter(|s| s.at_s >= from_s && s.at_s <= to_s)
        .map(|s| (s.at_s, figure(s) as f64))
        .collect();
    if inside.len() < FEWEST {
        return None;
    }
    let count = inside.len() as f64;
    let mean_at = inside.iter().map(|(at, _)| at).sum::<f64>() / count;
    let mean = inside.iter().map(|(_, value)| value).sum::<f64>() / count;
    let spread: f64 = inside.iter().map(|(at, _)| (at - mean_at).powi(2)).sum();
    let together: f64 = inside.iter().map(|(at, value)| (at - mean_at) * (value - mean)).sum();
    (spread > 0.0).then(|| together / spread)
}

/// The share of the steady phase, at either end, that a slope is not taken from. At its end threads may finish one by one:
/// those that go on free what others allocated into arenas that nobody uses any more, and RSS rises. So it does at the
/// end of the warm-up, and falls again when all work anew.
pub(super) const ENDS: f64 = 0.1;

/// The slope over the last half of a phase, its last tenth left out: whether the figure still rises there.
pub fn slope_end(samples: &[Sample], from_s: f64, to_s: f64, figure: impl Fn(&Sample) -> u64) -> Option<f64> {
    let took = to_s - from_s;
    slope(samples, from_s + took / 2.0, to_s - took * ENDS, figure)
}

/// At most `points` samples, evenly picked, the largest RSS among them.
pub fn thinned(samples: &[Sample], points: usize) -> Vec<Sample> {
    let group = samples.len().div_ceil(points.max(1)).max(1);
    let largest = |group: &[Sample]| group.iter().max_by_key(|s| s.rss).copied();
    samples.chunks(group).filter_map(largest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at_s: f64, rss: u64) -> Sample {
        Sample { at_s, rss, live: rss / 2, stage: Stage::None }
    }

    #[test]
    fn the_mean_is_weighted_by_time() {
        let samples = [sample(0.0, 1), sample(1.0, 10), sample(1.5, 20), sample(3.5, 40), sample(9.0, 7)];
        let mean = mean(&samples, 1.0, 4.0, |s| s.rss).unwrap();
        assert!((mean - (10.0 * 0.5 + 20.0 * 2.0 + 40.0 * 0.5) / 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_slope_is_that_of_the_line_and_needs_samples() {
        let line: Vec<Sample> = (0..20).map(|i| sample(f64::from(i) / 2.0, 1000 + 30 * i as u64)).collect();
        assert!((slope(&line, 0.0, 100.0, |s| s.rss).unwrap() - 60.0).abs() < 1e-9);
        assert!(slope(&line, 0.0, 4.4, |s| s.rss).is_none(), "9 samples");
        let level: Vec<Sample> = (0..20).map(|i| sample(f64::from(i), 5 + (i % 2) as u64)).collect();
        assert!(slope(&level, 0.0, 100.0, |s| s.rss).unwrap().abs() < 0.01);
        let at_once: Vec<Sample> = (0..20).map(|i| sample(1.0, i)).collect();
        assert_eq!(slope(&at_once, 0.0, 2.0, |s| s.rss), None);
    }

    #[test]
    fn a_rise_at_the_begin_is_none_at_the_end() {
        let rss = |i: u64| if i < 40 { 100 * i } else { 4000 };
        let soon_level: Vec<Sample> = (0..100).map(|i| sample(f64::from(i) / 100.0, rss(i as u64))).collect();
        assert!(slope(&soon_level, 0.1, 0.9, |s| s.rss).unwrap() > 1000.0);
        assert!(slope_end(&soon_level, 0.0, 1.0, |s| s.rss).unwrap().abs() < 1e-6);
    }

    #[test]
    fn no_sample_no_mean() {
        assert_eq!(mean(&[sample(0.0, 1)], 1.0, 2.0, |s| s.rss), None);
        assert_eq!(mean(&[], 1.0, 2.0, |s| s.rss), None);
    }

    #[test]
    fn thinning_keeps_the_peak_and_the_bound() {
        let samples: Vec<Sample> =
            (0..1000).map(|i| sample(f64::from(i), if i == 777 { 9 } else { 1 })).collect();
        let few = thinned(&samples, 240);
        assert!(few.len() <= 240);
        assert!(few.iter().any(|s| s.rss == 9));
        assert_eq!(thinned(&samples[..3], 240).len(), 3);
        assert!(thinned(&[], 240).is_empty());
    }
}
