//! How much may come out of an archive.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::rc::Rc;

use super::UnpackError;

/// What comes out of an archive before its size is compared with the archive's own, in bytes.
const RATIO_FREE_BYTES: u64 = 256 << 20;
/// How many times larger than the archive may be what comes out of it. (Logs are about 20, a file of zeros is 1,000.)
const RATIO_MAX: u64 = 200;

/// What an archive may become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// All its files together, in bytes.
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { bytes: 64 << 30, entries: 2_000_000 }
    }
}

/// Counts what goes in and comes out of a decoder.
#[derive(Clone)]
pub(super) struct Meter {
    bounds: Bounds,
    packed: Rc<Cell<u64>>,
    unpacked: Rc<Cell<u64>>,
    entries: Rc<Cell<u64>>,
}

/// More came out of an archive than may.
#[derive(Debug, thiserror::Error)]
pub(super) enum Excess {
    #[error("more than {0} bytes come out of it")]
    Bytes(u64),
    #[error("more than {RATIO_MAX} times its own size comes out of it")]
    Ratio,
}

impl Meter {
    pub(super) fn new(bounds: Bounds) -> Meter {
        let counter = || Rc::new(Cell::new(0));
        Meter { bounds, packed: counter(), unpacked: counter(), entries: counter() }
    }

    /// Counts what is read as packed.
    pub(super) fn packed<R: Read>(&self, inner: R) -> Packed<R> {
        Packed { inner, meter: self.clone() }
    }

    /// Counts a file as packed that is read here and there.
    pub(super) fn whole(&self, file: File) -> Result<File, UnpackError> {
        self.packed.set(file.metadata().map_err(UnpackError::Read)?.len());
        Ok(file)
    }

    /// Counts what is read as unpacked, and ends when it is too much.
    pub(super) fn unpacked<R: Read>(&self, inner: R) -> Unpacked<R> {
        Unpacked { inner, meter: self.clone() }
    }

    /// One entry more.
    pub(super) fn entry(&self) -> Result<(), UnpackError> {
        self.entries.set(self.entries.get() + 1);
        (self.entries.get() <= self.bounds.entries).then_some(()).ok_or(UnpackError::Entries(self.bounds.entries))
    }

    fn grow(&self, bytes: usize) -> Result<(), Excess> {
        let unpacked = self.unpacked.get().saturating_add(bytes as u64);
        self.unpacked.set(unpacked);
        if unpacked > self.bounds.bytes {
            return Err(Excess::Bytes(self.bounds.bytes));
        }
        let in_proportion = unpacked <= RATIO_FREE_BYTES || unpacked / RATIO_MAX <= self.packed.get();
        in_proportion.then_some(()).ok_or(Excess::Ratio)
    }
}

pub(super) struct Packed<R> {
    inner: R,
    meter: Meter,
}

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.meter.packed.set(self.meter.packed.get().saturating_add(read as u64));
        Ok(read)
    }
}

pub(super) struct Unpacked<R> {
    inner: R,
    meter: Meter,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.meter.grow(read).map_err(io::Error::other)?;
        Ok(read)
    }
}
