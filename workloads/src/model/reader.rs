//! Tables of a model file, read with their places: every mistake is one line, `file:line: reason`.

use std::borrow::Cow;
use std::fmt;

use arenalab_wire::nearest::{quote, suggest};
use arenalab_wire::units;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Why a file is no model. Displays as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelError(pub(super) String);

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ModelError {}

type Result<T> = std::result::Result<T, ModelError>;

/// A value with its place.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// The text and its name.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub text: &'a str,
    pub file: &'a str,
}

impl<'a> Reader<'a> {
    /// The document.
    pub fn parse(self) -> Result<Spanned<DeTable<'a>>> {
        DeTable::parse(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let what = error.message().lines().collect::<Vec<_>>().join(", ");
            self.error(at, format!("not TOML: {what}"))
        })
    }

    /// A mistake at a byte of the text.
    pub fn error(self, at: usize, what: impl fmt::Display) -> ModelError {
        let before = self.text.get(..at).unwrap_or(self.text);
        ModelError(format!("{}:{}: {what}", self.file, before.matches('\n').count() + 1))
    }
}

/// A table of the file, of which only known keys are accepted.
pub(super) struct Section<'a, 'i> {
    pub reader: Reader<'a>,
    /// What it is, for messages: `[[class]]`, `size`.
    what: &'a str,
    table: &'a DeTable<'i>,
    at: usize,
}

impl<'a, 'i> Section<'a, 'i> {
    /// A table that has no other keys than `keys`.
    pub fn new(
        reader: Reader<'a>,
        what: &'a str,
        table: &'a DeTable<'i>,
        at: usize,
        keys: &[&str],
    ) -> Result<Self> {
        let mut unknown: Vec<&Spanned<Cow<'_, str>>> =
            table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())).collect();
        unknown.sort_by_key(|key| key.span().start);
        if let Some(key) = unknown.first() {
            let name = key.get_ref().as_ref();
            let what =
                format!("unknown key {} in {what}; {}", quote(name), suggest(name, keys.iter().copied()));
            return Err(reader.error(key.span().start, what));
        }
        Ok(Self { reader, what, table, at })
    }

    /// A value that must be a table.
    pub fn of(reader: Reader<'a>, what: &'a str, value: &'a Value<'i>, keys: &[&str]) -> Result<Self> {
        let at = value.span().start;
        let table = value.get_ref().as_table();
        let table = table.ok_or_else(|| reader.error(at, format!("{what} must be a table")))?;
        Self::new(reader, what, table, at, keys)
    }

    pub fn get(&self, key: &str) -> Option<&'a Value<'i>> {
        self.table.get(key)
    }

    /// Whether a key is there.
    pub fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// A mistake of the whole section.
    pub fn wrong(&self, why: impl fmt::Display) -> ModelError {
        self.reader.error(self.at, format!("{}: {why}", self.what))
    }

    /// A mistake of one key's value.
    pub fn wrong_at(&self, key: &str, why: impl fmt::Display) -> ModelError {
        let at = self.get(key).map_or(self.at, |value| value.span().start);
        self.reader.error(at, format!("{key}: {why}"))
    }

    fn read<T>(&self, key: &str, read: impl Fn(&str) -> std::result::Result<T, String>) -> Result<Option<T>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        scalar(value).and_then(|text| read(&text)).map(Some).map_err(|why| self.wrong_at(key, why))
    }

    /// Text, where the key is there.
    pub fn text(&self, key: &str) -> Result<Option<String>> {
        self.read(key, |text| Ok(text.to_owned()))
    }

    /// A name: letters, digits, `-`, `_` and `.`, 1 to 40 of them.
    pub fn name(&self, key: &str) -> Result<Option<String>> {
        self.read(key, |text| {
            let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if !text.is_empty() && text.len() <= 40 && text.chars().all(fine) {
                return Ok(text.to_owned());
            }
            Err(format!("{} is no name; use letters, digits, '-', '_' and '.', 40 at most", quote(text)))
        })
    }

    /// A number from `least` to `most`.
    pub fn number(&self, key: &str, least: f64, most: f64) -> Result<Option<f64>> {
        let Some(number) = self.read(key, number)? else { return Ok(None) };
        self.in_range(key, number, least, most).map(Some)
    }

    fn in_range(&self, key: &str, number: f64, least: f64, most: f64) -> Result<f64> {
        if number >= least && number <= most {
            return Ok(number);
        }
        // Large ones with their power of ten, not with all their digits.
        let shown = if number.abs() > 1e15 { format!("{number:e}") } else { number.to_string() };
        Err(self.wrong_at(key, format!("{shown} is out of range; it takes {least} to {most}")))
    }

    /// A count such as `200` or `"4M"`, from `least` to `most`.
    pub fn count(&self, key: &str, least: u64, most: u64) -> Result<Option<u64>> {
        let Some(count) = self.read(key, units::parse_count)? else { return Ok(None) };
        if (least..=most).contains(&count) {
            return Ok(Some(count));
        }
        let range = format!("{} to {}", units::canonical_count(least), units::canonical_count(most));
        Err(self.wrong_at(key, format!("{count} is out of range; it takes {range}")))
    }

    /// Bytes such as `64` or `"64KiB"`, from `least` to `most`.
    pub fn bytes(&self, key: &str, least: u64, most: u64) -> Result<Option<u64>> {
        let Some(bytes) = self.read(key, units::parse_bytes)? else { return Ok(None) };
        if (least..=most).contains(&bytes) {
            return Ok(Some(bytes));
        }
        let range = format!("{} to {}", units::canonical_bytes(least), units::canonical_bytes(most));
        Err(self.wrong_at(key, format!("{bytes} is out of range; it takes {range}")))
    }

    /// A share such as `"30%"` or `0.3`.
    pub fn share(&self, key: &str) -> Result<Option<f64>> {
        let Some(share) = self.read(key, units::parse_share)? else { return Ok(None) };
        self.in_range(key, share, 0.0, 1.0).map(Some)
    }

    /// A duration such as `"1.5s"`, in seconds, above 0 and at most a day.
    pub fn seconds(&self, key: &str) -> Result<Option<f64>> {
        let Some(time) = self.read(key, units::parse_duration)? else { return Ok(None) };
        self.in_range(key, time.as_secs_f64(), 1e-6, 86_400.0).map(Some)
    }

    /// A switch.
    pub fn flag(&self, key: &str) -> Result<bool> {
        let read = |text: &str| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(format!("{} is neither true nor false", quote(other))),
        };
        Ok(self.read(key, read)?.unwrap_or(false))
    }

    /// One of a few words; the first where the key is missing.
    pub fn word<T: Copy>(&self, key: &str, known: &[(&str, T)]) -> Result<T> {
        let read = |text: &str| {
            let found = known.iter().find(|(name, _)| *name == text);
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            found.map(|(_, value)| *value).ok_or_else(|| format!("{}; {}", quote(text), suggest(text, names)))
        };
        Ok(self.read(key, read)?.unwrap_or(known[0].1))
    }

    /// What a key must have.
    pub fn required<T>(&self, key: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.wrong(format!("the key {key} is missing")))
    }

    /// The entries of a list, in their order; empty where the key is missing. `form` says how it is written.
    pub fn list(&self, key: &str, form: &str) -> Result<Vec<&'a Value<'i>>> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let list = value.get_ref().as_array();
        let list = list.ok_or_else(|| self.wrong_at(key, format!("must be a list; write {form}")))?;
        Ok(list.iter().collect())
    }

    /// The tables of a list such as `[[class]]`.
    pub fn tables(&self, key: &str) -> Result<Vec<&'a Value<'i>>> {
        self.list(key, &format!("[[{key}]]"))
    }

    /// A mistake of one table of such a list: at its key `own`, or at its header where that is missing.
    pub fn wrong_in(&self, list: &str, place: usize, own: &str, why: impl fmt::Display) -> ModelError {
        let tables = self.tables(list).unwrap_or_default();
        let Some(value) = tables.get(place) else { return self.wrong_at(list, why) };
        let key = value.get_ref().as_table().and_then(|table| table.get(own));
        self.reader.error(key.unwrap_or(value).span().start, format!("{list}: {why}"))
    }
}

/// A plain number.
pub(super) fn number(text: &str) -> std::result::Result<f64, String> {
    let read = text.trim().replace('_', "").parse::<f64>().ok().filter(|number| number.is_finite());
    read.ok_or_else(|| format!("{} is no number", quote(text)))
}

/// A value that is no list and no table, as text.
pub(super) fn scalar(value: &Value<'_>) -> std::result::Result<String, String> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.as_ref().to_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(|number| number.to_string())
            .map_err(|_| "the number is too large".to_owned()),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        DeValue::Boolean(on) => Ok(on.to_string()),
        other => Err(format!("expected text or a number, found {}", other.type_str())),
    }
}
