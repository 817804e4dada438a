//! A figure found in what was printed.

use regex::Regex;

use super::number::{self, Found, Wanted};
use super::{Find, Take};
use crate::knowledge::nearest::quote;

/// Finds a figure in a text: a finite number from 0 on.
///
/// # Errors
/// One clause: it is not there, or is no such number.
pub fn number(text: &str, find: &Find, take: Take, wanted: Wanted) -> Result<f64, String> {
    let value = match find {
        Find::Regex(pattern) => taken(&by_regex(text, pattern, wanted)?, take),
        Find::Json(pointer) => by_pointer(text, pointer, wanted)?,
    };
    if !value.is_finite() {
        return Err(format!("the number read, {value}, is not finite"));
    }
    if value < 0.0 {
        return Err(format!("the number read, {value}, is negative"));
    }
    Ok(value)
}

/// Finds a rate: above 0 as well.
///
/// # Errors
/// As [`number`].
pub fn positive(text: &str, find: &Find, take: Take, wanted: Wanted) -> Result<f64, String> {
    match number(text, find, take, wanted)? {
        0.0 => Err("the number read is 0".to_owned()),
        value => Ok(value),
    }
}

fn by_regex(text: &str, pattern: &str, wanted: Wanted) -> Result<Vec<f64>, String> {
    let regex = Regex::new(pattern).map_err(|_| format!("{} is no regular expression", quote(pattern)))?;
    let group = usize::from(regex.captures_len() > 1);
    let found = regex.captures_iter(text).filter_map(|all| {
        let (whole, number) = (all.get(0)?, all.get(group)?);
        Some(Found {
            text,
            number: (number.start(), number.end()),
            whole: (whole.start(), whole.end()),
            pattern,
        })
    });
    let found: Vec<Found> = found.collect();
    if found.is_empty() {
        return Err(format!("nothing in it matches {}", quote(pattern)));
    }
    found.iter().map(|found| number::read(found, wanted)).collect()
}

/// A text that is a number as a whole.
fn parse(text: &str, wanted: Wanted) -> Result<f64, String> {
    let all = (0, text.len());
    number::read(&Found { text, number: all, whole: all, pattern: "" }, wanted)
}

fn taken(numbers: &[f64], take: Take) -> f64 {
    let sum: f64 = numbers.iter().sum();
    match take {
        Take::First => numbers.first().copied().unwrap_or(f64::NAN),
        Take::Last => numbers.last().copied().unwrap_or(f64::NAN),
        Take::Sum => sum,
        Take::Mean => sum / numbers.len() as f64,
    }
}

fn by_pointer(text: &str, pointer: &str, wanted: Wanted) -> Result<f64, String> {
    let document = document(text).ok_or("there is no JSON document in it")?;
    let value =
        document.pointer(pointer).ok_or_else(|| format!("its JSON has nothing at {}", quote(pointer)))?;
    match value {
        serde_json::Value::Number(number) => {
            number.as_f64().ok_or_else(|| format!("{number} is out of range"))
        }
        serde_json::Value::String(text) => parse(text.trim(), wanted),
        other => Err(format!("{} is no number", quote(&other.to_string()))),
    }
}

/// The whole text as JSON; else the last line that is an object or a list, or the text from its first brace
/// on, for drivers that print a heading.
fn document(text: &str) -> Option<serde_json::Value> {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text.trim()).ok();
    let lines = || text.lines().rev().filter(|line| line.trim_start().starts_with(['{', '[']));
    let from_brace = || text.find('{').and_then(|at| read(&text[at..]));
    read(text).or_else(|| lines().find_map(read)).or_else(from_brace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(text: &str, pattern: &str, take: Take) -> Result<f64, String> {
        number(text, &Find::Regex(pattern.to_owned()), take, Wanted::rate("x"))
    }

    fn pointer(text: &str, pointer: &str) -> Result<f64, String> {
        number(text, &Find::Json(pointer.to_owned()), Take::Last, Wanted::time("ms"))
    }

    const PRINTED: &str = "SET: 100.5 requests per second\nGET: 200.5 requests per second\n";

    #[test]
    fn several_matches_are_taken_as_asked() {
        let of = |take| regex(PRINTED, "([0-9.]+) requests", take);
        assert_eq!(of(Take::First), Ok(100.5));
        assert_eq!(of(Take::Last), Ok(200.5));
        assert_eq!(of(Take::Sum), Ok(301.0));
        assert_eq!(of(Take::Mean), Ok(150.5));
        assert_eq!(regex("n=7", "[0-9]+", Take::Last), Ok(7.0));
    }

    #[test]
    fn what_is_no_number_is_told() {
        assert!(regex("", "x", Take::Last).unwrap_err().contains("nothing in it matches 'x'"));
        assert!(regex("rate: fast", "rate: (.*)", Take::Last).unwrap_err().contains("'fast' is no number"));
        for (text, why) in
            [("NaN", "not finite"), ("inf", "not finite"), ("1e999", "not finite"), ("-3", "negative")]
        {
            assert!(regex(text, ".+", Take::Last).unwrap_err().contains(why), "{text}");
        }
        assert_eq!(
            positive("0", &Find::Regex(".".to_owned()), Take::Last, Wanted::rate("x")),
            Err("the number read is 0".to_owned())
        );
    }

    #[test]
    fn a_pointer_reads_numbers_and_numbers_in_text() {
        assert_eq!(pointer("{\"a\": {\"p99\": 1.5}}", "/a/p99"), Ok(1.5));
        assert_eq!(pointer("heading\n{\"rate\": \"12\"}\n", "/rate"), Ok(12.0));
        assert_eq!(pointer("{\"p99\": \"845.00us\"}", "/p99"), Ok(0.845));
        assert!(pointer("{\"p99\": \"8x\"}", "/p99").is_err());
        assert_eq!(pointer("heading\n{\n\"rate\": 3\n}\n", "/rate"), Ok(3.0));
        assert!(pointer("{\"a\": null}", "/a").unwrap_err().contains("is no number"));
        assert!(pointer("{}", "/a").unwrap_err().contains("has nothing at"));
        assert!(pointer("no", "/a").unwrap_err().contains("no JSON"));
    }
}
