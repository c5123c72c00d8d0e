//! What `attica up` finds out before it starts anything.

use std::net::TcpListener;

use crate::harness::attica;

fn refused(args: &[&str]) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let output = attica().current_dir(&directory).arg("up").args(args).output().expect("attica runs");
    assert!(!output.status.success());
    assert!(output.stdout.is_empty(), "nothing on standard output: {}", String::from_utf8_lossy(&output.stdout));
    assert!(!directory.path().join(".attica/postgres").exists(), "nothing was started");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn a_port_in_use_is_named_with_the_flag_that_changes_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound");
    let stderr = refused(&["--paas-port", &address.port().to_string(), "--master-port", "0", "--agent-port", "0"]);
    assert_eq!(
        stderr,
        format!("attica: {address} is in use; stop what listens there or choose another port with --paas-port\n")
    );
}

#[test]
fn two_roles_do_not_get_one_address() {
    // Bound, and open to others that do not listen either: nobody else gets it meanwhile.
    let kept = tokio::net::TcpSocket::new_v4().expect("a socket");
    kept.set_reuseaddr(true).expect("allowed");
    kept.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let address = kept.local_addr().expect("bound");
    let port = address.port().to_string();
    let stderr = refused(&["--master-port", &port, "--paas-port", &port, "--agent-port", "0"]);
    assert_eq!(
        stderr,
        format!("attica: {address} is in use; stop what listens there or choose another port with --paas-port\n")
    );
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let stderr = refused(&["--data-dir", "/proc/attica"]);
    assert!(
        stderr.starts_with("attica: cannot write to /proc/attica; choose another directory with --data-dir"),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1);
}

#[test]
fn an_address_that_is_not_ours_is_named() {
    let stderr = refused(&["--listen", "192.0.2.1"]);
    assert!(
        stderr.starts_with("attica: cannot listen on 192.0.2.1:5050; choose another address with --listen"),
        "{stderr}"
    );
}
