//! A campaign as a table for spreadsheets and scripts: a row a trial, or a row a standing. Unknown is an
//! empty cell (`null` in JSON), never 0.

mod columns;
mod standings;
mod trials;

pub use columns::{Column, Value};

use std::io::{self, Write};

use super::Input;
use crate::format::FORMAT;
use crate::format::export::{Exported, What};

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values (RFC 4180), with a heading.
    Csv,
    /// A table in Markdown.
    Markdown,
    /// One JSON document.
    Json,
}

/// The columns of a table, in order.
pub fn columns(what: What) -> Vec<Column> {
    match what {
        What::Trials => trials::COLUMNS.iter().map(|column| column.0).collect(),
        What::Standings => standings::COLUMNS.iter().map(|column| column.0).collect(),
    }
}

/// Writes the rows of all campaigns, one after the other.
///
/// # Errors
/// What the writer said.
pub fn write(campaigns: &[Input], what: What, format: Format, out: &mut impl Write) -> io::Result<()> {
    let rows = campaigns.iter().flat_map(|input| match what {
        What::Trials => trials::rows(input),
        What::Standings => standings::rows(input),
    });
    match format {
        Format::Csv => csv(&columns(what), rows, out),
        Format::Markdown => markdown(&columns(what), rows, out),
        Format::Json => json(what, rows, out),
    }
}

fn csv(columns: &[Column], rows: impl Iterator<Item = Vec<Value>>, out: &mut impl Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(columns.iter().map(|column| column.name))?;
    for row in rows {
        writer.write_record(row.iter().map(Value::for_spreadsheets))?;
    }
    writer.flush()
}

fn markdown(
    columns: &[Column],
    rows: impl Iterator<Item = Vec<Value>>,
    out: &mut impl Write,
) -> io::Result<()> {
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    writeln!(out, "| {} |\n|{}", names.join(" | "), "---|".repeat(names.len()))?;
    for row in rows {
        let cells: Vec<String> = row.iter().map(|value| super::markdown::text(&value.plain())).collect();
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    Ok(())
}

fn json(what: What, rows: impl Iterator<Item = Vec<Value>>, out: &mut impl Write) -> io::Result<()> {
    let columns = columns(what);
    let object = |row: Vec<Value>| {
        columns
            .iter()
            .map(|column| column.name.to_owned())
            .zip(row.into_iter().map(Value::into_json))
            .collect()
    };
    let exported = Exported {
        format: FORMAT,
        what,
        columns: columns.iter().map(Column::described).collect(),
        rows: rows.map(object).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &exported)?;
    writeln!(out)
}
