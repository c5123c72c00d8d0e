//! An answer under construction: references to rendered parts, copied once at the end.

use bytes::{Bytes, BytesMut};

/// Parts of one document, in order.
#[derive(Debug, Default)]
pub(super) struct Parts(Vec<Bytes>);

impl Parts {
    /// Appends text of ours.
    pub(super) fn text(&mut self, text: &'static str) {
        self.0.push(Bytes::from_static(text.as_bytes()));
    }

    /// Appends text that was made for this answer.
    pub(super) fn made(&mut self, text: String) {
        self.0.push(Bytes::from(text));
    }

    /// Appends a reference to a rendered part.
    pub(super) fn part(&mut self, part: &Bytes) {
        self.0.push(part.clone());
    }

    /// Appends rendered parts with commas in between.
    pub(super) fn list<'a>(&mut self, parts: impl Iterator<Item = &'a Bytes>) {
        self.separated(parts, |part, out| out.part(part));
    }

    /// Appends what `render` makes of each item, with commas in between.
    pub(super) fn separated<T>(&mut self, items: impl Iterator<Item = T>, render: impl Fn(T, &mut Self)) {
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.text(",");
            }
            render(item, self);
        }
    }

    /// The document.
    pub(super) fn concat(self) -> Bytes {
        let mut whole = BytesMut::with_capacity(self.0.iter().map(Bytes::len).sum());
        self.0.iter().for_each(|part| whole.extend_from_slice(part));
        whole.freeze()
    }
}
