//! The committed JSON Schemas are those of the code. To write them anew after a change:
//! `UPDATE_SCHEMAS=1 cargo test -p arenalab --test schemas`.

use std::path::Path;

use arenalab::format::{
    compare::Compared, decision::Decision, export::Exported, inspect::Inspected, manifest::Manifest,
    predict::Predicted, rehearse::Rehearsal, series::Series, step::Step, trial::TrialRecord, watch::Watched,
};
use schemars::{JsonSchema, schema_for};

#[track_caller]
fn is_committed<T: JsonSchema>(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas").join(format!("{name}.schema.json"));
    let schema = serde_json::to_string_pretty(&schema_for!(T)).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == schema, "{} is not the code's: UPDATE_SCHEMAS=1 writes it anew", path.display());
}

#[test]
fn of_the_manifest() {
    is_committed::<Manifest>("manifest");
}

#[test]
fn of_a_trial() {
    is_committed::<TrialRecord>("trial");
}

#[test]
fn of_a_series() {
    is_committed::<Series>("series");
}

#[test]
fn of_a_prediction() {
    is_committed::<Predicted>("predict");
}

#[test]
fn of_the_end_of_a_watch() {
    is_committed::<Watched>("watch");
}

#[test]
fn of_a_step() {
    is_committed::<Step>("step");
}

#[test]
fn of_a_comparison() {
    is_committed::<Compared>("compare");
}

#[test]
fn of_a_table() {
    is_committed::<Exported>("export");
}

#[test]
fn of_a_rehearsal() {
    is_committed::<Rehearsal>("rehearsal");
}

#[test]
fn of_a_look_at_a_process() {
    is_committed::<Inspected>("inspect");
}

#[test]
fn of_a_decision() {
    is_committed::<Decision>("decision");
}
