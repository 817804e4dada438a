//! Where bytes come from.

/// The memory of a process, or an image of one.
pub trait Memory {
    /// Reads exactly as many bytes as fit in `into`; an error where any of them cannot be read.
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Fault>;
}

/// Memory that could not be read: nothing is mapped there, the process has ended, or it may not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no memory could be read at {at:#x}")]
pub struct Fault {
    /// The address of the read that failed.
    pub at: u64,
}

/// The number of eight bytes at an address.
pub(crate) fn word(memory: &dyn Memory, at: u64) -> Result<u64, Fault> {
    let mut bytes = [0; 8];
    memory.read(at, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// `count` numbers of eight bytes each from an address.
pub(crate) fn words(memory: &dyn Memory, at: u64, count: usize) -> Result<Vec<u64>, Fault> {
    let mut bytes = vec![0; count * 8];
    memory.read(at, &mut bytes)?;
    Ok(bytes.as_chunks().0.iter().map(|eight| u64::from_le_bytes(*eight)).collect())
}
