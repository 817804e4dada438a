//! What `export --format json` prints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// A row a trial.
    Trials,
    /// A row a candidate in a scenario.
    Standings,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Exported {
    /// [`super::FORMAT`] of the writer.
    pub format: u32,
    /// What the rows are.
    pub what: What,
    /// The columns, in the order of CSV and Markdown.
    pub columns: Vec<ColumnNote>,
    /// The rows: values by column; `null` where unknown.
    pub rows: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ColumnNote {
    /// Its name. A unit ends the name of a figure that has one.
    pub name: String,
    /// What it holds.
    pub meaning: String,
}
