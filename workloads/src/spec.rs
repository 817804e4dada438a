//! A workload with its parameters as text: `larson:size_max=500,slots=2k`, read and written.

use std::fmt;
use std::str::FromStr;

use arenalab_wire::nearest::suggest;
use arenalab_wire::units;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::catalogue::{self, Description, Kind, Param};

/// A workload and the value of each of its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    description: &'static Description,
    /// In the order of `description.params`.
    values: Vec<u64>,
}

/// Why a text is no workload. Displays as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError(String);

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SpecError {}

impl Spec {
    /// A workload with its defaults.
    pub fn new(description: &'static Description) -> Self {
        Self { description, values: description.params.iter().map(|param| param.default).collect() }
    }

    /// What it is.
    pub fn description(&self) -> &'static Description {
        self.description
    }

    /// The workload's name.
    pub fn name(&self) -> &'static str {
        self.description.name
    }

    /// The value of a parameter.
    ///
    /// # Panics
    /// Where the workload has no such parameter: a defect of the caller.
    pub fn get(&self, param: &str) -> u64 {
        let place = self.description.params.iter().position(|known| known.name == param);
        self.values[place.unwrap_or_else(|| panic!("{} has no parameter '{param}'", self.name()))]
    }

    /// Sets a parameter from text.
    ///
    /// # Errors
    /// For an unknown parameter, a value that cannot be read, or one out of range.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SpecError> {
        let params = self.description.params;
        let Some(place) = params.iter().position(|param| param.name == name) else {
            let known = params.iter().map(|param| param.name);
            let error = format!("{} has no parameter '{name}'; {}", self.name(), suggest(name, known));
            return Err(SpecError(error));
        };
        self.values[place] = read(self.name(), &params[place], value)?;
        Ok(())
    }

    /// What is called `x_min` or `x_median` must not be above `x_max`.
    fn check_ranges(&self) -> Result<(), SpecError> {
        for param in self.description.params {
            let stem = param.name.strip_suffix("_min").or_else(|| param.name.strip_suffix("_median"));
            let Some(stem) = stem else { continue };
            let Some(top) = self.description.param(&format!("{stem}_max")) else { continue };
            let (low, high) = (self.get(param.name), self.get(top.name));
            if low > high {
                return Err(SpecError(format!(
                    "{}: {} ({}) is above {} ({})",
                    self.name(),
                    param.name,
                    written(param, low),
                    top.name,
                    written(top, high)
                )));
            }
        }
        Ok(())
    }

    /// Shares of one whole must not exceed it.
    fn check_shares(&self) -> Result<(), SpecError> {
        let shares: Vec<_> = self.description.params.iter().filter(|param| param.share).collect();
        let total: u64 = shares.iter().map(|param| self.get(param.name)).sum();
        if total <= 100 {
            return Ok(());
        }
        let listed: Vec<_> =
            shares.iter().map(|p| format!("{}={}", p.name, written(p, self.get(p.name)))).collect();
        Err(SpecError(format!(
            "{}: {} are shares of all operations and add up to {total}%; they may have 100% at most",
            self.name(),
            listed.join(", ")
        )))
    }
}

fn read(workload: &str, param: &Param, text: &str) -> Result<u64, SpecError> {
    let value = match param.kind {
        Kind::Bytes => units::parse_bytes(text),
        Kind::Count => units::parse_count(text),
        Kind::Percent => {
            let number = text.trim().trim_end_matches('%').trim();
            number
                .parse()
                .map_err(|_| format!("'{text}' is not a percentage; write a whole number such as 10%"))
        }
    };
    let value = value.map_err(|error| SpecError(format!("{workload}: {}: {error}", param.name)))?;
    if (param.min..=param.max).contains(&value) {
        return Ok(value);
    }
    Err(SpecError(format!(
        "{workload}: {}={} is out of range; it takes {} to {}",
        param.name,
        text.trim(),
        written(param, param.min),
        written(param, param.max)
    )))
}

/// A value exactly, as `read` takes it back.
pub fn written(param: &Param, value: u64) -> String {
    match param.kind {
        Kind::Percent => format!("{value}%"),
        Kind::Count => units::canonical_count(value),
        Kind::Bytes => {
            let text = units::canonical_bytes(value);
            // Plain bytes need no unit: `500`, but `64KiB`.
            text.strip_suffix('B').filter(|rest| !rest.ends_with('i')).map(str::to_owned).unwrap_or(text)
        }
    }
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (name, params) = match text.split_once(':') {
            Some((name, params)) => (name.trim(), Some(params)),
            None => (text.trim(), None),
        };
        let Some(description) = catalogue::find(name) else {
            let known = catalogue::all().iter().filter(|known| !known.hidden).map(|known| known.name);
            return Err(SpecError(format!("there is no workload '{name}'; {}", suggest(name, known))));
        };
        let mut spec = Self::new(description);
        let mut seen: Vec<&str> = Vec::new();
        for part in params.into_iter().flat_map(|params| params.split(',')) {
            let Some((key, value)) = part.split_once('=') else {
                let error = format!("{name}: '{part}' is not of the form parameter=value");
                return Err(SpecError(error));
            };
            let key = key.trim();
            if seen.contains(&key) {
                return Err(SpecError(format!("{name}: the parameter '{key}' is given twice")));
            }
            seen.push(key);
            spec.set(key, value)?;
        }
        spec.check_ranges()?;
        spec.check_shares()?;
        Ok(spec)
    }
}

/// The canonical form: what differs from the defaults, sorted by name.
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.description.params.iter().zip(&self.values);
        let mut set: Vec<_> = values.filter(|(param, value)| param.default != **value).collect();
        set.sort_by_key(|(param, _)| param.name);
        f.write_str(self.name())?;
        for (place, (param, value)) in set.into_iter().enumerate() {
            let separator = if place == 0 { ':' } else { ',' };
            write!(f, "{separator}{}={}", param.name, written(param, *value))?;
        }
        Ok(())
    }
}

impl Serialize for Spec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Spec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wrong(text: &str) -> String {
        text.parse::<Spec>().unwrap_err().to_string()
    }

    #[test]
    fn the_canonical_form_names_what_differs() {
        let canonical = |text: &str| text.parse::<Spec>().unwrap().to_string();
        assert_eq!(canonical("larson"), "larson");
        assert_eq!(canonical("larson:size_max=500"), "larson:size_max=500");
        assert_eq!(canonical("larson:size_max=500B, ops=2000k"), "larson:ops=2M,size_max=500");
        assert_eq!(canonical("churn:warmup=10%"), "churn");
        assert_eq!(canonical("churn:warmup=20,size_max=128K"), "churn:size_max=128KiB,warmup=20%");
    }

    #[test]
    fn mistakes_are_named_with_what_would_be_right() {
        assert_eq!(wrong("larsen"), "there is no workload 'larsen'; did you mean larson?");
        assert!(wrong("zzz").contains("known: larson"), "{}", wrong("zzz"));
        assert!(!wrong("zzz").contains("selftest"));
        assert_eq!(wrong("larson:sise_max=5"), "larson has no parameter 'sise_max'; did you mean size_max?");
        assert_eq!(wrong("larson:size_max"), "larson: 'size_max' is not of the form parameter=value");
        assert_eq!(wrong("larson:ops=1,ops=2"), "larson: the parameter 'ops' is given twice");
        assert_eq!(wrong("larson:touch=3"), "larson: touch=3 is out of range; it takes 0 to 2");
        assert!(wrong("larson:size_max=many").starts_with("larson: size_max: 'many' is not a size"));
        assert_eq!(
            wrong("churn:calloc=60%,realloc=60%"),
            "churn: calloc=60%, realloc=60%, aligned=2% are shares of all operations and add up to 122%; they may \
             have 100% at most"
        );
        assert!("churn:calloc=49%,realloc=49%,warmup=100%".parse::<Spec>().is_ok());
        assert!(wrong("churn:warmup=200%").contains("it takes 0% to 100%"));
        assert_eq!(
            wrong("larson:size_min=200,size_max=100"),
            "larson: size_min (200) is above size_max (100)"
        );
        assert_eq!(
            wrong("mail-server:body_max=1KiB"),
            "mail-server: body_median (4KiB) is above body_max (1KiB)"
        );
    }

    proptest! {
        #[test]
        fn canonical_forms_are_read_back(which in 0..catalogue::all().len(), draws in prop::collection::vec(any::<u64>(), 24)) {
            let mut spec = Spec::new(&catalogue::all()[which]);
            for ((param, value), draw) in spec.description.params.iter().zip(&mut spec.values).zip(draws) {
                let top = param.max.min(1 << 50);
                *value = param.min + draw % (top - param.min + 1);
            }
            prop_assume!(spec.check_ranges().is_ok() && spec.check_shares().is_ok());
            prop_assert_eq!(spec.to_string().parse::<Spec>(), Ok(spec));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = text.parse::<Spec>();
            let _ = format!("churn:{text}").parse::<Spec>();
        }
    }
}
