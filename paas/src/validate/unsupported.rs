//! What later capabilities will obey is refused by name; a value that asks for nothing is accepted.

use attica_paas_api::AppUpdate;
use attica_paas_api::app::Network;
use attica_paas_api::update::EnvironmentValue;
use serde_json::Value;

use super::{Faults, ROOT};

pub(super) fn refuse(app: &AppUpdate, faults: &mut Faults) {
    let later = [
        ("/container", "containers are not supported yet", app.container.as_ref().is_some_and(asks)),
        ("/ipAddress", "an address per task is not supported yet", app.ip_address.as_ref().is_some_and(asks)),
        ("/fetch", "downloads are not supported yet", app.fetch.as_ref().is_some_and(|list| !list.is_empty())),
        ("/uris", "downloads are not supported yet", app.uris.as_ref().is_some_and(|list| !list.is_empty())),
        ("/storeUrls", "downloads are not supported", app.store_urls.as_ref().is_some_and(|list| !list.is_empty())),
        ("/secrets", "secrets are not supported yet", app.secrets.as_ref().is_some_and(|map| !map.is_empty())),
        (
            "/readinessChecks",
            "readiness checks are not supported yet",
            app.readiness_checks.as_ref().is_some_and(|list| !list.is_empty()),
        ),
        ("/check", "checks without a verdict are not supported yet", app.check.as_ref().is_some_and(asks)),
        ("/residency", "persistent volumes are not supported yet", app.residency.as_ref().is_some_and(asks)),
        (
            "/resourceLimits",
            "limits above the request are not supported yet",
            app.resource_limits.as_ref().is_some_and(asks),
        ),
        (
            "/executorResources",
            "resources of the executor are not supported yet",
            app.executor_resources.as_ref().is_some_and(asks),
        ),
        ("/gpus", "gpus are not supported yet", app.gpus.is_some_and(|gpus| gpus.0 != 0.0)),
        ("/tty", "terminals are not supported yet", app.tty == Some(true)),
        (
            "/executor",
            "executors other than the command executor are not supported yet",
            app.executor.as_deref().is_some_and(|executor| !matches!(executor, "" | "//cmd")),
        ),
    ];
    for (path, error, _) in later.into_iter().filter(|(_, _, asked)| *asked) {
        faults.add(path, error);
    }
    refuse_secrets_in_environment(app, faults);
    if let Some(networks) = &app.networks {
        refuse_networks(networks, faults);
    }
    let both = |left: bool, right: bool| left && right;
    if both(
        app.uris.as_ref().is_some_and(|list| !list.is_empty()),
        app.fetch.as_ref().is_some_and(|list| !list.is_empty()),
    ) {
        faults.add(ROOT, "cannot specify both uris and fetch fields");
    }
    if both(app.networks.is_some(), app.ip_address.as_ref().is_some_and(asks)) {
        faults.add(ROOT, "must not specify both networks and ipAddress");
    }
}

/// An empty object asks for a container all the same: one with defaults.
fn asks(value: &Value) -> bool {
    !value.is_null()
}

fn refuse_secrets_in_environment(app: &AppUpdate, faults: &mut Faults) {
    for (name, value) in app.env.iter().flatten() {
        match value {
            EnvironmentValue::Text(_) => {}
            EnvironmentValue::Secret(_) => faults.add(format!("/env/{name}"), "secrets are not supported yet"),
        }
    }
}

fn refuse_networks(networks: &[Network], faults: &mut Faults) {
    if networks.len() > 1 && networks.iter().any(|network| network.mode == "host") {
        faults.add(
            "/networks",
            "May specify a single host network, single bridge network, or else 1-to-n container networks",
        );
    }
    for (index, network) in networks.iter().enumerate() {
        let path = format!("/networks({index})");
        match network.mode.as_str() {
            "host" if network.name.is_some() || !network.labels.is_empty() => {
                faults.add(path, "Host networks may not have names or labels");
            }
            "host" => {}
            "container" | "container/bridge" => {
                faults.add(path, "networks other than host are not supported yet");
            }
            _ => faults.add(path + "/mode", "must be one of host, container, container/bridge"),
        }
    }
}
