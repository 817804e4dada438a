//! Placeholders: `{port}`, `{dir}` and `{threads}` in the texts of a program's definition.

use std::path::PathBuf;

use crate::knowledge::nearest::{nearest, quote};

/// The placeholders.
pub const PLACEHOLDERS: [&str; 3] = ["dir", "port", "threads"];

/// What the placeholders stand for in one trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// A TCP port that nothing listened on when the trial began.
    pub port: u16,
    /// A directory of this trial's own, empty at its start and removed after it.
    pub dir: PathBuf,
    /// Threads of the scenario.
    pub threads: u32,
}

impl Places {
    /// A text with its placeholders put in. Other braces stay as they are.
    pub fn fill(&self, text: &str) -> String {
        text.replace("{port}", &self.port.to_string())
            .replace("{threads}", &self.threads.to_string())
            .replace("{dir}", &self.dir.display().to_string())
    }

    /// The words of a command with their placeholders put in.
    pub fn fill_all(&self, words: &[String]) -> Vec<String> {
        words.iter().map(|word| self.fill(word)).collect()
    }
}

/// Checks that nothing in braces is a misspelt placeholder.
///
/// # Errors
/// One clause with the nearest one.
pub fn check(text: &str) -> Result<(), String> {
    for part in text.split('{').skip(1) {
        let Some((word, _)) = part.split_once('}') else { continue };
        if PLACEHOLDERS.contains(&word) || !word.chars().all(|c| c.is_ascii_lowercase()) {
            continue;
        }
        if let Some(near) = nearest(word, PLACEHOLDERS).first() {
            let word = quote(&format!("{{{word}}}"));
            return Err(format!("there is no placeholder {word}; did you mean {{{near}}}?"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_put_in_and_other_braces_stay() {
        let places = Places { port: 6379, dir: "/tmp/x".into(), threads: 8 };
        assert_eq!(
            places.fill("-p {port} -d {dir}/a -t {threads} {print $1} {}"),
            "-p 6379 -d /tmp/x/a -t 8 {print $1} {}"
        );
    }

    #[test]
    fn a_misspelt_placeholder_is_told() {
        assert_eq!(
            check("--port={prot}"),
            Err("there is no placeholder '{prot}'; did you mean {port}?".to_owned())
        );
        assert_eq!((check("{port}{dir}"), check("{print}"), check("{\"a\": {}}")), (Ok(()), Ok(()), Ok(())));
    }
}
