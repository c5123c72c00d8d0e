//! `cargo +nightly fuzz run evaluator tests/errors`, in `dsl`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| attica_dsl::fuzz::evaluator(data));
