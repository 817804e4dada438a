//! A plan file read. Each key is read by the same function as the flag of that name; every error tells
//! file and line.

use std::sync::Arc;

use arenalab_workloads::model::PREFIX;
use arenalab_workloads::spec::{Spec, SpecError};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::knowledge::nearest::{quote, suggest};

use super::candidate::{Allocator, Candidate};
use super::draft::Draft;
use super::{PlanError, PlannedLibc, PlannedWorkload, fields};

mod program;

const SECTIONS: [&str; 4] = ["choose", "measure", "sweep", "workload"];
const SWEEP: [&str; 6] = ["allocators", "arena_max", "baseline", "candidates", "libcs", "threads"];
const MEASURE: [&str; 10] = [
    "cpus",
    "idle",
    "memory_limit",
    "objective",
    "rounds",
    "seed",
    "strategy",
    "time_budget",
    "timeout",
    "trim",
];
const CHOOSE: [&str; 6] =
    ["accept_busy_host", "confidence", "max_p99_loss", "max_rss", "max_throughput_loss", "tolerance"];

/// Reads what a plan file says.
///
/// # Errors
/// One line that begins with file and line.
pub fn draft(text: &str, file: &str) -> Result<Draft, PlanError> {
    let reader = Reader { text, file };
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let what = error.message().lines().collect::<Vec<_>>().join(", ");
        reader.error(at, format!("not TOML: {what}"))
    })?;
    let mut draft = Draft::default();
    for (key, value) in in_order(document.get_ref()) {
        let at = key.span().start;
        match key.get_ref().as_ref() {
            "workload" => reader.workloads(&mut draft, value)?,
            "sweep" => reader.section(&mut draft, value, "sweep", &SWEEP, sweep)?,
            "measure" => reader.section(&mut draft, value, "measure", &MEASURE, measure)?,
            "choose" => reader.section(&mut draft, value, "choose", &CHOOSE, choose)?,
            unknown => {
                let what = match section_of(unknown) {
                    Some(section) => format!("key {unknown} belongs under [{section}]"),
                    None => format!("unknown key {}; {}", quote(unknown), suggest(unknown, SECTIONS)),
                };
                return Err(reader.error(at, what));
            }
        }
    }
    Ok(draft)
}

fn section_of(key: &str) -> Option<&'static str> {
    let sections: [(&str, &[&str]); 3] = [("sweep", &SWEEP), ("measure", &MEASURE), ("choose", &CHOOSE)];
    sections.into_iter().find(|(_, keys)| keys.contains(&key)).map(|(section, _)| section)
}

/// A table's entries in the order of the file, so that the first mistake is the one that is told.
fn in_order<'a, 'i>(
    table: &'a DeTable<'i>,
) -> Vec<(&'a Spanned<std::borrow::Cow<'i, str>>, &'a Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// Reads the items of one key into the draft.
type Setter = fn(&mut Draft, &str, &Items) -> Result<(), Wrong>;

/// A mistake at a place of the text.
struct Wrong {
    at: usize,
    what: String,
}

/// The text and its name, for errors.
struct Reader<'a> {
    text: &'a str,
    file: &'a str,
}

impl Reader<'_> {
    fn error(&self, at: usize, what: String) -> PlanError {
        let before = self.text.get(..at).unwrap_or(self.text);
        PlanError::at(self.file, before.matches('\n').count() + 1, what)
    }

    fn table<'a, 'i>(
        &self,
        value: &'a Spanned<DeValue<'i>>,
        name: &str,
    ) -> Result<&'a DeTable<'i>, PlanError> {
        value.get_ref().as_table().ok_or_else(|| {
            let written = if name == "workload" { "[[workload]]".to_owned() } else { format!("[{name}]") };
            self.error(value.span().start, format!("{name} must be a table; write {written}"))
        })
    }

    fn section(
        &self,
        draft: &mut Draft,
        value: &Spanned<DeValue<'_>>,
        section: &str,
        keys: &[&str],
        set: Setter,
    ) -> Result<(), PlanError> {
        for (key, value) in in_order(self.table(value, section)?) {
            let name = key.get_ref().as_ref();
            if !keys.contains(&name) {
                let hint = match section_of(name) {
                    Some(other) => format!("it belongs under [{other}]"),
                    None => suggest(name, keys.iter().copied()),
                };
                let what = format!("unknown key {} in [{section}]; {hint}", quote(name));
                return Err(self.error(key.span().start, what));
            }
            let items = Items::of(name, value).map_err(|wrong| self.error(wrong.at, wrong.what))?;
            set(draft, name, &items).map_err(|wrong| self.error(wrong.at, wrong.what))?;
        }
        Ok(())
    }

    fn workloads(&self, draft: &mut Draft, value: &Spanned<DeValue<'_>>) -> Result<(), PlanError> {
        let Some(list) = value.get_ref().as_array() else {
            return Err(
                self.error(value.span().start, "workload must be a list; write [[workload]]".to_owned())
            );
        };
        for entry in list {
            draft.workloads.push(self.workload(entry)?);
        }
        Ok(())
    }

    fn workload(&self, entry: &Spanned<DeValue<'_>>) -> Result<PlannedWorkload, PlanError> {
        let table = self.table(entry, "workload")?;
        let at = |key: &str| table.get_key_value(key).map(|(key, _)| key.span().start);
        if table.contains_key("command") {
            return self.program(entry, table).map(|program| PlannedWorkload::Program(Arc::new(program)));
        }
        let of_program = table.keys().map(|key| key.get_ref().as_ref()).find(|key| program::is_key(key));
        if let Some(key) = of_program {
            let what = format!("{key} is for a program of your own, which needs a command as well");
            return Err(self.error(at(key).unwrap_or(0), what));
        }
        let Some(name) = table.get("name") else {
            return Err(self.error(entry.span().start, "this [[workload]] has no name".to_owned()));
        };
        if let Some(file) = name.get_ref().as_str().and_then(|name| name.strip_prefix(PREFIX)) {
            return self.model(table, name.span().start, file);
        }
        let spelt = self.plain_text(name, "name")?;
        let mut spec: Spec = self.said(name, spelt.parse())?;
        let mut parameters = Vec::new();
        for (key, value) in in_order(table) {
            let key = key.get_ref().as_ref();
            if key == "name" {
                continue;
            }
            let text = self.plain_text(value, key)?;
            self.said(value, spec.set(key, &text))?;
            parameters.push(format!("{key}={text}"));
        }
        if !parameters.is_empty() {
            // Once more as a whole: what the parameters must hold together.
            spec = self.said(entry, format!("{spelt}:{}", parameters.join(",")).parse())?;
        }
        Ok(PlannedWorkload::BuiltIn(spec))
    }

    /// A model: its content where the plan has it, else the file that is to be read.
    fn model(&self, table: &DeTable<'_>, at: usize, file: &str) -> Result<PlannedWorkload, PlanError> {
        for (key, value) in in_order(table) {
            match key.get_ref().as_ref() {
                "name" => {}
                "content" => {
                    let content = scalar(value).map_err(|why| self.error(value.span().start, why))?;
                    return PlannedWorkload::model(&content, file)
                        .map_err(|why| self.error(value.span().start, why));
                }
                unknown => {
                    let known = suggest(unknown, ["name", "content"]);
                    let what = format!("unknown key {} of a model; {known}", quote(unknown));
                    return Err(self.error(key.span().start, what));
                }
            }
        }
        PlannedWorkload::named(&format!("{PREFIX}{file}")).map_err(|why| self.error(at, why))
    }

    fn said<T>(&self, value: &Spanned<DeValue<'_>>, result: Result<T, SpecError>) -> Result<T, PlanError> {
        result.map_err(|why| self.error(value.span().start, why.to_string()))
    }

    /// A scalar without the characters that separate parameters.
    fn plain_text(&self, value: &Spanned<DeValue<'_>>, key: &str) -> Result<String, PlanError> {
        let at = value.span().start;
        let text = scalar(value).map_err(|why| self.error(at, format!("{}: {why}", quote(key))))?;
        if text.contains(|c: char| matches!(c, ',' | '=' | ':') || c.is_control()) || key.contains([',', '='])
        {
            return Err(
                self.error(at, format!("{} is {}, which is no single value", quote(key), quote(&text)))
            );
        }
        Ok(text)
    }
}

/// A key's value: one item, or a list of them, each as text with its place.
struct Items {
    at: usize,
    texts: Vec<(usize, String)>,
    is_list: bool,
}

impl Items {
    fn of(key: &str, value: &Spanned<DeValue<'_>>) -> Result<Self, Wrong> {
        let item = |value: &Spanned<DeValue<'_>>| {
            let at = value.span().start;
            scalar(value).map(|text| (at, text)).map_err(|why| Wrong { at, what: format!("{key}: {why}") })
        };
        let list = value.get_ref().as_array();
        let texts = match list {
            Some(list) => list.iter().map(item).collect::<Result<_, _>>()?,
            None => vec![item(value)?],
        };
        Ok(Self { at: value.span().start, texts, is_list: list.is_some() })
    }

    fn one<T>(&self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, Wrong> {
        let what = match (self.is_list, self.texts.as_slice()) {
            (false, [(_, text)]) => match read(text) {
                Ok(value) => return Ok(Some(value)),
                Err(what) => what,
            },
            _ => format!("{key} takes one value, not a list"),
        };
        Err(Wrong { at: self.at, what })
    }

    fn all<T, E: ToString>(
        &self,
        key: &str,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<Vec<T>>, Wrong> {
        if self.texts.is_empty() {
            let what = format!("{key} is empty; give at least one value, or leave the key out");
            return Err(Wrong { at: self.at, what });
        }
        let read =
            |(at, text): &(usize, String)| read(text).map_err(|why| Wrong { at: *at, what: why.to_string() });
        self.texts.iter().map(read).collect::<Result<_, _>>().map(Some)
    }
}

/// A value that is no list and no table, as the text that a flag would have.
fn scalar(value: &Spanned<DeValue<'_>>) -> Result<String, String> {
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

fn sweep(draft: &mut Draft, key: &str, items: &Items) -> Result<(), Wrong> {
    match key {
        "threads" => draft.threads = items.all(key, fields::threads)?,
        "allocators" => draft.axes.allocators = items.all(key, str::parse::<Allocator>)?,
        "baseline" => draft.baseline = items.one(key, fields::candidate)?,
        "arena_max" => draft.axes.arena_max = items.all(key, fields::arena_max)?,
        "libcs" => draft.libcs = items.all(key, PlannedLibc::parse)?,
        _ => draft.axes.candidates = items.all(key, str::parse::<Candidate>)?,
    }
    Ok(())
}

fn measure(draft: &mut Draft, key: &str, items: &Items) -> Result<(), Wrong> {
    match key {
        "rounds" => draft.rounds = items.one(key, fields::rounds)?,
        "objective" => draft.objective = items.one(key, fields::objective)?,
        "idle" => draft.idle = items.one(key, fields::idle)?,
        "memory_limit" => draft.memory_limit = items.one(key, fields::memory_limit)?,
        "cpus" => draft.cpus = items.one(key, fields::cpus)?,
        "trim" => draft.trim = items.one(key, fields::trim)?,
        "timeout" => draft.timeout = items.one(key, fields::timeout)?,
        "strategy" => draft.strategy = items.one(key, fields::strategy)?,
        "time_budget" => draft.time_budget = items.one(key, fields::time_budget)?,
        _ => draft.seed = items.one(key, fields::seed)?,
    }
    Ok(())
}

fn choose(draft: &mut Draft, key: &str, items: &Items) -> Result<(), Wrong> {
    match key {
        "max_throughput_loss" => draft.max_throughput_loss = items.one(key, fields::max_throughput_loss)?,
        "max_p99_loss" => draft.max_p99_loss = items.one(key, fields::max_p99_loss)?,
        "max_rss" => draft.max_rss = items.one(key, fields::max_rss)?,
        "accept_busy_host" => draft.accept_busy_host = items.one(key, fields::accept_busy_host)?,
        "tolerance" => draft.tolerance = items.one(key, fields::tolerance)?,
        _ => draft.confidence = items.one(key, fields::confidence)?,
    }
    Ok(())
}
