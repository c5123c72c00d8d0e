//! The types of events that are our own. They go to those alone who name them in `event_type`: whoever knows Marathon's types sees no
//! others.

/// A type of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnEvent {
    /// Its name.
    pub name: &'static str,
    /// When it is sent.
    pub when: &'static str,
    /// The members of its data, beside `eventType` and `timestamp`.
    pub fields: &'static [&'static str],
    /// Members that are there only now and then.
    pub optional: &'static [&'static str],
}

/// All of them.
pub const OWN_EVENTS: [OwnEvent; 4] = [
    OwnEvent {
        name: "instance_draining",
        when: "the kill of an instance was decided, and who routes to it is to let go of it",
        fields: &["instanceId", "taskIds", "runSpecId", "drainTimeoutSeconds"],
        optional: &[],
    },
    OwnEvent {
        name: "deployment_paused",
        when: "a deployment does nothing until it is resumed, by a reason of its own or because somebody wanted that",
        fields: &["id", "plan"],
        optional: &["reason"],
    },
    OwnEvent { name: "deployment_resumed", when: "a deployment goes on", fields: &["id", "plan"], optional: &[] },
    OwnEvent {
        name: "deployment_gave_up",
        when: "a deployment no longer waits for one of its apps or pods, the appId",
        fields: &["id", "plan", "appId", "reason"],
        optional: &[],
    },
];

/// What the description says of them.
#[must_use]
pub fn described() -> String {
    let event = |event: &OwnEvent| {
        let fields = event.fields.iter().map(|field| (*field).to_owned());
        let fields = fields.chain(event.optional.iter().map(|field| format!("{field} (optional)")));
        format!("{}: {}; {}", event.name, event.when, fields.collect::<Vec<_>>().join(", "))
    };
    let events: Vec<String> = OWN_EVENTS.iter().map(event).collect();
    format!(
        "Marathon's types, and these of our own, which only those get who name them in event_type. {}. Each also has eventType and timestamp.",
        events.join(". ")
    )
}
