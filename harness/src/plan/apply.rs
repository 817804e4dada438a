//! The lines that apply a choice: environment file, shell, systemd, Kubernetes. Pure.

use std::collections::BTreeMap;

use crate::format::decision::Apply;

/// The lines for a candidate, given the allocator's name and the environment that makes the candidate.
pub fn lines(allocator: &str, env: &BTreeMap<String, String>) -> Apply {
    let pairs: Vec<(&String, &String)> = env.iter().collect();
    Apply {
        env: pairs.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        systemd: systemd(&pairs),
        shell: shell(&pairs),
        kubernetes: kubernetes(&pairs),
        note: note(allocator, env),
    }
}

fn systemd(pairs: &[(&String, &String)]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let quoted = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    let line = |(name, value): &(&String, &String)| format!("Environment=\"{name}={}\"\n", quoted(value));
    let lines: String = pairs.iter().map(line).collect();
    format!("# /etc/systemd/system/YOUR.service.d/malloc.conf\n[Service]\n{lines}")
}

fn shell(pairs: &[(&String, &String)]) -> String {
    let quoted = |value: &str| format!("'{}'", value.replace('\'', r"'\''"));
    pairs.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value))).collect()
}

fn kubernetes(pairs: &[(&String, &String)]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    // A JSON string is a YAML string.
    let quoted = |value: &str| serde_json::Value::from(value).to_string();
    let entry =
        |(name, value): &(&String, &String)| format!("  - name: {name}\n    value: {}\n", quoted(value));
    let entries: String = pairs.iter().map(entry).collect();
    format!("env:\n{entries}")
}

fn note(allocator: &str, env: &BTreeMap<String, String>) -> Option<String> {
    match (allocator, env.is_empty()) {
        ("glibc", true) => Some("Nothing to set: the C library's defaults are the choice.".to_owned()),
        ("glibc", false) => Some(
            "The variables must be in the environment before the program starts; setuid programs ignore them."
                .to_owned(),
        ),
        (other, _) => Some(format!(
            "The program must run under {other}: link it in, or set LD_PRELOAD to the distribution's \
             lib{other}.so. The variables alone change nothing."
        )),
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
