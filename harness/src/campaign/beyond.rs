//! Memory beyond resident sizes that is part of the figures: pages of hugetlbfs, and what was swapped out. Pure.

use std::collections::BTreeMap;

use crate::format::trial::{Rss, Status, TrialRecord};
use crate::units::format_bytes;

/// Less than this share of a figure is not worth a word.
const SLIGHT: f64 = 0.01;

/// A sentence for each candidate whose memory lies in part beyond resident sizes.
pub fn notes(trials: &[TrialRecord]) -> Vec<String> {
    let mut by_candidate: BTreeMap<&str, Vec<&Rss>> = BTreeMap::new();
    for trial in trials.iter().filter(|trial| trial.status == Status::Ok && !trial.twin) {
        by_candidate.entry(&trial.candidate).or_default().extend(&trial.rss);
    }
    by_candidate.into_iter().filter_map(|(candidate, all)| note(candidate, &all)).collect()
}

fn note(candidate: &str, all: &[&Rss]) -> Option<String> {
    let end = median(all, |rss| rss.end);
    let part = |figure: fn(&Rss) -> u64, place: &str| {
        let bytes = median(all, figure);
        (bytes as f64 > end as f64 * SLIGHT).then(|| format!("{} {place}", format_bytes(bytes as f64)))
    };
    let huge = part(|rss| rss.hugetlb.unwrap_or(0), "in huge pages (hugetlbfs)");
    let swap = part(|rss| rss.swap.unwrap_or(0), "swapped out");
    let parts: Vec<String> = huge.into_iter().chain(swap).collect();
    (!parts.is_empty()).then(|| {
        format!(
            "{candidate}: of its {} at the end, {} (median): no RSS counts that, and it is in all figures of memory here",
            format_bytes(end as f64),
            parts.join(" and ")
        )
    })
}

fn median(all: &[&Rss], figure: fn(&Rss) -> u64) -> u64 {
    let mut values: Vec<u64> = all.iter().map(|rss| figure(rss)).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::fixture;

    #[test]
    fn memory_in_huge_pages_and_in_swap_is_named() {
        let rss = |hugetlb: u64, swap: u64| -> Rss {
            serde_json::from_value(serde_json::json!({
                "peak": 110 << 20, "mean": 90 << 20, "end": 100 << 20, "drained": null, "lazy_free": null,
                "anon_huge": null, "pss": null, "swap": swap, "hugetlb": hugetlb, "samples": 9, "reading_s": 0.0,
                "source": "a test",
            }))
            .unwrap()
        };
        let mut trial = TrialRecord { rss: Some(rss(0, 4096)), ..fixture::trial("glibc") };
        let plain = notes(std::slice::from_ref(&trial));
        assert!(plain.is_empty(), "{plain:?}");
        trial.rss = Some(rss(80 << 20, 4 << 20));
        let told = notes(&[trial]).remove(0);
        assert!(
            told.contains(
                "of its 100 MiB at the end, 80.0 MiB in huge pages (hugetlbfs) and 4.00 MiB swapped out"
            ),
            "{told}"
        );
    }
}
