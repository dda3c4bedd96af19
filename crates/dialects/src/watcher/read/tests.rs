use super::*;
use serde_json::{Value, json};

#[test]
fn absent_and_null_are_given_back_as_the_original_does() {
    check_normal(
        r#"{"hostname":"h","timestamp":"t","processes":[]}"#,
        r#"{"hostname":"h","timestamp":"t","processes":[],"connections":[],"system_info":{}}"#,
    );
    check_normal(
        r#"{"hostname":"h","timestamp":"t","processes":[],"connections":null,"system_info":null}"#,
        r#"{"hostname":"h","timestamp":"t","processes":[],"connections":null,"system_info":null}"#,
    );
    check_normal(
        r#"{"hostname":"h","timestamp":"t","processes":[{"pid":1,"name":""}]}"#,
        r#"{"hostname":"h","timestamp":"t","processes":[{"pid":1,"name":"","command_line":null,"user":null,"cpu_percent":null,"memory_percent":null}],"connections":[],"system_info":{}}"#,
    );
    check_normal(
        r#"{"hostname":"h","timestamp":"t","processes":[],"connections":[{"local_address":"a","local_port":1,"status":"s"}]}"#,
        r#"{"hostname":"h","timestamp":"t","processes":[],"connections":[{"local_address":"a","local_port":1,"remote_address":null,"remote_port":null,"status":"s","pid":null}],"system_info":{}}"#,
    );
}

#[test]
fn unknown_fields_are_dropped_and_numbers_are_lax() {
    check_normal(
        r#"{"hostname":"h","x":[[[]]],"timestamp":"t","system_info":{"b":1,"a":{"c":[true]}},
            "processes":[{"pid":"12","ppid":1,"name":"n","cpu_percent":2,"memory_percent":"0.5"}]}"#,
        r#"{"hostname":"h","timestamp":"t","processes":[{"pid":12,"name":"n","command_line":null,"user":null,"cpu_percent":2.0,"memory_percent":0.5}],"connections":[],"system_info":{"b":1,"a":{"c":[true]}}}"#,
    );
    // What Python's json writes for a float that is not a number.
    check_normal(
        r#"{"hostname":"NaN","timestamp":"t","processes":[{"pid":1,"name":"n","cpu_percent":NaN}]}"#,
        r#"{"hostname":"NaN","timestamp":"t","processes":[{"pid":1,"name":"n","command_line":null,"user":null,"cpu_percent":null,"memory_percent":null}],"connections":[],"system_info":{}}"#,
    );
}

#[track_caller]
fn check_normal(body: &str, expected: &str) {
    let payload = Payload::read(body.as_bytes()).expect("fits");
    assert_eq!(serde_json::to_string(&payload).expect("JSON"), expected);
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    check_refused("", &[("missing", json!(["body"]))]);
    check_refused("[]", &[("model_attributes_type", json!(["body"]))]);
    check_refused("{\"a\":}", &[("json_invalid", json!(["body", 5]))]);
    check_refused(
        "{}",
        &[
            ("missing", json!(["body", "hostname"])),
            ("missing", json!(["body", "timestamp"])),
            ("missing", json!(["body", "processes"])),
        ],
    );
    let with =
        |fields: &str| format!(r#"{{"hostname":"h","timestamp":"t","processes":[],{fields}}}"#);
    check_refused(&with(r#""timestamp":5"#), &[("string_type", json!(["body", "timestamp"]))]);
    check_refused(&with(r#""hostname":null"#), &[("string_type", json!(["body", "hostname"]))]);
    check_refused(&with(r#""hostname":"""#), &[("string_too_short", json!(["body", "hostname"]))]);
    check_refused(&with(r#""processes":null"#), &[("list_type", json!(["body", "processes"]))]);
    check_refused(&with(r#""connections":{}"#), &[("list_type", json!(["body", "connections"]))]);
    check_refused(&with(r#""system_info":[]"#), &[("dict_type", json!(["body", "system_info"]))]);
    check_refused(
        &with(r#""processes":[7,{"pid":1.5,"name":null},{"pid":99999999999999999999,"name":"x"}]"#),
        &[
            ("model_attributes_type", json!(["body", "processes", 0])),
            ("int_from_float", json!(["body", "processes", 1, "pid"])),
            ("string_type", json!(["body", "processes", 1, "name"])),
            ("int_parsing_size", json!(["body", "processes", 2, "pid"])),
        ],
    );
    check_refused(
        &with(r#""connections":[{}]"#),
        &[
            ("missing", json!(["body", "connections", 0, "local_address"])),
            ("missing", json!(["body", "connections", 0, "local_port"])),
            ("missing", json!(["body", "connections", 0, "status"])),
        ],
    );
}

#[test]
fn bounds_are_refused_where_the_agent_sets_the_text() {
    let payload = |hostname: &str, timestamp: &str, info: &str| {
        format!(
            r#"{{"hostname":"{hostname}","timestamp":"{timestamp}","processes":[],"system_info":{info}}}"#
        )
    };
    let long = "x".repeat(5000);
    check_refused(&payload(&long, "t", "{}"), &[("string_too_long", json!(["body", "hostname"]))]);
    check_refused(&payload("h", &long, "{}"), &[("string_too_long", json!(["body", "timestamp"]))]);
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100), "]".repeat(100));
    check_refused(&payload("h", "t", &deep), &[("value_error", json!(["body", "system_info"]))]);
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(SYSTEM_INFO_BYTES_MAX));
    check_refused(&payload("h", "t", &large), &[("value_error", json!(["body", "system_info"]))]);
    let processes = vec![r#"{"pid":1,"name":"x"}"#; PROCESSES_MAX + 1].join(",");
    check_refused(
        &format!(r#"{{"hostname":"h","timestamp":"t","processes":[{processes}]}}"#),
        &[("too_long", json!(["body", "processes"]))],
    );
}

#[test]
fn a_process_cannot_hide_its_host_behind_a_long_name() {
    let body = json!({
        "hostname": "h", "timestamp": "t",
        "processes": [{"pid": 1, "name": "é".repeat(100_000), "command_line": "y".repeat(100_000)}],
    });
    let payload = Payload::read(body.to_string().as_bytes()).expect("fits");
    let process = &payload.processes[0];
    assert!(process.name.len() <= NAME_BYTES_MAX && process.name.ends_with("é…"));
    let line = process.command_line.as_deref().expect("kept");
    assert_eq!(line.len(), COMMAND_LINE_BYTES_MAX);
}

/// Python keeps bytes that are not UTF-8 as halves of surrogate pairs.
#[test]
fn a_process_cannot_hide_its_host_behind_bytes_that_are_no_text() {
    check_normal(
        r#"{"hostname":"h","timestamp":"t","processes":[{"pid":1,"name":"a\udcffb"}],"system_info":{"x":"\ud800"}}"#,
        "{\"hostname\":\"h\",\"timestamp\":\"t\",\"processes\":[{\"pid\":1,\"name\":\"a\u{fffd}b\",\"command_line\":null,\"user\":null,\"cpu_percent\":null,\"memory_percent\":null}],\"connections\":[],\"system_info\":{\"x\":\"\\ufffd\"}}",
    );
}

#[test]
fn another_media_type_is_refused_like_a_text() {
    let body = refusals(&Payload::refuse_media_type(b"{\"hostname\": 1}"));
    assert_eq!(body["detail"][0]["type"], "model_attributes_type");
    assert_eq!(body["detail"][0]["loc"], json!(["body"]));
    assert_eq!(body["detail"][0]["input"], "{\"hostname\": 1}");
}

#[track_caller]
fn check_refused(body: &str, expected: &[(&str, Value)]) {
    let refused = Payload::read(body.as_bytes()).expect_err(body.get(..80).unwrap_or(body));
    let refused = refusals(&refused);
    let found: Vec<(&str, Value)> = refused["detail"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["type"].as_str().unwrap_or_default(), one["loc"].clone()))
        .collect();
    assert_eq!(found, expected);
}

fn refusals(refusals: &Refusals) -> Value {
    serde_json::from_str(&refusals.to_body()).expect("the body is JSON")
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = Payload::read(&bytes);
        let _ = Payload::refuse_media_type(&bytes);
    }

    /// What is stored is itself a payload, and stays as it is.
    #[test]
    fn the_normal_form_is_its_own_normal_form(
        hostname in ".{1,20}",
        name in ".{0,20}",
        pid: i64,
        cpu in proptest::option::of(-1e9f64..1e9),
        line in proptest::option::of(".{0,40}"),
        port: i64,
    ) {
        let body = json!({
            "hostname": hostname, "timestamp": name,
            "processes": [{"pid": pid, "name": name, "command_line": line, "cpu_percent": cpu}],
            "connections": [{"local_address": name, "local_port": port, "status": ""}],
        });
        let once = Payload::read(body.to_string().as_bytes()).expect("fits");
        let once = serde_json::to_string(&once).expect("JSON");
        let twice = Payload::read(once.as_bytes()).expect("fits");
        proptest::prop_assert_eq!(&once, &serde_json::to_string(&twice).expect("JSON"));
        let event = twice.into_event(ringwall_event::Timestamp::default());
        proptest::prop_assert_eq!(event.original.as_deref(), Some(once.as_str()));
    }
}
