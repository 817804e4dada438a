//! Columns and cells.

use crate::format::export::ColumnNote;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its heading. A unit ends the name of a figure that has one.
    pub name: &'static str,
    /// What it holds.
    pub meaning: &'static str,
}

impl Column {
    /// As it is written in JSON.
    pub fn described(&self) -> ColumnNote {
        ColumnNote { name: self.name.to_owned(), meaning: self.meaning.to_owned() }
    }
}

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Unknown.
    None,
    /// A text, which may come from anywhere.
    Text(String),
    /// A count, or bytes.
    Whole(u64),
    /// A figure.
    Figure(f64),
    /// Yes or no.
    Flag(bool),
}

impl Value {
    /// As text; empty where unknown.
    pub fn plain(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Text(text) => text.clone(),
            Self::Whole(count) => count.to_string(),
            Self::Figure(figure) => figure.to_string(),
            Self::Flag(flag) => flag.to_string(),
        }
    }

    /// As text that no spreadsheet takes for a formula: a text that begins like one is led by an apostrophe
    /// (OWASP, "CSV Injection").
    pub fn for_spreadsheets(&self) -> String {
        let plain = self.plain();
        let formula = plain.trim_start_matches(' ').starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
        match self {
            Self::Text(_) if formula => format!("'{plain}"),
            _ => plain,
        }
    }

    /// As JSON; figures that are not finite are unknown.
    pub fn into_json(self) -> serde_json::Value {
        match self {
            Self::None => serde_json::Value::Null,
            Self::Text(text) => text.into(),
            Self::Whole(count) => count.into(),
            Self::Figure(figure) => figure.into(),
            Self::Flag(flag) => flag.into(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Whole(count)
    }
}

impl From<u32> for Value {
    fn from(count: u32) -> Self {
        Self::Whole(count.into())
    }
}

impl From<f64> for Value {
    fn from(figure: f64) -> Self {
        if figure.is_finite() { Self::Figure(figure) } else { Self::None }
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(known: Option<T>) -> Self {
        known.map_or(Self::None, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_taken_for_a_formula_and_no_number_for_a_text() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1"] {
            assert_eq!(Value::from(text).for_spreadsheets(), format!("'{text}"));
        }
        assert_eq!(Value::from("glibc:arena_max=2").for_spreadsheets(), "glibc:arena_max=2");
        assert_eq!(Value::from(-0.5).for_spreadsheets(), "-0.5");
    }

    #[test]
    fn unknown_is_empty_and_never_0() {
        assert_eq!(Value::from(None::<u64>).plain(), "");
        assert_eq!(Value::from(f64::NAN), Value::None);
        assert_eq!(Value::from(Some(0u64)).plain(), "0");
    }
}
