//! `cargo +nightly fuzz run group`, in `paas`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| attica_paas::fuzz::group(data));
