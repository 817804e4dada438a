//! Writes a campaign of made-up figures, to try reports of any size on: `made-up-campaign DIR [CANDIDATES [ROUNDS
//! [NAMES [SEED]]]]`, NAMES one of plain, long, hostile. Its host is called `made-up`, so that nobody takes it for a
//! measurement.

#[path = "../tests/report_fixture/mod.rs"]
#[allow(dead_code, missing_docs)]
mod report_fixture;

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use report_fixture::{Fixture, Shape, build, many, typical, with_twins};
use serde::Serialize;

fn lines<T: Serialize>(path: &Path, lines: &[T]) -> Result<(), Box<dyn Error>> {
    let mut file = BufWriter::new(File::create(path)?);
    for line in lines {
        serde_json::to_writer(&mut file, line)?;
        file.write_all(b"\n")?;
    }
    Ok(file.flush()?)
}

/// Names of 60 characters and more, and names that try to break out of their places.
fn renamed(fixture: &mut Fixture, names: &str) {
    let rename = |name: &mut String| {
        if name.as_str() == "glibc" {
            return;
        }
        *name = match names {
            "long" => format!("{name},{}", "trim_threshold=128KiB,mmap_threshold=1MiB,top_pad=64KiB"),
            "hostile" => format!("{name}<img src=x onerror=alert(1)><b>&\"'|`*_=1+1 \u{540d}"),
            _ => return,
        };
    };
    fixture.manifest.candidates.iter_mut().for_each(|entry| rename(&mut entry.candidate));
    fixture.trials.iter_mut().for_each(|trial| rename(&mut trial.candidate));
    fixture.series.iter_mut().for_each(|series| rename(&mut series.candidate));
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let dir = PathBuf::from(args.first().ok_or("where to?")?);
    let number = |index: usize, default: u32| args.get(index).map_or(Ok(default), |text| text.parse());
    let (count, rounds, shift) = (number(1, 8)?, number(2, 20)?, number(4, 0)?);
    let mut fixture = match count {
        0 => typical(),
        1 => build(&Shape {
            candidates: vec!["glibc".into()],
            scenarios: vec![("larson".into(), 4)],
            rounds,
            series: true,
        }),
        _ => many(count as usize, rounds),
    };
    with_twins(&mut fixture);
    renamed(&mut fixture, args.get(3).map_or("plain", String::as_str));
    "made-up".clone_into(&mut fixture.manifest.host.name);
    fixture.manifest.created_at = format!("2026-11-{:02}T10:00:00Z", 1 + shift % 28);
    for trial in &mut fixture.trials {
        "made-up".clone_into(&mut trial.host);
        if let Some(rss) = &mut trial.rss {
            rss.peak += u64::from(shift) * (2 << 20);
        }
    }
    fs::create_dir_all(&dir)?;
    serde_json::to_writer_pretty(File::create(dir.join("manifest.json"))?, &fixture.manifest)?;
    lines(&dir.join("trials.jsonl"), &fixture.trials)?;
    lines(&dir.join("series.jsonl"), &fixture.series)
}
