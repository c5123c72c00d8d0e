//! What makes a call complete.

use super::*;
use crate::decode_json;

fn command(json: &str) -> Result<Command, Invalid> {
    decode_json::<Call>(json.as_bytes()).unwrap().into_command()
}

#[test]
fn a_call_without_its_member_is_refused_by_name() {
    assert_eq!(command("{}"), Err(Invalid::Absent("type")));
    assert_eq!(command(r#"{"type":"NOBODY_KNOWS"}"#), Err(Invalid::Absent("type")));
    assert_eq!(command(r#"{"type":"UNKNOWN"}"#), Err(Invalid::UnknownType));
    assert_eq!(command(r#"{"type":"GET_STATE"}"#), Ok(Command::GetState));
    let needs_nothing = CallType::ALL.iter().filter(|kind| {
        let call = Call { r#type: Some(**kind), ..Call::default() };
        match call.into_command() {
            Ok(_) => true,
            Err(Invalid::Absent(member)) => {
                assert_eq!(member, kind.name().to_ascii_lowercase());
                false
            }
            Err(Invalid::UnknownType) => false,
        }
    });
    assert!(needs_nothing.clone().all(|kind| kind.name().starts_with("GET_") || *kind == CallType::Subscribe));
    assert_eq!(needs_nothing.count(), 17);
}

#[test]
fn a_grace_period_is_a_google_duration() {
    let call = r#"{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"a"},"max_grace_period":{"seconds":2,"nanos":500000000}}}"#;
    let Ok(Command::DrainAgent(drain)) = command(call) else { panic!("a drain") };
    assert_eq!(drain.max_grace_period.unwrap().milliseconds(), Some(2_500));
    assert!(!drain.mark_gone);
    assert_eq!(GoogleDuration { seconds: Some(-1), nanos: None }.milliseconds(), None);
    assert_eq!(GoogleDuration::default().milliseconds(), Some(0));
}
