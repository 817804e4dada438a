//! What a run is of: a coded workload, or a model.

use std::fmt;

use arenalab_wire::telemetry::Page;

use crate::engine::{Conductor, Stop};
use crate::heap::Heap;
use crate::model::{self, Model, play};
use crate::spec::Spec;
use crate::workload::{self, Run};

/// Threads of a coded workload where nothing is said.
const THREADS: u32 = 4;

/// What a run is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A coded workload with its parameters.
    Spec(Spec),
    /// A model.
    Model(Box<Model>),
}

impl Subject {
    /// Reads `NAME[:PARAMETER=VALUE,...]` or `model:FILE`; the file's content may be given instead.
    ///
    /// # Errors
    /// One line.
    pub fn read(text: &str, content: Option<&str>) -> Result<Self, String> {
        let file = text.strip_prefix(model::PREFIX);
        let model = match (file, content) {
            (Some(file), Some(content)) => Model::from_text(content, file),
            (Some(file), None) => Model::from_file(file),
            (None, _) => {
                return text.parse().map(Self::Spec).map_err(|why: crate::spec::SpecError| why.to_string());
            }
        };
        model.map(|model| Self::Model(Box::new(model))).map_err(|why| why.to_string())
    }

    /// Its threads where nothing is said.
    pub fn threads(&self) -> u32 {
        match self {
            Self::Spec(_) => THREADS,
            Self::Model(model) => model.threads(),
        }
    }

    /// Whether it can run here with so many threads.
    ///
    /// # Errors
    /// One line.
    pub fn fits(&self, threads: u32) -> Result<(), String> {
        let Self::Model(model) = self else { return Ok(()) };
        model.takes(threads).and_then(|()| model.fits(threads, host_memory())).map_err(|why| why.to_string())
    }

    /// Runs it through all its phases.
    ///
    /// # Errors
    /// When it fails, or the conductor has gone.
    pub fn start<H: Heap>(
        &self,
        (threads, seed): (u32, u64),
        page: &'static Page,
        heap: H,
        conductor: &mut dyn Conductor,
    ) -> Result<(), Stop> {
        match self {
            Self::Spec(spec) => {
                let run = Run { spec: spec.clone(), threads, seed, page };
                workload::start(&run, heap, conductor)
            }
            Self::Model(model) => play::start(model, (threads, seed), page, heap, conductor),
        }
    }
}

/// The canonical form.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(spec) => spec.fmt(f),
            Self::Model(model) => f.write_str(&model.canonical()),
        }
    }
}

/// Bytes of memory of this host.
fn host_memory() -> u64 {
    // SAFETY: sysconf only reads.
    let (pages, size) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    u64::try_from(pages).unwrap_or(0).saturating_mul(u64::try_from(size).unwrap_or(0))
}
