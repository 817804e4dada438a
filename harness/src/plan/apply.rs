//! The lines that apply a choice: environment file, shell, systemd, Kubernetes. Pure.

use std::collections::BTreeMap;

use crate::format::decision::Apply;

/// A variable and its value.
type Pair<'a> = (&'a String, &'a String);

/// The lines for a candidate, given the allocator's name and the environment that makes the candidate.
pub fn lines(allocator: &str, env: &BTreeMap<String, String>) -> Apply {
    let pairs: Vec<Pair> = env.iter().collect();
    Apply {
        env: pairs.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        systemd: systemd(&pairs),
        shell: shell(&pairs),
        kubernetes: kubernetes(&pairs),
        note: Some(note(allocator, env)),
    }
}

fn systemd(pairs: &[Pair]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let quoted = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    let line = |(name, value): &Pair| format!("Environment=\"{name}={}\"", quoted(value));
    format!("# /etc/systemd/system/YOUR.service.d/malloc.conf\n[Service]\n{}", lines_of(pairs, line))
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
        ("glibc", true) => "Nothing to set: the C library's defaults are the choice.".to_owned(),
        ("glibc", false) => {
            "The variables must be in the environment before the program starts; setuid programs ignore them."
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
    fn defaults_need_nothing() {
        let apply = lines("glibc", &env(&[]));
        assert!(apply.env.is_empty() && apply.systemd.is_empty() && apply.kubernetes.is_empty());
        assert!(apply.note.unwrap().starts_with("Nothing to set"));
        assert!(lines("jemalloc", &env(&[])).note.unwrap().contains("LD_PRELOAD"));
    }
}
