//! Proof of effect on small programs of all kinds: of each it is known what is true, and nothing else may be said. A
//! program of which less is said than is true may be tried again, as a busy host can keep anybody from looking; what must
//! not be proven must not be so even once.

mod common;

use std::process::Command;

use common::kit::kit;
use common::{arenalab, both, text};
use serde_json::Value;

/// What is true of a candidate on a program, and a word that must be said.
#[derive(Clone, Copy, Debug)]
enum Truth {
    /// It is in force.
    Proven(&'static str),
    /// Nobody can know.
    Open(&'static str),
    /// Something else is in force.
    Disproved(&'static str),
    /// It can have no effect.
    NoOp(&'static str),
    /// It is not in force everywhere, and whether that disproves it is a matter of degree.
    NotProven(&'static str),
}
use Truth::{Disproved, NoOp, NotProven, Open, Proven};

/// A command, whose words that begin with `@` are of the kit, and what is true of candidates on it.
type Case = (&'static [&'static str], &'static [(&'static str, Truth)]);

/// Runs a command under candidates and gives each candidate's row.
fn rows(before: &[&str], command: &[String], candidates: &[String]) -> Vec<Value> {
    let dir = tempfile::tempdir_in(kit().dir()).unwrap();
    let out = dir.path().join("campaign");
    if !before.is_empty() {
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(dir.path(), open).unwrap();
    }
    let real = arenalab();
    let mut started = match before {
        [] => arenalab(),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(real.get_program());
            command
        }
    };
    started.args(["sweep", "--rounds", "1", "--name", "subject", "--out", text(&out)]);
    for candidate in candidates {
        started.args(["--candidate", candidate]);
    }
    let output = started.arg("--").args(command).output().unwrap();
    let journal = std::fs::read_to_string(out.join("trials.jsonl"))
        .unwrap_or_else(|e| panic!("{e}: {command:?} {candidates:?}: {}", both(&output)));
    let all: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    candidates
        .iter()
        .map(|candidate| {
            let of = all.iter().find(|row| row["candidate"].as_str() == Some(candidate));
            of.unwrap_or_else(|| panic!("no row of {candidate}: {journal}")).clone()
        })
        .collect()
}

/// Whether a row says what is true; `Err` has what it should have said.
fn agrees(row: &Value, truth: Truth) -> Result<(), String> {
    let verified = row["effect"]["verified"].as_bool().unwrap();
    let how = row["effect"]["how"].as_str().unwrap();
    let reason = row["reason"].as_str().unwrap_or("");
    let (right, word) = match truth {
        Proven(word) => (verified && row["status"] == "ok", word),
        Open(word) => (!verified && row["status"] == "ok", word),
        Disproved(word) => (!verified && row["status"] == "failed", word),
        NoOp(word) => (!verified && row["status"] == "unsupported" && reason.starts_with("no-op"), word),
        NotProven(word) => (!verified, word),
    };
    let said = format!("{how} {reason}");
    if right && said.contains(word) {
        return Ok(());
    }
    Err(format!("{truth:?}, but {}, verified {verified}: {said}", row["status"]))
}

/// Words of the kit put in; `None`, with a message, where the kit has not got one.
fn filled(words: &[&str]) -> Option<Vec<String>> {
    let fill = |word: &&str| -> Option<String> {
        let mut filled = String::new();
        for (index, part) in word.split('@').enumerate() {
            if index == 0 {
                filled.push_str(part);
                continue;
            }
            let end = part.find([' ', ';', ':']).unwrap_or(part.len());
            let Some(path) = kit().has(&part[..end]) else {
                eprintln!("left out, as there is no {}: {words:?}", &part[..end]);
                return None;
            };
            filled.push_str(&path);
            filled.push_str(&part[end..]);
        }
        Some(filled)
    };
    words.iter().map(fill).collect()
}

/// Checks cases, and tells all that is wrong at once. What says too little is tried three times at most.
#[track_caller]
fn hold(before: &[&str], cases: &[Case]) {
    let mut wrong = Vec::new();
    for (command, truths) in cases {
        let candidates: Vec<&str> = truths.iter().map(|(candidate, _)| *candidate).collect();
        let (Some(words), Some(candidates)) = (filled(command), filled(&candidates)) else { continue };
        let mut last = Vec::new();
        for _ in 0..3 {
            let rows = rows(before, &words, &candidates);
            let judged = rows.iter().zip(*truths).map(|(row, (_, truth))| (agrees(row, *truth), row, truth));
            let too_little =
                |row: &Value, truth: &Truth| matches!(truth, Proven(_)) || row["effect"]["verified"] == false;
            let failed: Vec<(String, bool)> = judged
                .filter_map(|(agreed, row, truth)| Some((agreed.err()?, too_little(row, truth))))
                .collect();
            let final_word = failed.iter().any(|(_, may_be_tried_again)| !may_be_tried_again);
            last = failed.into_iter().map(|(what, _)| format!("{command:?}: {what}")).collect();
            if last.is_empty() || final_word {
                break;
            }
        }
        wrong.append(&mut last);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const ONE: &str = "glibc:arena_max=1";
const FRONT: &str = "preload=@libfront.so";
const IN_FORCE: &str = "arena_max=1 is in force";
const SERVES: &str = "libfront.so serves malloc";

#[test]
fn what_the_process_itself_has_in_force_decides() {
    hold(
        &[],
        &[
            (&["@app"], &[(ONE, Proven(IN_FORCE)), (FRONT, Proven(SERVES))]),
            (
                &["@app", "threads=1"],
                &[
                    ("glibc:tcache_count=3", Proven("tcache_count=3 is in force")),
                    ("glibc:top_pad=64KiB,trim_threshold=1MiB", Proven("trim_threshold=1048576 is in force")),
                    ("glibc:mmap_max=0", Proven("mmap_max=0 is in force")),
                ],
            ),
            (&["@app-no-pie"], &[(ONE, Proven(IN_FORCE)), (FRONT, Proven(SERVES))]),
            (
                &["@app", "arena-max=1"],
                &[("glibc:arena_max=4", Disproved("sets arena_max=1 itself (mallopt)"))],
            ),
            (
                &["@app", "mmap-threshold=65536"],
                &[("glibc:mmap_threshold=1MiB", Disproved("sets mmap_threshold=65536 itself (mallopt)"))],
            ),
            (
                &["@app", "trim-threshold=65536"],
                &[("glibc:mmap_threshold=1MiB", Proven("1048576 is in force"))],
            ),
            (&["@app", "mxfast=32"], &[("glibc:mxfast=64B", Open("app asks for mallopt"))]),
            (&["@app-rust"], &[("glibc:mxfast=64B", Proven("mxfast=0x40"))]),
            (
                &["env", "-i", "@app"],
                &[
                    ("glibc:tcache_count=3", Disproved("tcache_count=7")),
                    ("glibc:trim_threshold=1MiB", Disproved("trim_threshold=131072")),
                    ("glibc:mxfast=64B", NotProven("environment")),
                    (FRONT, Disproved("is not mapped")),
                ],
            ),
            (
                &["@app", "title"],
                &[
                    (ONE, Proven(IN_FORCE)),
                    ("glibc:mxfast=64B", Open("cannot be read")),
                    (FRONT, Proven(SERVES)),
                ],
            ),
            (&["sh", "-c", "MALLOC_ARENA_MAX=3 exec @app"], &[(ONE, Disproved("arena_max=3"))]),
            (&["@app", "own-pages", "megabytes=24"], &[(ONE, Open("what holds the rest is not known"))]),
        ],
    );
}

#[test]
fn who_serves_malloc_is_told_by_what_files_export_and_what_glibc_holds() {
    hold(
        &[],
        &[
            (&["@app-static"], &[(ONE, Proven(IN_FORCE)), (FRONT, NoOp("linked statically"))]),
            (&["@app-static-pie"], &[(ONE, Proven(IN_FORCE)), (FRONT, NoOp("linked statically"))]),
            (&["@app-static", "arena-max=3"], &[(ONE, NotProven("arena_max=3"))]),
            (&["@app-musl"], &[(ONE, NoOp("musl"))]),
            (&["@app-musl-static"], &[(ONE, NoOp("musl's malloc")), (FRONT, NoOp("linked statically"))]),
            (&["@app-own"], &[(ONE, NoOp("defines malloc itself")), (FRONT, NoOp("defines malloc itself"))]),
            (&["@app-linked"], &[(ONE, NoOp("libother.so is mapped")), (FRONT, Proven(SERVES))]),
            (
                &["@app-je", "own-pages", "megabytes=16"],
                &[(ONE, NoOp("carries jemalloc")), (FRONT, Open("carries jemalloc as well"))],
            ),
            (&["@app-je-stripped", "own-pages", "megabytes=16"], &[(ONE, NoOp("carries jemalloc"))]),
            (&["@app-je"], &[(ONE, Proven(IN_FORCE))]),
            (&["@app-go"], &[(ONE, NoOp("Go")), (FRONT, NoOp("linked statically"))]),
            (
                &["@app-cgo"],
                &[(ONE, Proven("Go: its own heap does not come from malloc")), (FRONT, Open("Go's own"))],
            ),
            (&["@app-cgo", "idle"], &[(ONE, NoOp("Go"))]),
            (&["@app-rust"], &[(ONE, Proven(IN_FORCE)), (FRONT, Proven(SERVES))]),
            (&["@app"], &[("preload=@libfront.so:NOBODY=1", Open("does not read NOBODY"))]),
        ],
    );
}

#[test]
fn what_stands_in_front_of_a_program_changes_nothing_that_is_true() {
    const BOTH: &[(&str, Truth)] = &[(ONE, Proven(IN_FORCE)), (FRONT, Proven(SERVES))];
    hold(
        &[],
        &[
            (&["/lib64/ld-linux-x86-64.so.2", "@app"], BOTH),
            (&["stdbuf", "-oL", "@app"], BOTH),
            (&["nohup", "@app"], BOTH),
            (&["timeout", "60", "@app"], BOTH),
            (&["taskset", "1", "@app"], BOTH),
            (&["nice", "@app"], BOTH),
            (&["setarch", "-R", "@app"], BOTH),
            (&["setsid", "-w", "@app"], BOTH),
            (&["env", "SOMETHING=1", "@app"], BOTH),
            (&["sh", "-c", "exec @app"], BOTH),
            (&["sh", "-c", "@app; true"], BOTH),
            (&["sh", "-c", "nohup env X=1 timeout 60 sh -c 'exec @app'"], BOTH),
            (&["sh", "-c", "LD_PRELOAD=$LD_PRELOAD:@libno_malloc.so exec @app"], BOTH),
            (
                &["sh", "-c", "LD_PRELOAD=@libother.so:$LD_PRELOAD exec @app"],
                &[(FRONT, Disproved("libother.so, which comes first"))],
            ),
            (
                &["sh", "-c", "GLIBC_TUNABLES=$GLIBC_TUNABLES:glibc.rtld.nns=5 exec @app-rust"],
                &[
                    ("glibc:tcache_count=3", Proven("tcache_count=3")),
                    ("glibc:mxfast=64B", Proven("mxfast=0x40")),
                ],
            ),
        ],
    );
}

#[test]
fn a_proof_is_good_for_the_image_that_it_was_read_from_and_for_no_other() {
    hold(
        &[],
        &[
            (&["sh", "-c", "sleep 1; unset LD_PRELOAD; exec @app"], &[(FRONT, Disproved("is not mapped"))]),
            (&["sh", "-c", "sleep 1; exec env -u MALLOC_ARENA_MAX @app"], &[(ONE, Disproved("arena_max=0"))]),
            (&["sh", "-c", "sleep 0.7; @app & wait"], &[(ONE, Proven(IN_FORCE)), (FRONT, Proven(SERVES))]),
            (
                &["@app", "seconds=0.3", "unset=LD_PRELOAD", "exec=@app"],
                &[(FRONT, Disproved("is not mapped"))],
            ),
            (&["@app", "forks=3"], &[(ONE, Proven(IN_FORCE)), (FRONT, Proven(SERVES))]),
            (
                &[
                    "sh",
                    "-c",
                    "@app megabytes=9 & LD_PRELOAD= @app megabytes=8 & LD_PRELOAD= @app megabytes=8; wait",
                ],
                &[(FRONT, Disproved("is not mapped"))],
            ),
            (
                &["sh", "-c", "@app megabytes=30 seconds=1.4; LD_PRELOAD= @app megabytes=4 seconds=0.6"],
                &[(FRONT, NotProven("is not mapped"))],
            ),
            (&["/bin/true"], &[(FRONT, NotProven(""))]),
            (
                &["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do /bin/ls >/dev/null; done"],
                &[(FRONT, NotProven(""))],
            ),
            (
                &["sh", "-c", "cp @app {dir}/gone; {dir}/gone & sleep 0.1; rm {dir}/gone; wait"],
                &[(ONE, Proven(IN_FORCE))],
            ),
        ],
    );
}

/// What an ordinary user may not look at is not known.
#[test]
fn what_may_not_be_looked_at_is_not_known() {
    let user = ["setpriv", "--reuid=65534", "--clear-groups"];
    let root = rustix::process::geteuid().is_root();
    let mut probe = Command::new(user[0]);
    probe.args(&user[1..]).arg(arenalab().get_program()).arg("--version");
    if !root || !probe.output().is_ok_and(|output| output.status.success()) {
        eprintln!("left out: it takes root, and a binary that others may run");
        return;
    }
    let copy = |name: &str, command: &[&str]| {
        let (Some(app), path) = (kit().has("app"), kit().dir().join(name)) else { return };
        std::fs::copy(app, &path).unwrap();
        let done = Command::new(command[0]).args(&command[1..]).arg(&path).status();
        if !done.is_ok_and(|status| status.success()) {
            std::fs::remove_file(&path).unwrap();
        }
    };
    copy("app-capable", &["setcap", "cap_net_bind_service+ep"]);
    copy("app-setuid", &["chmod", "u+s"]);
    hold(
        &user,
        &[
            (&["@app"], &[(ONE, Proven(IN_FORCE)), (FRONT, Proven(SERVES))]),
            (&["@app-capable"], &[(ONE, NoOp("capabilities")), (FRONT, NoOp("capabilities"))]),
            (&["@app-setuid"], &[(ONE, NoOp("setuid")), (FRONT, NoOp("setuid"))]),
            (&["sh", "-c", "exec @app-capable"], &[(ONE, Open("may not be looked at"))]),
            (&["@app", "no-dump"], &[(ONE, Open("may not be looked at")), (FRONT, NotProven(""))]),
            (&["unshare", "-Ur", "@app"], &[(ONE, Proven(IN_FORCE)), (FRONT, Proven(SERVES))]),
        ],
    );
    hold(
        &[],
        &[
            (&["@app-capable"], &[(ONE, Proven(IN_FORCE)), (FRONT, Proven(SERVES))]),
            (&["@app", "no-dump"], &[(ONE, Proven(IN_FORCE)), (FRONT, Proven(SERVES))]),
        ],
    );
}

#[test]
fn what_an_allocator_complains_of_is_not_proven() {
    let places =
        ["/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", "/usr/lib/aarch64-linux-gnu/libjemalloc.so.2"];
    let Some(library) = places.iter().find(|path| std::path::Path::new(path).exists()) else {
        eprintln!("left out: there is no jemalloc of the distribution");
        return;
    };
    let Some(command) = filled(&["@app"]) else { return };
    let candidate = |what: &str| format!("preload={library}{what}");
    let all = [candidate(""), candidate(":MALLOC_CONF=lg_dirty_mult:8,lg_chunk:18")];
    let rows = rows(&[], &command, &all);
    agrees(&rows[1], Open("Invalid conf pair")).unwrap();
    assert_eq!(rows[0]["allocator"]["name"], "jemalloc", "{}", rows[0]);
}
