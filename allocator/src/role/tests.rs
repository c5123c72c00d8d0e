use super::*;

#[test]
fn mesos_rules_for_names_hold() {
    for role in ["*", "web", "eng/web", "a/b/c", "with-hyphen", "a.b", "...", "ünïcode"] {
        assert_eq!(Role::new(role).map(|role| role.to_string()).as_deref(), Ok(role));
    }
    let too_long = "x".repeat(Role::MAX_BYTES + 1);
    let refused = [
        "", ".", "..", "/", "/a", "a/", "a//b", "a/./b", "a/..", "*/a", "a/*", "-a", "a/-b", "a b", "a\tb", "a\u{8}",
        &too_long,
    ];
    for role in refused {
        assert!(Role::new(role).is_err(), "{role:?}");
    }
}

#[test]
fn a_role_is_within_itself_and_those_above() {
    let role = |role| Role::new(role).unwrap();
    let cases = [
        ("a", "a", true),
        ("a/b", "a", true),
        ("a/b/c", "a", true),
        ("a/b/c", "a/b", true),
        ("a", "a/b", false),
        ("ab", "a", false),
        ("b", "a", false),
        ("a", "*", false),
    ];
    for (below, above, expected) in cases {
        assert_eq!(role(below).is_within(&role(above)), expected, "{below} within {above}");
    }
    assert_eq!(role("a/b/c").parent(), Some(role("a/b")));
    assert_eq!(role("a").parent(), None);
}
