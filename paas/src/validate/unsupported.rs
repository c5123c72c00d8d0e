//! What later capabilities will obey is refused by name; a value that asks for nothing is accepted.

use attica_paas_api::AppUpdate;
use serde_json::Value;

use super::Faults;

pub(super) fn refuse(app: &AppUpdate, faults: &mut Faults) {
    let later = [
        ("/storeUrls", "downloads are not supported", app.store_urls.as_ref().is_some_and(|list| !list.is_empty())),
        (
            "/executorResources",
            "resources of the executor are not supported yet",
            app.executor_resources.as_ref().is_some_and(asks),
        ),
        (
            "/executor",
            "executors other than the command executor are not supported yet",
            app.executor.as_deref().is_some_and(|executor| !matches!(executor, "" | "//cmd")),
        ),
    ];
    for (path, error, _) in later.into_iter().filter(|(_, _, asked)| *asked) {
        faults.add(path, error);
    }
}

/// An empty object asks all the same: for defaults.
fn asks(value: &Value) -> bool {
    !value.is_null()
}
