//! Where in a file the next read begins, when bytes that are not UTF-8 come replaced.

/// What is shown of a piece, and how many bytes of the file that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: u64,
}

/// Takes a piece of text that was asked for with `length` bytes, all of which the file has. A character that the end of the piece
/// cuts in two is left for the next read.
pub(super) fn take(data: &str, length: u64) -> Taken<'_> {
    /// A cut character leaves up to three bytes, each of which may have been replaced.
    const CUT_MAX: usize = 3;
    const REPLACEMENT: char = '\u{fffd}';
    let whole = data.trim_end_matches(REPLACEMENT);
    let replaced = data[whole.len()..].chars().count();
    let bytes = u64::try_from(whole.len()).unwrap_or(u64::MAX);
    let is_cut =
        (1..=CUT_MAX).contains(&replaced) && !whole.is_empty() && !whole.contains(REPLACEMENT) && bytes < length;
    match is_cut {
        true => Taken { text: whole, bytes },
        false => Taken { text: data, bytes: length },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::take;

    /// The server's side of it.
    fn read(file: &[u8], offset: usize, length: usize) -> String {
        String::from_utf8_lossy(&file[offset..offset + length]).into_owned()
    }

    fn in_pieces(file: &[u8], piece: usize) -> String {
        let (mut shown, mut offset) = (String::new(), 0);
        while offset < file.len() {
            let length = piece.min(file.len() - offset);
            let data = read(file, offset, length);
            let taken = take(&data, length as u64);
            shown.push_str(taken.text);
            offset += usize::try_from(taken.bytes).unwrap();
        }
        assert_eq!(offset, file.len(), "nothing is read twice, nothing is left out");
        shown
    }

    proptest! {
        #[test]
        fn text_survives_being_cut(text in "[aé漢🦀\n]{0,60}", piece in 4usize..9) {
            prop_assert_eq!(in_pieces(text.as_bytes(), piece), text);
        }

        #[test]
        fn any_bytes_come_to_an_end(file in prop::collection::vec(any::<u8>(), 0..80), piece in 1usize..9) {
            in_pieces(&file, piece);
        }
    }
}
