//! Paths and variables as they cross to a launcher: bytes, since neither need be text.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path, or several of them, as serde's own `OsString` carries bytes.
pub trait Bytes: Sized {
    /// What is written and read.
    type Wire: Serialize + for<'de> Deserialize<'de>;
    /// For writing.
    fn wire(&self) -> Self::Wire;
    /// From what was read.
    fn back(wire: Self::Wire) -> Self;
}

impl Bytes for PathBuf {
    type Wire = OsString;
    fn wire(&self) -> OsString {
        self.clone().into_os_string()
    }
    fn back(wire: OsString) -> Self {
        wire.into()
    }
}

impl Bytes for Option<PathBuf> {
    type Wire = Option<OsString>;
    fn wire(&self) -> Self::Wire {
        self.as_ref().map(Bytes::wire)
    }
    fn back(wire: Self::Wire) -> Self {
        wire.map(Bytes::back)
    }
}

impl Bytes for Vec<PathBuf> {
    type Wire = Vec<OsString>;
    fn wire(&self) -> Self::Wire {
        self.iter().map(Bytes::wire).collect()
    }
    fn back(wire: Self::Wire) -> Self {
        wire.into_iter().map(Bytes::back).collect()
    }
}

/// Writes (for `#[serde(with)]`).
///
/// # Errors
/// The writer's.
pub fn serialize<T: Bytes, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    value.wire().serialize(to)
}

/// Reads (for `#[serde(with)]`).
///
/// # Errors
/// The reader's.
pub fn deserialize<'de, T: Bytes, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    T::Wire::deserialize(from).map(T::back)
}
