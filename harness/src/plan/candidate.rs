//! A candidate: an allocator with its settings, as `ALLOCATOR[:KEY=VALUE[,KEY=VALUE…]]`.
//!
//! `Display` writes the canonical form, in which keys are sorted and values are spelt one way; it is what
//! campaigns are keyed by. What was said explicitly stays, even where it is the allocator's default.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::knowledge::nearest::{quote, suggest};
use crate::knowledge::{self, Passing, Setting, Value, Version, preload};

/// An allocator.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Allocator {
    /// The C library's own.
    Glibc,
    /// jemalloc, as linked into its workload binary.
    Jemalloc,
    /// mimalloc, as linked into its workload binary.
    Mimalloc,
    /// A shared library in front of the C library, by its absolute path.
    Preload(PathBuf),
}

impl Allocator {
    /// Its name: that of its workload binary, and the key of its settings. A preloaded library runs in the
    /// binary that is linked to the system's allocator, and is called `preload` here.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Glibc => "glibc",
            Self::Jemalloc => "jemalloc",
            Self::Mimalloc => "mimalloc",
            Self::Preload(_) => "preload",
        }
    }

    /// The allocator whose settings it takes, by the name of those: of a preloaded library, as far as its file
    /// name tells.
    pub(super) fn known_as(&self) -> &'static str {
        match self {
            Self::Preload(path) => preload::recognise(path).unwrap_or("preload"),
            other => other.name(),
        }
    }

    /// The library of one that is preloaded; an empty path else.
    fn library(&self) -> &Path {
        match self {
            Self::Preload(path) => path,
            _ => Path::new(""),
        }
    }

    /// The workload binary that it runs in: `glibc` for a preloaded library.
    pub const fn binary(&self) -> &'static str {
        match self {
            Self::Preload(_) => "glibc",
            other => other.name(),
        }
    }
}

impl fmt::Display for Allocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preload(path) => write!(f, "preload={}", path.display()),
            other => f.write_str(other.name()),
        }
    }
}

impl FromStr for Allocator {
    type Err = String;

    /// Reads `glibc`, `jemalloc`, `mimalloc` or `preload=/path/lib.so`.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("preload=") {
            preload::check_path(path)?;
            return Ok(Self::Preload(PathBuf::from(path)));
        }
        match text {
            "glibc" => Ok(Self::Glibc),
            "jemalloc" => Ok(Self::Jemalloc),
            "mimalloc" => Ok(Self::Mimalloc),
            "preload" => preload::check_path("").map(|()| Self::Glibc),
            _ => {
                let known = ["glibc", "jemalloc", "mimalloc", "preload=/path/lib.so"];
                Err(format!("no allocator is called {}; {}", quote(text), suggest(text, known)))
            }
        }
    }
}

/// An allocator with its settings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Candidate {
    allocator: Allocator,
    settings: BTreeMap<String, Value>,
}

/// Why a text is no candidate: one line, to be shown as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("candidate {}: {why}", quote(.candidate))]
pub struct CandidateError {
    candidate: String,
    why: String,
}

impl Candidate {
    /// An allocator as it is by itself.
    pub const fn plain(allocator: Allocator) -> Self {
        Self { allocator, settings: BTreeMap::new() }
    }

    /// What others are compared with: the C library's allocator, nothing set.
    pub const fn baseline() -> Self {
        Self::plain(Allocator::Glibc)
    }

    /// glibc with `arena_max` set, or unset for `None`.
    ///
    /// # Errors
    /// When the value is out of range.
    pub fn with_arena_max(arena_max: Option<u32>) -> Result<Self, CandidateError> {
        arena_max.map_or(Ok(Self::baseline()), |max| format!("glibc:arena_max={max}").parse())
    }

    /// The allocator.
    pub const fn allocator(&self) -> &Allocator {
        &self.allocator
    }

    /// The settings by key; of a preloaded library, its variables by name.
    pub const fn settings(&self) -> &BTreeMap<String, Value> {
        &self.settings
    }

    /// One setting's value, where it is given.
    pub fn setting(&self, key: &str) -> Option<&Value> {
        self.settings.get(key)
    }

    /// The settings with what is known of them; none of a preloaded library's variables.
    pub fn known_settings(&self) -> impl Iterator<Item = (&'static Setting, &Value)> {
        let allocator = self.allocator.known_as();
        self.settings.iter().filter_map(move |(key, value)| Some((knowledge::find(allocator, key)?, value)))
    }

    /// `arena_max`, where it is given.
    pub fn arena_max(&self) -> Option<u32> {
        match self.setting("arena_max") {
            Some(Value::Number(max)) => u32::try_from(*max).ok(),
            _ => None,
        }
    }

    /// The same candidate with one setting besides, or another value of it.
    #[must_use]
    pub fn with(&self, key: &str, value: Value) -> Self {
        let mut other = self.clone();
        other.settings.insert(key.to_owned(), value);
        other
    }

    /// The same candidate without one setting.
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        let mut other = self.clone();
        other.settings.remove(key);
        other
    }

    /// The environment that makes it, to be set in one that was scrubbed before
    /// ([`crate::knowledge::scrub`]).
    pub fn env(&self) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        if let Allocator::Preload(path) = &self.allocator {
            env.insert("LD_PRELOAD".to_owned(), path.display().to_string());
            for (name, value) in &self.settings {
                if let Value::Text(text) = value {
                    env.insert(name.clone(), text.clone());
                }
            }
        }
        for (setting, value) in self.known_settings() {
            let text = setting.wire(value);
            match setting.passing {
                Passing::Variable(name) => drop(env.insert(name.to_owned(), text)),
                Passing::Tunable(name) => {
                    append(&mut env, setting.variable(), ':', &format!("{name}={text}"));
                }
                Passing::MallocConf => {
                    append(&mut env, setting.variable(), ',', &format!("{}:{text}", setting.key));
                }
            }
        }
        env
    }

    /// Its place on the allocator's arena axis: the axis, and the value, which is infinite where it is left
    /// at its default. Candidates that differ in nothing else share an axis. `None` for allocators without.
    pub fn rung(&self) -> Option<(String, f64)> {
        let key = match self.allocator {
            Allocator::Glibc => "arena_max",
            Allocator::Jemalloc => "narenas",
            Allocator::Mimalloc | Allocator::Preload(_) => return None,
        };
        let value = match self.setting(key) {
            Some(Value::Number(number)) => *number as f64,
            _ => f64::INFINITY,
        };
        let rest = self.without(key);
        let mut axis = format!("{}:{key}", self.allocator);
        if !rest.settings.is_empty() {
            axis = format!("{axis} with {}", rest.spelt_settings());
        }
        Some((axis, value))
    }

    /// Why it cannot be measured under a version of the C library, if so: a setting that this version
    /// does not have, or no longer heeds.
    pub fn unsupported_by(&self, libc: Version) -> Option<String> {
        if self.allocator != Allocator::Glibc {
            return None;
        }
        self.known_settings().find_map(|(setting, value)| match value {
            Value::Number(number) => knowledge::glibc::without_effect(setting, *number, libc),
            _ => None,
        })
    }

    /// What is not known of it under a version of the C library, in sentences; it is measured all the same.
    pub fn unverified_under(&self, libc: Version) -> Vec<String> {
        let of = |(setting, value): (&Setting, &Value)| match value {
            Value::Number(number) => knowledge::glibc::unverified(setting, *number, libc),
            _ => None,
        };
        let here =
            if self.allocator == Allocator::Glibc { self.known_settings().collect() } else { Vec::new() };
        here.into_iter().filter_map(|(setting, value)| of((setting, value))).collect()
    }

    /// What a reader of its results must know, in sentences; empty for most.
    pub fn caveats(&self) -> Vec<String> {
        let fixed: Vec<_> = (self.known_settings())
            .map(|(setting, _)| setting.key)
            .filter(|key| {
                self.allocator == Allocator::Glibc && knowledge::glibc::STATIC_THRESHOLDS.contains(key)
            })
            .collect();
        let mut caveats: Vec<String> = (self.settings.iter())
            .filter_map(|(name, value)| match (&self.allocator, value) {
                (Allocator::Preload(_), Value::Text(text)) => {
                    preload::caveat(self.allocator.known_as(), name, text)
                }
                _ => None,
            })
            .map(|caveat| format!("{self}: {caveat}"))
            .collect();
        if fixed.is_empty() {
            return caveats;
        }
        caveats.push(format!(
            "{self}: giving {} also stops glibc from adapting mmap_threshold and trim_threshold (malloc/malloc.c, \
             no_dyn_threshold), so it differs from glibc in two ways",
            fixed.join(" and ")
        ));
        caveats
    }

    fn spelt_settings(&self) -> String {
        let allocator = self.allocator.known_as();
        let spelt = self.settings.iter().map(|(key, value)| match (knowledge::find(allocator, key), value) {
            (Some(setting), value) => format!("{key}={}", setting.spell(value)),
            (None, Value::Text(text)) => format!("{key}={}", escape(text)),
            (None, _) => key.clone(),
        });
        spelt.collect::<Vec<_>>().join(",")
    }
}

/// Adds an item to a variable that holds a list.
fn append(env: &mut BTreeMap<String, String>, name: &str, separator: char, item: &str) {
    let list = env.entry(name.to_owned()).or_default();
    if !list.is_empty() {
        list.push(separator);
    }
    list.push_str(item);
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.allocator)?;
        if self.settings.is_empty() { Ok(()) } else { write!(f, ":{}", self.spelt_settings()) }
    }
}

impl FromStr for Candidate {
    type Err = CandidateError;

    fn from_str(text: &str) -> Result<Self, CandidateError> {
        read(text.trim()).map_err(|why| CandidateError { candidate: text.trim().to_owned(), why })
    }
}

fn read(text: &str) -> Result<Candidate, String> {
    if text.chars().any(char::is_control) {
        return Err("it holds a control character".to_owned());
    }
    let (allocator, settings) = match text.split_once(':') {
        Some((_, "")) => {
            return Err("no settings after ':'; write KEY=VALUE, or leave the ':' out".to_owned());
        }
        Some((allocator, settings)) => (allocator.trim(), Some(settings)),
        None => (text, None),
    };
    let mut candidate = Candidate::plain(allocator.parse()?);
    for (key, value) in settings.map_or(Ok(Vec::new()), |text| split(&candidate.allocator, text))? {
        let value = read_setting(&candidate.allocator, &key, &value)?;
        if candidate.settings.insert(key.clone(), value).is_some() {
            return Err(format!("{key} is given twice"));
        }
    }
    match given_both_ways(&candidate) {
        Some(setting) => {
            Err(format!("{} and {}, which carries it, are both given", setting.key, setting.variable()))
        }
        None => Ok(candidate),
    }
}

/// A setting of a preloaded library whose variable is given as such, too.
fn given_both_ways(candidate: &Candidate) -> Option<&'static Setting> {
    let settings = candidate.known_settings().map(|(setting, _)| setting);
    settings.into_iter().find(|setting| candidate.settings.contains_key(setting.variable()))
}

fn read_setting(allocator: &Allocator, key: &str, value: &str) -> Result<Value, String> {
    let known_as = allocator.known_as();
    if let Some(setting) = knowledge::find(known_as, key) {
        return setting.parse(value);
    }
    // Variables are written in capitals; of an allocator that is not known, anything may be one.
    let variable = known_as == "preload" || !key.contains(|c: char| c.is_ascii_lowercase());
    if matches!(allocator, Allocator::Preload(_)) && variable {
        preload::check_name(key)?;
        preload::check_variable(allocator.library(), known_as, key, value)?;
        return Ok(Value::Text(value.to_owned()));
    }
    Err(unknown_key(known_as, key))
}

fn unknown_key(allocator: &str, key: &str) -> String {
    let settings = knowledge::settings(allocator);
    let of_variable = |setting: &&Setting| setting.variable().eq_ignore_ascii_case(key);
    let found: Vec<_> = settings.iter().filter(of_variable).collect();
    if let [setting] = found.as_slice() {
        return format!("{key} is the variable; write the key {}", setting.key);
    }
    let elsewhere = knowledge::ALLOCATORS.iter().find(|(_, known)| known.iter().any(|s| s.key == key));
    let keys = settings.iter().map(|setting| setting.key);
    let hint = suggest(key, keys);
    match elsewhere {
        Some((other, _)) => format!("{allocator} has no setting {key} ({other} has); {hint}"),
        None => format!("{allocator} has no setting {}; {hint}", quote(key)),
    }
}

/// Splits `KEY=VALUE,KEY=VALUE`. In a preloaded library's variables a piece that does not begin with
/// `NAME=` belongs to the value before it (`MALLOC_CONF=narenas:4,tcache:false`); `\\,` is a comma that does
/// not separate and `\\\\` a backslash.
fn split(allocator: &Allocator, text: &str) -> Result<Vec<(String, String)>, String> {
    let free_text = matches!(allocator, Allocator::Preload(_));
    let pieces = if free_text { pieces(text) } else { text.split(',').map(str::to_owned).collect() };
    let mut pairs: Vec<(String, String)> = Vec::new();
    for piece in pieces {
        match (begins_pair(&piece, free_text), pairs.last_mut()) {
            (Some((key, value)), _) => pairs.push((key.to_owned(), value.to_owned())),
            (None, Some((_, value))) if free_text => {
                value.push(',');
                value.push_str(&piece);
            }
            (None, _) => return Err(format!("{} is no KEY=VALUE", quote(&piece))),
        }
    }
    Ok(pairs.into_iter().map(|(key, value)| (key, value.trim().to_owned())).collect())
}

fn begins_pair(piece: &str, free_text: bool) -> Option<(&str, &str)> {
    let (key, value) = piece.split_once('=')?;
    let key = key.trim();
    (!free_text || preload::is_name(key)).then_some((key, value))
}

/// Splits at commas that are not escaped, and takes the escapes out.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let escaped = if c == '\\' { rest.next_if(|next| matches!(next, ',' | '\\')) } else { None };
        match (c, escaped, pieces.last_mut()) {
            (_, Some(literal), Some(piece)) => piece.push(literal),
            (',', None, _) => pieces.push(String::new()),
            (other, None, Some(piece)) => piece.push(other),
            (_, _, None) => {}
        }
    }
    pieces
}

/// The inverse of [`pieces`] for one value.
fn escape(value: &str) -> String {
    let mut pieces = value.split(',');
    let mut escaped = pieces.next().unwrap_or_default().replace('\\', "\\\\");
    for piece in pieces {
        escaped.push_str(if begins_pair(piece, true).is_some() { "\\," } else { "," });
        escaped.push_str(&piece.replace('\\', "\\\\"));
    }
    escaped
}

/// The path of a preloaded library, where the candidate is one.
pub fn preloaded(candidate: &Candidate) -> Option<&Path> {
    match candidate.allocator() {
        Allocator::Preload(path) => Some(path),
        _ => None,
    }
}
