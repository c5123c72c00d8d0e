//! What fuzzers call, and tests with random input: each takes any bytes as the body of a write, and panics only where a promise is broken.
//! What can be read is shown as a document that says the same when it is written again.

use attica_paas_api::group::GroupUpdate;
use attica_paas_api::pod::Pod;
use attica_paas_api::{AppUpdate, app::App};

use crate::engine::GroupUpdate as Update;
use crate::http::decode;
use crate::model::{GroupId, RunSpec, RunSpecId};
use crate::normalise;
use crate::validate::{self, GroupIntent, Intent, Rules};

/// The role of what names none.
const ROLE: &str = "services";
const ID: &str = "/fuzz/it";

fn rules() -> Rules {
    Rules::default()
}

fn id() -> RunSpecId {
    RunSpecId::parse(ID).unwrap_or_else(|error| unreachable!("{ID} is an id: {error}"))
}

/// The body of a write of an app.
pub fn app(data: &[u8]) {
    let Ok(written) = decode::<AppUpdate>(data) else { return };
    let Some(first) = read_app(written) else { return };
    let shown: App = normalise::app(&first);
    let text = normalise::json(&shown);
    let again: AppUpdate = decode(text.as_bytes()).unwrap_or_else(|(_, body)| panic!("{body:?}: {text}"));
    assert_same(&first, read_app(again), &text);
}

fn assert_same(first: &RunSpec, second: Option<RunSpec>, text: &str) {
    let same = second.as_ref().is_some_and(|second| second.same_configuration(first));
    assert!(same, "what is shown says something else: {text}\n{first:?}\n{second:?}");
}

/// The whole definition that an app would get that is new; none when it is refused.
fn read_app(written: AppUpdate) -> Option<RunSpec> {
    let id = id();
    match validate::intent(written, &id, &rules()).ok()? {
        Intent::Update(update) => {
            let definition = update.apply(None, &id, ROLE).ok()?;
            validate::whole(&definition).ok()?;
            Some(definition)
        }
        Intent::Rollback(_) => None,
    }
}

/// The body of a write of a pod.
pub fn pod(data: &[u8]) {
    let Ok(written) = decode::<Pod>(data) else { return };
    let Some(first) = read_pod(written) else { return };
    let text = normalise::definition(&first);
    let again: Pod = decode(text.as_bytes()).unwrap_or_else(|(_, body)| panic!("{body:?}: {text}"));
    assert_same(&first, read_pod(again), &text);
}

fn read_pod(written: Pod) -> Option<RunSpec> {
    let definition = validate::pod(written, &id(), &rules()).ok()?;
    validate::whole(&definition).ok()?;
    Some(definition)
}

/// The body of a write of a group: whatever is in it lies in it.
pub fn group(data: &[u8]) {
    let Ok(written) = decode::<GroupUpdate>(data) else { return };
    let around = GroupId::of(&id());
    let Ok((_, GroupIntent::Update(update))) = validate::group(written, &around, &rules()) else { return };
    assert_inside(&update);
}

fn assert_inside(group: &Update) {
    let id = &group.id;
    for (app, _) in group.apps.iter().flatten() {
        assert_eq!(GroupId::of(app), *id, "{app} does not lie in {id}");
    }
    for below in group.groups.iter().flatten() {
        assert_eq!(below.id.parent().as_ref(), Some(id), "{} does not lie in {id}", below.id);
        assert_inside(below);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    const APPS: [&str; 5] = [
        r#"{"id":"it","cmd":"serve","instances":3,"cpus":0.5,"mem":64,"env":{"A":"b","S":{"secret":"s"}},"secrets":{"s":{"source":"/a"}},"constraints":[["hostname","UNIQUE"],["rack","GROUP_BY","3"]],"portDefinitions":[{"port":0,"name":"http","protocol":"udp,tcp","labels":{"a":"b"}}],"healthChecks":[{"protocol":"HTTP","path":"/","portIndex":0}],"readinessChecks":[{"name":"r","portName":"http","path":"/"}],"upgradeStrategy":{"minimumHealthCapacity":0.5,"maximumOverCapacity":0},"labels":{"x":"y"}}"#,
        r#"{"args":["a","b"],"container":{"type":"DOCKER","docker":{"image":"a/b:c","forcePullImage":true,"parameters":[{"key":"k","value":"v"}]},"portMappings":[{"containerPort":80,"hostPort":0,"servicePort":10000,"name":"p"}],"volumes":[{"containerPath":"/x","hostPath":"/y","mode":"RO"}]},"networks":[{"mode":"container/bridge"}],"unreachableStrategy":{"inactiveAfterSeconds":1,"expungeAfterSeconds":2},"taskKillGracePeriodSeconds":5,"fetch":[{"uri":"http://a/b.tgz","extract":true}]}"#,
        r#"{"cmd":"x","container":{"type":"MESOS","volumes":[{"containerPath":"data","mode":"RW","persistent":{"size":16}}],"linuxInfo":{"seccomp":{"unconfined":true}}},"residency":{"taskLostBehavior":"WAIT_FOREVER","relaunchEscalationTimeoutSeconds":10},"deployment":{"progressDeadlineSeconds":60,"onFailure":"rollback"}}"#,
        r#"{"cmd":"x","ports":[1,0],"requirePorts":true,"uris":["http://a"],"acceptedResourceRoles":["*"],"backoffSeconds":1,"backoffFactor":1.5,"maxLaunchDelaySeconds":10,"killSelection":"OLDEST_FIRST","dependencies":["../a","/b"],"user":"nobody","resourceLimits":{"cpus":"unlimited","mem":256}}"#,
        r#"{"cmd":"x","ipAddress":{"networkName":"n","discovery":{"ports":[{"number":80,"name":"a","protocol":"tcp"}]},"labels":{}},"check":{"exec":{"command":{"shell":"true"}}},"tty":true,"disk":1,"drainTimeoutSeconds":1}"#,
    ];
    const PODS: [&str; 3] = [
        r#"{"id":"/fuzz/it","labels":{"a":"b"},"containers":[{"name":"a","exec":{"command":{"shell":"x"},"overrideEntrypoint":false},"resources":{"cpus":0.1,"mem":32},"endpoints":[{"name":"http","containerPort":80,"hostPort":0,"protocol":["http","tcp"]}],"image":{"kind":"DOCKER","id":"a/b"},"healthCheck":{"http":{"endpoint":"http","path":"/"}},"volumeMounts":[{"name":"v","mountPath":"d"}],"lifecycle":{"killGracePeriodSeconds":1}}],"volumes":[{"name":"v"}],"networks":[{"mode":"container","name":"n"}]}"#,
        r#"{"id":"/fuzz/it","user":"u","environment":{"A":"b"},"containers":[{"name":"a","exec":{"command":{"argv":["x","y"]}},"resources":{"cpus":1,"mem":1,"disk":1},"resourceLimits":{"cpus":2,"mem":"unlimited"},"volumeMounts":[{"name":"v","mountPath":"d","readOnly":true},{"name":"w","mountPath":"e"}]},{"name":"b","exec":{"command":{"shell":"x"}},"resources":{"cpus":1,"mem":1},"artifacts":[{"uri":"http://a"}]}],"volumes":[{"name":"v","host":"/x"},{"name":"w","persistent":{"type":"root","size":5}}],"scaling":{"kind":"fixed","instances":2,"maxInstances":5},"executorResources":{"cpus":0.2,"mem":64},"legacySharedCgroups":false}"#,
        r#"{"id":"/fuzz/it","containers":[{"name":"a","exec":{"command":{"shell":"x"}},"resources":{"cpus":1,"mem":1},"check":{"tcp":{"endpoint":"e"}},"endpoints":[{"name":"e","hostPort":80}],"volumeMounts":[{"name":"s","mountPath":"f"}]}],"networks":[{"mode":"host"}],"secrets":{"t":{"source":"/a/b"}},"volumes":[{"name":"s","secret":"t"}],"scheduling":{"placement":{"constraints":[{"fieldName":"hostname","operator":"UNIQUE"}]},"upgrade":{"minimumHealthCapacity":1,"maximumOverCapacity":0.2},"unreachableStrategy":{"inactiveAfterSeconds":1,"expungeAfterSeconds":2},"killSelection":"OLDEST_FIRST","backoff":{"backoff":1,"backoffFactor":1.2,"maxLaunchDelay":3}}}"#,
    ];
    const GROUPS: [&str; 2] = [
        r#"{"id":"g","apps":[{"id":"a","cmd":"x"},{"id":"/fuzz/g/b","cmd":"y","dependencies":["a"]}],"groups":[{"id":"h","dependencies":["../a"],"groups":[{"id":"i"}]}],"enforceRole":false,"deployment":{"onFailure":"pause"}}"#,
        r#"{"groups":[{"id":"/fuzz/x","apps":[{"id":"../y","cmd":"z"}]}],"version":"2015-06-12T23:03:31.512Z"}"#,
    ];

    /// Documents with a few bytes replaced, inserted or taken away, or with the value of another member.
    fn damaged(seeds: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
        let change = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..5_u8);
        (prop::sample::select(seeds), prop::collection::vec(change, 0..4)).prop_map(|(seed, changes)| {
            const PIECES: [&str; 16] = [
                "0",
                "-1",
                "1e9",
                "null",
                "true",
                "\"\"",
                "\"/\"",
                "\"\\u0000\"",
                "[]",
                "{}",
                ",",
                "0.5",
                "\"A B\"",
                "[[]]",
                "9",
                "\"..\"",
            ];
            let mut input = seed.as_bytes().to_vec();
            for (at, piece, how) in changes {
                let at = at.index(input.len().max(1));
                let piece = piece.get(&PIECES).as_bytes();
                let end =
                    input.iter().skip(at).position(|byte| b",}]".contains(byte)).map_or(input.len(), |end| at + end);
                match how {
                    // From a colon to the end of the value.
                    0..=2 => {
                        let from = input[..at].iter().rposition(|byte| *byte == b':').map_or(at, |colon| colon + 1);
                        drop(input.splice(from..end.max(from), piece.iter().copied()));
                    }
                    3 => drop(input.splice(at..at, piece.iter().copied())),
                    _ => drop(input.drain(at..end)),
                }
            }
            input
        })
    }

    #[test]
    fn whole_documents_are_read_and_say_the_same_again() {
        for text in APPS {
            assert!(read_app(serde_json::from_str(text).unwrap()).is_some(), "{text}");
            app(text.as_bytes());
        }
        for text in PODS {
            assert!(read_pod(serde_json::from_str(text).unwrap()).is_some(), "{text}");
            pod(text.as_bytes());
        }
        GROUPS.iter().for_each(|text| group(text.as_bytes()));
    }

    proptest! {
        // The same documents in every run: for others there are the fuzzers.
        #![proptest_config(ProptestConfig {
            cases: 2_000,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        })]

        #[test]
        fn apps_with_something_wrong(data in damaged(&APPS)) {
            app(&data);
        }

        #[test]
        fn pods_with_something_wrong(data in damaged(&PODS)) {
            pod(&data);
        }

        #[test]
        fn groups_with_something_wrong(data in damaged(&GROUPS)) {
            group(&data);
        }

        #[test]
        fn bytes_of_any_kind(data in prop::collection::vec(any::<u8>(), 0..80)) {
            app(&data);
            pod(&data);
            group(&data);
        }
    }
}
