//! What one document may cost, in either encoding: what came in through one has to go out and come back through the other.

use std::cell::Cell;
use std::fmt;

use serde::Serializer;
use serde_json::Value;
use thiserror::Error;

use super::{Malformed, Mismatch, Place, Reader, Wire, WireKind};

/// A message may contain its own type as many times over.
const RECURSION_MAX: u8 = 32;

/// The memory that the elements of all lists and maps of a document may take. Two bytes on the wire can become an element of
/// hundreds of bytes; the limit is far above what any cluster sends at once.
const ELEMENT_BYTES_MAX: usize = 256 << 20;

/// A JSON document has at most as many values: each costs the parser about 80 bytes, and can be two bytes on the wire.
pub(super) const JSON_VALUES_MAX: usize = 1 << 21;

/// A limit that a document exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Exceeded {
    /// A message contains its own type too often.
    #[error("a message contains its own type more than {RECURSION_MAX} times over")]
    Recursion,
    /// The lists are too long altogether.
    #[error("the lists would take more than {} MiB", ELEMENT_BYTES_MAX >> 20)]
    Elements,
}

/// What is left for the rest of a document.
#[derive(Debug)]
pub(super) struct Limits {
    recursion_left: Cell<u8>,
    element_bytes_left: Cell<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { recursion_left: Cell::new(RECURSION_MAX), element_bytes_left: Cell::new(ELEMENT_BYTES_MAX) }
    }
}

impl Limits {
    /// Accounts for one more element of type `T`.
    pub(super) fn element<T>(&self) -> Result<(), Exceeded> {
        let left = self.element_bytes_left.get().checked_sub(size_of::<T>());
        self.element_bytes_left.set(left.ok_or(Exceeded::Elements)?);
        Ok(())
    }

    fn descend(&self) -> Result<(), Exceeded> {
        let left = self.recursion_left.get().checked_sub(1);
        self.recursion_left.set(left.ok_or(Exceeded::Recursion)?);
        Ok(())
    }

    fn ascend(&self) {
        self.recursion_left.set(self.recursion_left.get() + 1);
    }
}

/// A message within one of its own type, the only way in which messages could nest without bound.
#[derive(Clone, PartialEq, Default)]
pub struct Nested<T>(pub Box<T>);

impl<T: fmt::Debug> fmt::Debug for Nested<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<T: Wire> Wire for Nested<T> {
    const KIND: WireKind = T::KIND;

    fn write_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write_json(serializer)
    }

    fn read_json(value: &Value, at: &mut Place) -> Result<Option<Self>, Mismatch> {
        at.limits.descend()?;
        let read = Box::read_json(value, at)?;
        at.limits.ascend();
        Ok(read.map(Self))
    }

    fn write_proto(&self, out: &mut Vec<u8>) {
        self.0.write_proto(out);
    }

    fn read_proto(input: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        input.limits.descend()?;
        let read = Box::read_proto(input)?;
        input.limits.ascend();
        Ok(read.map(Self))
    }
}
