//! A checksum with which a checkpoint is known to be as it was written.
//!
//! It is against disks and torn writes, not against people: who may write there may write anything.

/// How the checksum is written, behind what it is of: a line of eight hexadecimal digits.
const LENGTH: usize = 10;

/// CRC-32.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// The number that eight hexadecimal digits stand for, as they are written here.
pub(crate) fn digits(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    let number = u32::from_str_radix(text, 16).ok()?;
    (format!("{number:08x}") == text).then_some(number)
}

/// The contents of a file that holds `text`.
pub(crate) fn sealed(mut text: Vec<u8>) -> Vec<u8> {
    let line = format!("\n{:08x}\n", checksum(&text));
    text.extend_from_slice(line.as_bytes());
    text
}

/// What a file holds; `None` when it is not as it was written.
pub(crate) fn opened(contents: &[u8]) -> Option<&[u8]> {
    let (text, line) = contents.split_at_checked(contents.len().checked_sub(LENGTH)?)?;
    let number = digits(line.strip_prefix(b"\n")?.strip_suffix(b"\n")?)?;
    (number == checksum(text)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_is_noticed() {
        let whole = sealed(b"{\"some\":\"thing\"}".to_vec());
        assert_eq!(opened(&whole), Some(&b"{\"some\":\"thing\"}"[..]));
        for place in 0..whole.len() {
            assert_eq!(opened(&whole[..place]), None, "torn at {place}");
            for flip in 1..=255 {
                let mut changed = whole.clone();
                changed[place] ^= flip;
                assert_eq!(opened(&changed), None, "{}", String::from_utf8_lossy(&changed));
            }
        }
    }
}
