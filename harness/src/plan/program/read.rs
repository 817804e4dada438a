//! A figure found in what was printed.

use regex::Regex;

use super::{Find, Take};
use crate::knowledge::nearest::quote;

/// Finds a figure in a text: a finite number from 0 on.
///
/// # Errors
/// One clause: it is not there, or is no such number.
pub fn number(text: &str, find: &Find, take: Take) -> Result<f64, String> {
    let value = match find {
        Find::Regex(pattern) => taken(&by_regex(text, pattern)?, take),
        Find::Json(pointer) => by_pointer(text, pointer)?,
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
pub fn positive(text: &str, find: &Find, take: Take) -> Result<f64, String> {
    match number(text, find, take)? {
        0.0 => Err("the number read is 0".to_owned()),
        value => Ok(value),
    }
}

fn by_regex(text: &str, pattern: &str) -> Result<Vec<f64>, String> {
    let regex = Regex::new(pattern).map_err(|_| format!("{} is no regular expression", quote(pattern)))?;
    let group = usize::from(regex.captures_len() > 1);
    let found: Vec<&str> =
        regex.captures_iter(text).filter_map(|all| all.get(group)).map(|found| found.as_str()).collect();
    if found.is_empty() {
        return Err(format!("nothing in it matches {}", quote(pattern)));
    }
    found.into_iter().map(|text| parse(text.trim())).collect()
}

fn parse(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("{} is no number", quote(text)))
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

fn by_pointer(text: &str, pointer: &str) -> Result<f64, String> {
    let document = document(text).ok_or("there is no JSON document in it")?;
    let value =
        document.pointer(pointer).ok_or_else(|| format!("its JSON has nothing at {}", quote(pointer)))?;
    match value {
        serde_json::Value::Number(number) => {
            number.as_f64().ok_or_else(|| format!("{number} is out of range"))
        }
        serde_json::Value::String(text) => parse(text.trim()),
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
        number(text, &Find::Regex(pattern.to_owned()), take)
    }

    fn pointer(text: &str, pointer: &str) -> Result<f64, String> {
        number(text, &Find::Json(pointer.to_owned()), Take::Last)
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
            positive("0", &Find::Regex(".".to_owned()), Take::Last),
            Err("the number read is 0".to_owned())
        );
    }

    #[test]
    fn a_pointer_reads_numbers_and_numbers_in_text() {
        assert_eq!(pointer("{\"a\": {\"p99\": 1.5}}", "/a/p99"), Ok(1.5));
        assert_eq!(pointer("heading\n{\"rate\": \"12\"}\n", "/rate"), Ok(12.0));
        assert_eq!(pointer("heading\n{\n\"rate\": 3\n}\n", "/rate"), Ok(3.0));
        assert!(pointer("{\"a\": null}", "/a").unwrap_err().contains("is no number"));
        assert!(pointer("{}", "/a").unwrap_err().contains("has nothing at"));
        assert!(pointer("no", "/a").unwrap_err().contains("no JSON"));
    }
}
