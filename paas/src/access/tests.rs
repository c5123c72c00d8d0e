use std::collections::BTreeMap;
use std::sync::Arc;

use attica_core_api::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::model::GroupId;

/// Paths of a small tree, the root among them.
fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(vec!["a", "b", "ab", "a-b"]), 0..4)
        .prop_map(|segments| format!("/{}", segments.join("/")))
}

fn permission() -> impl Strategy<Value = Permission> {
    proptest::sample::select(Permission::ALL.to_vec())
}

fn group(path: &str) -> GroupId {
    GroupId::parse(path).unwrap()
}

/// The rule, word by word: something is held at the path itself, or at a path that it lies below.
fn naively(grants: &[(String, Permission)], wanted: Permission, path: &str) -> bool {
    let segments = |path: &str| path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
    let path: Vec<String> = segments(path);
    grants.iter().any(|(at, held)| {
        let at: Vec<String> = segments(at);
        let enough = *held == wanted || *held == Permission::Admin || wanted == Permission::View;
        enough && path.starts_with(&at)
    })
}

proptest! {
    #[test]
    fn permissions_hold_for_a_path_and_everything_below_it(
        held in proptest::collection::vec((path(), permission()), 0..6),
        wanted in permission(),
        path in path(),
    ) {
        let grants: Grants = held.iter().map(|(at, held)| (group(at), [*held].into_iter().collect())).collect();
        prop_assert_eq!(grants.allow(wanted, &path), naively(&held, wanted, &path));
        let sight = grants.sight();
        prop_assert_eq!(sight.sees(&path), naively(&held, Permission::View, &path));
        let below = |at: &String| at.starts_with(&format!("{}/", path.trim_end_matches('/'))) || *at == path;
        let reached = sight.sees(&path) || held.iter().any(|(at, _)| below(at));
        prop_assert_eq!(sight.reaches(&group(&path)), reached);
        let caller = Caller::named(UserName::parse("ann").unwrap(), grants);
        prop_assert_eq!(caller.need(wanted, &path).is_ok(), naively(&held, wanted, &path));
    }

    #[test]
    fn what_was_granted_and_revoked_is_as_if_it_never_was(at in path(), one in permission(), other in permission()) {
        let mut grants = Grants::default();
        grants.grant(group(&at), [one, other].into_iter().collect());
        prop_assert!(grants.revoke(&group(&at), [one, other].into_iter().collect()));
        prop_assert_eq!(&grants, &Grants::default());
        prop_assert!(!grants.revoke(&group(&at), [one].into_iter().collect()));
    }

    #[test]
    fn grants_are_read_back_as_they_were_written(held in proptest::collection::vec((path(), permission()), 0..6)) {
        let grants: Grants = held.iter().map(|(at, held)| (group(at), [*held].into_iter().collect())).collect();
        let text = serde_json::to_string(&grants).unwrap();
        prop_assert_eq!(serde_json::from_str::<Grants>(&text).unwrap(), grants);
    }
}

#[test]
fn what_concerns_several_is_for_those_who_may_view_all_of_them() {
    let grants =
        |path: &str| -> Grants { [(group(path), [Permission::View].into_iter().collect())].into_iter().collect() };
    let (all, shop) = (grants("/").sight(), grants("/shop").sight());
    assert_eq!(all, Sight::Everything);
    for (scope, heard) in [
        (Scope::Everybody, true),
        (Scope::Unknown, false),
        (Scope::of_all(["/shop/web"]), true),
        (Scope::of_all(["/shop/web", "/shop"]), true),
        (Scope::of_all(["/shop/web", "/shopping"]), false),
    ] {
        assert_eq!(shop.hears(&scope), heard, "{scope:?}");
        assert!(all.hears(&scope));
    }
    assert!(!Grants::default().sight().sees("/"));
}

#[test]
fn a_token_proves_a_name_until_it_expires_or_is_taken_away() {
    let mut accounts = Accounts::default();
    let token = |secret: &Secret, expires_at| Token {
        digest: secret.digest(),
        description: String::new(),
        created_at: Timestamp(0),
        expires_at,
    };
    let [short, long] = [Secret::random().unwrap(), Secret::random().unwrap()];
    let id = |number| TokenId(Uuid::from_u128(number));
    let mut user = User::new(UserName::parse("ann").unwrap());
    user.tokens = BTreeMap::from([(id(1), token(&short, Some(Timestamp(10)))), (id(2), token(&long, None))]);
    accounts.put(Arc::new(user.clone()));
    let proves =
        |accounts: &Accounts, secret: &Secret, now| accounts.of_token(&secret.digest(), Timestamp(now)).is_some();
    assert!(proves(&accounts, &short, 9) && !proves(&accounts, &short, 10));
    assert!(proves(&accounts, &long, i64::MAX));
    user.tokens.remove(&id(2));
    accounts.put(Arc::new(user.clone()));
    assert!(proves(&accounts, &short, 9) && !proves(&accounts, &long, 9));
    accounts.remove(&user.name);
    assert_eq!(accounts, Accounts::default());
}

#[test]
fn a_password_is_known_by_its_hash_alone() {
    let hash = PasswordHash::of("correct horse").unwrap();
    assert!(hash.text().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.text());
    assert!(hash.matches("correct horse") && !hash.matches("correct horse ") && !hash.matches(""));
    assert_ne!(hash, PasswordHash::of("correct horse").unwrap());
    let broken: PasswordHash = serde_json::from_str("\"nothing\"").unwrap();
    assert!(!broken.matches("nothing"));
}

#[test]
fn names_of_users_can_be_sent_and_shown() {
    for right in ["ann", "ann@example.org", "A.b_c-1+x"] {
        assert!(UserName::parse(right).is_ok(), "{right}");
    }
    for wrong in ["", "a:b", "a b", "a/b", "ä", "<i>", &"x".repeat(129)] {
        assert!(UserName::parse(wrong).is_err(), "{wrong}");
    }
}
