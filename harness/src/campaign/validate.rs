//! Whether a manifest holds together. It may come from anywhere: what is built from it relies on this.

use std::collections::BTreeSet;

use crate::format::manifest::Manifest;

/// Most scenarios, candidates and libcs that are taken.
const MOST: usize = 10_000;

/// Checks a manifest.
///
/// # Errors
/// One clause that says what does not hold together.
pub fn check(manifest: &Manifest) -> Result<(), String> {
    let candidates: Vec<&str> = manifest.candidates.iter().map(|c| c.candidate.as_str()).collect();
    let libcs: Vec<&str> = manifest.libcs.iter().map(|libc| libc.name.as_str()).collect();
    let scenarios: Vec<_> = manifest.scenarios.iter().map(|s| (s.workload.as_str(), s.threads)).collect();
    each_once("candidates", &candidates)?;
    each_once("libcs", &libcs)?;
    each_once("scenarios", &scenarios)?;
    if !candidates.contains(&manifest.baseline.as_str()) {
        return Err(format!("the baseline {} is not among the candidates", manifest.baseline));
    }
    if !(manifest.confidence > 0.0 && manifest.confidence < 1.0) {
        return Err(format!("a confidence of {} is none", manifest.confidence));
    }
    Ok(())
}

fn each_once<T: Ord>(what: &str, items: &[T]) -> Result<(), String> {
    if items.is_empty() {
        return Err(format!("it has no {what}"));
    }
    if items.len() > MOST {
        return Err(format!("it has more than {MOST} {what}"));
    }
    if items.iter().collect::<BTreeSet<_>>().len() < items.len() {
        return Err(format!("some of its {what} are there twice"));
    }
    Ok(())
}
