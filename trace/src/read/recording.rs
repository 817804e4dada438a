//! A recording: a directory with a file for each process, whole or compressed.

use std::format;
use std::io::Read;
use std::path::Path;
use std::string::ToString;
use std::vec::Vec;

use super::{Damage, Events, ReadError, TraceFile, note};
use crate::event::Event;
use crate::layout::{CHUNK_HEADER, CHUNK_MAGIC, CONTROL_MAGIC, CONTROL_NAME, SUFFIX, VERSION};

/// A recording.
#[derive(Debug)]
pub struct Recording {
    /// Its processes, in the order in which they began.
    pub files: Vec<TraceFile>,
    /// Files that have a recording's name and are none.
    pub refused: Vec<ReadError>,
}

impl Recording {
    /// Opens all files of a directory.
    ///
    /// # Errors
    /// The directory cannot be read, or no recorder ever wrote in it.
    pub fn open(directory: &Path) -> Result<Self, ReadError> {
        let io = |source| ReadError::Io { path: directory.to_path_buf(), source };
        let mut paths = Vec::new();
        let mut is_ours = false;
        for entry in std::fs::read_dir(directory).map_err(io)? {
            let path = entry.map_err(io)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            is_ours |= name == CONTROL_NAME;
            if name.ends_with(SUFFIX) {
                paths.push(path);
            }
        }
        if paths.is_empty() && !is_ours {
            let why = "holds no recording; make one with: arenalab record".to_string();
            return Err(ReadError::Not { path: directory.to_path_buf(), why });
        }
        paths.sort();
        let (mut files, mut refused) = (Vec::new(), Vec::new());
        for path in paths.into_iter().filter(|path| !never_began(path)) {
            match TraceFile::open(&path) {
                Ok(file) => files.push(file),
                Err(error) => refused.push(error),
            }
        }
        files.sort_by_key(|file| (file.facts.monotonic, file.facts.pid));
        Ok(Self { files, refused })
    }
}

/// Whether its process was killed in the moment in which it made the file: there is nothing in it, or zeros where the magic is due.
fn never_began(path: &Path) -> bool {
    let mut magic = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(8).read_to_end(&mut magic));
    read.is_ok() && magic.iter().all(|byte| *byte == 0)
}

/// Whether these bytes begin as a control file does.
pub fn control_is_sound(bytes: &[u8]) -> bool {
    bytes.get(..8) == Some(&CONTROL_MAGIC) && bytes.get(8..12) == Some(&VERSION.to_le_bytes())
}

impl TraceFile {
    /// Looks at every event, and at what must be so of each chunk by itself. The headers' damages are in
    /// [`TraceFile::damages`].
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn check(&self) -> Result<Vec<Damage>, ReadError> {
        let mut damages = self.damages.clone();
        let mut chunks = self.chunks.iter().peekable();
        let mut calls = 0u64;
        while let Some(chunk) = chunks.next() {
            if chunk.sequence == 0 {
                calls = 0;
            }
            if chunk.before != calls {
                let what = format!("{calls} calls of its thread precede a chunk that says {}", chunk.before);
                note(&mut damages, chunk.at, what);
                calls = chunk.before;
            }
            let bytes = match self.events(chunk) {
                Ok(bytes) => bytes,
                Err(ReadError::Not { why, .. }) => {
                    note(&mut damages, chunk.at, why);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let goes_on = chunks.peek().is_some_and(|next| next.thread == chunk.thread);
            calls =
                calls.saturating_add(check_chunk(chunk.at, chunk.monotonic, &bytes, goes_on, &mut damages));
        }
        Ok(damages)
    }
}

/// Checks the events of a chunk; how many calls they are.
fn check_chunk(at: u64, began: u64, bytes: &[u8], goes_on: bool, damages: &mut Vec<Damage>) -> u64 {
    let begin = at + CHUNK_HEADER as u64;
    let mut events = Events::new(bytes, began);
    let (mut calls, mut closed) = (0, false);
    while let Some(event) = events.next() {
        match event {
            Ok(event) => {
                calls += u64::from(event.is_call());
                closed |= event == Event::Close;
            }
            // A process may be killed between the two halves of an event: its end is then not there.
            Err(why) => {
                note(damages, begin + events.position() as u64, why.to_string());
                return calls;
            }
        }
    }
    if goes_on && !closed {
        note(
            damages,
            begin + events.position() as u64,
            "a chunk ends early, though its thread goes on".to_string(),
        );
    }
    check_rest(begin, bytes, events.position(), damages);
    calls
}

/// After the last event there is nothing, but for half an event whose writer was killed, or the header of a chunk that was
/// about to begin there.
fn check_rest(begin: u64, bytes: &[u8], end: usize, damages: &mut Vec<Damage>) {
    const HALF: usize = 16;
    let rest = bytes.get(end..).unwrap_or_default();
    let Some(found) = rest.iter().skip(HALF).position(|byte| *byte != 0) else { return };
    let place = end + HALF + found;
    let header = (place + CHUNK_HEADER) / CHUNK_HEADER * CHUNK_HEADER - CHUNK_HEADER;
    // Its magic is written last.
    let is_header =
        bytes.get(header..header + 8).is_some_and(|magic| magic == CHUNK_MAGIC || magic == [0; 8]);
    let after = bytes.get(header + CHUNK_HEADER..).unwrap_or_default();
    let is_header = is_header && header + CHUNK_HEADER <= bytes.len();
    if !is_header || after.iter().any(|byte| *byte != 0) {
        note(damages, begin + place as u64, "there is something after the last event".to_string());
    }
}
