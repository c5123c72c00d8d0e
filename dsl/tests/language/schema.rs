//! The schema is Aurora's: every struct, field, type, default.

use std::collections::BTreeMap;

use attica_dsl::schema_json;
use serde_json::Value as Json;

#[test]
fn every_struct_and_field_is_there() {
    let Some(data) = crate::public_data() else { return };
    let expected: BTreeMap<String, BTreeMap<String, Json>> =
        serde_json::from_slice(&std::fs::read(data.join("schema.json")).unwrap()).unwrap();
    let ours: BTreeMap<String, BTreeMap<String, Json>> = serde_json::from_value(schema_json()).unwrap();
    for (name, fields) in &expected {
        assert_eq!(ours.get(name), Some(fields), "{name}");
    }
}
