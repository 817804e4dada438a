//! Placeholders: `{port}`, `{dir}` and `{threads}` in the texts of a program's definition.
//!
//! What else stands in braces is not ours: `{print $1}`, `{"port": 1}`, and a shell's `${port}`. `{{port}}` is
//! the text `{port}`, put in nowhere.

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
        let filled = pieces(text).into_iter().map(|piece| match piece {
            Piece::Text(text) => text.to_owned(),
            Piece::Braced(word) => format!("{{{word}}}"),
            Piece::Place("port") => self.port.to_string(),
            Piece::Place("threads") => self.threads.to_string(),
            Piece::Place(_) => self.dir.display().to_string(),
        });
        filled.collect()
    }

    /// The words of a command with their placeholders put in.
    pub fn fill_all(&self, words: &[String]) -> Vec<String> {
        words.iter().map(|word| self.fill(word)).collect()
    }
}

/// Whether a text has a placeholder.
pub fn has(text: &str, placeholder: &str) -> bool {
    pieces(text).contains(&Piece::Place(placeholder))
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'a> {
    /// As it is.
    Text(&'a str),
    /// A placeholder's name in doubled braces: one of each stays.
    Braced(&'a str),
    /// A placeholder.
    Place(&'a str),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut from, mut at) = (0, 0);
    while let Some(brace) = text[at..].find('{').map(|found| at + found) {
        let known = |word: &&str| PLACEHOLDERS.contains(word);
        let doubled =
            || between(&text[brace..], "{{", "}}").filter(known).map(|word| (Piece::Braced(word), 4));
        let single = || between(&text[brace..], "{", "}").filter(known).map(|word| (Piece::Place(word), 2));
        let shells = text[..brace].ends_with('$');
        let found = doubled().or_else(single).filter(|_| !shells);
        let Some((piece @ (Piece::Braced(word) | Piece::Place(word)), braces)) = found else {
            at = brace + 1;
            continue;
        };
        let end = brace + word.len() + braces;
        pieces.extend([Piece::Text(&text[from..brace]), piece]);
        (from, at) = (end, end);
    }
    pieces.push(Piece::Text(&text[from..]));
    pieces
}

/// What stands between two marks at the start of a text.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    text.strip_prefix(open)?.split_once(close).map(|(word, _)| word)
}

/// Checks that nothing in braces is a misspelt placeholder.
///
/// # Errors
/// One clause with the nearest one.
pub fn check(text: &str) -> Result<(), String> {
    for (brace, _) in text.match_indices('{') {
        // A shell's own, and what is doubled, is not ours.
        if text[..brace].ends_with(['$', '{']) {
            continue;
        }
        let Some(word) = between(&text[brace..], "{", "}") else { continue };
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
    use proptest::prelude::*;

    fn places() -> Places {
        Places { port: 6379, dir: "/tmp/x".into(), threads: 8 }
    }

    #[test]
    fn placeholders_are_put_in_and_other_braces_stay() {
        assert_eq!(
            places().fill("-p {port} -d {dir}/a -t {threads} {print $1} {}"),
            "-p 6379 -d /tmp/x/a -t 8 {print $1} {}"
        );
        assert_eq!(places().fill("{port}{dir}é{threads}"), "6379/tmp/xé8");
        for json in
            ["{\"port\":1}", "{\"a\": {\"port\": {\"b\": 1}}}", "{{}}", "{ port }", "{port", "{{port", "}{"]
        {
            assert_eq!(places().fill(json), json);
        }
        assert_eq!(places().fill("{\"a\":{\"port\":{port}}}"), "{\"a\":{\"port\":6379}}");
    }

    #[test]
    fn a_shell_s_variables_are_the_shell_s() {
        let line = "port=77; dir=d; echo ${port} ${dir} \"${threads}\" $${port}";
        assert_eq!(places().fill(line), line);
        assert_eq!(places().fill("$port{port} $(echo {port})"), "$port6379 $(echo 6379)");
        assert!(has("a{threads}", "threads") && !has("${threads} {{threads}}", "threads"));
        assert_eq!(check("${prot} {{prot}}"), Ok(()));
    }

    #[test]
    fn doubled_braces_are_the_text_itself() {
        assert_eq!(places().fill("{{port}} {{dir}}{{threads}}"), "{port} {dir}{threads}");
        assert_eq!(places().fill("{{{port}}}"), "{{port}}");
        assert_eq!(places().fill("{{print}}"), "{{print}}");
    }

    #[test]
    fn a_misspelt_placeholder_is_told() {
        assert_eq!(
            check("--port={prot}"),
            Err("there is no placeholder '{prot}'; did you mean {port}?".to_owned())
        );
        assert_eq!((check("{port}{dir}"), check("{print}"), check("{\"a\": {}}")), (Ok(()), Ok(()), Ok(())));
    }

    proptest! {
        /// Any text can be said: what is doubled comes out as it went in.
        #[test]
        fn what_is_doubled_comes_out(text in "([a-z$ \"]|\\{port\\}|\\{dir\\})*") {
            let doubled = text.replace("${", "$ {").replace("{port}", "{{port}}").replace("{dir}", "{{dir}}");
            prop_assert_eq!(places().fill(&doubled), text.replace("${", "$ {"));
        }

        /// Nothing is lost or made up where there is no placeholder.
        #[test]
        fn other_texts_stay(text in "[^p-t]*") {
            prop_assume!(!text.contains("{dir}"));
            prop_assert_eq!(places().fill(&text), text);
        }
    }
}
