use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::v1::{Secret, SecretReference, SecretType, SecretValue, TaskId};

const VALUE: &[u8] = b"correct horse battery staple";

fn key(byte: u8) -> SealingKey {
    SealingKey::new(&[byte; KEY_BYTES])
}

fn kept(path: &str, version: i64) -> Purpose<'_> {
    Purpose::Keeping { path, version }
}

#[test]
fn what_is_sealed_opens_with_the_key_for_the_purpose_alone() {
    let (key, value) = (key(1), ClearText::new(VALUE.to_vec()));
    let task = TaskId::from("web.1");
    let sealed = key.seal(&value, kept("/db/password", 7)).unwrap();
    assert!(!sealed.as_bytes().windows(5).any(|part| VALUE.windows(5).any(|clear| part == clear)));
    assert_eq!(key.open(&sealed, kept("/db/password", 7)).unwrap().expose(), VALUE);
    let other_key = super::SealingKey::new(&[2; KEY_BYTES]);
    assert_eq!(other_key.open(&sealed, kept("/db/password", 7)), Err(SealError::Opening));
    for wrong in [kept("/db/password", 8), kept("/db/passwor", 7), Purpose::Task(&task)] {
        assert_eq!(key.open(&sealed, wrong), Err(SealError::Opening), "{wrong:?}");
    }
    let for_task = key.seal(&value, Purpose::Task(&task)).unwrap();
    assert_eq!(key.open(&for_task, Purpose::Task(&task)).unwrap(), value);
    assert_eq!(key.open(&for_task, Purpose::Task(&TaskId::from("web.2"))), Err(SealError::Opening));
    let again = key.seal(&value, Purpose::Task(&task)).unwrap();
    assert_ne!(again, for_task, "a nonce is never used again");
    let nothing = key.seal(&ClearText::new(Vec::new()), Purpose::Task(&task)).unwrap();
    assert_eq!(key.open(&nothing, Purpose::Task(&task)).unwrap().expose(), b"");
}

#[test]
fn whatever_is_changed_of_it_is_noticed() {
    let key = key(1);
    let sealed = key.seal(&ClearText::new(VALUE.to_vec()), kept("/a", 1)).unwrap();
    let whole = sealed.as_bytes();
    for place in 0..whole.len() {
        let mut changed = whole.to_vec();
        changed[place] ^= 1;
        for spoiled in [whole[..place].to_vec(), changed] {
            assert_eq!(key.open(&Sealed::from_bytes(spoiled), kept("/a", 1)), Err(SealError::Opening), "at {place}");
        }
    }
}

#[test]
fn nothing_that_holds_a_value_shows_it() {
    let value = ClearText::new(VALUE.to_vec());
    let shown = format!("{value:?} {:?} {:?}", key(0x41), Enclosed::Value(value.clone()));
    assert!(!shown.contains("correct") && !shown.contains("AAAA"), "{shown}");
}

#[test]
fn a_key_is_a_file_of_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    SealingKey::make_file(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let made = SealingKey::read(&path).unwrap();
    SealingKey::make_file(&path).unwrap();
    assert_eq!(SealingKey::read(&path).unwrap().id(), made.id(), "one that is there is kept");
    assert_eq!(made.id().as_str().len(), 16);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let refused = SealingKey::read(&path).unwrap_err();
    assert!(refused.to_string().contains("mode 640"), "{refused}");
    for length in [0, 31, 33, 4096] {
        std::fs::write(&path, vec![7; length]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let refused = SealingKey::read(&path).unwrap_err();
        assert!(matches!(refused, KeyFileError::Size { .. }), "{length}: {refused}");
    }
    assert!(matches!(SealingKey::read(&directory.path().join("none")), Err(KeyFileError::Unreadable { .. })));
}

#[test]
fn a_task_carries_values_clear_or_sealed_and_nothing_else() {
    let sealed = key(1).seal(&ClearText::new(VALUE.to_vec()), kept("/a", 1)).unwrap();
    assert_eq!(Enclosed::of(&in_reference(&sealed)), Ok(Enclosed::Sealed(sealed)));
    let value = SecretValue { data: VALUE.into() };
    let of_mesos = Secret { r#type: Some(SecretType::Value), value: Some(value.clone()), reference: None };
    assert_eq!(Enclosed::of(&of_mesos), Ok(Enclosed::Value(ClearText::new(VALUE.to_vec()))));
    let elsewhere = SecretReference { name: "vault".to_owned(), key: Some("AAAA".to_owned()) };
    let elsewhere = Secret { r#type: Some(SecretType::Reference), reference: Some(elsewhere), value: None };
    assert_eq!(Enclosed::of(&elsewhere), Err(Unreadable::Reference("vault".to_owned())));
    let both = Secret { value: Some(value), ..elsewhere };
    for shapeless in [both, Secret::default()] {
        assert_eq!(Enclosed::of(&shapeless), Err(Unreadable::Shape));
    }
}
