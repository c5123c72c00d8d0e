//! Credentials, tokens and rules, case by case.

use super::*;

const KEY: &[u8] = b"0123456789abcdef0123456789abcdef\n";
const NOW: i64 = 1_800_000_000;

fn key() -> TokenKey {
    TokenKey::new(KEY).unwrap()
}

fn claims(pairs: &[(&str, &str)]) -> Claims {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn credentials() -> Credentials {
    Credentials::parse(r#"{"credentials":[{"principal":"ann","secret":"a:1"},{"principal":"bob","secret":"b2"}]}"#)
        .unwrap()
}

fn encoded(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn credentials_are_read_and_checked() {
    let known = credentials();
    assert_eq!(known.check("ann", "a:1").as_deref(), Some("ann"));
    for (name, secret) in [("ann", "a:2"), ("ann", ""), ("ann", "a:1 "), ("bob", "a:1"), ("eve", "a:1"), ("", "")] {
        assert_eq!(known.check(name, secret), None, "{name} {secret}");
    }
    let single = Credential::parse(r#"{"principal":"p","secret":"s"}"#).unwrap();
    assert_eq!((&*single.principal, single.secret.expose()), ("p", "s"));
}

#[test]
fn errors_and_debug_never_show_what_is_secret() {
    let cases = [
        (r#"{"credentials":[{"principal":"p","secret":"hush""#, "not JSON: syntax error at line 1, column 48"),
        (r#"["hush"]"#, "the file needs a list `credentials`"),
        (r#"{"credentials":"hush"}"#, "the file needs a list `credentials`"),
        (r#"{"credentials":["hush"]}"#, "`credentials[0]` needs a string `principal` that is not empty"),
        (r#"{"credentials":[{"principal":"p"}]}"#, "`credentials[0]` needs a string `secret` that is not empty"),
        (
            r#"{"credentials":[{"principal":"p","secret":["hush"]}]}"#,
            "`credentials[0]` needs a string `secret` that is not empty",
        ),
        (
            r#"{"credentials":[{"principal":"p","secret":"hush"},{"principal":"p","secret":"hush2"}]}"#,
            "the principal `p` occurs more than once",
        ),
        (
            r#"{"credentials":[{"principal":"p:q","secret":"hush"}]}"#,
            "the principal `p:q` has a colon, which HTTP cannot carry in a name",
        ),
    ];
    for (text, expected) in cases {
        let error = Credentials::parse(text).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(!format!("{error:?}").contains("hush"), "{error:?}");
    }
    let all = Authenticators { basic: Some(credentials()), bearer: Some(key()) };
    let shown = format!("{all:?}");
    assert!(!shown.contains("a:1") && !shown.contains("0123") && shown.contains("ann"), "{shown}");
    assert!(TokenKey::new(b"short").is_err());
}

#[test]
fn basic_headers() {
    let only_basic = Authenticators { basic: Some(credentials()), bearer: None };
    let ask = |header: Option<&str>| only_basic.authenticate(Realm::MasterReadonly, header, NOW);
    for header in [format!("Basic {}", encoded("ann:a:1")), format!("basic  {}", encoded("ann:a:1"))] {
        assert_eq!(ask(Some(&header)), Ok(Principal::named("ann")), "{header}");
    }
    let refused =
        Challenge { header: "Basic realm=\"mesos-master-readonly\"".to_owned(), body: "401 Unauthorized.".to_owned() };
    let wrong = [
        None,
        Some(String::new()),
        Some("Basic".to_owned()),
        Some("Basic !!!".to_owned()),
        Some(format!("Basic {}", encoded("ann"))),
        Some(format!("Basic {}", encoded("ann:wrong"))),
        Some(format!("Basic {}", encoded("eve:a:1"))),
        Some(format!("Bearer {}", encoded("ann:a:1"))),
    ];
    for header in wrong {
        assert_eq!(ask(header.as_deref()), Err(refused.clone()), "{header:?}");
    }
}

#[test]
fn tokens_are_signed_and_verified() {
    let token = key().sign(&claims(&[("sub", "ann"), ("fid", "f")]));
    assert_eq!(key().verify(&token, NOW), Ok(claims(&[("sub", "ann"), ("fid", "f")])));
    let other = TokenKey::new(&[7; 32]).unwrap();
    assert_eq!(other.verify(&token, NOW), Err(TokenError::Signature));
    let parts: Vec<&str> = token.split('.').collect();
    let swapped =
        format!("{}.{}.{}", parts[0], key().sign(&claims(&[("sub", "eve")])).split('.').nth(1).unwrap(), parts[2]);
    assert_eq!(key().verify(&swapped, NOW), Err(TokenError::Signature));
    for (text, error) in [
        ("", TokenError::Components(1)),
        ("a.b", TokenError::Components(2)),
        ("a.b.c.d", TokenError::Components(4)),
        ("!.b.c", TokenError::Base64("header")),
        ("bm8.b.c", TokenError::Json("header")),
    ] {
        assert_eq!(key().verify(text, NOW), Err(error), "{text}");
    }
}

/// A token of another tool, with any header and payload.
fn foreign(header: &str, payload: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature =
        ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, KEY.trim_ascii_end()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

#[test]
fn only_hs256_and_only_while_it_lives() {
    let hs256 = r#"{"alg":"HS256"}"#;
    let cases = [
        (r#"{"alg":"none"}"#, r#"{"sub":"a"}"#, Err(TokenError::Algorithm)),
        (r#"{"alg":"RS256"}"#, r#"{"sub":"a"}"#, Err(TokenError::Algorithm)),
        (r#"{"typ":"JWT"}"#, r#"{"sub":"a"}"#, Err(TokenError::Algorithm)),
        (r#"{"alg":"HS256","crit":["x"]}"#, r#"{"sub":"a"}"#, Err(TokenError::Critical)),
        (hs256, "{}", Err(TokenError::NoClaims)),
        (hs256, "[]", Err(TokenError::Json("payload"))),
        (hs256, r#"{"exp":"soon"}"#, Err(TokenError::ExpiryShape)),
        (hs256, r#"{"exp":1799999999}"#, Err(TokenError::Expired { expired: NOW - 1, now: NOW })),
        (hs256, r#"{"exp":1800000000}"#, Ok(claims(&[("exp", "1800000000")]))),
        (hs256, r#"{"sub":"a","n":[1]}"#, Ok(claims(&[("sub", "a"), ("n", "[1]")]))),
    ];
    for (header, payload, expected) in cases {
        assert_eq!(key().verify(&foreign(header, payload), NOW), expected, "{header} {payload}");
    }
}

#[test]
fn bearer_headers_and_their_challenges() {
    let only_bearer = Authenticators { basic: None, bearer: Some(key()) };
    let ask = |header: Option<&str>| only_bearer.authenticate(Realm::AgentExecutor, header, NOW);
    let token = key().sign(&claims(&[("fid", "f"), ("cid", "c")]));
    let principal = ask(Some(&format!("Bearer {token}"))).unwrap();
    assert_eq!((principal.name(), principal.to_string().as_str()), (None, r#"{"claims":{"cid":"c","fid":"f"}}"#));
    let realm = "Bearer realm=\"mesos-agent-executor\"";
    let invalid = |text: &str| format!("{realm}, error=\"invalid_token\", error_description=\"{text}\"");
    let cases = [
        (None, realm.to_owned()),
        (Some("Bearer"), invalid("Malformed 'Authorization' header")),
        (Some("Basic x"), invalid("Scheme unsupported")),
        (Some("Bearer x"), invalid("Invalid JWT: Expected 3 components in token, got 1")),
    ];
    for (header, expected) in cases {
        assert_eq!(ask(header).unwrap_err().header, expected, "{header:?}");
    }
}

#[test]
fn where_both_are_taken_both_are_asked_for() {
    let both = Authenticators { basic: Some(credentials()), bearer: Some(key()) };
    let challenge = both.authenticate(Realm::MasterReadwrite, None, NOW).unwrap_err();
    assert_eq!(challenge.header, "Basic realm=\"mesos-master-readwrite\",Bearer realm=\"mesos-master-readwrite\"");
    assert_eq!(
        challenge.body,
        "\"Basic\" authenticator returned:\n401 Unauthorized.\n\n\"Bearer\" authenticator returned:\n401 Unauthorized."
    );
    let token = format!("Bearer {}", key().sign(&claims(&[("sub", "ann")])));
    assert_eq!(both.authenticate(Realm::MasterReadwrite, Some(&token), NOW).unwrap().name(), Some("ann"));
}

/// Rules, and who may do what under them: `+ann user` is allowed, `-ann user` is not; `*` is nobody in particular, or anything.
fn check(acls: &str, action: Action, cases: &[&str]) {
    let acls = Acls::parse(acls).unwrap_or_else(|error| panic!("{error}"));
    for case in cases {
        let (sign, rest) = case.split_at(1);
        let (subject, object) = rest.split_once(' ').unwrap();
        let subject = (subject != "*").then(|| Principal::named(subject));
        let object = if object == "*" { Object::Any } else { Object::Value(object) };
        assert_eq!(acls.allows(subject.as_ref(), action, object), sign == "+", "{case}");
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let only_foo_has_analytics = r#"{"register_frameworks":[
        {"principals":{"values":["foo"]},"roles":{"values":["analytics"]}},
        {"principals":{"type":"NONE"},"roles":{"values":["analytics"]}}]}"#;
    check(
        only_foo_has_analytics,
        Action::RegisterFramework,
        &["+foo analytics", "-bar analytics", "-* analytics", "+foo ads", "+bar ads", "+* ads", "+foo *"],
    );
    let foo_has_these_alone = r#"{"register_frameworks":[
        {"principals":{"values":["foo"]},"roles":{"values":["analytics","ads"]}},
        {"principals":{"values":["foo"]},"roles":{"type":"NONE"}}]}"#;
    check(
        foo_has_these_alone,
        Action::RegisterFramework,
        &["+foo analytics", "+foo ads", "-foo web", "-foo *", "+bar web", "+* web"],
    );
    let nobody_else = r#"{"permissive":false,"register_frameworks":[
        {"principals":{"values":["foo"]},"roles":{"values":["analytics"]}}]}"#;
    check(nobody_else, Action::RegisterFramework, &["+foo analytics", "-foo ads", "-bar analytics", "-* analytics"]);
    check(nobody_else, Action::RunTask, &["-foo root"]);
    let users =
        r#"{"permissive":false,"run_tasks":[{"principals":{"type":"ANY"},"users":{"values":["guest","bar"]}}]}"#;
    check(users, Action::RunTask, &["+foo guest", "+* bar", "-foo root", "-foo *"]);
    let any_any = r#"{"permissive":false,"view_flags":[{"principals":{"values":["ops"]},"flags":{"type":"ANY"}}]}"#;
    check(any_any, Action::ViewFlags, &["+ops *", "-ann *", "-* *"]);
    let none_for_ops = r#"{"view_flags":[{"principals":{"values":["ops"]},"flags":{"type":"NONE"}}]}"#;
    check(none_for_ops, Action::ViewFlags, &["-ops *", "+ann *", "+* *"]);
}

#[test]
fn roles_beneath_a_role() {
    let acls = r#"{"permissive":false,"reserve_resources":[
        {"principals":{"values":["ann"]},"roles":{"values":["eng/%","ops"]}},
        {"principals":{"values":["bob"]},"roles":{"values":["eng"]}}]}"#;
    check(
        acls,
        Action::ReserveResources,
        &[
            "+ann eng/web",
            "+ann eng/web/a",
            "-ann eng",
            "-ann engine/x",
            "+ann ops",
            "-ann ops/x",
            "+bob eng",
            "-bob eng/web",
            "-ann *",
        ],
    );
    // Only rules about roles know them.
    let literal = r#"{"permissive":false,"run_tasks":[{"principals":{"type":"ANY"},"users":{"values":["a/%"]}}]}"#;
    check(literal, Action::RunTask, &["-ann a/b", "+ann a/%"]);
}

#[test]
fn a_framework_needs_all_its_roles() {
    let acls = |permissive| {
        let text = format!(
            r#"{{"permissive":{permissive},"register_frameworks":[
                {{"principals":{{"values":["ann"]}},"roles":{{"values":["a","b"]}}}},
                {{"principals":{{"type":"ANY"}},"roles":{{"type":"NONE"}}}}]}}"#
        );
        Acls::parse(&text).unwrap()
    };
    let ann = Principal::named("ann");
    for (roles, expected) in [(vec!["a", "b"], true), (vec!["a", "c"], false), (vec!["c"], false)] {
        assert_eq!(acls(true).allows_registration(Some(&ann), roles.iter().copied()), expected, "{roles:?}");
    }
    assert!(acls(true).allows_registration(Some(&ann), std::iter::empty()));
    assert!(!acls(false).allows_registration(Some(&ann), std::iter::empty()));
}

#[test]
fn everything_is_more_than_anything() {
    let only_root_is_hidden = r#"{"view_tasks":[{"principals":{"values":["ops"]},"users":{"type":"ANY"}},
        {"principals":{"type":"NONE"},"users":{"values":["root"]}}]}"#;
    let all = |acls: &str, name: Option<&str>| {
        let subject = name.map(Principal::named);
        Acls::parse(acls).unwrap().allows_everything(subject.as_ref(), Action::ViewTask)
    };
    assert_eq!((all(only_root_is_hidden, Some("ops")), all(only_root_is_hidden, Some("ann"))), (true, false));
    assert!(!all(only_root_is_hidden, None));
    let own = r#"{"permissive":false,"view_tasks":[{"principals":{"values":["ann"]},"users":{"values":["ann"]}}]}"#;
    assert!(!all(own, Some("ann")));
    assert!(all("{}", Some("ann")) && all("{}", None) && !all(r#"{"permissive":false}"#, Some("ann")));
    let named = r#"{"view_tasks":[{"principals":{"values":["ann"]},"users":{"values":["ann"]}}]}"#;
    assert!(all(named, Some("ann")), "the others are allowed as well");
}

#[test]
fn who_has_only_claims_may_do_nothing() {
    let acls = Acls::parse("{}").unwrap();
    let executor = Principal::claiming(claims(&[("cid", "c")]));
    assert!(!acls.allows(Some(&executor), Action::ViewTask, Object::Any));
    assert!(acls.allows(None, Action::ViewTask, Object::Any));
    let viewer = Viewer::new(Some(executor), None);
    assert!(viewer.is_unrestricted() && viewer.sees_task("root"));
}

#[test]
fn files_that_could_be_misunderstood_are_refused() {
    let cases = [
        ("[]", "`the whole` has to be a JSON object"),
        (r#"{"permissive":"no"}"#, "`permissive` has to be true or false"),
        (r#"{"run_tasks":{}}"#, "`run_tasks` has to be a list"),
        (r#"{"run_tasks":[{"users":{}}]}"#, "`run_tasks[0].principals` has to be present"),
        (r#"{"run_tasks":[{"principals":{}}]}"#, "`run_tasks[0].users` has to be present"),
        (
            r#"{"run_tasks":[{"principals":{},"users":{},"user":{}}]}"#,
            "`run_tasks[0].user` is unknown; expected one of principals, users",
        ),
        (
            r#"{"run_tasks":[{"principals":{"type":"ALL"},"users":{}}]}"#,
            "`run_tasks[0].principals.type: ALL` is unknown; expected one of SOME, ANY, NONE",
        ),
        (
            r#"{"run_tasks":[{"principals":{"values":"ann"},"users":{}}]}"#,
            "`run_tasks[0].principals.values` has to be a list of strings",
        ),
        (
            r#"{"view_flags":[{"principals":{},"flags":{"values":["x"]}}]}"#,
            "`view_flags[0].flags` has to be of type ANY or NONE",
        ),
        (
            r#"{"get_endpoints":[{"principals":{},"paths":{"values":["/state"]}}]}"#,
            "`get_endpoints[0].paths: /state` is unknown; expected one of /containers, /containerizer/debug, /files/debug, \
             /logging/toggle, /metrics/snapshot, /monitor/statistics",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(Acls::parse(text).unwrap_err().to_string(), expected, "{text}");
    }
    let misspelt = Acls::parse(r#"{"run_task":[]}"#).unwrap_err().to_string();
    assert!(
        misspelt.starts_with("`run_task` is unknown; expected one of permissive, register_frameworks, run_tasks"),
        "{misspelt}"
    );
}

#[test]
fn every_action_has_a_list_of_its_own() {
    let mut lists: Vec<&str> = Action::ALL.iter().map(|action| action.list()).collect();
    lists.sort_unstable();
    lists.dedup();
    assert_eq!((lists.len(), Action::ALL.len()), (54, 54));
}
