//! `arenalab rehearse`, on this host's own glibc twice: an upgrade that changes nothing.

mod common;

use common::{both, fresh, json, run, run_expecting, text};

const SMALL: [&str; 10] = [
    "rehearse",
    "--accept-busy-host",
    "larson:ops=20k",
    "--threads",
    "4",
    "--arena-max=default,1",
    "--allocators",
    "glibc",
    "--libc",
    "again=/",
];

#[test]
fn a_rehearsal_is_told_in_words_and_as_json_and_once_more_on_resume() {
    let (_parent, dir) = fresh();
    let here = ["--rounds", "5", "--out", text(&dir)];
    let output = run(&[&SMALL[..], &here].concat());
    // The noise of the host decides between these.
    assert!(matches!(output.status.code(), Some(0 | 3 | 4)), "{}", both(&output));
    let words = String::from_utf8(output.stdout.clone()).unwrap();
    for wanted in [
        "host (glibc 2.",
        "again (glibc 2.",
        "larson:ops=20k, 4 threads, 5 rounds",
        "glibc:arena_max=1",
        "Best on again",
    ] {
        assert!(words.contains(wanted), "{wanted}\n{words}");
    }
    assert!(!words.contains("By glibc's sources"), "one version has nothing to change\n{words}");

    let again = run(&["rehearse", "--resume", "--out", text(&dir), "--json"]);
    assert_eq!(again.status.code(), output.status.code(), "{}", both(&again));
    let told = json(&again);
    let step = &told["steps"][0];
    assert_eq!((&step["from"], &step["to"]), (&"host".into(), &"again".into()));
    assert_eq!(step["from_version"], step["to_version"]);
    let scenario = &step["scenarios"][0];
    assert_eq!(scenario["rounds"], 5);
    let names: Vec<&str> = scenario["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["candidate"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["glibc", "glibc:arena_max=1"]);
    let ratio = &scenario["candidates"][0]["rss_ratio"];
    assert!(
        ratio["low"].as_f64() <= ratio["estimate"].as_f64()
            && ratio["estimate"].as_f64() <= ratio["high"].as_f64()
    );
    let verdict = step["verdict"].as_str().unwrap();
    let code = match verdict {
        "unharmed" | "mended" => 0,
        "regression" => 3,
        _ => 4,
    };
    assert_eq!(again.status.code(), Some(code), "{verdict}");

    let quiet = run(&["rehearse", "--resume", "--out", text(&dir), "--quiet"]);
    assert_eq!(String::from_utf8_lossy(&quiet.stdout).trim(), verdict);
}

#[test]
fn a_rehearsal_needs_two_libcs() {
    let (_parent, dir) = fresh();
    let told = |args: &[&str]| both(&run_expecting(2, args));
    let out = ["--out", text(&dir)];
    let alone = told(&[&["rehearse", "larson"][..], &out].concat());
    assert!(alone.contains("name the next one with --libc NAME=DIR"), "{alone}");
    let other = told(&[&["rehearse", "larson", "--libc", "again=/", "--no-host-libc"][..], &out].concat());
    assert!(other.contains("1 C library is named, and 2 are needed"), "{other}");
    assert!(!dir.exists());
}
