//! What a workload holds of the measured heap, and what it writes and reads there.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// A piece of memory that a workload holds: where, and how many bytes it asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Object {
    pub(crate) address: NonNull<u8>,
    pub(crate) size: usize,
}

// SAFETY: an object is the only handle on its memory; heaps may be used from any thread.
unsafe impl Send for Object {}

impl Object {
    /// Bytes asked for.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Reads the first `bytes`, or all where there are not so many, a word at a time. They need not have been written.
    #[inline]
    pub(crate) fn read(&self, bytes: usize) {
        let address = self.address.as_ptr();
        for at in (0..bytes.min(self.size)).step_by(size_of::<u64>()) {
            // SAFETY: the object is live and holds `size` bytes; a whole word is read only where it ends within them. Volatile, so
            // that each read is made; of what is read nothing is assumed.
            unsafe {
                let word = address.add(at);
                if at + size_of::<u64>() <= self.size {
                    word.cast::<[MaybeUninit<u8>; size_of::<u64>()]>().read_volatile();
                } else {
                    word.cast::<MaybeUninit<u8>>().read_volatile();
                }
            }
        }
    }

    /// Writes the byte at `at`, where there is one.
    #[inline]
    pub(crate) fn write_at(&mut self, at: usize) {
        if at < self.size {
            // SAFETY: within the live object.
            unsafe { self.address.as_ptr().add(at).write_volatile(1) };
        }
    }

    /// Writes every byte, and reads it back where `READ` says so, `times` over.
    #[inline]
    pub(crate) fn use_bytes<const READ: bool>(&mut self, times: usize) {
        if self.size > 0 && times > 0 {
            // SAFETY: the object is live and holds `size` bytes, one or more.
            unsafe { use_each::<READ>(self.address.as_ptr(), self.size, times) };
        }
    }

    /// The sum of all bytes, eight at a time: reads the whole object. All of it must have been written.
    #[inline]
    pub(crate) fn sum_bytes(&self) -> u64 {
        // SAFETY: the object is live, and was written from its first to its last byte.
        let bytes = unsafe { std::slice::from_raw_parts(self.address.as_ptr(), self.size) };
        let (words, rest) = bytes.as_chunks::<8>();
        let words = words.iter().fold(0, |sum: u64, word| sum.wrapping_add(u64::from_le_bytes(*word)));
        rest.iter().fold(words, |sum, byte| sum.wrapping_add(u64::from(*byte)))
    }

    /// Writes its number to each byte, in a loop and not by `memset`, which takes objects of all lengths alike: as programs do
    /// that compute what they write.
    #[inline]
    pub(crate) fn number_bytes(&mut self) {
        const SIXTEEN: u128 = u128::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        const EACH: u128 = u128::MAX / 255;
        let address = self.address.as_ptr();
        let numbers = |at: usize| SIXTEEN + EACH * (at & 0xf0) as u128;
        let mut at = 0;
        // SAFETY: the object is live and holds `size` bytes.
        unsafe {
            while at + 16 <= self.size {
                address.add(at).cast::<u128>().write_unaligned(numbers(at).to_le());
                at += 16;
            }
            if at + 8 <= self.size {
                address.add(at).cast::<u64>().write_unaligned((numbers(at) as u64).to_le());
                at += 8;
            }
            while at < self.size {
                address.add(at).write_volatile(at as u8);
                at += 1;
            }
        }
        black_box(address);
    }
}

/// Writes each byte `times` over, and reads it back where `READ` says so. The loop has the same place in a cache line in every
/// program: where it had not, it would take up to half as long again.
///
/// # Safety
/// `bytes` bytes from `address` on can be written. `bytes` and `times` are 1 or more.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn use_each<const READ: bool>(address: *mut u8, bytes: usize, times: usize) {
    macro_rules! each {
        ($($read:literal)?) => {
            std::arch::asm!(
                ".p2align 6",
                "2:",
                "mov {at}, {first}",
                "3:",
                "mov byte ptr [{at}], cl",
                $($read,)?
                "inc {at}",
                "cmp {at}, {end}",
                "jne 3b",
                "dec rcx",
                "jne 2b",
                at = out(reg) _,
                first = in(reg) address,
                end = in(reg) address.add(bytes),
                inout("rcx") times => _,
                out("edx") _,
                options(nostack),
            )
        };
    }
    // SAFETY: the caller's promise; it writes what it says, and nothing else.
    unsafe {
        if READ {
            each!("movzx edx, byte ptr [{at}]");
        } else {
            each!();
        }
    }
}

/// Writes each byte `times` over, and reads it back where `READ` says so.
///
/// # Safety
/// `bytes` bytes from `address` on can be written.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn use_each<const READ: bool>(address: *mut u8, bytes: usize, times: usize) {
    for (value, at) in (0..times).flat_map(|value| (0..bytes).map(move |at| (value, at))) {
        // SAFETY: the caller's promise; volatile, so that each access is made.
        unsafe {
            let byte = address.add(at);
            byte.write_volatile(value as u8);
            if READ {
                byte.read_volatile();
            }
        }
    }
}

/// Fills `bytes` bytes with eight at a time, and the rest.
///
/// # Safety
/// `bytes` bytes from `address` on can be written.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn fill_by_string(address: *mut u8, bytes: usize) {
    let (words, rest) = (bytes / size_of::<u64>(), bytes % size_of::<u64>());
    // SAFETY: the caller's promise; the two fill `bytes` bytes, and the direction flag is clear wherever Rust runs.
    unsafe {
        let end: *mut u8;
        std::arch::asm!(
            "rep stosq",
            inout("rcx") words => _,
            inout("rdi") address => end,
            in("rax") u64::MAX / 255,
            options(nostack, preserves_flags),
        );
        end.write_bytes(1, rest);
    }
}

/// Fills `bytes` bytes.
///
/// # Safety
/// `bytes` bytes from `address` on can be written.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn fill_by_string(address: *mut u8, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { address.write_bytes(1, bytes) };
    black_box(address);
}

/// How a workload writes to what it allocates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Not at all: the memory need not become resident.
    Nothing,
    /// A byte of each page, and the last byte.
    Pages,
    /// Every byte.
    All,
    /// Every byte, eight at a time by the string instruction that GCC makes of a `memset` of few bytes, where the processor
    /// has one: on some it takes longer than the `malloc` before it.
    AllByString,
}

/// Least distance of two writes under [`Touch::Pages`]; the smallest page size of the supported systems.
const STRIDE: usize = 4096;

impl Touch {
    /// From the parameter `touch`: 0, 1 or 2.
    pub fn from_parameter(value: u64) -> Self {
        match value {
            0 => Self::Nothing,
            1 => Self::Pages,
            _ => Self::All,
        }
    }

    /// Writes to `from..object.size` of an object.
    #[inline]
    pub fn write(self, object: &Object, from: usize) {
        let address = object.address.as_ptr();
        if from >= object.size {
            return;
        }
        // SAFETY: the object is live and holds `size` bytes; volatile, so that the writes are kept.
        unsafe {
            match self {
                Self::Nothing => {}
                Self::Pages => {
                    let mut at = from;
                    while at < object.size {
                        address.add(at).write_volatile(1);
                        at += STRIDE;
                    }
                    address.add(object.size - 1).write_volatile(1);
                }
                Self::All => {
                    address.add(from).write_bytes(1, object.size - from);
                    black_box(address);
                }
                Self::AllByString => fill_by_string(address.add(from), object.size - from),
            }
        }
    }
}
