//! A plan file read. Each key is read by the same function as the flag of that name; every error tells
//! file and line.

use arenalab_workloads::spec::{Spec, SpecError};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::knowledge::nearest::{quote, suggest};

use super::candidate::{Allocator, Candidate};
use super::draft::Draft;
use super::{PlanError, PlannedWorkload, fields};

const SECTIONS: [&str; 4] = ["choose", "measure", "sweep", "workload"];
const SWEEP: [&str; 4] = ["allocators", "arena_max", "candidates", "threads"];
const MEASURE: [&str; 5] = ["idle", "objective", "rounds", "seed", "timeout"];
const CHOOSE: [&str; 4] = ["confidence", "max_p99_loss", "max_rss", "max_throughput_loss"];

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
type Setter = fn(&mut Draft, &str, &Items) -> Result<(), String>;

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
            let items =
                Items::of(value).map_err(|why| self.error(value.span().start, format!("{name}: {why}")))?;
            set(draft, name, &items).map_err(|why| self.error(value.span().start, why))?;
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
        let Some(name) = table.get("name") else {
            return Err(self.error(entry.span().start, "this [[workload]] has no name".to_owned()));
        };
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

/// A key's value: one item, or a list of them, as text.
struct Items {
    texts: Vec<String>,
    is_list: bool,
}

impl Items {
    fn of(value: &Spanned<DeValue<'_>>) -> Result<Self, String> {
        match value.get_ref().as_array() {
            Some(list) => {
                let texts = list.iter().map(scalar).collect::<Result<_, _>>()?;
                Ok(Self { texts, is_list: true })
            }
            None => Ok(Self { texts: vec![scalar(value)?], is_list: false }),
        }
    }

    fn one(&self, key: &str) -> Result<&str, String> {
        match (self.is_list, self.texts.as_slice()) {
            (false, [text]) => Ok(text),
            _ => Err(format!("{key} takes one value, not a list")),
        }
    }

    fn all<T, E: ToString>(&self, key: &str, read: impl Fn(&str) -> Result<T, E>) -> Result<Vec<T>, String> {
        if self.texts.is_empty() {
            return Err(format!("{key} is empty; give at least one value, or leave the key out"));
        }
        self.texts.iter().map(|text| read(text).map_err(|why| why.to_string())).collect()
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

fn sweep(draft: &mut Draft, key: &str, items: &Items) -> Result<(), String> {
    match key {
        "threads" => draft.threads = Some(items.all(key, fields::threads)?),
        "allocators" => draft.axes.allocators = Some(items.all(key, str::parse::<Allocator>)?),
        "arena_max" => draft.axes.arena_max = Some(items.all(key, fields::arena_max)?),
        _ => draft.axes.candidates = Some(items.all(key, str::parse::<Candidate>)?),
    }
    Ok(())
}

fn measure(draft: &mut Draft, key: &str, items: &Items) -> Result<(), String> {
    let text = items.one(key)?;
    match key {
        "rounds" => draft.rounds = Some(fields::rounds(text)?),
        "objective" => draft.objective = Some(fields::objective(text)?),
        "idle" => draft.idle = Some(fields::idle(text)?),
        "timeout" => draft.timeout = Some(fields::timeout(text)?),
        _ => draft.seed = Some(fields::seed(text)?),
    }
    Ok(())
}

fn choose(draft: &mut Draft, key: &str, items: &Items) -> Result<(), String> {
    let text = items.one(key)?;
    match key {
        "max_throughput_loss" => draft.max_throughput_loss = Some(fields::max_throughput_loss(text)?),
        "max_p99_loss" => draft.max_p99_loss = Some(fields::max_p99_loss(text)?),
        "max_rss" => draft.max_rss = Some(fields::max_rss(text)?),
        _ => draft.confidence = Some(fields::confidence(text)?),
    }
    Ok(())
}
