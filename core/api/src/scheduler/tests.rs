//! Which calls make commands, and what is said about those that do not.

use bytes::Bytes;

use super::*;
use crate::v1::{FrameworkId, FrameworkInfo};

fn call(r#type: CallType) -> Call {
    Call { r#type: Some(r#type), framework_id: Some("f".into()), ..Call::default() }
}

fn refusal(call: Call) -> String {
    call.into_command().unwrap_err().to_string()
}

#[test]
fn a_call_without_its_member_is_refused_by_the_members_name() {
    for r#type in CallType::ALL {
        let member = match r#type {
            CallType::Unknown | CallType::Teardown | CallType::Revive | CallType::Suppress => {
                assert!(call(*r#type).into_command().is_ok(), "{type} needs no member");
                continue;
            }
            CallType::Subscribe
            | CallType::Accept
            | CallType::Decline
            | CallType::AcceptInverseOffers
            | CallType::DeclineInverseOffers
            | CallType::Kill
            | CallType::Shutdown
            | CallType::Acknowledge
            | CallType::AcknowledgeOperationStatus
            | CallType::Reconcile
            | CallType::ReconcileOperations
            | CallType::Message
            | CallType::Request
            | CallType::UpdateFramework => r#type.name().to_lowercase(),
        };
        let expected = format!("Failed to validate scheduler::Call: Expecting '{member}' to be present");
        assert_eq!(refusal(call(*r#type)), expected);
    }
}

#[test]
fn every_complete_call_makes_its_command() {
    let mut complete = Call {
        framework_id: Some("f".into()),
        subscribe: Some(Subscribe {
            framework_info: FrameworkInfo { id: Some("f".into()), ..FrameworkInfo::default() },
            ..Subscribe::default()
        }),
        accept: Some(Accept::default()),
        decline: Some(Decline::default()),
        accept_inverse_offers: Some(AcceptInverseOffers::default()),
        decline_inverse_offers: Some(DeclineInverseOffers::default()),
        revive: Some(Revive { roles: vec!["r".into()] }),
        kill: Some(Kill::default()),
        shutdown: Some(Shutdown::default()),
        acknowledge: Some(Acknowledge { uuid: Bytes::from_static(&[7; 16]), ..Acknowledge::default() }),
        acknowledge_operation_status: Some(AcknowledgeOperationStatus {
            uuid: Bytes::from_static(&[7; 16]),
            ..AcknowledgeOperationStatus::default()
        }),
        reconcile: Some(Reconcile::default()),
        reconcile_operations: Some(ReconcileOperations::default()),
        message: Some(Message::default()),
        request: Some(Request::default()),
        suppress: Some(Suppress { roles: vec!["s".into()] }),
        update_framework: Some(UpdateFramework {
            framework_info: FrameworkInfo { id: Some("f".into()), ..FrameworkInfo::default() },
            ..UpdateFramework::default()
        }),
        ..Call::default()
    };
    for r#type in CallType::ALL.iter().copied().filter(|r#type| *r#type != CallType::Unknown) {
        complete.r#type = Some(r#type);
        let (framework_id, command) = complete.clone().into_command().unwrap();
        assert_eq!(framework_id, Some(FrameworkId::new("f")));
        let made = match command {
            Command::Subscribe(_) => CallType::Subscribe,
            Command::Teardown => CallType::Teardown,
            Command::Accept(_) => CallType::Accept,
            Command::Decline(_) => CallType::Decline,
            Command::AcceptInverseOffers(_) => CallType::AcceptInverseOffers,
            Command::DeclineInverseOffers(_) => CallType::DeclineInverseOffers,
            Command::Revive { roles } => {
                assert_eq!(roles, ["r"]);
                CallType::Revive
            }
            Command::Kill(_) => CallType::Kill,
            Command::Shutdown(_) => CallType::Shutdown,
            Command::Acknowledge(Acknowledgement { uuid, .. }) => {
                assert_eq!(uuid.as_bytes(), &[7; 16]);
                CallType::Acknowledge
            }
            Command::AcknowledgeOperationStatus(_) => CallType::AcknowledgeOperationStatus,
            Command::Reconcile(_) => CallType::Reconcile,
            Command::ReconcileOperations(_) => CallType::ReconcileOperations,
            Command::Message(_) => CallType::Message,
            Command::Request(_) => CallType::Request,
            Command::Suppress { roles } => {
                assert_eq!(roles, ["s"]);
                CallType::Suppress
            }
            Command::UpdateFramework(_) => CallType::UpdateFramework,
            Command::Unknown => CallType::Unknown,
        };
        assert_eq!(made, r#type);
    }
}

#[test]
fn the_framework_id_has_to_be_the_same_everywhere() {
    let subscribe = |outer: Option<&str>, inner: Option<&str>| {
        let framework_info = FrameworkInfo { id: inner.map(FrameworkId::from), ..FrameworkInfo::default() };
        Call {
            r#type: Some(CallType::Subscribe),
            framework_id: outer.map(FrameworkId::from),
            subscribe: Some(Subscribe { framework_info, ..Subscribe::default() }),
            ..Call::default()
        }
    };
    let differs = "Failed to validate scheduler::Call: 'framework_id' differs from 'subscribe.framework_info.id'";
    assert_eq!(subscribe(None, None).into_command().unwrap().0, None);
    assert_eq!(subscribe(Some("a"), Some("a")).into_command().unwrap().0, Some("a".into()));
    assert_eq!(refusal(subscribe(Some("a"), None)), differs);
    assert_eq!(refusal(subscribe(None, Some("a"))), differs);
    assert_eq!(refusal(subscribe(Some("a"), Some("b"))), differs);

    let update = Call { update_framework: Some(UpdateFramework::default()), ..call(CallType::UpdateFramework) };
    assert_eq!(refusal(update), differs.replace("subscribe", "update_framework"));
}

/// There are clients that look up the member by the lower-cased type and fail when it is not there.
#[test]
fn every_event_has_the_member_of_its_type() {
    let events = [
        Event::subscribed("f".into(), 15.0, Default::default()),
        Event::offers(vec![]),
        Event::inverse_offers(vec![]),
        Event::rescind("o".into()),
        Event::rescind_inverse_offer("o".into()),
        Event::update(Default::default()),
        Event::update_operation_status(Default::default()),
        Event::message("a".into(), "e".into(), Bytes::new()),
        Event::agent_lost("a".into()),
        Event::executor_lost("a".into(), "e".into(), 9),
        Event::error("no"),
        Event::heartbeat(),
    ];
    for event in events {
        let json = serde_json::to_value(&event).unwrap();
        let r#type = json["type"].as_str().unwrap().to_lowercase();
        let members: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        match r#type.as_str() {
            "heartbeat" => assert_eq!(members, ["type"]),
            member => assert_eq!(members, ["type", member]),
        }
    }
}
