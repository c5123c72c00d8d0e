//! What operations need, and who gets it.

use attica_core_api::auth::{Acls, Action};
use attica_core_api::v1::{
    CommandInfo, DiskInfo, DiskPersistence, ExecutorInfo, FrameworkCapability, FrameworkCapabilityType, FrameworkId,
    FrameworkInfo, ReservationInfo, Resource, TaskInfo,
};

use super::*;

fn framework(principal: Option<&str>, roles: &[&str]) -> FrameworkInfo {
    FrameworkInfo {
        user: "fwuser".to_owned(),
        id: Some(FrameworkId::new("f")),
        principal: principal.map(str::to_owned),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        capabilities: vec![FrameworkCapability { r#type: Some(FrameworkCapabilityType::MultiRole) }],
        ..FrameworkInfo::default()
    }
}

/// Reserved by `role:principal` on each level.
fn reserved(levels: &[&str]) -> Resource {
    let level = |text: &&str| {
        let (role, principal) = text.split_once(':').unwrap();
        let principal = (!principal.is_empty()).then(|| principal.to_owned());
        ReservationInfo { role: Some(role.to_owned()), principal, ..ReservationInfo::default() }
    };
    Resource { name: "cpus".to_owned(), reservations: levels.iter().map(level).collect(), ..Resource::default() }
}

fn shown(needed: &[Needed]) -> String {
    let one = |needed: &Needed| needed.to_string().replace("perform action ", "").replace(" on object ", " ");
    needed.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[test]
fn reserving_needs_each_role_and_what_is_given_up() {
    type Stacks<'a> = &'a [&'a [&'a str]];
    let cases: [(Stacks<'_>, Stacks<'_>, &str); 6] = [
        (&[], &[&["a:p"], &["a:p"], &["b:p"]], "RESERVE_RESOURCES 'a'; RESERVE_RESOURCES 'b'"),
        (&[], &[&["a:p", "a/b:p"]], "RESERVE_RESOURCES 'a/b'"),
        (&[&["a:p"]], &[&["a:p", "a/b:q"]], "RESERVE_RESOURCES 'a/b'"),
        (&[&["a:p", "a/b:q"]], &[&["c:r"]], "UNRESERVE_RESOURCES 'q'; UNRESERVE_RESOURCES 'p'; RESERVE_RESOURCES 'c'"),
        (&[&["a:"]], &[&["c:r"]], "UNRESERVE_RESOURCES on ANY object; RESERVE_RESOURCES 'c'"),
        (&[&["a:p"]], &[&["a:p"]], ""),
    ];
    for (source, resources, expected) in cases {
        let make = |levels: &[&[&str]]| levels.iter().map(|levels| reserved(levels)).collect::<Vec<_>>();
        assert_eq!(shown(&Needed::reserve(&make(source), &make(resources))), expected, "{source:?} {resources:?}");
    }
    // The old form says the same.
    let old = Resource { role: Some("a".to_owned()), ..Resource::default() };
    assert_eq!(shown(&Needed::reserve(&[], &[old])), "RESERVE_RESOURCES 'a'");
}

#[test]
fn the_other_operations() {
    assert_eq!(shown(&Needed::unreserve(&[reserved(&["a:p", "a/b:q"])])), "UNRESERVE_RESOURCES 'q'");
    assert_eq!(shown(&Needed::unreserve(&[reserved(&["a:"])])), "UNRESERVE_RESOURCES on ANY object");
    assert_eq!(shown(&Needed::create(&[reserved(&["a:p"])])), "CREATE_VOLUME 'a'");
    assert_eq!(shown(&Needed::create(&[])), "CREATE_VOLUME on ANY object");
    assert_eq!(shown(&Needed::destroy(&[])), "DESTROY_VOLUME on ANY object");
    let persistence = DiskPersistence { id: "v".to_owned(), principal: Some("p".to_owned()) };
    let disk = Box::new(DiskInfo { persistence: Some(persistence), ..DiskInfo::default() });
    let volume = Resource { disk: Some(disk), ..reserved(&["a:p"]) };
    assert_eq!(shown(&Needed::destroy(std::slice::from_ref(&volume))), "DESTROY_VOLUME 'p'");
    assert_eq!(shown(&[Needed::resize(&volume)]), "RESIZE_VOLUME 'a'");
}

#[test]
fn a_task_runs_as_somebody() {
    let framework = framework(Some("ann"), &["a"]);
    let command = |user: Option<&str>| CommandInfo { user: user.map(str::to_owned), ..CommandInfo::default() };
    let plain = TaskInfo { command: Some(command(None)), ..TaskInfo::default() };
    let own = TaskInfo { command: Some(command(Some("root"))), ..TaskInfo::default() };
    let executor = ExecutorInfo { command: Some(command(Some("exec"))), ..ExecutorInfo::default() };
    let of_executor = TaskInfo { executor: Some(executor.into()), ..TaskInfo::default() };
    let users = [&plain, &own, &of_executor].map(|task| user_of(task, &framework).to_owned());
    assert_eq!(users, ["fwuser", "root", "exec"]);
    let acls = r#"{"run_tasks":[{"principals":{"values":["ann"]},"users":{"values":["root"]}},
        {"principals":{"type":"ANY"},"users":{"type":"NONE"}}]}"#;
    let acls = Acls::parse(acls).unwrap();
    assert_eq!(check_operation(Some(&acls), &framework, &[Needed::launch(&own, &framework)]), Ok(()));
    assert_eq!(
        check_operation(Some(&acls), &framework, &[Needed::launch(&plain, &framework)]).unwrap_err(),
        "Principal 'ann' no authorized to launch task  of framework f under user 'fwuser'"
    );
    assert_eq!(check_operation(None, &framework, &[Needed::launch(&plain, &framework)]), Ok(()));
}

#[test]
fn registering_needs_every_role() {
    let acls = r#"{"permissive":false,"register_frameworks":[{"principals":{"values":["ann"]},"roles":{"values":["a","b/%"]}}]}"#;
    let acls = Acls::parse(acls).unwrap();
    let cases = [
        (framework(Some("ann"), &["a", "b/c"]), true),
        (framework(Some("ann"), &["a", "b"]), false),
        (framework(Some("bob"), &["a"]), false),
        (framework(None, &["a"]), false),
        (framework(Some("ann"), &[]), false),
    ];
    for (info, expected) in cases {
        assert_eq!(check_registration(Some(&acls), &info).is_ok(), expected, "{info:?}");
        assert_eq!(check_registration(None, &info), Ok(()));
    }
    assert_eq!(
        check_registration(Some(&acls), &framework(Some("ann"), &["a", "x"])).unwrap_err(),
        "Not authorized to register framework f with roles { a, x }"
    );
    let single = FrameworkInfo { capabilities: Vec::new(), role: Some("a".to_owned()), ..framework(Some("ann"), &[]) };
    assert_eq!(check_registration(Some(&acls), &single), Ok(()));
    assert_eq!(Needed::any(Action::RegisterAgent).to_string(), "perform action REGISTER_AGENT on ANY object");
}
