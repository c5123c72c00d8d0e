//! Two keys, one after the other, that are not for the program: whoever presses them goes, and the program goes on.

/// Ctrl-P and Ctrl-Q, as people know them from containers.
const FIRST: u8 = 0x10;
const SECOND: u8 = 0x11;

/// Looks for the two keys in what is typed.
#[derive(Debug, Default)]
pub(in super::super) struct LetGo {
    /// Whether the last key was the first of the two: it is held back until it is known what follows.
    held: bool,
}

impl LetGo {
    /// What of this is for the program, and whether the two keys have come: what follows them is for nobody.
    pub(super) fn pass(&mut self, typed: &[u8]) -> (Vec<u8>, bool) {
        let mut passed = Vec::with_capacity(typed.len() + 1);
        for key in typed.iter().copied() {
            let held = std::mem::take(&mut self.held);
            if held && key == SECOND {
                return (passed, true);
            }
            passed.extend(held.then_some(FIRST));
            self.held = key == FIRST;
            passed.extend((!self.held).then_some(key));
        }
        (passed, false)
    }

    /// What is held back when nothing more is typed.
    pub(super) fn rest(&mut self) -> Option<u8> {
        std::mem::take(&mut self.held).then_some(FIRST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What reaches the program of these pieces, and whether they end with the keys.
    fn passed(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let (mut keys, mut passed) = (LetGo::default(), Vec::new());
        for piece in pieces {
            let (data, gone) = keys.pass(piece);
            passed.extend(data);
            if gone {
                return (passed, true);
            }
        }
        passed.extend(keys.rest());
        (passed, false)
    }

    #[test]
    fn the_keys_are_not_for_the_program() {
        assert_eq!(passed(&[b"ab\x10\x11cd"]), (b"ab".to_vec(), true));
        assert_eq!(passed(&[b"a\x10", b"\x11b"]), (b"a".to_vec(), true));
        assert_eq!(passed(&[b"\x10\x10\x11"]), (b"\x10".to_vec(), true));
    }

    #[test]
    fn either_of_them_alone_is() {
        for typed in [&b"ab\x11\x10c\x11"[..], b"a\x10b\x11", b"\x10\x10", b"a\x10"] {
            assert_eq!(passed(&[typed]), (typed.to_vec(), false));
            let keys: Vec<&[u8]> = typed.chunks(1).collect();
            assert_eq!(passed(&keys), (typed.to_vec(), false));
        }
    }
}
