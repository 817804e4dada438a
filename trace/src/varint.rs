//! Numbers of 1 to 8 bytes whose first byte says how many: `n` bytes hold `7 n` bits, and the first byte ends
//! with `n - 1` zero bits after a one. The first byte is thus never 0, which marks the end of data.

/// Numbers above this are not written; those who write sizes clip them to it.
pub const MAX: u64 = (1 << 56) - 1;

/// The bytes of a number, lowest first, and how many they are. What is above [`MAX`] is clipped to it.
#[inline]
pub const fn encode(value: u64) -> (u64, u32) {
    encode_fitting(if value > MAX { MAX } else { value })
}

/// The same of a number that is at most [`MAX`].
#[inline(always)]
#[allow(clippy::inline_always)] // of what every call of a recorded program passes through
pub(crate) const fn encode_fitting(value: u64) -> (u64, u32) {
    let highest = (value | 1).ilog2();
    // (highest + 7) / 7 without a division: 37/256 is near enough to 1/7 for what 6 bits can say.
    let length = (highest * 37 + 259) >> 8;
    ((value << 1 | 1) << (length - 1), length)
}

/// How many bytes a number has by its first one; `None` for 0.
#[inline]
pub const fn length(first: u8) -> Option<usize> {
    if first == 0 { None } else { Some(first.trailing_zeros() as usize + 1) }
}

/// Reads a number from the start of `bytes`, and how many bytes it had. `None` where it is cut short, or
/// begins with 0. A number may be written longer than it need be.
#[inline]
pub fn decode(bytes: &[u8]) -> Option<(u64, usize)> {
    let length = length(*bytes.first()?)?;
    let mut word = [0; 8];
    word.get_mut(..length)?.copy_from_slice(bytes.get(..length)?);
    Some((u64::from_le_bytes(word) >> length, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_step_every_seven_bits() {
        for length in 1..=8 {
            let most = (1u64 << (7 * length)) - 1;
            for value in [most, most - 1, most / 2 + 1] {
                let (word, written) = encode(value);
                assert_eq!(written, length, "{value}");
                assert_eq!(decode(&word.to_le_bytes()), Some((value, length as usize)));
            }
        }
        assert_eq!(encode(0), (1, 1));
    }

    #[test]
    fn too_large_a_number_is_clipped_and_a_cut_one_is_none() {
        assert_eq!(encode(u64::MAX), encode(MAX));
        let (word, length) = encode(1 << 40);
        for cut in 0..length as usize {
            assert_eq!(decode(&word.to_le_bytes()[..cut]), None);
        }
        assert_eq!(decode(&[0, 1, 2]), None);
    }
}
