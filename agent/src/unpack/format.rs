//! What a file is packed with, told by its name as Mesos does, or by its first bytes.

use std::io::{self, BufReader, Read};

use serde::{Deserialize, Serialize};

/// The largest window of zstd's and dictionary of xz's that is kept in memory, in bytes.
const WINDOW_MAX_BYTES: u64 = 256 << 20;

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Compression {
    None,
    Gzip,
    Bzip2,
    Xz,
    Zstd,
}

/// What can be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    Tar(Compression),
    Zip,
    /// One compressed file.
    Gzip,
}

impl Format {
    /// Of a file of this name; `None` is no archive.
    pub(crate) fn of(name: &str) -> Option<Format> {
        let endings = [
            (".tar", Format::Tar(Compression::None)),
            (".tar.gz", Format::Tar(Compression::Gzip)),
            (".tgz", Format::Tar(Compression::Gzip)),
            (".tar.bz2", Format::Tar(Compression::Bzip2)),
            (".tbz2", Format::Tar(Compression::Bzip2)),
            (".tar.xz", Format::Tar(Compression::Xz)),
            (".txz", Format::Tar(Compression::Xz)),
            (".tar.zst", Format::Tar(Compression::Zstd)),
            (".zip", Format::Zip),
            (".gz", Format::Gzip),
        ];
        endings.into_iter().find(|(ending, _)| name.len() > ending.len() && name.ends_with(ending)).map(|it| it.1)
    }
}

impl Compression {
    /// Told by the first bytes of a file.
    pub(crate) fn of(beginning: &[u8]) -> Compression {
        let magics: [(&[u8], Compression); 4] = [
            (&[0x1f, 0x8b], Compression::Gzip),
            (b"BZh", Compression::Bzip2),
            (&[0xfd, b'7', b'z', b'X', b'Z', 0], Compression::Xz),
            (&[0x28, 0xb5, 0x2f, 0xfd], Compression::Zstd),
        ];
        magics.into_iter().find(|(magic, _)| beginning.starts_with(magic)).map_or(Compression::None, |it| it.1)
    }

    pub(crate) fn decode<'r>(self, packed: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
        let packed = BufReader::with_capacity(64 << 10, packed);
        Ok(match self {
            Compression::None => Box::new(packed),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
            Compression::Xz => {
                let kilobytes = u32::try_from(WINDOW_MAX_BYTES >> 10).unwrap_or(u32::MAX);
                Box::new(lzma_rust2::XzReader::new_mem_limit(packed, true, kilobytes))
            }
            Compression::Zstd => Box::new(zstd(packed)?),
        })
    }
}

fn zstd(packed: impl Read) -> io::Result<impl Read> {
    ruzstd::decoding::StreamingDecoder::new_with_max_window_size(packed, WINDOW_MAX_BYTES).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_formats() {
        assert_eq!(Format::of("a.tar.gz"), Some(Format::Tar(Compression::Gzip)));
        assert_eq!(Format::of("a.gz"), Some(Format::Gzip));
        for name in ["a", "tar", ".zip", "a.zip.txt", "a.jar"] {
            assert_eq!(Format::of(name), None, "{name}");
        }
    }
}
