//! Archives that are meant well, and others.

use super::*;
use std::io::Write;

/// Name, kind, link, contents.
type Written<'a> = (&'a str, EntryType, &'a str, &'a [u8]);
type ZipWriter = ::zip::ZipWriter<std::io::Cursor<Vec<u8>>>;

/// A tar file with these entries.
fn tar_of(entries: &[Written<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, link, contents) in entries {
        let mut header = tar::Header::new_ustar();
        // The library would not write such names.
        let bytes = header.as_mut_bytes();
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o4755);
        header.set_size(contents.len() as u64);
        header.set_cksum();
        builder.append(&header, *contents).unwrap();
    }
    builder.into_inner().unwrap()
}

fn unpacked(bytes: &[u8], name: &str, bounds: Bounds) -> (tempfile::TempDir, Result<(), UnpackError>) {
    let outside = tempfile::tempdir().unwrap();
    let directory = outside.path().join("sandbox");
    std::fs::create_dir(&directory).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let outcome = unpack(file, name, Format::of(name).unwrap(), &directory, bounds);
    (outside, outcome)
}

fn said(error: &UnpackError) -> String {
    crate::error_chain(error)
}

#[test]
fn every_compression_is_understood() {
    let tar = tar_of(&[
        ("./d/", EntryType::Directory, "", b""),
        ("d/file", EntryType::Regular, "", b"hello"),
        ("d/link", EntryType::Symlink, "file", b""),
        ("hard", EntryType::Link, "d/file", b""),
    ]);
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&tar).unwrap();
        encoder.finish().unwrap()
    };
    let bzip2 = {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(&tar).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = ruzstd::encoding::compress_to_vec(tar.as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
    for (name, bytes) in [("a.tar", &tar), ("a.tgz", &gzip), ("a.tar.bz2", &bzip2), ("a.tar.zst", &zstd)] {
        let (outside, outcome) = unpacked(bytes, name, Bounds::default());
        outcome.unwrap_or_else(|error| panic!("{name}: {}", said(&error)));
        let directory = outside.path().join("sandbox");
        for file in ["d/file", "d/link", "hard"] {
            assert_eq!(std::fs::read(directory.join(file)).unwrap(), b"hello", "{name} {file}");
        }
        // Not set-user-id.
        assert_eq!(std::fs::metadata(directory.join("hard")).unwrap().permissions().mode() & 0o7777, 0o755);
    }
    let (outside, outcome) = unpacked(&gzip, "words.gz", Bounds::default());
    outcome.unwrap();
    assert_eq!(std::fs::read(outside.path().join("sandbox/words")).unwrap(), tar);
}

#[test]
fn hostile_archives_reach_nothing_outside() {
    let hello: &[u8] = b"hello";
    let cases: [(&str, &[Written<'_>], &str); 10] = [
        ("an absolute name", &[("/tmp/evil", EntryType::Regular, "", hello)], "leads out"),
        ("a name with ..", &[("../evil", EntryType::Regular, "", hello)], "leads out"),
        ("a hidden ..", &[("a/../../evil", EntryType::Regular, "", hello)], "leads out"),
        ("an absolute link", &[("a", EntryType::Symlink, "/tmp", b"")], "a link that leads out"),
        ("a link with ..", &[("a", EntryType::Symlink, "../..", b"")], "a link that leads out"),
        (
            "writing through a link",
            &[
                ("d/", EntryType::Directory, "", b""),
                ("a", EntryType::Symlink, "d", b""),
                ("a/evil", EntryType::Regular, "", hello),
            ],
            "`a/evil` cannot be unpacked",
        ),
        ("a hard link outside", &[("a", EntryType::Link, "../evil", b"")], "leads out"),
        ("a hard link to nothing", &[("a", EntryType::Link, "b", b"")], "cannot be unpacked"),
        ("a device", &[("null", EntryType::Char, "", b"")], "a device"),
        ("a pipe", &[("stdout", EntryType::Fifo, "", b"")], "a pipe"),
    ];
    for (what, entries, expected) in cases {
        let (outside, outcome) = unpacked(&tar_of(entries), "a.tar", Bounds::default());
        let error = outcome.expect_err(what);
        assert!(said(&error).contains(expected), "{what}: {}", said(&error));
        let left: Vec<_> = std::fs::read_dir(outside.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["sandbox"], "{what}");
        assert!(!outside.path().join("sandbox/d/evil").exists(), "{what}");
    }
}

#[test]
fn a_file_in_the_place_of_a_link_replaces_the_link() {
    let entries: &[Written<'_>] = &[
        ("target", EntryType::Regular, "", b"kept"),
        ("a", EntryType::Symlink, "target", b""),
        ("a", EntryType::Regular, "", b"new"),
    ];
    let (outside, outcome) = unpacked(&tar_of(entries), "a.tar", Bounds::default());
    outcome.unwrap();
    assert_eq!(std::fs::read(outside.path().join("sandbox/target")).unwrap(), b"kept");
    assert_eq!(std::fs::read(outside.path().join("sandbox/a")).unwrap(), b"new");
}

#[test]
fn bombs_end_at_their_bounds() {
    let zeros = vec![0; 3 << 20];
    let entries: Vec<Written<'_>> = vec![("zeros", EntryType::Regular, "", &zeros); 4];
    let tar = tar_of(&entries);
    let (_outside, outcome) = unpacked(&tar, "a.tar", Bounds { bytes: 8 << 20, ..Bounds::default() });
    assert!(said(&outcome.unwrap_err()).contains("more than 8388608 bytes"));
    let (_outside, outcome) = unpacked(&tar, "a.tar", Bounds { entries: 3, ..Bounds::default() });
    assert!(matches!(outcome, Err(UnpackError::Entries(3))));
    // 300 MB of zeros in 300 KB.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..100 {
        encoder.write_all(&zeros).unwrap();
    }
    let (_outside, outcome) = unpacked(&encoder.finish().unwrap(), "zeros.gz", Bounds::default());
    assert!(said(&outcome.unwrap_err()).contains("times its own size"));
}

#[test]
fn zip_files_are_held_to_the_same() {
    use ::zip::write::SimpleFileOptions;
    let zip = |fill: &dyn Fn(&mut ZipWriter)| {
        let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        fill(&mut writer);
        writer.finish().unwrap().into_inner()
    };
    let options = SimpleFileOptions::default().unix_permissions(0o755);
    let good = zip(&|writer| {
        writer.add_directory("d", options).unwrap();
        writer.start_file("d/file", options).unwrap();
        writer.write_all(b"hello").unwrap();
        writer.add_symlink("link", "d/file", options).unwrap();
    });
    let (outside, outcome) = unpacked(&good, "a.zip", Bounds::default());
    outcome.unwrap();
    assert_eq!(std::fs::read(outside.path().join("sandbox/link")).unwrap(), b"hello");
    let evil = zip(&|writer| {
        writer.start_file("../evil", options).unwrap();
        writer.write_all(b"hello").unwrap();
    });
    let (outside, outcome) = unpacked(&evil, "a.zip", Bounds::default());
    assert!(said(&outcome.unwrap_err()).contains("leads out"));
    assert!(!outside.path().join("evil").exists());
    let link = zip(&|writer| writer.add_symlink("link", "/etc", options).unwrap());
    assert!(matches!(unpacked(&link, "a.zip", Bounds::default()).1, Err(UnpackError::LinkOutside(_))));
}

#[test]
fn damaged_archives_are_said_to_be() {
    for name in ["a.tar", "a.tgz", "a.tar.bz2", "a.tar.xz", "a.tar.zst", "a.zip", "a.gz"] {
        let (_outside, outcome) =
            unpacked(b"this is no archive at all, whatever its name may say", name, Bounds::default());
        assert!(outcome.is_err(), "{name}");
    }
}
