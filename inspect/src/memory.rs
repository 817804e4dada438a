//! Where bytes come from.

/// The memory of a process, or an image of one.
pub trait Memory {
    /// Reads exactly as many bytes as fit in `into`; an error where any of them cannot be read.
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Fault>;

    /// Reads `each` bytes at every one of many places into `into`, one place after another, and says which of them
    /// could be read. A live process gives a thousand of them in one call of the kernel.
    ///
    /// # Panics
    /// Where `into` has not `each` bytes for every place.
    fn read_many(&self, places: &[u64], each: usize, into: &mut [u8]) -> Vec<bool> {
        assert_eq!(into.len(), places.len() * each);
        places.iter().zip(into.chunks_mut(each)).map(|(at, into)| self.read(*at, into).is_ok()).collect()
    }
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

/// `N` numbers of eight bytes each from every one of many addresses; `None` where they could not be read.
pub(crate) fn words_of_many<const N: usize>(memory: &dyn Memory, places: &[u64]) -> Vec<Option<[u64; N]>> {
    let mut bytes = vec![0; places.len() * N * 8];
    let read = memory.read_many(places, N * 8, &mut bytes);
    let words = bytes.chunks_exact(N * 8).map(|place| {
        let mut words = place.as_chunks().0.iter().map(|eight| u64::from_le_bytes(*eight));
        std::array::from_fn(|_| words.next().unwrap_or(0))
    });
    read.into_iter().zip(words).map(|(read, words)| read.then_some(words)).collect()
}
