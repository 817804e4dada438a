//! What is written is read, whatever the events are; what is cut is read as far as it goes.

mod common;

use arenalab_trace::event::Event;
use arenalab_trace::read::{Events, Unread};
use arenalab_trace::varint;
use proptest::prelude::*;

fn pointer() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (0u64..4096).prop_map(|n| 0x7f12_3450_0000 + n * 16),
        1 => (0u64..512).prop_map(|n| 0x5500_0000_0000 + n * 8),
        1 => any::<u64>(),
    ]
}

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0u64..10_000, 1 => 0..=varint::MAX]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (pointer(), size()).prop_map(|(pointer, size)| Event::Malloc { pointer, size }),
        4 => pointer().prop_map(|pointer| Event::Free { pointer }),
        1 => (pointer(), size()).prop_map(|(pointer, size)| Event::Calloc { pointer, size }),
        1 => (pointer(), 0..=varint::MAX >> 6, 0u8..64)
            .prop_map(|(pointer, size, log2)| Event::Aligned { pointer, size, log2 }),
        1 => pointer().prop_map(|pointer| Event::ReallocBegin { pointer }),
        1 => (pointer(), size()).prop_map(|(pointer, size)| Event::ReallocEnd { pointer, size }),
        1 => size().prop_map(|size| Event::ReallocFailed { size }),
        1 => Just(Event::ReallocFreed),
        1 => size().prop_map(|size| Event::Failed { size }),
        1 => (0u64..1 << 40).prop_map(|at| Event::Stamp { at }),
        1 => Just(Event::ThreadEnd),
        1 => (1u64..1 << 40).prop_map(|calls| Event::Lost { calls }),
    ]
}

/// Stamps rise.
fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(event(), 0..300).prop_map(|mut events| {
        let mut time = 50;
        for event in &mut events {
            if let Event::Stamp { at } = event {
                time += *at % (1 << 30);
                *at = time;
            }
        }
        events
    })
}

proptest! {
    #[test]
    fn events_come_back(events in events()) {
        let bytes = common::encode(&events, 50);
        let read: Result<Vec<Event>, Unread> = Events::new(&bytes, 50).collect();
        prop_assert_eq!(read, Ok(events));
    }

    #[test]
    fn cut_at_any_byte_the_events_before_the_cut_come_back(events in events()) {
        let events = &events[..events.len().min(40)];
        let bytes = common::encode(events, 50);
        for cut in 0..bytes.len() {
            let mut read = Vec::new();
            for event in Events::new(&bytes[..cut], 50) {
                match event {
                    Ok(event) => read.push(event),
                    Err(why) => prop_assert_eq!(why, Unread::Cut),
                }
            }
            prop_assert_eq!(&read[..], &events[..read.len()]);
            prop_assert_eq!(common::encode(&read, 50).len() <= cut, true);
        }
    }

    #[test]
    fn followed_by_a_hole_they_end_there(events in events(), hole in 1usize..100) {
        let mut bytes = common::encode(&events, 50);
        let end = bytes.len();
        bytes.resize(end + hole, 0);
        let mut reader = Events::new(&bytes, 50);
        prop_assert_eq!(reader.by_ref().flatten().count(), events.len());
        prop_assert_eq!(reader.position(), end);
    }
}

#[test]
fn a_pair_at_the_same_address_takes_three_bytes() {
    let pair =
        [Event::Malloc { pointer: 0x7f12_3450_0010, size: 100 }, Event::Free { pointer: 0x7f12_3450_0010 }];
    let first = common::encode(&pair, 0).len();
    let twice = common::encode(&[pair, pair].concat(), 0).len();
    assert_eq!(twice - first, 3, "malloc of the same address: 1 byte and 1 of its size; its free: 1");
}
