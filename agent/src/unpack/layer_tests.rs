//! Layers that are meant well, and others. They need root, as the agent does for images.

use super::*;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

fn layer_of(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, link) in entries {
        let mut header = tar::Header::new_ustar();
        let bytes = header.as_mut_bytes();
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o4750);
        header.set_uid(1234);
        header.set_gid(4321);
        header.set_mtime(1_000_000_000);
        let contents: &[u8] = if *kind == EntryType::Regular { b"hello" } else { b"" };
        header.set_size(contents.len() as u64);
        header.set_cksum();
        builder.append(&header, contents).unwrap();
    }
    builder.into_inner().unwrap()
}

fn unpacked(entries: &[(&str, EntryType, &str)]) -> Option<(tempfile::TempDir, Result<(), UnpackError>)> {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: needs root");
        return None;
    }
    let outside = tempfile::tempdir().unwrap();
    let directory = outside.path().join("layer");
    std::fs::create_dir(&directory).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(tempfile::tempfile().unwrap(), flate2::Compression::fast());
    encoder.write_all(&layer_of(entries)).unwrap();
    let mut file = encoder.finish().unwrap();
    file.rewind().unwrap();
    let outcome = unpack(file, &directory, Bounds::default());
    Some((outside, outcome))
}

#[test]
fn what_a_layer_says_of_its_files_is_taken_over() {
    let entries = [
        ("bin/", EntryType::Directory, ""),
        ("bin/tool", EntryType::Regular, ""),
        ("bin/other", EntryType::Link, "bin/tool"),
        ("lib", EntryType::Symlink, "/usr/lib"),
    ];
    let Some((outside, outcome)) = unpacked(&entries) else { return };
    outcome.unwrap();
    let layer = outside.path().join("layer");
    for name in ["bin", "bin/tool", "bin/other"] {
        let metadata = std::fs::metadata(layer.join(name)).unwrap();
        let (mode, user, group) = (metadata.mode() & 0o7777, metadata.uid(), metadata.gid());
        assert_eq!((mode, user, group, metadata.mtime()), (0o4750, 1234, 4321, 1_000_000_000), "{name}");
    }
    assert_eq!(std::fs::read_link(layer.join("lib")).unwrap(), Path::new("/usr/lib"));
    assert_eq!(std::fs::symlink_metadata(layer.join("lib")).unwrap().uid(), 1234);
}

#[test]
fn what_is_gone_becomes_the_overlays_marks() {
    let entries = [
        ("etc/", EntryType::Directory, ""),
        ("etc/.wh.passwd", EntryType::Regular, ""),
        ("var/.wh..wh..opq", EntryType::Regular, ""),
        ("var/new", EntryType::Regular, ""),
        ("srv/data/.wh..wh..opq", EntryType::Regular, ""),
        (".wh..wh.plnk", EntryType::Regular, ""),
    ];
    let Some((outside, outcome)) = unpacked(&[&[("var/", EntryType::Directory, "")], entries.as_slice()].concat())
    else {
        return;
    };
    outcome.unwrap();
    let layer = outside.path().join("layer");
    let gone = std::fs::symlink_metadata(layer.join("etc/passwd")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    for opaque in ["var", "srv/data"] {
        assert_eq!(xattr::get(layer.join(opaque), OPAQUE_ATTRIBUTE).unwrap().unwrap(), b"y", "{opaque}");
    }
    assert!(
        layer.join("var/new").exists()
            && !layer.join("var/.wh..wh..opq").exists()
            && !layer.join(".wh..wh.plnk").exists()
    );
}

#[test]
fn hostile_layers_reach_nothing_outside() {
    let refused: [&[(&str, EntryType, &str)]; 6] = [
        &[("../evil", EntryType::Regular, "")],
        &[("../.wh.victim", EntryType::Regular, "")],
        &[(".wh...", EntryType::Regular, "")],
        &[("a/.wh..", EntryType::Regular, "")],
        &[("sda", EntryType::Block, "")],
        &[("shadow", EntryType::Link, "../../etc/shadow")],
    ];
    for entries in refused {
        let Some((outside, outcome)) = unpacked(entries) else { return };
        outcome.expect_err(entries[0].0);
        let left: Vec<_> = std::fs::read_dir(outside.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["layer"], "{entries:?}");
    }
    // Links lead on within the layer only: what would be written to the machine's /tmp is in the layer's.
    let name = format!("attica-evil-{}", uuid::Uuid::new_v4());
    let through = format!("a/{name}");
    let entries = [
        ("tmp/", EntryType::Directory, ""),
        ("a", EntryType::Symlink, "/tmp"),
        (through.as_str(), EntryType::Regular, ""),
    ];
    let Some((outside, outcome)) = unpacked(&entries) else { return };
    outcome.unwrap();
    assert!(outside.path().join("layer/tmp").join(&name).exists());
    assert!(!Path::new("/tmp").join(&name).exists());
}
