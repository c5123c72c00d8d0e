//! A tour through the console in a real browser, against a whole cluster.

use std::path::Path;
use std::process::Command;

use crate::harness::Cluster;

#[test]
fn every_screen_works_in_a_browser() {
    let mut cluster = Cluster::start_with_interfaces();
    let tour = Command::new("npm")
        .args(["run", "--silent", "tour"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("web"))
        .env("ATTICA_URL", cluster.url())
        .output()
        .expect("npm is installed");
    assert!(
        tour.status.success(),
        "the tour ended with {}:\n{}\n{}\nlog:\n{}",
        tour.status,
        String::from_utf8_lossy(&tour.stdout),
        String::from_utf8_lossy(&tour.stderr),
        cluster.log_tail()
    );
    cluster.stop_up();
}
