//! The lines that apply a choice: environment file, shell, systemd, Kubernetes. Pure.

use std::collections::BTreeMap;

use crate::format::decision::Apply;
use crate::knowledge::nearest::quote;
use crate::knowledge::preload;

/// The lines for a candidate that was measured in a program of the user's, into which `library` was preloaded; without
/// one, or with a library whose place is not known, as [`lines`].
pub fn lines_of_program(allocator: &str, env: &BTreeMap<String, String>, library: Option<&str>) -> Apply {
    let Some(library) = library.filter(|_| !env.contains_key("LD_PRELOAD")) else {
        return lines(allocator, env);
    };
    let mut env = env.clone();
    env.insert("LD_PRELOAD".to_owned(), library.to_owned());
    if allocator == "jemalloc"
        && let Some(conf) = env.remove("MALLOC_CONF")
    {
        env.insert(preload::JEMALLOC_CONF.to_owned(), conf);
    }
    let mut apply = lines("preload", &env);
    let note = apply.note.take().unwrap_or_default();
    apply.note = Some(format!(
        "{note} The library is the one that was measured: install it where you like, and name that path. A distribution's \
         lib{allocator}.so is another build, which may be far faster or slower (docs/candidates.md): measure it with \
         --candidate preload=PATH before you ship it."
    ));
    apply
}

/// A variable and its value.
type Pair<'a> = (&'a String, &'a String);

/// The lines for a candidate, given the allocator's name and the environment that makes the candidate. A
/// variable that not all of them could set, by its name or by control characters in its value, is left out;
/// so is, from the environment file alone, a value of several lines. The note tells.
pub fn lines(allocator: &str, env: &BTreeMap<String, String>) -> Apply {
    let (pairs, unfit): (Vec<Pair>, Vec<Pair>) = env.iter().partition(can_be_set);
    let (of_lines, of_line): (Vec<Pair>, Vec<Pair>) =
        pairs.iter().partition(|(_, value)| value.contains('\n'));
    let mut note = note(allocator, env);
    for (left_out, of) in [(unfit, "everywhere"), (of_lines, "in an environment file")] {
        if !left_out.is_empty() {
            let names: Vec<String> = left_out.iter().map(|(name, _)| quote(name)).collect();
            note = format!("{note} Left out, as it cannot be set {of}: {}.", names.join(", "));
        }
    }
    Apply {
        env: of_line.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        systemd: systemd(&pairs),
        shell: shell(&pairs),
        kubernetes: kubernetes(&pairs),
        note: Some(note),
    }
}

/// Whether it is an identifier with a value that systemd takes: of control characters, tab and newline alone.
fn can_be_set((name, value): &Pair) -> bool {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let plain = value.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n'));
    starts_well && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && plain
}

fn systemd(pairs: &[Pair]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let line = |(name, value): &Pair| {
        let quoted: String = value.chars().map(in_unit_file).collect();
        format!("Environment=\"{name}={quoted}\"")
    };
    format!("# /etc/systemd/system/YOUR.service.d/malloc.conf\n[Service]\n{}", lines_of(pairs, line))
}

/// A character within double quotes of a unit file: a line of it ends at a newline, so that none may be there
/// as such.
fn in_unit_file(c: char) -> String {
    match c {
        '\\' => "\\\\".to_owned(),
        '"' => "\\\"".to_owned(),
        '%' => "%%".to_owned(),
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        c => c.to_string(),
    }
}

fn shell(pairs: &[Pair]) -> String {
    let quoted = |value: &str| format!("'{}'", value.replace('\'', r"'\''"));
    lines_of(pairs, |(name, value)| format!("export {name}={}", quoted(value)))
}

fn kubernetes(pairs: &[Pair]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    // A JSON string is a YAML string.
    let quoted = |value: &str| serde_json::Value::from(value).to_string();
    let entry = |(name, value): &Pair| format!("  - name: {name}\n    value: {}", quoted(value));
    format!("env:\n{}", lines_of(pairs, entry))
}

/// A line, or a few, for each variable; each ends with a newline.
fn lines_of(pairs: &[Pair], line: impl Fn(&Pair) -> String) -> String {
    pairs.iter().flat_map(|pair| [line(pair), "\n".to_owned()]).collect()
}

fn note(allocator: &str, env: &BTreeMap<String, String>) -> String {
    match (allocator, env.is_empty()) {
        ("glibc", true) => "Nothing to set: the defaults are the choice.".to_owned(),
        ("glibc", false) => {
            "The variables must be in the environment before the program starts; setuid programs ignore them."
                .to_owned()
        }
        ("preload", _) => {
            "LD_PRELOAD must be in the environment before the program starts, and the library must be installed \
             wherever it runs; setuid and statically linked programs ignore it."
                .to_owned()
        }
        (other, _) => format!(
            "The program must run under {other}: link it in, or set LD_PRELOAD to the distribution's \
             lib{other}.so. The variables alone change nothing."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_limit_is_one_line_each() {
        let apply = lines("glibc", &env(&[("MALLOC_ARENA_MAX", "2")]));
        assert_eq!(apply.env, ["MALLOC_ARENA_MAX=2"]);
        assert_eq!(apply.shell, "export MALLOC_ARENA_MAX='2'\n");
        assert!(apply.systemd.ends_with("[Service]\nEnvironment=\"MALLOC_ARENA_MAX=2\"\n"));
        assert_eq!(apply.kubernetes, "env:\n  - name: MALLOC_ARENA_MAX\n    value: \"2\"\n");
    }

    #[test]
    fn hostile_values_stay_values() {
        let apply = lines("preload", &env(&[("A", "x'; rm -rf \"$HOME\" %n")]));
        assert_eq!(apply.shell, "export A='x'\\''; rm -rf \"$HOME\" %n'\n");
        assert!(apply.systemd.contains("Environment=\"A=x'; rm -rf \\\"$HOME\\\" %%n\""));
        assert!(apply.kubernetes.contains(r#"value: "x'; rm -rf \"$HOME\" %n""#));
    }

    #[test]
    fn a_preloaded_library_is_already_in_the_variables() {
        let apply = lines("preload", &env(&[("LD_PRELOAD", "/usr/lib/libtcmalloc.so.4")]));
        assert_eq!(apply.env, ["LD_PRELOAD=/usr/lib/libtcmalloc.so.4"]);
        let note = apply.note.unwrap();
        assert!(note.starts_with("LD_PRELOAD must be") && !note.contains("libpreload"), "{note}");
    }

    #[test]
    fn what_was_preloaded_into_a_program_is_the_line_to_ship() {
        let conf = env(&[("MALLOC_CONF", "narenas:4")]);
        let apply = lines_of_program("jemalloc", &conf, Some("/opt/lib/libarenalab_jemalloc.so"));
        assert_eq!(apply.env, ["LD_PRELOAD=/opt/lib/libarenalab_jemalloc.so", "MALLOC_CONF=narenas:4"]);
        for lines in [&apply.systemd, &apply.shell, &apply.kubernetes] {
            assert!(
                lines.contains("LD_PRELOAD") && lines.contains("/opt/lib/libarenalab_jemalloc.so"),
                "{lines}"
            );
        }
        let note = apply.note.unwrap();
        assert!(note.contains("the one that was measured") && note.contains("another build"), "{note}");
        assert_eq!(lines_of_program("glibc", &env(&[]), None), lines("glibc", &env(&[])));
    }

    #[test]
    fn a_newline_cannot_begin_another_line_of_a_unit_file() {
        let apply = lines("preload", &env(&[("A", "x\nExecStart=/bin/sh\t")]));
        assert!(apply.systemd.ends_with("Environment=\"A=x\\nExecStart=/bin/sh\\t\"\n"));
        assert_eq!(apply.kubernetes.lines().count(), 3);
        assert!(apply.env.is_empty());
        assert!(apply.note.unwrap().ends_with("Left out, as it cannot be set in an environment file: 'A'."));
    }

    #[test]
    fn a_name_that_no_shell_could_set_is_left_out_and_told() {
        let apply = lines(
            "glibc",
            &env(&[("A;reboot", "1"), ("2B", "1"), ("", "1"), ("N", "\u{1b}[2J"), ("OK_1", "1")]),
        );
        assert_eq!((apply.env, apply.shell), (vec!["OK_1=1".to_owned()], "export OK_1='1'\n".to_owned()));
        assert!(!apply.systemd.contains("reboot") && !apply.kubernetes.contains("reboot"));
        let note = apply.note.unwrap();
        assert!(
            note.ends_with("Left out, as it cannot be set everywhere: '', '2B', 'A;reboot', 'N'."),
            "{note}"
        );
    }

    #[test]
    fn defaults_need_nothing() {
        let apply = lines("glibc", &env(&[]));
        assert!(apply.env.is_empty() && apply.systemd.is_empty() && apply.kubernetes.is_empty());
        assert!(apply.note.unwrap().starts_with("Nothing to set"));
        assert!(lines("jemalloc", &env(&[])).note.unwrap().contains("LD_PRELOAD"));
    }
}
