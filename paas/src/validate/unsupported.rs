//! What is not built is refused by name; a value that asks for nothing is accepted.

use attica_paas_api::AppUpdate;

use super::Faults;

pub(super) fn refuse(app: &AppUpdate, faults: &mut Faults) {
    if app.store_urls.as_ref().is_some_and(|list| !list.is_empty()) {
        faults.add("/storeUrls", "downloads are not supported");
    }
}
