//! Suggestions for misspelt names, and user text made safe for one line of an error.

use strsim::damerau_levenshtein;

/// The known names that `given` was probably meant to be, best first, at most three.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let given = given.to_lowercase();
    if given.is_empty() || given.len() > 64 {
        return Vec::new();
    }
    let allowed = (given.chars().count() / 3).max(1);
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .map(|name| (distance(&given, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, name)| name).take(3).collect()
}

/// Edit distance, where one name beginning with the other (`arena` for `arena_max`) counts as 1.
fn distance(given: &str, name: &str) -> usize {
    let prefix = given.len() >= 3 && name.len() >= 3 && (name.starts_with(given) || given.starts_with(name));
    let edits = damerau_levenshtein(given, name);
    if prefix { edits.min(1) } else { edits }
}

/// `did you mean a or b?` where something is near, else `known: a, b, c`.
pub fn suggest<'a>(given: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let near = nearest(given, known.clone());
    if near.is_empty() {
        let all: Vec<_> = known.into_iter().collect();
        return format!("known: {}", all.join(", "));
    }
    format!("did you mean {}?", near.join(" or "))
}

/// User text in quotes, on one line and of bounded length.
pub fn quote(text: &str) -> String {
    const MOST: usize = 80;
    let mut shown: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    shown = shown.replace("\\'", "'").replace("\\\"", "\"").replace("\\\\", "\\");
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    format!("'{shown}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 4] = ["arena_max", "arena_test", "mmap_max", "trim_threshold"];

    #[test]
    fn near_names_are_suggested_best_first() {
        assert_eq!(nearest("arena_mx", KEYS), ["arena_max"]);
        assert_eq!(nearest("ARENA_MAX", KEYS), ["arena_max"]);
        assert_eq!(nearest("arena", KEYS), ["arena_max", "arena_test"]);
        assert_eq!(nearest("speed", KEYS), [""; 0]);
        assert_eq!(suggest("trim_treshold", KEYS), "did you mean trim_threshold?");
        assert_eq!(suggest("x", ["a1", "b1"]), "known: a1, b1");
    }

    #[test]
    fn quoted_text_stays_on_one_line() {
        assert_eq!(quote("a'b"), "'a'b'");
        assert_eq!(quote("a\nb\u{1b}[31m"), "'a\\nb\\u{1b}[31m'");
        assert!(quote(&"x".repeat(5000)).chars().count() < 100);
    }
}
