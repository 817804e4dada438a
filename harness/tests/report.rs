//! Reports of synthetic campaigns: what is in the files, that they are well formed, and that nothing from
//! a campaign can break out of its place.

mod report_fixture;

use std::fs;
use std::path::Path;

use arenalab::report::{self, Input, Written};
use report_fixture::{Fixture, many, typical};

fn write(fixture: &Fixture, dir: &Path) -> Written {
    let input = Input {
        manifest: &fixture.manifest,
        decision: &fixture.decision,
        trials: &fixture.trials,
        series: &fixture.series,
        name: "2026-11-22-larson",
    };
    report::write(&input, dir).unwrap()
}

#[test]
fn a_typical_campaign_has_all_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let written = write(&typical(), dir.path());
    for name in ["frontier-larson-4t", "timeline-mailstore-messages-20k-16t", "ladder-larson", "forest-choice"] {
        for extension in ["svg", "png"] {
            let path = dir.path().join(format!("charts/{name}.{extension}"));
            assert!(written.charts.contains(&path), "{}", path.display());
        }
    }
    if let Some(keep) = std::env::var_os("ARENALAB_KEEP_REPORT") {
        write(&typical(), &Path::new(&keep).join("typical"));
        write(&many(60, 3), &Path::new(&keep).join("many"));
    }
    let html = fs::read_to_string(&written.html).unwrap();
    assert!(html.contains("Ship MALLOC_ARENA_MAX=2"));
}
