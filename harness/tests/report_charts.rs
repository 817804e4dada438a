//! Every kind of chart looks as it did: each is drawn from made-up figures, and compared with a small committed
//! picture by structural similarity (SSIM; Wang and others, 2004). To accept a change after having looked at it:
//! `UPDATE_CHARTS=1 cargo test -p arenalab --test report_charts`.

#[allow(dead_code)]
mod report_fixture;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arenalab::decide::compare::{Side, compare};
use arenalab::decide::from_trials::from_trials;
use arenalab::decide::question::Question;
use arenalab::report::{self, Input, Report, Step};
use report_fixture::{Fixture, typical, with_twins};

/// Device pixels of the drawing in one of the reference.
const SHRUNK: usize = 3;
/// The least similarity: 1 is the same. Another version of a library that rounds otherwise stays far above.
const LEAST: f64 = 0.985;
/// The least similarity of any part of the picture.
const LEAST_ANYWHERE: f64 = 0.5;

/// A picture in grey.
struct Grey {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

fn read(path: &Path) -> Grey {
    let mut reader = png::Decoder::new(File::open(path).unwrap()).read_info().unwrap();
    let mut raw = vec![0; reader.output_buffer_size()];
    let info = reader.next_frame(&mut raw).unwrap();
    let grey =
        |p: &[u8]| ((u32::from(p[0]) * 299 + u32::from(p[1]) * 587 + u32::from(p[2]) * 114) / 1000) as u8;
    let pixels = match info.color_type {
        png::ColorType::Grayscale => raw,
        png::ColorType::Rgb => raw.chunks(3).map(grey).collect(),
        other => panic!("{}: {other:?}", path.display()),
    };
    Grey { width: info.width as usize, height: info.height as usize, pixels }
}

impl Grey {
    /// Each pixel is the mean of a square.
    fn shrunk(&self) -> Self {
        let (width, height) = (self.width / SHRUNK, self.height / SHRUNK);
        let mean = |x: usize, y: usize| {
            let square = (0..SHRUNK).flat_map(|dy| (0..SHRUNK).map(move |dx| (dx, dy)));
            let sum: usize = square
                .map(|(dx, dy)| usize::from(self.pixels[(y * SHRUNK + dy) * self.width + x * SHRUNK + dx]))
                .sum();
            (sum / (SHRUNK * SHRUNK)) as u8
        };
        let pixels =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| mean(x, y)).collect();
        Self { width, height, pixels }
    }

    fn write(&self, path: &Path) {
        let mut encoder =
            png::Encoder::new(File::create(path).unwrap(), self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_compression(png::Compression::Best);
        encoder.write_header().unwrap().write_image_data(&self.pixels).unwrap();
    }

    fn window(&self, left: usize, top: usize) -> impl Iterator<Item = f64> {
        (top..top + WINDOW)
            .flat_map(move |y| (left..left + WINDOW).map(move |x| (x, y)))
            .map(|(x, y)| f64::from(self.pixels[y * self.width + x]))
    }
}

const WINDOW: usize = 8;

/// Mean and least structural similarity over windows that overlap by half.
fn similarity(a: &Grey, b: &Grey) -> (f64, f64) {
    let places = |most: usize| (0..=most.saturating_sub(WINDOW)).step_by(WINDOW / 2);
    let (mut sum, mut count, mut least) = (0.0, 0.0, 1.0f64);
    for top in places(a.height) {
        for left in places(a.width) {
            let own =
                of_window(&a.window(left, top).collect::<Vec<_>>(), &b.window(left, top).collect::<Vec<_>>());
            (sum, count, least) = (sum + own, count + 1.0, least.min(own));
        }
    }
    (sum / count, least)
}

fn of_window(a: &[f64], b: &[f64]) -> f64 {
    let (c1, c2) = ((0.01 * 255.0f64).powi(2), (0.03 * 255.0f64).powi(2));
    let n = a.len() as f64;
    let (ma, mb) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let over = |x: &[f64], mx: f64, y: &[f64], my: f64| {
        x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>() / (n - 1.0)
    };
    let (va, vb, cov) = (over(a, ma, a, ma), over(b, mb, b, mb), over(a, ma, b, mb));
    ((2.0 * ma * mb + c1) * (2.0 * cov + c2)) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
}

fn input<'a>(fixture: &'a Fixture, name: &'a str) -> Input<'a> {
    Input {
        manifest: &fixture.manifest,
        decision: &fixture.decision,
        trials: &fixture.trials,
        series: &fixture.series,
        name,
    }
}

/// Three campaigns of which each takes more memory than the one before, the last on another host.
fn drawn(dir: &Path) {
    let campaigns: Vec<Fixture> = (0..3u64)
        .map(|day| {
            let mut fixture = typical();
            with_twins(&mut fixture);
            fixture.manifest.created_at = format!("2026-11-{:02}T10:00:00Z", day + 1);
            let host = if day < 2 { "lab" } else { "other" };
            host.clone_into(&mut fixture.manifest.host.name);
            for trial in &mut fixture.trials {
                trial.rss.as_mut().unwrap().peak += day * (4 << 20);
            }
            for level in fixture
                .decision
                .scenarios
                .iter_mut()
                .flat_map(|s| &mut s.standings)
                .filter_map(|s| s.rss.as_mut())
            {
                let more = (day * (4 << 20)) as f64;
                (level.estimate, level.low, level.high) =
                    (level.estimate + more, level.low + more, level.high + more);
            }
            fixture
        })
        .collect();
    let (a, b) = (&campaigns[0], &campaigns[1]);
    let (seen_a, seen_b) = (from_trials(&a.trials, &a.manifest), from_trials(&b.trials, &b.manifest));
    let side = |manifest, seen| Side { manifest, seen, libc: None };
    let outcome = compare(&side(&a.manifest, &seen_a), &side(&b.manifest, &seen_b), &Question::default());
    let steps =
        [Step { before: "one".into(), after: "two".into(), outcome: outcome.map_err(|why| why.to_string()) }];
    let inputs: Vec<Input> =
        campaigns.iter().zip(["one", "two", "three"]).map(|(f, name)| input(f, name)).collect();
    report::write_report(&Report { campaigns: &inputs, steps: &steps, command: "" }, dir).unwrap();
}

/// One of each kind.
const CHARTS: [&str; 8] = [
    "c1-anatomy-larson-16t",
    "c1-forest-larson-4t",
    "c1-frontier-larson-16t",
    "c1-growth-larson",
    "c1-ladder-larson",
    "c1-latency-larson-4t",
    "c1-timeline-larson-4t",
    "history-larson-4t",
];

fn reference(name: &str) -> PathBuf {
    let name = name.trim_start_matches("c1-");
    let kind = name.split('-').next().unwrap();
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts").join(format!("{kind}.png"))
}

/// What is wrong with a picture, against its reference.
fn judged(drawn: &Grey, expected: &Grey) -> Result<(f64, f64), String> {
    if (drawn.width, drawn.height) != (expected.width, expected.height) {
        return Err(format!(
            "{} x {}, not {} x {}",
            drawn.width, drawn.height, expected.width, expected.height
        ));
    }
    let (mean, least) = similarity(drawn, expected);
    if mean < LEAST || least < LEAST_ANYWHERE {
        return Err(format!("similarity {mean:.4}, somewhere {least:.4}"));
    }
    Ok((mean, least))
}

#[test]
fn every_kind_of_chart_looks_as_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("report");
    drawn(&out);
    let mut wrong = Vec::new();
    for name in CHARTS.into_iter().chain(["step-1"]) {
        let drawn = read(&out.join(format!("charts/{name}.png"))).shrunk();
        let path = reference(name);
        if std::env::var_os("UPDATE_CHARTS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            drawn.write(&path);
        }
        match judged(&drawn, &read(&path)) {
            Ok((mean, least)) => println!("{name}: {mean:.4}, least {least:.4}"),
            Err(why) => wrong.push(format!("{name}: {why}")),
        }
    }
    assert!(wrong.is_empty(), "{}; look at the charts, then UPDATE_CHARTS=1", wrong.join("; "));
}

/// The comparison sees what a reader would: a label gone, a mark elsewhere; and not what none would.
#[test]
fn the_comparison_sees_what_a_reader_sees() {
    let whole = || read(&reference("frontier-x"));
    let (expected, mut noisy, mut blank, mut moved) = (whole(), whole(), whole(), whole());
    for (index, pixel) in noisy.pixels.iter_mut().enumerate() {
        *pixel = pixel.saturating_add((index % 3) as u8).saturating_sub(1);
    }
    assert!(judged(&noisy, &expected).is_ok(), "the last bit of every pixel");
    let dark = |p: &Grey| p.pixels.iter().position(|pixel| *pixel < 60).unwrap();
    let (at, width) = (dark(&blank), blank.width);
    for row in 0..12 {
        let start = (at / width + row) * width;
        blank.pixels[start..start + width].fill(255);
    }
    assert!(judged(&blank, &expected).is_err(), "a line of text gone");
    moved.pixels.rotate_right(4);
    assert!(judged(&moved, &expected).is_err(), "all of it four pixels aside");
}
