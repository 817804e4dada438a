//! The lines that apply a choice, as it was measured in a campaign.

use crate::format::decision::Apply;
use crate::format::manifest::Manifest;
use crate::plan::{Candidate, apply};

/// The lines for a candidate; `None` for what is none. Into a program of the user's an allocator of ours was
/// preloaded, and that is what is shipped.
pub fn lines(manifest: &Manifest, candidate: &str) -> Option<Apply> {
    // From the candidate's own words, never from variables that stand in a file.
    let candidate: Candidate = candidate.parse().ok()?;
    let allocator = candidate.allocator().name();
    let library = manifest.binaries.get(&format!("preload:{allocator}"));
    let library = library.and_then(|library| library.path.as_deref());
    Some(apply::lines_of_program(allocator, &candidate.env(), library))
}
