//! Values of settings: read from what a user writes, written in one canonical way, and in the way the
//! allocator wants them.

use super::nearest::{quote, suggest};
use super::{Kind, Passing, Setting, Unset};
use crate::units;

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A count, bytes or milliseconds.
    Number(i64),
    /// On or off.
    Switch(bool),
    /// One of a fixed set of words.
    Word(&'static str),
    /// Free text: a variable of a preloaded library.
    Text(String),
}

impl Setting {
    /// Reads a value.
    ///
    /// # Errors
    /// One clause that names the setting and says what it takes.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        match self.kind {
            Kind::Switch => self.parse_switch(text),
            Kind::Choice(words) => self.parse_choice(text, words),
            Kind::Count | Kind::Bytes { .. } | Kind::Millis => self.parse_number(text),
        }
    }

    fn parse_switch(&self, text: &str) -> Result<Value, String> {
        match text {
            "true" | "1" | "on" | "yes" => Ok(Value::Switch(true)),
            "false" | "0" | "off" | "no" => Ok(Value::Switch(false)),
            _ => Err(format!("{} is {}, but must be true or false", self.key, quote(text))),
        }
    }

    fn parse_choice(&self, text: &str, words: &'static [&'static str]) -> Result<Value, String> {
        words.iter().find(|word| **word == text).map(|word| Value::Word(word)).ok_or_else(|| {
            let near = suggest(text, words.iter().copied());
            format!("{} is {}, which is no choice of it; {near}", self.key, quote(text))
        })
    }

    fn parse_number(&self, text: &str) -> Result<Value, String> {
        let number = self.read_number(text)?;
        if number == 0 && self.zero_is_ignored {
            let variable = self.variable();
            return Err(format!(
                "glibc silently ignores {variable}=0; give {key} from 1, or leave {key} out for glibc's own limit",
                key = self.key
            ));
        }
        if !(self.min..=self.max).contains(&number) {
            return Err(format!("{} is {text}, but must be {}", self.key, self.range()));
        }
        if let Kind::Bytes { step } = self.kind
            && number % step != 0
        {
            let step = units::canonical_bytes(step.unsigned_abs());
            return Err(format!("{} is {text}, but must be a whole multiple of {step}", self.key));
        }
        Ok(Value::Number(number))
    }

    fn read_number(&self, text: &str) -> Result<i64, String> {
        if let Ok(plain) = text.parse::<i64>() {
            return Ok(plain);
        }
        let read = match self.kind {
            Kind::Bytes { .. } => units::parse_bytes(text),
            Kind::Millis => units::parse_duration(text).map(|duration| duration.as_millis() as u64),
            _ => units::parse_count(text),
        };
        let read = read.map_err(|_| {
            format!("{} is {}, which is no {}; it takes {}", self.key, quote(text), self.noun(), self.range())
        })?;
        Ok(i64::try_from(read).unwrap_or(i64::MAX))
    }

    fn noun(&self) -> &'static str {
        match self.kind {
            Kind::Bytes { .. } => "size",
            Kind::Millis => "time",
            Kind::Count => "whole number",
            Kind::Switch => "switch",
            Kind::Choice(_) => "choice",
        }
    }

    /// What the setting takes, in words: `from 1 to 65536`, `true or false`.
    pub fn range(&self) -> String {
        let never = if self.min == -1 { " (-1: see its description)" } else { "" };
        match self.kind {
            Kind::Switch => "true or false".to_owned(),
            Kind::Choice(words) => words.join(", "),
            Kind::Count => format!("from {} to {}", self.min, self.max),
            Kind::Millis => format!("milliseconds from {} to {}{never}", self.min, self.max),
            Kind::Bytes { .. } => {
                format!("from {} to {}", self.spell_number(self.min), self.spell_number(self.max))
            }
        }
    }

    /// Writes a value in the one canonical way that [`Setting::parse`] reads back.
    pub fn spell(&self, value: &Value) -> String {
        match value {
            Value::Number(number) => self.spell_number(*number),
            other => spell_plain(other),
        }
    }

    fn spell_number(&self, number: i64) -> String {
        match (self.kind, u64::try_from(number)) {
            (Kind::Bytes { .. }, Ok(bytes)) => units::canonical_bytes(bytes),
            _ => number.to_string(),
        }
    }

    /// Writes a value as the allocator reads it from the environment, and as it reports it when asked.
    pub fn wire(&self, value: &Value) -> String {
        match (value, self.kind, self.passing) {
            // mimalloc's sizes are kept in KiB; with the unit written out no version can misread them.
            (Value::Number(number), Kind::Bytes { step: 1024 }, _) => format!("{}KiB", number / 1024),
            (Value::Switch(on), _, Passing::Variable(_)) => i32::from(*on).to_string(),
            (other, _, _) => spell_plain(other),
        }
    }

    /// Whether the allocator, asked for its effective value, answers with this one. `reported` is as the
    /// workload binary tells it (`identify`): sizes in bytes, switches as true and false or 1 and 0.
    pub fn agrees(&self, value: &Value, reported: &str) -> bool {
        match (value, reported.trim()) {
            (Value::Switch(on), "true" | "1") => *on,
            (Value::Switch(on), "false" | "0") => !*on,
            (Value::Number(number), reported) => reported.parse() == Ok(*number),
            (other, reported) => reported == spell_plain(other),
        }
    }

    /// Whether a value is what the allocator does anyway, on every host.
    pub fn is_unset_value(&self, value: &Value) -> bool {
        match (self.unset, value) {
            (Unset::Number(default), Value::Number(number)) => default == *number,
            (Unset::Number(default), Value::Switch(on)) => (default != 0) == *on,
            (Unset::Word(default), Value::Word(word)) => default == *word,
            _ => false,
        }
    }

    /// What the allocator does when nothing is said, in words.
    pub fn unset_words(&self) -> String {
        match (self.unset, self.kind) {
            (Unset::Number(number), Kind::Switch) => (number != 0).to_string(),
            (Unset::Number(number), _) => self.spell_number(number),
            (Unset::Word(text) | Unset::Depends(text), _) => text.to_owned(),
        }
    }
}

fn spell_plain(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Switch(on) => on.to_string(),
        Value::Word(word) => (*word).to_owned(),
        Value::Text(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;

    #[test]
    fn values_go_to_the_allocator_in_its_own_spelling() {
        let wire = |allocator, key, text: &str| {
            let setting = find(allocator, key).unwrap();
            setting.wire(&setting.parse(text).unwrap())
        };
        assert_eq!(wire("glibc", "trim_threshold", "128KiB"), "131072");
        assert_eq!(wire("jemalloc", "background_thread", "on"), "true");
        assert_eq!(wire("jemalloc", "dirty_decay_ms", "5s"), "5000");
        assert_eq!(wire("jemalloc", "dirty_decay_ms", "-1"), "-1");
        assert_eq!(wire("mimalloc", "purge_decommits", "false"), "0");
        assert_eq!(wire("mimalloc", "arena_reserve", "64MiB"), "65536KiB");
    }

    #[test]
    fn a_report_agrees_or_does_not() {
        let reserve = find("mimalloc", "arena_reserve").unwrap();
        assert!(reserve.agrees(&Value::Number(64 << 20), "67108864"));
        assert!(!reserve.agrees(&Value::Number(64 << 20), "65536"));
        let thread = find("jemalloc", "background_thread").unwrap();
        assert!(thread.agrees(&Value::Switch(true), "true") && thread.agrees(&Value::Switch(true), "1"));
        assert!(!thread.agrees(&Value::Switch(true), "false") && !thread.agrees(&Value::Switch(true), ""));
    }
}
