//! A number as programs print it: `845.00us`, `1.2k`, `1,234.5`, `1.2 GB/s`. Read as a whole, with what follows it, or
//! not at all: the first part of a number is another number.

use std::sync::LazyLock;

use regex::Regex;

use super::LATENCY_UNITS;
use crate::knowledge::nearest::quote;

/// What the number is read for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted<'a> {
    /// A time: a unit that follows the number is converted into this one.
    Time {
        /// Nanoseconds of the plan's unit.
        nanoseconds: f64,
    },
    /// A rate in this unit: a multiple that follows the number is multiplied in.
    Rate {
        /// The plan's unit.
        unit: &'a str,
    },
}

impl<'a> Wanted<'a> {
    /// For a latency in one of [`LATENCY_UNITS`].
    pub fn time(unit: &str) -> Self {
        let known = LATENCY_UNITS.iter().find(|(name, _)| *name == unit);
        Self::Time { nanoseconds: known.map_or(1.0, |(_, factor)| *factor) }
    }

    /// For a throughput.
    pub const fn rate(unit: &'a str) -> Self {
        Self::Rate { unit }
    }
}

/// What a pattern matched.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// All that was printed.
    pub text: &'a str,
    /// Where the number is in it.
    pub number: (usize, usize),
    /// Where the whole match is.
    pub whole: (usize, usize),
    /// The pattern.
    pub pattern: &'a str,
}

/// Units of time, in nanoseconds. Two signs are in use for micro.
const TIMES: [(&str, f64); 12] = [
    ("ns", 1.0),
    ("nsec", 1.0),
    ("us", 1e3),
    ("\u{b5}s", 1e3),
    ("\u{3bc}s", 1e3),
    ("usec", 1e3),
    ("ms", 1e6),
    ("msec", 1e6),
    ("s", 1e9),
    ("sec", 1e9),
    ("secs", 1e9),
    ("seconds", 1e9),
];

/// Multiples that rates are printed in. A small `m` may be minutes, milli or mega, and is none of them here.
const MULTIPLES: [(char, i32); 5] = [('k', 1), ('K', 1), ('M', 2), ('G', 3), ('T', 4)];

/// A whole number with groups of three digits, or a plain one; sign, fraction and exponent.
static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let groups = r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?";
    Regex::new(&format!(r"^[+-]?(?:{groups}|[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")).ok()
});

/// Reads the number that a pattern matched, with what stands right after it.
///
/// # Errors
/// One clause: it is no number, it is but a part of one, or what follows is no unit that can be converted; and how
/// to write the pattern.
pub fn read(found: &Found, wanted: Wanted) -> Result<f64, String> {
    let (from, to) = found.number;
    let matched = &found.text[from..to];
    let (from, matched) = (from + matched.len() - matched.trim_start().len(), matched.trim());
    let to = from + matched.len();
    let no_number = || format!("{} is no number", quote(matched));
    if matches!(
        matched.trim_start_matches(['+', '-']).to_ascii_lowercase().as_str(),
        "nan" | "inf" | "infinity"
    ) {
        return matched.parse().map_err(|_| no_number());
    }
    let number = NUMBER.as_ref().and_then(|number| number.find(matched)).ok_or_else(no_number)?.as_str();
    let rest = &matched[number.len()..];
    if begins_before(found, from) || (rest.is_empty() && goes_on(found, to)) {
        return Err(part(matched, found.text, from, to));
    }
    let value: f64 = number.replace(',', "").parse().map_err(|_| no_number())?;
    // A unit stands in the match itself, or after it.
    let after = if rest.is_empty() { &found.text[to..] } else { rest };
    match factor(after, wanted, found, rest.is_empty()) {
        Ok(factor) => Ok(value * factor),
        Err(_) if !rest.is_empty() => Err(no_number()),
        Err(word) => Err(unfit(number, word, wanted)),
    }
}

/// Whether the pattern itself names a separator that stands at a place of the match: then it parts two numbers.
fn named(found: &Found, at: usize, separator: char) -> bool {
    let within = (found.whole.0..found.whole.1).contains(&at);
    let spelt =
        if separator == '.' { found.pattern.contains("\\.") } else { found.pattern.contains(separator) };
    within && spelt
}

/// What parts a number's digits, somewhere in the world: a blank does as well, but also parts numbers.
const fn parts_groups(c: char) -> bool {
    matches!(c, '.' | ',' | '_' | '\'' | '\u{2019}' | '\u{a0}' | '\u{2009}' | '\u{202f}')
}

/// Whether the number goes on after the match: with a digit, with a separator or an exponent and a digit.
fn goes_on(found: &Found, to: usize) -> bool {
    let mut next = found.text[to..].chars();
    let (first, second, third) = (next.next(), next.next(), next.next());
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    match first {
        Some(c) if c.is_ascii_digit() => true,
        Some(c) if parts_groups(c) => digit(second) && !named(found, to, c),
        Some('e' | 'E') => digit(second) || (matches!(second, Some('+' | '-')) && digit(third)),
        _ => false,
    }
}

/// Whether the number begins before the match: `45.00` of `845.00`.
fn begins_before(found: &Found, from: usize) -> bool {
    let mut before = found.text[..from].chars().rev();
    let (last, last_but_one) = (before.next(), before.next());
    found.text[from..].starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && match last {
            Some(c) if c.is_ascii_digit() => true,
            Some(c) if parts_groups(c) => {
                last_but_one.is_some_and(|c| c.is_ascii_digit()) && !named(found, from - c.len_utf8(), c)
            }
            _ => false,
        }
}

fn part(matched: &str, text: &str, from: usize, to: usize) -> String {
    let foreign = |c: char| !(c.is_alphanumeric() || parts_groups(c) || matches!(c, '+' | '-'));
    let start =
        text[..from].char_indices().rev().find(|(_, c)| foreign(*c)).map_or(0, |(at, c)| at + c.len_utf8());
    let end = text[to..].find(foreign).map_or(text.len(), |at| to + at);
    format!(
        "{} is but a part of {}; write the pattern so that its group takes the whole number, such as ([0-9.,]+), and \
         that it names what parts two numbers, such as ([0-9.]+),",
        quote(matched),
        quote(&text[start..end])
    )
}

/// What a number is to be multiplied by for what stands after it; the word there where it cannot be told.
fn factor<'a>(after: &'a str, wanted: Wanted, found: &Found, outside: bool) -> Result<f64, &'a str> {
    let adjacent = after.starts_with(|c: char| c.is_alphabetic());
    let blank = |c: char| c == ' ' || c == '\t';
    let unit = after.trim_start_matches(blank);
    let letters = &unit[..unit.find(|c: char| !c.is_alphabetic()).unwrap_or(unit.len())];
    let token = &unit[..unit.find(|c: char| !(c.is_alphabetic() || c == '/')).unwrap_or(unit.len())];
    let converted = match wanted {
        Wanted::Time { nanoseconds } => {
            TIMES.iter().find(|(name, _)| *name == letters).map(|(_, factor)| factor / nanoseconds)
        }
        Wanted::Rate { unit } => multiple(letters).or_else(|| between(token, unit)),
    };
    let as_said = outside && found.pattern.contains(letters) && reaches(found, letters.len());
    let share = unit.starts_with('%') && wanted != (Wanted::Rate { unit: "%" });
    if share && !(outside && found.pattern.contains('%')) {
        return Err("%");
    }
    match converted {
        Some(factor) => Ok(factor),
        None if !adjacent && (outside || after.is_empty()) => Ok(1.0),
        None if as_said && matches!(wanted, Wanted::Rate { .. }) => Ok(1.0),
        None => Err(letters),
    }
}

/// Whether the whole match takes in so many bytes after the number.
fn reaches(found: &Found, bytes: usize) -> bool {
    found.number.1 + bytes <= found.whole.1
}

/// A multiple by itself.
fn multiple(word: &str) -> Option<f64> {
    let mut letters = word.chars();
    let power = letters.next().and_then(power)?;
    letters.next().is_none().then(|| 1000f64.powi(power))
}

fn power(letter: char) -> Option<i32> {
    MULTIPLES.iter().find(|(name, _)| *name == letter).map(|(_, power)| *power)
}

/// What a number in the unit `printed` is to be multiplied by to be one in `wanted`: the same unit, but for a
/// multiple before one of them or both. `MB` and `GiB/s` as well as `ops` and `kops/s`.
fn between(printed: &str, wanted: &str) -> Option<f64> {
    if printed.is_empty() {
        return None;
    }
    let same = |a: &str, b: &str| {
        a == b || b.strip_prefix(a).is_some_and(|rest| !a.is_empty() && rest.starts_with('/'))
    };
    if same(printed, wanted) {
        return Some(1.0);
    }
    let split = |unit: &'_ str| -> Vec<(i32, String)> {
        let with = unit.chars().next().and_then(power).map(|power| (power, unit[1..].to_owned()));
        with.into_iter().chain([(0, unit.to_owned())]).collect()
    };
    for (of_printed, a) in split(printed) {
        for (of_wanted, b) in split(wanted) {
            if same(&a, &b) {
                let base = if a.starts_with('i') { 1024f64 } else { 1000f64 };
                return Some(base.powi(of_printed - of_wanted));
            }
        }
    }
    None
}

fn unfit(number: &str, word: &str, wanted: Wanted) -> String {
    let after = format!("right after {number} stands {}, which is", quote(word));
    match wanted {
        Wanted::Time { .. } => {
            format!("{after} no unit of time that is known; have the latency printed in ns, us, ms or s")
        }
        Wanted::Rate { unit } => format!(
            "{after} neither a multiple (k, M, G, T) nor the unit {}; name it in the pattern, as in ([0-9.]+){word}, if it \
             is the same in every run",
            quote(unit)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(text: &str, pattern: &str, wanted: Wanted) -> Result<f64, String> {
        let captures = Regex::new(pattern).unwrap().captures(text).expect("it matches");
        let (whole, group) = (captures.get(0).unwrap(), captures.get(1).unwrap());
        let found = Found {
            text,
            number: (group.start(), group.end()),
            whole: (whole.start(), whole.end()),
            pattern,
        };
        read(&found, wanted)
    }

    fn ms(text: &str) -> Result<f64, String> {
        with(text, "p99[: ]+([0-9.]+)", Wanted::time("ms"))
    }

    fn rate(text: &str) -> Result<f64, String> {
        with(text, "rate: ([0-9.]+)", Wanted::rate("ops/s"))
    }

    #[test]
    fn a_time_is_converted_into_the_plan_s_unit() {
        for (text, wanted) in [
            ("p99 845.00us", 0.845),
            ("p99 1.20ms", 1.2),
            ("p99 2s", 2000.0),
            ("p99 500ns\n", 0.0005),
            ("p99 7\u{b5}s", 0.007),
            ("p99 7\u{3bc}s;", 0.007),
            ("p99 845 us", 0.845),
            ("p99: 1.2", 1.2),
            ("p99: 1.2 and more", 1.2),
            ("p99: 1.2, p50: 1", 1.2),
            ("p99: 12.", 12.0),
        ] {
            let read = ms(text).unwrap();
            assert!((read - wanted).abs() < 1e-12, "{text}: {read}");
        }
        assert_eq!(with("p99 845.5us", "p99 (.*)", Wanted::time("us")), Ok(845.5));
        for text in ["p99 2min", "p99 1m30s", "p99 3x"] {
            let why = ms(text).unwrap_err();
            assert!(why.starts_with("right after ") && why.contains("ns, us, ms or s"), "{why}");
        }
    }

    #[test]
    fn a_part_of_a_number_is_none() {
        for (text, pattern, whole) in [
            ("rate: 1,234.5", "rate: ([0-9.]+)", "1,234.5"),
            ("rate: 1234", "rate: ([0-9]{2})", "1234"),
            ("rate: 845.0", "rate:.*([0-9.]+)", "845.0"),
            ("rate: 12.5/s", "rate: ([0-9]+)", "12.5"),
            ("rate: 1.5e3", "rate: ([0-9.]+)", "1.5e3"),
            ("rate: 1.2,5", "([0-9])$", "1.2,5"),
            ("rate: 1_000", "rate: ([0-9.]+)", "1_000"),
            ("rate: 1'000", "rate: ([0-9.]+)", "1'000"),
            ("rate: 1\u{202f}000", "rate: ([0-9.]+)", "1\u{202f}000"),
            ("rate: 1_000", "([0-9]+)$", "1_000"),
        ] {
            let why = with(text, pattern, Wanted::rate("ops/s")).unwrap_err();
            assert!(why.contains(&format!("is but a part of {}; write the pattern", quote(whole))), "{why}");
        }
        assert_eq!(with("rate: 1,234.5", "rate: ([0-9.,]+)", Wanted::rate("x")), Ok(1234.5));
        assert!(
            with("rate: 1,23.5", "rate: ([0-9.,]+)", Wanted::rate("x")).unwrap_err().contains("no number")
        );
        // A comma that the pattern names parts two numbers.
        assert_eq!(with("100,5.5,7", "^([0-9]+),", Wanted::rate("x")), Ok(100.0));
        assert_eq!(with("100,5.5,7", "^[0-9]+,([0-9.]+),", Wanted::rate("x")), Ok(5.5));
    }

    #[test]
    fn a_rate_s_multiples_are_multiplied_in() {
        assert_eq!(rate("rate: 1.5k"), Ok(1500.0));
        assert_eq!(rate("rate: 1.5K req"), Ok(1500.0));
        assert_eq!(rate("rate: 2M"), Ok(2e6));
        assert_eq!(rate("rate: 2 G\n"), Ok(2e9));
        assert_eq!(rate("rate: 7ops/s"), Ok(7.0));
        assert_eq!(rate("rate: 7 kops/s"), Ok(7000.0));
        assert_eq!(rate("rate: 7Mops"), Ok(7e6));
        assert_eq!(rate("rate: 50.5/s"), Ok(50.5));
        assert_eq!(rate("rate: 50.5 requests per second"), Ok(50.5));
        let bytes = |text, unit| with(text, "([0-9.]+)", Wanted::rate(unit));
        assert_eq!((bytes("1.5GB/s", "MB/s"), bytes("512KiB/s", "MiB/s")), (Ok(1500.0), Ok(0.5)));
        assert_eq!(bytes("1.5 keys/s", "keys/s"), Ok(1.5));
        assert!(rate("rate: 12%").unwrap_err().contains("right after 12 stands '%'"));
        assert!(rate("rate: 12 %").is_err() && ms("p99: 12%").is_err());
        assert_eq!(with("rate: 12%", "rate: ([0-9.]+)", Wanted::rate("%")), Ok(12.0));
        assert_eq!(with("rate: 12%", "rate: ([0-9.]+)%", Wanted::rate("share")), Ok(12.0));
        let why = rate("rate: 3ms").unwrap_err();
        assert!(why.contains("right after 3 stands 'ms'") && why.contains("([0-9.]+)ms"), "{why}");
        assert_eq!(with("rate: 3rps", "rate: ([0-9.]+)rps", Wanted::rate("requests/s")), Ok(3.0));
    }

    proptest! {
        /// Whatever the number, its unit and the plan's: the time is the same.
        #[test]
        fn a_time_in_any_unit_is_the_same_time(
            number in 0.001f64..1e6, printed in 0usize..LATENCY_UNITS.len(), plan in 0usize..LATENCY_UNITS.len(),
            blank in prop::bool::ANY,
        ) {
            let ((name, of_printed), (wanted, of_plan)) = (LATENCY_UNITS[printed], LATENCY_UNITS[plan]);
            let text = format!("p99: {number:.3}{}{name}\n", if blank { " " } else { "" });
            let read = with(&text, "p99: ([0-9.]+)", Wanted::time(wanted)).unwrap();
            let expected = format!("{number:.3}").parse::<f64>().unwrap() * of_printed / of_plan;
            prop_assert!((read - expected).abs() <= expected.abs() * 1e-12, "{text}: {read}");
        }

        /// A pattern that takes fewer digits than there are never yields a number.
        #[test]
        fn no_part_of_a_number_is_read(number in 10u64..1_000_000_000, fraction in 0u32..1000, digits in 1usize..9) {
            let text = format!("n={number}.{fraction:03} ");
            prop_assume!(digits < number.to_string().len());
            let pattern = format!("n=([0-9]{{{digits}}})");
            prop_assert!(with(&text, &pattern, Wanted::rate("x")).is_err());
            let whole = with(&text, "n=([0-9.]+)", Wanted::rate("x"));
            prop_assert_eq!(whole, Ok(text[2..].trim().parse::<f64>().unwrap()));
        }

        /// Separators of thousands change nothing.
        #[test]
        fn thousands_are_read_as_a_whole(number in 0u64..1_000_000_000_000) {
            let plain = number.to_string();
            let mut grouped = String::new();
            for (at, digit) in plain.chars().enumerate() {
                if at > 0 && (plain.len() - at) % 3 == 0 {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            let text = format!("n={grouped}\n");
            prop_assert_eq!(with(&text, "n=([0-9,]+)", Wanted::rate("x")), Ok(number as f64));
            if number >= 1000 {
                prop_assert!(with(&text, "n=([0-9]+)", Wanted::rate("x")).is_err());
            }
        }
    }
}
