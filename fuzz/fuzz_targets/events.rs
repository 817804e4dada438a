//! The events of one chunk: whatever the bytes are, they are read or refused, and nothing follows a refusal.
#![no_main]

use arenalab_trace::read::Events;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (mut events, mut ended) = (Events::new(bytes, 1 << 40), false);
    for event in events.by_ref() {
        assert!(!ended, "something follows what cannot be read");
        ended = event.is_err();
    }
    assert!(events.position() <= bytes.len());
});
