//! `alloc-test`: slots of a large private array toggled, few of them very often, after Hare's allocator tester.

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::engine::slots::Slots;
use crate::heap::Heap;
use crate::random::Rng;
use crate::spec::Spec;

/// Probabilities of the six-fold 80/20 rule: binomial, 0.8 against 0.2. The group with probability `k` has
/// the share `6 - k` of the slots.
const GROUPS: [f64; 7] = [0.262_144, 0.393_216, 0.245_76, 0.081_92, 0.015_36, 0.001_536, 0.000_064];

/// The pattern.
pub struct AllocTest {
    threads: u32,
    slots: usize,
    /// The largest object is 2 to this power.
    exponent: u32,
    /// Where the groups end, as a probability in units of 2^-54.
    ends: [u64; 7],
    /// Groups by the upper bits of a random number: of those that are in two, the lower.
    guide: Box<[u8; GUIDE]>,
    /// The first slot of each group, and how many there are.
    slots_of: [(usize, usize); 7],
}

/// Entries of the guide.
const GUIDE: usize = 1024;

impl AllocTest {
    fn slot(&self, rng: &mut Rng) -> usize {
        let bits = rng.bits();
        let drawn = bits >> 10;
        let mut group = usize::from(self.guide[(bits >> 54) as usize]);
        while drawn >= self.ends[group] {
            group += 1;
        }
        let (first, count) = self.slots_of[group];
        // The lower 40 bits are even within every group: the rarest takes 2^40 of 2^54.
        first + ((u128::from(bits << 24) * count as u128) >> 64) as usize
    }

    /// Every doubling of the size is half as likely as the one before.
    fn size(&self, rng: &mut Rng) -> usize {
        let bits = rng.bits();
        let doublings = bits.trailing_zeros().min(self.exponent - 3);
        let low = 4usize << doublings;
        // At most 27 of the lower bits have been looked at.
        low + 1 + (((bits >> 32) * low as u64) >> 32) as usize
    }
}

impl Workload for AllocTest {
    type Seat = Slots;

    const DESCRIPTION: Description = Description {
        name: "alloc-test",
        summary: "slots of a large private array toggled, a few of them very often",
        description: "Each thread has an array of slots, itself allocated, half of them full. An operation picks a slot, frees what \
            is in it or else fills it. Slots follow a six-fold 80/20 rule, so that few are busy and most are \
            long-lived; sizes go from 5 B to 1 KiB, each doubling half as likely as the one before. Nothing \
            crosses threads. After alloc-test (Hare and others, Testing Memory Allocators, 2018) with the slots \
            and sizes of mimalloc-bench; as there an object is written when it comes and read when it goes. It stresses bins and locality, and arena \
            locks where arenas are shared. Look at throughput, and at RSS against live bytes.",
        unit: "operations",
        params: &[
            Param::ops(60_000_000),
            Param::WARMUP,
            Param::TOUCH_ALL,
            Param::count("slots", 256 << 10, 1, 100_000_000, "slots over all threads, half of them full"),
            Param::count("exponent", 10, 3, 30, "the largest object is 2 to this power"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let slots = (spec.get("slots") / u64::from(threads)).max(1) as usize;
        let (mut chance, mut first) = (0.0, 0);
        let (mut ends, mut slots_of) = ([u64::MAX; 7], [(0, 1); 7]);
        for group in 0..7 {
            let count = (slots as f64 * GROUPS[6 - group]) as usize;
            let count = if group == 6 { slots - first } else { count };
            chance += GROUPS[group];
            if group < 6 {
                ends[group] = (chance * (1u64 << 54) as f64) as u64;
            }
            // A group can be empty where there are few slots.
            slots_of[group] = (first.min(slots - 1), count.max(1));
            first += count;
        }
        let lower = |entry: usize| ends.iter().take_while(|end| **end <= (entry as u64) << 44).count() as u8;
        let guide = Box::new(std::array::from_fn(lower));
        Self { threads, slots, exponent: spec.get("exponent") as u32, ends, guide, slots_of }
    }

    fn seat(&self, _index: u32) -> Slots {
        Slots::default()
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, seat: &mut Slots, actor: &mut Actor<H>) {
        *seat = Slots::allocate(actor, self.slots);
        for slot in seat.get() {
            if actor.rng.chance(50) {
                let size = self.size(&mut actor.rng);
                *slot = Some(actor.malloc(size));
            }
        }
    }

    fn work<H: Heap>(&self, seat: &mut Slots, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        let slots = seat.get();
        for _ in 0..ops {
            let slot = self.slot(&mut actor.rng);
            if let Some(object) = slots[slot].take() {
                actor.read_back(&object);
                actor.free(object);
            } else {
                let size = self.size(&mut actor.rng);
                slots[slot] = Some(actor.malloc(size));
            }
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Slots, actor: &mut Actor<H>) {
        seat.get().iter_mut().filter_map(Option::take).for_each(|object| {
            actor.read_back(&object);
            actor.free(object);
        });
        seat.free(actor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_slots_has_most_of_the_work() {
        let pattern = AllocTest::new(&"alloc-test:slots=100k".parse().unwrap(), 1);
        let mut rng = Rng::new(1, 1);
        let slots: Vec<usize> = (0..10_000).map(|_| pattern.slot(&mut rng)).collect();
        assert!(slots.iter().all(|slot| *slot < 100_000));
        let busy = slots.iter().filter(|slot| **slot < 9_888).count();
        // The groups 0 to 3 are 98.304 % of the operations and 9.888 % of the slots.
        assert!(busy.abs_diff(9_830) < 70, "{busy}");
        let busiest = slots.iter().filter(|slot| **slot < 6).count();
        assert!(busiest.abs_diff(2_621) < 220, "{busiest}");
        // The last group is rare: 64 of a million operations.
        let rare = (0..1_000_000).filter(|_| pattern.slot(&mut rng) >= 100_000 - 26_214).count();
        assert!((20..140).contains(&rare), "{rare}");
    }

    #[test]
    fn few_slots_are_all_in_range() {
        let mut rng = Rng::new(3, 1);
        for slots in 1..40 {
            let pattern = AllocTest::new(&format!("alloc-test:slots={slots}").parse().unwrap(), 1);
            assert!((0..2_000).all(|_| pattern.slot(&mut rng) < slots));
        }
    }

    #[test]
    fn sizes_stay_in_range() {
        let pattern = AllocTest::new(&"alloc-test".parse().unwrap(), 1);
        let mut rng = Rng::new(2, 1);
        let sizes: Vec<usize> = (0..200_000).map(|_| pattern.size(&mut rng)).collect();
        assert_eq!((sizes.iter().min(), sizes.iter().max()), (Some(&5), Some(&1024)));
    }
}
