//! What a recording of one process amounts to.

use std::vec::Vec;
use std::{collections::HashSet, vec};

use super::{Merge, Order, ReadError, TraceFile};
use crate::event::Event;

/// Points of the curve of live bytes, at most.
pub const POINTS: usize = 240;

/// How many there are by the power of two: class `n` has those of `2^(n-1) + 1` to `2^n`, class 0 those of 0 and 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The counts.
    pub classes: Vec<u64>,
}

impl Default for Spread {
    fn default() -> Self {
        Self { classes: vec![0; 65] }
    }
}

impl Spread {
    fn add(&mut self, value: u64) {
        let class = 64 - value.saturating_sub(1).leading_zeros() as usize;
        let class = if value <= 1 { 0 } else { class };
        if let Some(count) = self.classes.get_mut(class) {
            *count += 1;
        }
    }

    /// How many there are in all.
    pub fn total(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// The bound of the class that this share of all is in or below; `None` of nothing.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let total = self.total();
        let mut seen = 0;
        let class = self.classes.iter().position(|count| {
            seen += count;
            seen > 0 && seen as f64 >= share * total as f64
        })?;
        1u64.checked_shl(class as u32).or(Some(u64::MAX))
    }
}

/// Live bytes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// Nanoseconds since recording began.
    pub at: u64,
    /// Bytes as asked for of objects that are live.
    pub bytes: u64,
    /// Objects that are live.
    pub objects: u64,
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Threads that allocated or freed.
    pub threads: u64,
    /// Calls: objects had, frees, `realloc`'s begins and ends, failures.
    pub calls: u64,
    /// Objects had.
    pub gains: u64,
    /// Objects freed, known or not.
    pub frees: u64,
    /// Of them, by another thread than had them.
    pub cross_thread: u64,
    /// `realloc` calls that began.
    pub reallocs: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Bytes that all objects had together.
    pub bytes_had: u64,
    /// Bytes of events in the file, stamps included, without headers and what is not used.
    pub event_bytes: u64,
    /// Calls that the recorder says it lost.
    pub lost: u64,
    /// The first and the last time seen, nanoseconds since recording began.
    pub span: (u64, u64),
    /// The most bytes that were live.
    pub peak: u64,
    /// Live bytes over time, at most 240 points, evenly spread, with peaks kept.
    pub curve: Vec<Live>,
    /// Sizes of objects.
    pub sizes: Spread,
    /// How long objects lived, nanoseconds, of those that were freed; about, for most events have no time of their own.
    pub lifetimes: Spread,
    /// What was open in the order.
    pub order: Order,
}

/// Goes through a file once.
///
/// # Errors
/// The file cannot be read.
pub fn summarize(file: &TraceFile) -> Result<Summary, ReadError> {
    let mut summary = Summary { lost: file.facts.lost, ..Summary::default() };
    let mut merge = Merge::new(file)?;
    let mut curve = Curve::default();
    let (mut bytes, mut objects) = (0u64, 0u64);
    let mut threads = HashSet::new();
    let mut moving: Vec<Option<u64>> = Vec::new();
    while let Some(merged) = merge.next()? {
        let at = merged.time.saturating_sub(file.facts.monotonic);
        if summary.span == (0, 0) {
            summary.span.0 = at;
        }
        summary.span.1 = summary.span.1.max(at);
        if merged.event.is_call() {
            summary.calls += 1;
            threads.insert(merged.thread);
        }
        let index = merged.thread as usize;
        if moving.len() <= index {
            moving.resize(index + 1, None);
        }
        if let Some(freed) = merged.freed {
            bytes = bytes.saturating_sub(freed.size);
            objects = objects.saturating_sub(1);
        }
        match merged.event {
            Event::Malloc { size, .. }
            | Event::Calloc { size, .. }
            | Event::Aligned { size, .. }
            | Event::ReallocEnd { size, .. } => {
                summary.gains += 1;
                summary.bytes_had = summary.bytes_had.saturating_add(size);
                summary.sizes.add(size);
                bytes = bytes.saturating_add(size);
                objects += 1;
            }
            Event::Free { .. } => {
                summary.frees += 1;
                if let Some(freed) = merged.freed {
                    summary.cross_thread += u64::from(freed.thread != merged.thread);
                    summary.lifetimes.add(merged.time.saturating_sub(freed.time));
                }
            }
            Event::ReallocBegin { .. } => {
                summary.reallocs += 1;
                moving[index] = merged.freed.map(|freed| freed.size);
            }
            Event::ReallocFailed { .. } => {
                summary.failed += 1;
                if let Some(size) = moving[index].take() {
                    bytes = bytes.saturating_add(size);
                    objects += 1;
                }
            }
            Event::Failed { .. } => summary.failed += 1,
            Event::Lost { calls } => summary.lost = summary.lost.saturating_add(calls),
            Event::ReallocFreed | Event::Stamp { .. } | Event::ThreadEnd | Event::Close => {}
        }
        summary.peak = summary.peak.max(bytes);
        curve.add(Live { at, bytes, objects });
    }
    summary.threads = threads.len() as u64;
    summary.order = merge.order();
    summary.curve = curve.points;
    summary.event_bytes = event_bytes(file)?;
    Ok(summary)
}

fn event_bytes(file: &TraceFile) -> Result<u64, ReadError> {
    let mut sum = 0;
    for chunk in &file.chunks {
        let bytes = match file.events(chunk) {
            Ok(bytes) => bytes,
            Err(ReadError::Not { .. }) => continue,
            Err(error) => return Err(error),
        };
        let mut events = super::Events::new(&bytes, chunk.monotonic);
        while events.next().is_some() {}
        sum += events.position() as u64;
    }
    Ok(sum)
}

/// A curve whose points are made sparser as it grows: the highest of each stretch of time stays.
struct Curve {
    points: Vec<Live>,
    stretch: u64,
}

impl Default for Curve {
    fn default() -> Self {
        Self { points: Vec::new(), stretch: 1000 }
    }
}

impl Curve {
    fn add(&mut self, live: Live) {
        let stretch = self.stretch;
        match self.points.last_mut().filter(|last| last.at / stretch >= live.at / stretch) {
            Some(last) if last.bytes <= live.bytes => *last = Live { at: last.at.max(live.at), ..live },
            Some(_) => {}
            None => self.points.push(live),
        }
        while self.points.len() > POINTS {
            self.thin();
        }
    }

    fn thin(&mut self) {
        self.stretch = self.stretch.saturating_mul(2);
        for live in core::mem::take(&mut self.points) {
            self.points_add(live);
        }
    }

    fn points_add(&mut self, live: Live) {
        match self.points.last_mut().filter(|last| last.at / self.stretch >= live.at / self.stretch) {
            Some(last) if last.bytes <= live.bytes => *last = live,
            Some(_) => {}
            None => self.points.push(live),
        }
    }
}
