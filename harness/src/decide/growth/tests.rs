use super::*;

const MIB: u64 = 1 << 20;

fn arena(main: bool, in_use: u64, free: u64) -> Arena {
    Arena {
        main,
        threads: Some(1),
        heaps: 1,
        system: in_use + free,
        max_system: in_use + free,
        in_use,
        free,
        free_chunks: 1,
        largest_free: free,
        above_largest: None,
        free_resident: None,
        fast: 0,
        top: 0,
        top_resident: None,
        rss: None,
        swapped: None,
        trim_gives: None,
        moved: false,
        free_error: None,
        contention: None,
    }
}

/// Looks of a second each; `of` gives the live and free bytes.
fn looks(count: u64, of: impl Fn(u64) -> (u64, u64)) -> Vec<Look> {
    let one = |at: u64| {
        let (live, free) = of(at);
        let arenas = vec![arena(true, MIB, 0), arena(false, live, free)];
        let seen = Inspected { pid: 7, rss: Some(live + free + 10 * MIB), arenas, ..Inspected::default() };
        (at as f64, seen)
    };
    (0..count).map(one).collect()
}

fn verdict_of(looks: &[Look]) -> Growing {
    watched(looks).unwrap().verdict
}

#[test]
fn what_grows_is_told() {
    let live = looks(20, |at| ((50 + at) * MIB, 5 * MIB));
    let said = watched(&live).unwrap();
    assert_eq!((said.verdict, said.looks, said.seconds), (Growing::LiveBytes, 20, 19.0));
    let one = said.growth.iter().find(|growth| growth.kind == "thread arenas in use").unwrap();
    assert_eq!((one.slope, one.first, one.last), (Some(MIB as f64), 50 * MIB, 69 * MIB));
    assert_eq!(verdict_of(&looks(20, |at| (50 * MIB, (5 + at) * MIB))), Growing::FreeBytes);
    assert_eq!(verdict_of(&looks(20, |at| ((50 + at) * MIB, (5 + 3 * at) * MIB))), Growing::FreeBytes);
    assert_eq!(verdict_of(&looks(20, |at| (50 * MIB + at % 2 * 4096, 5 * MIB))), Growing::Plateau);
    assert_eq!(verdict_of(&looks(20, |at| ((90 - at) * MIB, 5 * MIB))), Growing::Plateau, "it falls");
}

#[test]
fn what_is_not_shown_is_undecided() {
    assert_eq!(verdict_of(&looks(4, |at| ((50 + at) * MIB, 5 * MIB))), Growing::Undecided, "few looks");
    assert_eq!(
        verdict_of(&looks(8, |at| (50 * MIB + at % 2 * 40 * MIB, 5 * MIB))),
        Growing::Undecided,
        "waves"
    );
    let mut elsewhere = looks(20, |_| (50 * MIB, 5 * MIB));
    for (at, seen) in &mut elsewhere {
        seen.rss = Some(100 * MIB + *at as u64 * 9 * MIB);
    }
    let said = watched(&elsewhere).unwrap();
    assert_eq!(said.verdict, Growing::Undecided);
    assert!(said.evidence.contains("not malloc's"), "{}", said.evidence);
    assert_eq!(watched(&[]), None);
}
