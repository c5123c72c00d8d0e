//! `cargo +nightly fuzz run parser tests/errors`, in `dsl`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| attica_dsl::fuzz::parser(data));
