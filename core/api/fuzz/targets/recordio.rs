#![no_main]

#[path = "../../tests/input/bodies.rs"]
#[allow(dead_code, reason = "each target drives one of them")]
mod bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::recordio(input));
