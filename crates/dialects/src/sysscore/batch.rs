use super::{IDEMPOTENCY_KEY_BYTES_MAX, ITEMS_MAX, Item, ItemError, Metadata, SYSCALL_BYTES_MAX};
use crate::validation::{
    Fault, Integer, Json, Members, Place, Refusals, SyntaxError, without_non_numbers,
};
use ringwall_event::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The body of `POST /events`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// One entry per event, in the order of the request.
    pub items: Vec<Result<Item, ItemError>>,
    /// The key in the body; the header's goes before it.
    pub idempotency_key: Option<Box<str>>,
}

impl Batch {
    /// Reads a body whose sender is authenticated.
    ///
    /// Bodies of the common form are read in one go; whatever else is in them, wrong types included,
    /// takes a slower way that knows the place of every fault.
    ///
    /// # Errors
    /// Everything that does not fit the schema: the body of a 422. What the schema allows and cannot
    /// be stored is an [`ItemError`] instead, so that it costs nothing else.
    pub fn read(body: &[u8]) -> Result<Self, Refusals> {
        if let Some(batch) = Self::read_common(body) {
            return Ok(batch);
        }
        match Json::read(body) {
            Ok(json) => Self::read_any(json),
            Err(error) => Self::read_non_numbers(body, &error),
        }
    }

    /// The way of nearly every body: none where anything is out of the common.
    fn read_common(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let batch: CommonBatch<'_> = serde_json::from_str(text).ok()?;
        if batch.events.len() > ITEMS_MAX {
            return None;
        }
        let idempotency_key = match batch.idempotency_key {
            Some(key) if key.len() > IDEMPOTENCY_KEY_BYTES_MAX => return None,
            key => key.map(|key| Box::from(&*key)),
        };
        let items = batch.events.into_iter().map(CommonItem::read).collect::<Option<_>>()?;
        Some(Self { items, idempotency_key })
    }

    /// Python writes `NaN` for a float that is not a number, which the original takes. Refusing it
    /// would lose the batch for a client that never changes what it resends.
    fn read_non_numbers(body: &[u8], error: &SyntaxError) -> Result<Self, Refusals> {
        without_non_numbers(body)
            .as_deref()
            .and_then(|body| Json::read(body).ok().map(Self::read_any))
            .unwrap_or_else(|| Err(Refusals::of_syntax(error)))
    }

    fn read_any(json: Json<'_>) -> Result<Self, Refusals> {
        let mut refusals = Refusals::default();
        let place = Place::of("body");
        let batch = refusals.check(&place, json, json.model()).and_then(|model| {
            let events = refusals.required(&place, json, &model, "events", |json| {
                let events = json.list()?;
                let count = events.len();
                if count > ITEMS_MAX { Err(Fault::too_many(ITEMS_MAX, count)) } else { Ok(events) }
            });
            let idempotency_key = refusals
                .optional(&place, &model, "idempotency_key", |json| bounded_key(json.text()?));
            let place = place.field("events");
            let items = events?
                .into_iter()
                .enumerate()
                .map(|(position, json)| read_item(json, &place.index(position), &mut refusals))
                .collect::<Vec<_>>();
            // A missing item is refused already; the batch is then not used.
            let items = items.into_iter().collect::<Option<_>>()?;
            Some(Self { items, idempotency_key })
        });
        match batch {
            Some(batch) if refusals.is_empty() => Ok(batch),
            _ => Err(refusals),
        }
    }
}

#[derive(Deserialize)]
struct CommonBatch<'a> {
    #[serde(borrow)]
    events: Vec<CommonItem<'a>>,
    #[serde(borrow, default)]
    idempotency_key: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct CommonItem<'a> {
    pid: i64,
    #[serde(borrow)]
    syscall: Cow<'a, str>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    metadata: Option<&'a RawValue>,
}

/// Tells `null` from what is left out.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl CommonItem<'_> {
    fn read(self) -> Option<Result<Item, ItemError>> {
        let timestamp = match self.timestamp {
            Some(raw) => Some(Json::from(raw).date_time().ok()?),
            None => None,
        };
        let metadata = match self.metadata.map(RawValue::get) {
            None => Ok(Metadata::default()),
            Some("null") => Ok(Metadata::null()),
            Some(text) if text.starts_with('{') => Metadata::read(text),
            Some(_) => return None,
        };
        if self.syscall.len() > SYSCALL_BYTES_MAX {
            return Some(Err(ItemError::SyscallTooLong));
        }
        Some(metadata.map_err(ItemError::from).map(|metadata| Item {
            pid: self.pid,
            syscall: self.syscall.into(),
            timestamp,
            metadata,
        }))
    }
}

fn read_item(
    json: Json<'_>,
    place: &Place<'_>,
    refusals: &mut Refusals,
) -> Option<Result<Item, ItemError>> {
    let model = refusals.check(place, json, json.model())?;
    let pid = refusals.required(place, json, &model, "pid", Json::integer);
    let syscall = refusals.required(place, json, &model, "syscall", Json::text);
    let before = refusals.len();
    let timestamp = refusals.optional(place, &model, "timestamp", Json::date_time);
    let metadata = read_metadata(&model, place, refusals);
    if refusals.len() > before {
        return None;
    }
    Some(build_item(pid?, syscall?, timestamp, metadata?))
}

fn build_item(
    pid: Integer,
    syscall: Cow<'_, str>,
    timestamp: Option<Timestamp>,
    metadata: Result<Metadata, ItemError>,
) -> Result<Item, ItemError> {
    let pid = pid.value().ok_or(ItemError::PidOutOfRange)?;
    if syscall.len() > SYSCALL_BYTES_MAX {
        return Err(ItemError::SyscallTooLong);
    }
    Ok(Item { pid, syscall: syscall.into(), timestamp, metadata: metadata? })
}

fn read_metadata(
    model: &Members<'_>,
    place: &Place<'_>,
    refusals: &mut Refusals,
) -> Option<Result<Metadata, ItemError>> {
    match model.get("metadata") {
        None => Some(Ok(Metadata::default())),
        Some(json) if json.is_null() => Some(Ok(Metadata::null())),
        Some(json) => {
            refusals.check(&place.field("metadata"), json, json.dictionary())?;
            Some(Metadata::read(json.as_text()).map_err(ItemError::from))
        }
    }
}

fn bounded_key(key: Cow<'_, str>) -> Result<Box<str>, Fault> {
    if key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
        return Err(Fault::too_long(IDEMPOTENCY_KEY_BYTES_MAX));
    }
    Ok(key.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_contracts_first_vector_is_read() {
        let batch = Batch::read(br#"{"events": [{"pid": 1234, "syscall": "execve", "timestamp": "2026-01-15T10:00:00.000001", "metadata": {"risk_score": 12.5, "anomaly_score": 0}}]}"#)
            .expect("a batch");
        let item = batch.items[0].as_ref().expect("an item");
        assert_eq!((item.pid, &*item.syscall), (1234, "execve"));
        assert_eq!(item.timestamp, Some(Timestamp::from_micros(1_768_471_200_000_001)));
        assert_eq!(item.metadata.risk_score, Some(12.5));
        assert_eq!(
            item.metadata.text.as_deref(),
            Some(r#"{"risk_score": 12.5, "anomaly_score": 0}"#)
        );
        assert_eq!(batch.idempotency_key, None);
    }

    #[test]
    fn values_are_coerced_as_the_framework_does() {
        for (pid, expected) in [("\" 12 \"", 12), ("true", 1), ("12.0", 12), ("-5", -5), ("-0", 0)]
        {
            let batch = read(&format!(r#"{{"events":[{{"pid":{pid},"syscall":""}}]}}"#));
            assert_eq!(batch.items[0].as_ref().expect("an item").pid, expected, "pid {pid}");
        }
    }

    #[test]
    fn unknown_fields_are_ignored_and_the_last_repeated_one_counts() {
        let batch = read(
            r#"{"x":[1],"events":[{"pid":1,"y":{},"syscall":"a","pid":2}],"idempotency_key":"k"}"#,
        );
        assert_eq!(batch.items[0].as_ref().expect("an item").pid, 2);
        assert_eq!(batch.idempotency_key.as_deref(), Some("k"));
        assert_eq!(read(r#"{"events":[],"idempotency_key":null}"#), Batch::default());
    }

    #[test]
    fn metadata_may_be_left_out_empty_or_null() {
        let text = |metadata: &str| {
            let body = format!(r#"{{"events":[{{"pid":1,"syscall":"a"{metadata}}}]}}"#);
            read(&body).items[0].clone().expect("an item").metadata.text
        };
        assert_eq!(text(""), None);
        assert_eq!(text(r#","metadata":{}"#), None);
        assert_eq!(text(r#","metadata":null"#).as_deref(), Some("null"));
        assert_eq!(text(r#","metadata": {"a" : 1} "#).as_deref(), Some(r#"{"a" : 1}"#));
    }

    #[test]
    fn flaw_5_what_cannot_be_stored_is_an_error_item_beside_its_neighbours() {
        check_error("{\"pid\":9223372036854775808,\"syscall\":\"a\"}", ItemError::PidOutOfRange);
        check_error(
            "{\"pid\":\"-99999999999999999999\",\"syscall\":\"a\"}",
            ItemError::PidOutOfRange,
        );
        let long = "x".repeat(SYSCALL_BYTES_MAX + 1);
        check_error(&format!("{{\"pid\":1,\"syscall\":\"{long}\"}}"), ItemError::SyscallTooLong);
        check_error(
            &format!("{{\"pid\":\"1\",\"syscall\":\"{long}\"}}"),
            ItemError::SyscallTooLong,
        );
        let deep = format!("{}{}", "[".repeat(9000), "]".repeat(9000));
        let deep = format!("{{\"pid\":1,\"syscall\":\"\",\"metadata\":{{\"a\":{deep}}}}}");
        check_error(&deep, ItemError::MetadataTooDeep);
        let long = format!("{{\"pid\":1,\"syscall\":\"\",\"metadata\":{{\"a\":\"{long}\"}}}}");
        check_error(&long, ItemError::MetadataTooLong);
    }

    #[track_caller]
    fn check_error(item: &str, expected: ItemError) {
        let batch = read(&format!("{{\"events\":[{{\"pid\":1,\"syscall\":\"a\"}},{item}]}}"));
        assert!(batch.items[0].is_ok());
        assert_eq!(batch.items[1], Err(expected));
    }

    #[test]
    fn half_of_a_surrogate_pair_in_a_call_is_taken() {
        let batch = read(r#"{"events":[{"pid":1,"syscall":"a\udc80"}]}"#);
        assert_eq!(&*batch.items[0].as_ref().expect("an item").syscall, "a\u{fffd}");
    }

    #[test]
    fn a_call_of_100_kilobytes_is_taken() {
        let name = "x".repeat(100_000);
        let batch = read(&format!("{{\"events\":[{{\"pid\":1,\"syscall\":\"{name}\"}}]}}"));
        assert_eq!(&*batch.items[0].as_ref().expect("an item").syscall, name);
    }

    #[test]
    fn what_does_not_fit_the_schema_is_refused_with_its_place() {
        check("{}", &[("missing", json!(["body", "events"]))]);
        check("[]", &[("model_attributes_type", json!(["body"]))]);
        check("\"x\"", &[("model_attributes_type", json!(["body"]))]);
        check("{\"events\":null}", &[("list_type", json!(["body", "events"]))]);
        check(
            "{\"events\":[],\"idempotency_key\":3}",
            &[("string_type", json!(["body", "idempotency_key"]))],
        );
        check(
            "{\"events\":[1,{}]}",
            &[
                ("model_attributes_type", json!(["body", "events", 0])),
                ("missing", json!(["body", "events", 1, "pid"])),
                ("missing", json!(["body", "events", 1, "syscall"])),
            ],
        );
        check(
            r#"{"events":[{"pid":"x","syscall":1,"timestamp":"z","metadata":[]}]}"#,
            &[
                ("int_parsing", json!(["body", "events", 0, "pid"])),
                ("string_type", json!(["body", "events", 0, "syscall"])),
                ("datetime_from_date_parsing", json!(["body", "events", 0, "timestamp"])),
                ("dict_type", json!(["body", "events", 0, "metadata"])),
            ],
        );
        check(
            r#"{"events":[{"pid":1.5,"syscall":"a","timestamp":true}]}"#,
            &[
                ("int_from_float", json!(["body", "events", 0, "pid"])),
                ("datetime_type", json!(["body", "events", 0, "timestamp"])),
            ],
        );
        check("{\"events\":[}", &[("json_invalid", json!(["body", 11]))]);
        check("", &[("json_invalid", json!(["body", 0]))]);
        let many = "{\"pid\":1,\"syscall\":\"\"},".repeat(ITEMS_MAX + 1);
        let many = format!("{{\"events\":[{}]}}", many.trim_end_matches(','));
        check(&many, &[("too_long", json!(["body", "events"]))]);
        let key = "k".repeat(IDEMPOTENCY_KEY_BYTES_MAX + 1);
        check(
            &format!("{{\"events\":[],\"idempotency_key\":\"{key}\"}}"),
            &[("string_too_long", json!(["body", "idempotency_key"]))],
        );
    }

    #[track_caller]
    fn check(body: &str, expected: &[(&str, Value)]) {
        let refusals = Batch::read(body.as_bytes()).expect_err("refused");
        let answer: Value = serde_json::from_str(&refusals.to_body()).expect("JSON");
        let found: Vec<_> = answer["detail"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|detail| (detail["type"].as_str().expect("text"), detail["loc"].clone()))
            .collect();
        assert_eq!(found, expected, "body {body:.100}");
    }

    #[test]
    fn what_python_writes_for_no_number_is_taken_as_null() {
        let batch = read(
            r#"{"events":[{"pid":1,"syscall":"a","metadata":{"anomaly_score": NaN, "risk_score": 3}}]}"#,
        );
        let metadata = &batch.items[0].as_ref().expect("an item").metadata;
        assert_eq!((metadata.anomaly_score, metadata.risk_score), (None, Some(3.0)));
        assert_eq!(metadata.text.as_deref(), Some(r#"{"anomaly_score": null, "risk_score": 3}"#));
    }

    fn read(body: &str) -> Batch {
        Batch::read(body.as_bytes()).expect("a batch")
    }

    proptest::proptest! {
        /// Both ways read the same.
        #[test]
        fn the_common_way_agrees_with_the_precise_way(
            items in proptest::collection::vec(
                (
                    proptest::prelude::any::<i64>(),
                    ".{0,12}",
                    proptest::option::of(0i64..4_102_444_800_000_000),
                    proptest::option::of(-10f64..110.0),
                ),
                0..8,
            ),
        ) {
            let events: Vec<Value> = items
                .iter()
                .map(|(pid, syscall, time, score)| json!({
                    "pid": pid,
                    "syscall": syscall,
                    "timestamp": time.map(|micros| Timestamp::from_micros(micros).to_naive_iso()),
                    "metadata": score.map(|score| json!({"anomaly_score": score})),
                }))
                .collect();
            let body = json!({"events": events}).to_string();
            let common = Batch::read_common(body.as_bytes()).expect("common");
            let precise = Batch::read_any(Json::read(body.as_bytes()).expect("JSON")).expect("fine");
            proptest::prop_assert_eq!(&common, &precise);
            for (item, (pid, syscall, time, _)) in common.items.iter().zip(&items) {
                let item = item.as_ref().expect("an item");
                proptest::prop_assert_eq!((item.pid, &*item.syscall), (*pid, syscall.as_str()));
                proptest::prop_assert_eq!(item.timestamp.map(Timestamp::as_micros), *time);
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, text in "[{}\\[\\]\":,a-zN0-9 ]{0,60}") {
            let _ = (Batch::read(&bytes), Batch::read(text.as_bytes()));
            let _ = Batch::read(format!("{{\"events\":[{{\"pid\":{text},\"syscall\":\"\"}}]}}").as_bytes());
        }
    }
}
