//! `cargo +nightly fuzz run app`, in `paas`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| attica_paas::fuzz::app(data));
