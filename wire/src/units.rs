//! Bytes, durations, counts and shares as text, both ways. What is written by one of the `format`
//! functions is for people and is rounded; the `canonical` functions write exactly what the `parse`
//! functions read back.

use std::time::Duration;

const BYTE_UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const COUNT_UNITS: [(&str, u64); 3] = [("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)];
const DURATION_UNITS: [(&str, f64); 6] =
    [("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];

/// Splits `64KiB` into the number and the unit.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    Some((number, text[end..].trim()))
}

/// Somebody's text in a message: on one line, and not too long.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("'{}{more}'", short.escape_debug())
}

/// `number` times `scale`, rounded; a fraction of the smallest unit is refused.
fn whole(number: f64, scale: u64, text: &str) -> Result<u64, String> {
    let value = number * scale as f64;
    if (scale == 1 && value.fract() != 0.0) || value > 9e15 {
        return Err(format!("{} is not a whole number in range", quoted(text)));
    }
    Ok(value.round() as u64)
}

/// Reads bytes: `4096`, `64KiB`, `1.5GiB`, and the decimal `kB`, `MB`, `GB`.
///
/// # Errors
/// One sentence that says what was expected.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{} is not a size; write bytes with a unit, such as 64KiB or 2GiB", quoted(text));
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let scale = match unit {
        "" | "B" => 1u64,
        "KiB" | "K" | "k" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        "TiB" | "T" => 1 << 40,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    whole(number, scale, text)
}

/// Reads a count: `1000`, `50k`, `4M`, `1G` (decimal).
///
/// # Errors
/// One sentence that says what was expected.
pub fn parse_count(text: &str) -> Result<u64, String> {
    let wrong = || format!("{} is not a count; write a number such as 200000, 200k or 4M", quoted(text));
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let scale = match unit {
        "" => 1,
        "k" | "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    whole(number, scale, text)
}

/// Reads a duration: `500ms`, `1.5s`, `10m`, `2h`. A bare number is refused, but for 0.
///
/// # Errors
/// One sentence that says what was expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("{} is not a duration; write a number with a unit: 500ms, 1.5s, 10m", quoted(text));
    let (number, unit) = split(text).ok_or_else(wrong)?;
    if unit.is_empty() && number == 0.0 {
        return Ok(Duration::ZERO);
    }
    let scale = DURATION_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
    Duration::try_from_secs_f64(number * scale).map_err(|_| wrong())
}

/// Reads a share: `5%` or `0.05`, as a fraction.
///
/// # Errors
/// One sentence that says what was expected.
pub fn parse_share(text: &str) -> Result<f64, String> {
    let wrong = || {
        format!("{} is not a share; write a percentage such as 5% or a fraction such as 0.05", quoted(text))
    };
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let value = match unit {
        "%" => number / 100.0,
        "" if number <= 1.0 => number,
        _ => return Err(wrong()),
    };
    Ok(value)
}

/// Bytes exactly, in the largest binary unit that divides them: `64KiB`, `1000B`.
pub fn canonical_bytes(bytes: u64) -> String {
    let fits = |(_, scale): &&(&str, u64)| bytes != 0 && bytes.is_multiple_of(*scale);
    let (unit, scale) = BYTE_UNITS.iter().find(fits).unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / scale)
}

/// A count exactly, in the largest decimal unit that divides it: `4M`, `1500`.
pub fn canonical_count(count: u64) -> String {
    let fits = |(_, scale): &&(&str, u64)| count != 0 && count.is_multiple_of(*scale);
    let (unit, scale) = COUNT_UNITS.iter().find(fits).unwrap_or(&("", 1));
    format!("{}{unit}", count / scale)
}

/// A duration exactly to the microsecond, in the largest unit that needs no fraction: `10m`, `1500ms`.
pub fn canonical_duration(duration: Duration) -> String {
    let micros = duration.as_micros() as u64;
    let units = [("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000)];
    let fits = |(_, scale): &&(&str, u64)| micros != 0 && micros.is_multiple_of(*scale);
    match units.iter().find(fits) {
        Some((unit, scale)) => format!("{}{unit}", micros / scale),
        None if micros == 0 => "0s".to_owned(),
        None => format!("{micros}us"),
    }
}

/// Three significant digits, without an exponent.
fn three_digits(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 || v == 0.0 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Bytes for people: `12.3 MiB`.
pub fn format_bytes(bytes: f64) -> String {
    let fits = |(_, scale): &&(&str, u64)| bytes.abs() >= *scale as f64 * 0.9995;
    let (unit, scale) = BYTE_UNITS.iter().find(fits).unwrap_or(&("B", 1));
    format!("{} {unit}", three_digits(bytes / *scale as f64))
}

/// A rate for people: `12.3 M operations/s`.
pub fn format_rate(value: f64, unit: &str) -> String {
    let fits = |(_, scale): &&(&str, u64)| value.abs() >= *scale as f64 * 0.9995;
    match COUNT_UNITS.iter().find(fits) {
        Some((prefix, scale)) => format!("{} {prefix} {unit}", three_digits(value / *scale as f64)),
        None => format!("{} {unit}", three_digits(value)),
    }
}

/// Seconds for people: `85 ms`, `12.3 s`, `4 min 10 s`, `2 h 05 min`.
pub fn format_seconds(seconds: f64) -> String {
    match seconds {
        s if s >= 3600.0 => format!("{} h {:02} min", (s / 3600.0) as u64, (s % 3600.0 / 60.0) as u64),
        s if s >= 100.0 => format!("{} min {:02} s", (s / 60.0) as u64, (s % 60.0) as u64),
        s if s >= 1.0 => format!("{} s", three_digits(s)),
        s if s >= 1e-3 => format!("{} ms", three_digits(s * 1e3)),
        s if s >= 1e-6 => format!("{} us", three_digits(s * 1e6)),
        s => format!("{} ns", three_digits(s * 1e9)),
    }
}

/// A share for people: 0.0512 is `5.1 %`.
pub fn format_share(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Changes by more than this factor are told in words: no lab that times trials knows them more closely, and a bound out
/// there says that the data are too few.
pub const LARGEST_FACTOR: f64 = 10.0;

/// A ratio as a change for people: 0.95 is `-5.0 %`, 1.2 is `+20.0 %`. What lies beyond [`LARGEST_FACTOR`] is told in words.
pub fn format_change(ratio: f64) -> String {
    if ratio > LARGEST_FACTOR {
        return "over 10 times".to_owned();
    }
    if ratio < 1.0 / LARGEST_FACTOR {
        return "less than a tenth".to_owned();
    }
    format!("{:+.1} %", (ratio - 1.0) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(parse_bytes("64KiB"), Ok(65_536));
        assert_eq!(parse_bytes("1.5 GiB"), Ok(1_610_612_736));
        assert_eq!(parse_bytes("2GB"), Ok(2_000_000_000));
        assert_eq!(parse_bytes("0"), Ok(0));
        for wrong in ["", "KiB", "12 parsecs", "-1", "1e3", "1.5", "99999999TiB", "..5KiB"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
        assert!(parse_duration("5").is_err());
        assert!(parse_duration("5 fortnights").is_err());
        assert!(parse_duration("99999999999999999999h").is_err());
    }

    #[test]
    fn an_error_is_one_short_line() {
        let long = "x\n".repeat(1000);
        for wrong in ["\n", long.as_str()] {
            for error in [parse_bytes(wrong).unwrap_err(), parse_duration(wrong).unwrap_err()] {
                assert!(error.lines().count() == 1 && error.len() < 300, "{error}");
            }
        }
    }

    #[test]
    fn shares_are_fractions() {
        assert_eq!(parse_share("5%"), Ok(0.05));
        assert_eq!(parse_share("0.05"), Ok(0.05));
        assert!(parse_share("5").is_err());
        assert!(parse_share("-5%").is_err());
    }

    #[test]
    fn canonical_forms_are_read_back() {
        for bytes in [0, 1, 1000, 1024, 65_536, 3 << 30, (1 << 40) + 1] {
            assert_eq!(parse_bytes(&canonical_bytes(bytes)), Ok(bytes));
        }
        for count in [0, 7, 1500, 4_000_000, 1_000_000_007] {
            assert_eq!(parse_count(&canonical_count(count)), Ok(count));
        }
        for micros in [0, 1, 1500, 90_000_000, 3_600_000_000] {
            let duration = Duration::from_micros(micros);
            assert_eq!(parse_duration(&canonical_duration(duration)), Ok(duration));
        }
    }

    #[test]
    fn figures_for_people_are_short() {
        assert_eq!(format_bytes(12_345_678.0), "11.8 MiB");
        assert_eq!(format_bytes(512.0), "512 B");
        assert_eq!(format_rate(12_345_678.0, "operations/s"), "12.3 M operations/s");
        assert_eq!(format_seconds(250.0), "4 min 10 s");
        assert_eq!(format_seconds(0.0853), "85.3 ms");
        assert_eq!(format_change(0.95), "-5.0 %");
    }
}
