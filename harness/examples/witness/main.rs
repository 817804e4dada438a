//! An independent witness of the memory of the programs that a command measures: `witness [--group] --match TEXT --out
//! FILE -- COMMAND [WORDS…]`.
//!
//! It starts COMMAND (an `arenalab sweep`), finds by itself the processes of each trial whose command line has TEXT in it,
//! sums up every 20 ms what the kernel says of each of them (`smaps_rollup`), and writes one line of JSON for each trial
//! to FILE. It shares no code with the harness. `--group` runs COMMAND in a memory control group of its own, whose
//! peak is told as well; page cache counts there. `scripts/prove-programs` holds its figures against arenalab's.

mod group;
mod rollup;
mod tree;
mod watch;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::{Command, ExitCode, Stdio};

use group::Group;
use watch::{Trial, Witness};

struct Asked {
    text: String,
    out: String,
    group: bool,
    command: Vec<String>,
}

fn asked() -> Option<Asked> {
    let mut words = std::env::args().skip(1);
    let (mut text, mut out, mut group) = (None, None, false);
    loop {
        match words.next()?.as_str() {
            "--match" => text = words.next(),
            "--out" => out = words.next(),
            "--group" => group = true,
            "--" => break,
            _ => return None,
        }
    }
    let command: Vec<String> = words.collect();
    (!command.is_empty()).then_some(Asked { text: text?, out: out?, group, command })
}

fn main() -> ExitCode {
    let Some(asked) = asked() else {
        eprintln!("usage: witness [--group] --match TEXT --out FILE -- COMMAND [WORDS...]");
        return ExitCode::from(2);
    };
    match run(&asked) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("witness: {error}");
            ExitCode::from(1)
        }
    }
}

fn run(asked: &Asked) -> std::io::Result<u8> {
    let group = match asked.group.then(Group::make) {
        Some(Err(why)) => {
            eprintln!("witness: no control group: {why}");
            None
        }
        Some(Ok(group)) => Some(group),
        None => None,
    };
    let mut command = Command::new(&asked.command[0]);
    command.args(&asked.command[1..]);
    if let Some(group) = &group {
        command = group.around(&asked.command);
    }
    let mut child = command.spawn()?;
    hurry();
    let witness = Witness::new(child.id().cast_signed(), &asked.text, group.as_ref());
    let (trials, status) = witness.watch(&mut child)?;
    let mut file = BufWriter::new(File::create(&asked.out)?);
    for trial in &trials {
        writeln!(file, "{}", json(trial))?;
    }
    file.flush()?;
    eprintln!("witness: {} trials, {:.2} s of CPU time of its own", trials.len(), watch::own_cpu_s());
    Ok(status.code().map_or(1, |code| code as u8))
}

/// Goes before others where it may, so that it samples also while all CPUs are busy.
fn hurry() {
    let me = std::process::id().to_string();
    let mut renice = Command::new("renice");
    let _ = renice.args(["-n", "-10", "-p", &me]).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

/// Bytes throughout; times are seconds since 1970.
fn json(trial: &Trial) -> String {
    let list = |figure: &dyn Fn(&watch::Sample) -> String| {
        trial.samples.iter().map(figure).collect::<Vec<_>>().join(",")
    };
    let columns = [
        ("at_s", list(&|s| format!("{:.4}", s.at_s))),
        ("pss", list(&|s| s.sum.pss.to_string())),
        ("pss_file", list(&|s| s.sum.pss_file.to_string())),
        ("rss", list(&|s| s.sum.rss.to_string())),
        ("hugetlb", list(&|s| s.sum.hugetlb.to_string())),
        ("swap", list(&|s| s.sum.swap.to_string())),
        ("processes", list(&|s| s.processes.to_string())),
        ("largest", list(&|s| s.largest.to_string())),
        ("high_water", list(&|s| s.high_water.to_string())),
        ("torn", list(&|s| s.torn.to_string())),
    ];
    let columns: Vec<String> =
        columns.iter().map(|(name, values)| format!("\"{name}\":[{values}]")).collect();
    let group = trial.group_peak.map_or("null".to_owned(), |peak| peak.to_string());
    let (cpu_s, command_cpu_s) = (trial.cpu_s, trial.command_cpu_s);
    format!(
        "{{\"group_peak\":{group},\"cpu_s\":{cpu_s:.4},\"command_cpu_s\":{command_cpu_s:.2},{}}}",
        columns.join(",")
    )
}
