//! `cargo +nightly fuzz run pod`, in `paas`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| attica_paas::fuzz::pod(data));
