//! What an fdatasync costs, and how to make it cost the same on every disk.

#![allow(dead_code, reason = "every benchmark uses a part of it")]

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::report::median;

/// The slowed cost, in milliseconds, unless `BENCH_FSYNC_MS` says otherwise.
const SLOW_MS: f64 = 4.5;

/// A disk for a server to commit to.
#[derive(Clone)]
pub(crate) struct Disk {
    /// Added to the name of a figure.
    pub(crate) suffix: &'static str,
    /// The median cost of an fdatasync there.
    pub(crate) fsync_ms: f64,
    /// The shim, if this disk is slowed, and how slow it is.
    slowed: Option<(PathBuf, f64)>,
}

impl Disk {
    /// For the environment of the server: preloads the shim.
    pub(crate) fn environment(&self) -> Vec<(OsString, OsString)> {
        let Some((shim, least_ms)) = &self.slowed else { return Vec::new() };
        // A library that is not there is left out without a word.
        assert!(shim.exists(), "the directory of the fdatasync shim outlives the server");
        vec![("LD_PRELOAD".into(), shim.into()), ("BENCH_FSYNC_MS".into(), least_ms.to_string().into())]
    }
}

/// The two disks that rows with commits are measured on: the slowed one, whose figures are the value, and the plain one.
/// `directory` is on the server's disk, and outlives it.
pub(crate) fn disks(directory: &Path) -> [Disk; 2] {
    let slow_ms = std::env::var("BENCH_FSYNC_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(SLOW_MS);
    let plain_ms = measured_ms(directory);
    [
        Disk { suffix: "", fsync_ms: plain_ms.max(slow_ms), slowed: Some((shim(directory), slow_ms)) },
        Disk { suffix: ".plain", fsync_ms: plain_ms, slowed: None },
    ]
}

/// Compiles the shim.
fn shim(directory: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/slow_fdatasync.c");
    let library = directory.join("slow_fdatasync.so");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(source).status();
    assert!(compiled.is_ok_and(|status| status.success()), "cc compiles the fdatasync shim");
    library
}

/// The median of a page appended and synced, as a commit does it.
fn measured_ms(directory: &Path) -> f64 {
    let path = directory.join("fsync");
    let mut file = File::create(&path).expect("a file in the directory of the benchmark");
    let samples = (0..101)
        .map(|_| {
            let started = Instant::now();
            file.write_all(&[0; 8192]).and_then(|()| file.sync_data()).expect("written");
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    let _ = std::fs::remove_file(path); // goes with the directory otherwise
    median(samples)
}
