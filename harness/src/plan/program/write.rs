//! A program's definition as a plan file has it.

use std::fmt::Write;

use super::{Figure, Find, From, How, Program, Ready, SIGNALS, TAKES, Throughput};
use crate::units::canonical_duration;

/// Writes the keys of a `[[workload]]`.
pub fn write(out: &mut String, program: &Program) {
    let command = |words: &[String]| match (program.shell, words) {
        (true, [line]) => text(line),
        _ => list(words),
    };
    let mut key = |key: &str, value: &str| {
        let _ = writeln!(out, "{key} = {value}");
    };
    key("name", &text(&program.name));
    key("command", &command(&program.command));
    if program.shell {
        key("shell", "true");
    }
    if let Some(ready) = &program.ready {
        let value = match ready {
            Ready::Tcp(value) | Ready::Unix(value) | Ready::Log(value) | Ready::File(value) => text(value),
            Ready::Command(words) => command(words),
        };
        key("ready", &format!("{{ {} = {value} }}", ready.key()));
        key("ready_timeout", &text(&canonical_duration(program.ready_timeout)));
    }
    if let Some(driver) = &program.driver {
        key("driver", &command(driver));
        key("stop", &stop(program, command));
    }
    key("throughput", &throughput(&program.throughput));
    if let Some(latency) = &program.latency {
        key("latency", &figure(latency));
    }
    for (name, words) in [("setup", &program.setup), ("teardown", &program.teardown)] {
        if let Some(words) = words {
            key(name, &command(words));
        }
    }
    if let Some(directory) = &program.directory {
        key("directory", &text(directory));
    }
    if !program.env.is_empty() {
        let pairs: Vec<String> =
            program.env.iter().map(|(name, value)| format!("{name} = {}", text(value))).collect();
        key("env", &format!("{{ {} }}", pairs.join(", ")));
    }
}

fn text(text: &str) -> String {
    // A basic string on one line, also where the text has line ends.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| text(word)).collect();
    format!("[{}]", words.join(", "))
}

fn stop(program: &Program, command: impl Fn(&[String]) -> String) -> String {
    let grace = text(&canonical_duration(program.stop.grace));
    match &program.stop.how {
        How::Command(words) => format!("{{ command = {}, grace = {grace} }}", command(words)),
        How::Signal(signal) => {
            let name = SIGNALS.iter().find(|(_, known)| known == signal).map_or("TERM", |(name, _)| name);
            format!("{{ signal = {}, grace = {grace} }}", text(name))
        }
    }
}

fn throughput(throughput: &Throughput) -> String {
    match throughput {
        Throughput::Work { amount, unit } => format!("{{ work = {amount}, unit = {} }}", text(unit)),
        Throughput::Printed(printed) => figure(printed),
    }
}

fn figure(figure: &Figure) -> String {
    let from = match &figure.from {
        From::Driver => "from = \"driver\"".to_owned(),
        From::Output => "from = \"output\"".to_owned(),
        From::File(path) => format!("from = \"file\", path = {}", text(path)),
    };
    let find = match &figure.find {
        Find::Regex(pattern) => format!("regex = {}", text(pattern)),
        Find::Json(pointer) => format!("json = {}", text(pointer)),
    };
    let take = TAKES.iter().find(|(_, known)| *known == figure.take).map_or("last", |(name, _)| name);
    format!("{{ {from}, {find}, take = {}, unit = {} }}", text(take), text(&figure.unit))
}
