//! Ports for programs that are told where to listen.

use std::sync::atomic::{AtomicU16, Ordering};

/// A port for a program that is told where to listen. Between now and then nobody else is given it: the system hands out none of these,
/// agents of tests offer none of them, and each test gets another one.
pub fn own_port() -> u16 {
    const FIRST: u16 = 24_000;
    const COUNT: u16 = 6_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = std::process::id() as u16;
    let numbers = std::iter::repeat_with(|| {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        FIRST + begin.wrapping_mul(97).wrapping_add(step) % COUNT
    });
    let is_free = |number: &u16| std::net::TcpListener::bind(("0.0.0.0", *number)).is_ok();
    numbers.take(usize::from(COUNT)).find(is_free).expect("a free port")
}
