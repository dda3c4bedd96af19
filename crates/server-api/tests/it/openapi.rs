use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_document_is_the_reviewed_one() {
    let mut text = ringwall_server_api::openapi().to_pretty_json().unwrap();
    text.push('\n');
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/openapi.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert!(golden == text, "the OpenAPI document changed; review it with UPDATE_GOLDEN=1");
}

#[test]
fn every_reference_leads_somewhere() {
    let document = serde_json::to_value(ringwall_server_api::openapi()).unwrap();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(references.len() > 30);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn every_path_of_the_list_is_described() {
    let document = serde_json::to_value(ringwall_server_api::openapi()).unwrap();
    let described: BTreeSet<&str> =
        document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let listed: BTreeSet<&str> = include_str!("../../src/paths.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split('"').nth(1))
        .filter(|path| *path != ringwall_server_api::paths::PREFIX)
        .collect();
    assert_eq!(described, listed);
}

#[test]
fn every_operation_says_what_it_does_and_how_it_fails() {
    let document = serde_json::to_value(ringwall_server_api::openapi()).unwrap();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{place}");
            assert!(operation["security"].is_array(), "{place}");
            assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{place}");
            assert!(ids.insert(operation["operationId"].to_string()), "{place}: id is taken");
            let open = operation["security"][0].as_object().unwrap().is_empty();
            assert_eq!(operation["responses"]["401"].is_null(), open && method == "get", "{place}");
        }
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "$ref" => {
                        references.insert(text.clone());
                    }
                    _ => collect(value, references),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
