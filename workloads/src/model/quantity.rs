//! Distributions read from a model file: `size = "4KiB"`, `lifetime = { kind = "exponential", mean = "5ms", max = "1s" }`.

use arenalab_wire::nearest::{quote, suggest};
use arenalab_wire::units;

use super::distribution::{Bin, Distribution};
use super::reader::{ModelError, Reader, Section, Value, number, scalar};
use crate::size_sets::{self, By};

/// Largest object: a gibibyte.
pub(super) const MOST_BYTES: f64 = (1u64 << 30) as f64;
/// Longest life in operations of the owner.
pub(super) const MOST_OPS: f64 = 1e9;
/// Longest life in seconds.
const MOST_SECONDS: f64 = 86_400.0;
/// Least value where its logarithm counts: an operation or a second in a million.
const LEAST: f64 = 1e-6;
/// Most bins of a histogram, and most parts of a mixture.
const MOST_PARTS: usize = 4096;

/// What a distribution is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// Sizes, in bytes.
    Bytes,
    /// Lifetimes, in operations of the owner or in seconds.
    Life,
}

/// The unit that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Bytes,
    Ops,
    Seconds,
}

type Result<T> = std::result::Result<T, ModelError>;

const KINDS: [&str; 9] = [
    "constant",
    "uniform",
    "log-uniform",
    "log-normal",
    "exponential",
    "pareto",
    "histogram",
    "mixture",
    "set",
];

/// Reads distributions of one key, and sees that all their figures have one unit.
pub(super) struct Quantity<'a> {
    reader: Reader<'a>,
    of: Of,
    unit: Option<Unit>,
}

impl<'a> Quantity<'a> {
    pub fn new(reader: Reader<'a>, of: Of) -> Self {
        Self { reader, of, unit: None }
    }

    /// The unit of all that was read.
    pub fn unit(&self) -> Unit {
        self.unit.unwrap_or(if self.of == Of::Bytes { Unit::Bytes } else { Unit::Ops })
    }

    /// One figure.
    fn figure(&mut self, value: &Value<'_>) -> Result<f64> {
        let at = value.span().start;
        let text = scalar(value).map_err(|why| self.reader.error(at, why))?;
        let (figure, unit) = self.parse(&text).map_err(|why| self.reader.error(at, why))?;
        if figure != 0.0 && self.unit.replace(unit).is_some_and(|before| before != unit) {
            let why = "operations and times are mixed in one distribution; use one of them";
            return Err(self.reader.error(at, why));
        }
        let most = match unit {
            Unit::Bytes => MOST_BYTES,
            Unit::Ops => MOST_OPS,
            Unit::Seconds => MOST_SECONDS,
        };
        if !(0.0..=most).contains(&figure) {
            let what = match unit {
                Unit::Bytes => "0 to 1GiB",
                Unit::Ops => "0 to 1G operations",
                Unit::Seconds => "0 to 24h",
            };
            return Err(self.reader.error(at, format!("{} is out of range; it takes {what}", quote(&text))));
        }
        Ok(figure)
    }

    fn parse(&self, text: &str) -> std::result::Result<(f64, Unit), String> {
        if self.of == Of::Bytes {
            return units::parse_bytes(text).map(|bytes| (bytes as f64, Unit::Bytes));
        }
        if let Ok(ops) = number(text) {
            return Ok((ops, Unit::Ops));
        }
        if let Ok(ops) = units::parse_count(text) {
            return Ok((ops as f64, Unit::Ops));
        }
        units::parse_duration(text).map(|time| (time.as_secs_f64(), Unit::Seconds)).map_err(|_| {
            format!("{} is no lifetime; write operations (2000, 50k) or a time (5ms, 1.5s)", quote(text))
        })
    }

    /// A distribution: a figure, or a table with `kind`.
    pub fn read(&mut self, key: &'a str, value: &'a Value<'_>) -> Result<Distribution> {
        if !value.get_ref().is_table() {
            return self.figure(value).map(Distribution::Constant);
        }
        let kind = value.get_ref().as_table().and_then(|table| table.get("kind"));
        let at = value.span().start;
        let Some(kind) = kind else {
            let known = KINDS.join(", ");
            return Err(self.reader.error(at, format!("{key}: the key kind is missing; known: {known}")));
        };
        let name = scalar(kind).map_err(|why| self.reader.error(at, why))?;
        let section = |keys: &[&str]| Section::of(self.reader, key, value, keys);
        match name.as_str() {
            "constant" => {
                let section = section(&["kind", "value"])?;
                self.of_key(&section, "value").map(Distribution::Constant)
            }
            "uniform" => {
                let section = section(&["kind", "min", "max"])?;
                let (min, max) = self.bounds(&section)?;
                Ok(Distribution::Uniform { min, max })
            }
            "log-uniform" => self.log_uniform(&section(&["kind", "min", "max"])?),
            "log-normal" => self.log_normal(&section(&["kind", "median", "sigma", "min", "max"])?),
            "exponential" => {
                let section = section(&["kind", "mean", "max"])?;
                let (mean, max) = (self.of_key(&section, "mean")?, self.of_key(&section, "max")?);
                Ok(Distribution::Exponential { mean, max })
            }
            "pareto" => {
                self.pareto(&section(&["kind", "min", "alpha", "location", "scale", "shape", "max"])?)
            }
            "histogram" => self.histogram(&section(&["kind", "bins"])?),
            "mixture" => self.mixture(key, &section(&["kind", "parts"])?),
            "set" => self.set(&section(&["kind", "name", "by"])?),
            unknown => {
                let why = format!("unknown kind {}; {}", quote(unknown), suggest(unknown, KINDS));
                Err(self.reader.error(kind.span().start, why))
            }
        }
    }

    fn of_key(&mut self, section: &Section<'a, '_>, key: &str) -> Result<f64> {
        let value = section.required(key, section.get(key))?;
        self.figure(value)
    }

    fn bounds(&mut self, section: &Section<'a, '_>) -> Result<(f64, f64)> {
        let (min, max) = (self.of_key(section, "min")?, self.of_key(section, "max")?);
        if min > max {
            return Err(section.wrong_at("min", "it is above max"));
        }
        Ok((min, max))
    }

    fn log_uniform(&mut self, section: &Section<'a, '_>) -> Result<Distribution> {
        let (min, max) = self.bounds(section)?;
        if min < LEAST {
            let why = format!("a logarithm needs a min above 0, {LEAST} or more");
            return Err(section.wrong_at("min", why));
        }
        Ok(Distribution::LogUniform { min, max })
    }

    fn log_normal(&mut self, section: &Section<'a, '_>) -> Result<Distribution> {
        let median = self.of_key(section, "median")?;
        let max = self.of_key(section, "max")?;
        let min = if section.has("min") { self.of_key(section, "min")? } else { 0.0 };
        let sigma = section.number("sigma", 0.0, 10.0)?;
        let sigma = section.required("sigma", sigma)?;
        if !(min <= median && median <= max && median > 0.0) {
            return Err(section.wrong_at("median", "it must be above 0 and between min and max"));
        }
        Ok(Distribution::LogNormal { median, sigma, min, max })
    }

    /// Pareto's own (`min`, `alpha`) or the generalised form (`location`, `scale`, `shape`).
    fn pareto(&mut self, section: &Section<'a, '_>) -> Result<Distribution> {
        let max = self.of_key(section, "max")?;
        let (location, scale, shape) = if section.has("alpha") || section.has("min") {
            if let Some(key) = ["location", "scale", "shape"].into_iter().find(|key| section.has(key)) {
                return Err(section.wrong_at(key, "give min and alpha, or location, scale and shape"));
            }
            let min = self.of_key(section, "min")?;
            let alpha = section.number("alpha", 0.05, 100.0)?;
            let alpha = section.required("alpha", alpha)?;
            (min, min / alpha, 1.0 / alpha)
        } else {
            let location = if section.has("location") { self.of_key(section, "location")? } else { 0.0 };
            let shape = section.number("shape", 0.01, 20.0)?;
            (location, self.of_key(section, "scale")?, section.required("shape", shape)?)
        };
        if location > max || scale <= 0.0 {
            return Err(section.wrong("it needs a scale above 0 and a max above its smallest value"));
        }
        Ok(Distribution::Pareto { location, scale, shape, max })
    }

    /// `bins = [[VALUE, WEIGHT], [LOW, HIGH, WEIGHT]]`.
    fn histogram(&mut self, section: &Section<'a, '_>) -> Result<Distribution> {
        let bins = section.required("bins", section.get("bins"))?;
        let form = "write bins = [[VALUE, WEIGHT], [LOW, HIGH, WEIGHT]], 1 to 4096 of them";
        let list = bins.get_ref().as_array().filter(|list| (1..=MOST_PARTS).contains(&list.len()));
        let list = list.ok_or_else(|| section.wrong_at("bins", form))?;
        let mut read = Vec::with_capacity(list.len());
        for bin in list {
            let at = bin.span().start;
            let wrong = |why: String| self.reader.error(at, why);
            let parts: Vec<&Value<'_>> =
                bin.get_ref().as_array().map(|parts| parts.iter().collect()).unwrap_or_default();
            let (low, high, weight) = match parts.as_slice() {
                [value, weight] => (*value, *value, *weight),
                [low, high, weight] => (*low, *high, *weight),
                _ => return Err(wrong(form.to_owned())),
            };
            let weight = scalar(weight).and_then(|text| number(&text)).map_err(wrong)?;
            let (low, high) = (self.figure(low)?, self.figure(high)?);
            if low > high || !(0.0..=1e12).contains(&weight) {
                return Err(self.reader.error(at, "a bin needs LOW up to HIGH and a weight from 0 to 1e12"));
            }
            read.push(Bin { low, high, weight });
        }
        if read.iter().all(|bin| bin.weight <= 0.0) {
            return Err(section.wrong_at("bins", "all weights are 0"));
        }
        Ok(Distribution::Histogram(read))
    }

    /// `parts = [{ weight = 3, kind = ... }, ...]`; parts are not mixtures themselves.
    fn mixture(&mut self, key: &'a str, section: &Section<'a, '_>) -> Result<Distribution> {
        let parts = section.list("parts", "parts = [{ weight = 3, of = ... }]")?;
        if parts.is_empty() || parts.len() > 64 {
            return Err(section.wrong("a mixture has 1 to 64 parts: parts = [{ weight = 3, of = ... }]"));
        }
        let mut read = Vec::with_capacity(parts.len());
        for part in parts {
            let part = Section::of(self.reader, "part", part, &["weight", "of"])?;
            let weight = part.number("weight", 0.0, 1e12)?;
            let weight = part.required("weight", weight)?;
            let of = part.required("of", part.get("of"))?;
            let of = self.read(key, of)?;
            if matches!(of, Distribution::Mixture(_)) {
                return Err(part.wrong_at("of", "a part of a mixture is no mixture"));
            }
            read.push((weight, of));
        }
        if read.iter().all(|(weight, _)| *weight <= 0.0) {
            return Err(section.wrong_at("parts", "all weights are 0"));
        }
        Ok(Distribution::Mixture(read))
    }

    /// A published set of sizes by name.
    fn set(&mut self, section: &Section<'a, '_>) -> Result<Distribution> {
        if self.of != Of::Bytes {
            return Err(section.wrong("named sets are of sizes"));
        }
        let name = section.text("name")?;
        let name = section.required("name", name)?;
        let set = size_sets::find(&name).ok_or_else(|| {
            let known = size_sets::ALL.iter().map(|set| set.name);
            section.wrong_at("name", format!("no set {}; {}", quote(&name), suggest(&name, known)))
        })?;
        let by = section.word("by", &[("allocated", By::Allocated), ("live", By::Live)])?;
        if by == By::Live && !set.tells_live() {
            return Err(section.wrong_at("by", format!("the set {name} does not tell what is alive")));
        }
        self.unit = Some(Unit::Bytes);
        Ok(set.distribution(by))
    }
}
