use super::write_naive_iso;
use ringwall_event::{Activity, Event, Timestamp};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// The envelope of `GET /events` and `GET /scores`.
#[derive(Clone, Debug, Serialize)]
pub struct Page<T> {
    data: Vec<T>,
    pagination: Pagination,
}

#[derive(Clone, Debug, Serialize)]
struct Pagination {
    cursor: Option<String>,
    has_more: bool,
}

impl<T: Serialize> Page<T> {
    /// A page of rows; with a cursor where there are more.
    pub fn new(data: Vec<T>, cursor: Option<String>) -> Self {
        let has_more = cursor.is_some();
        Self { data, pagination: Pagination { cursor, has_more } }
    }

    /// The JSON.
    pub fn to_body(&self) -> String {
        // Rows have texts, finite numbers and well-formed JSON: they always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A row of `GET /events`.
#[derive(Clone, Debug, Serialize)]
pub struct EventRow<'a> {
    id: String,
    agent_id: &'a str,
    process_id: String,
    pid: i64,
    syscall: &'a str,
    timestamp: NaiveIso,
    metadata: &'a RawValue,
}

impl<'a> EventRow<'a> {
    /// The row of an event of this dialect; none for an event of another kind.
    pub fn new(event: &'a Event) -> Option<Self> {
        let Activity::SystemCall { process, name, .. } = &event.activity else { return None };
        Some(Self {
            id: event.id.to_string(),
            agent_id: &event.source.name,
            process_id: process_id(&event.source.name, process.pid),
            pid: process.pid,
            syscall: name,
            timestamp: NaiveIso(event.time),
            metadata: raw_json(event.original.as_deref().unwrap_or("{}")),
        })
    }
}

/// A row of `GET /scores` and the answer of `POST /scores:recalculate`.
#[derive(Clone, Debug, Serialize)]
pub struct ScoreRow<'a> {
    id: String,
    process_id: String,
    agent_id: &'a str,
    pid: i64,
    risk_score: f64,
    anomaly_score: Option<f64>,
    calculated_at: NaiveIso,
    metadata: Empty,
}

impl<'a> ScoreRow<'a> {
    /// The score of a process at a moment.
    pub fn new(
        agent_id: &'a str,
        pid: i64,
        risk_score: f64,
        anomaly_score: Option<f64>,
        calculated_at: Timestamp,
    ) -> Self {
        let process_id = process_id(agent_id, pid);
        let mut id = format!("{process_id}:");
        write_naive_iso(&mut id, calculated_at);
        let calculated_at = NaiveIso(calculated_at);
        let metadata = Empty {};
        Self { id, process_id, agent_id, pid, risk_score, anomaly_score, calculated_at, metadata }
    }
}

/// A row of `GET /processes`.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessRow<'a> {
    id: String,
    agent_id: &'a str,
    pid: i64,
    name: String,
    started_at: NaiveIso,
    last_seen: NaiveIso,
    metadata: Empty,
}

impl<'a> ProcessRow<'a> {
    /// A process from its first event to its last; `pid-<pid>` stands for a name that is not known.
    pub fn new(
        agent_id: &'a str,
        pid: i64,
        name: &str,
        first_seen: Timestamp,
        last_seen: Timestamp,
    ) -> Self {
        Self {
            id: process_id(agent_id, pid),
            agent_id,
            pid,
            name: if name.is_empty() { format!("pid-{pid}") } else { name.to_owned() },
            started_at: NaiveIso(first_seen),
            last_seen: NaiveIso(last_seen),
            metadata: Empty {},
        }
    }
}

/// `<agent_id>:<pid>`.
pub fn process_id(agent_id: &str, pid: i64) -> String {
    format!("{agent_id}:{pid}")
}

/// The agent and the pid of a process id; the agent's id may hold colons.
pub fn split_process_id(id: &str) -> Option<(&str, i64)> {
    let (agent_id, pid) = id.rsplit_once(':')?;
    let value: i64 = pid.parse().ok()?;
    // `+7` and `007` parse too, but name no process.
    (value.to_string() == pid).then_some((agent_id, value))
}

/// Text that is known to be JSON.
pub(super) fn raw_json(text: &str) -> &RawValue {
    serde_json::from_str(text).unwrap_or(RawValue::NULL)
}

/// `{}`.
#[derive(Clone, Copy, Debug, Serialize)]
struct Empty {}

/// A moment as the original prints it: UTC without an offset.
#[derive(Clone, Copy, Debug)]
struct NaiveIso(Timestamp);

impl Serialize for NaiveIso {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(26);
        write_naive_iso(&mut text, self.0);
        serializer.serialize_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sysscore::{Batch, EventContext};
    use ringwall_event::EventId;
    use serde_json::{Value, json};

    #[test]
    fn an_event_row_has_what_the_agent_sent() {
        let check = |item: &str, syscall: &str, timestamp: &str, metadata: Value| {
            let body = format!("{{\"events\":[{item}]}}");
            let batch = Batch::read(body.as_bytes()).expect("a batch");
            let item = batch.items.into_iter().next().expect("one").expect("fine");
            let received = Timestamp::from_micros(1_768_471_200_000_000);
            let mut event = EventContext::new("a:1", received).event(item);
            event.id = EventId::from_u128(0xab);
            let row = serde_json::to_value(EventRow::new(&event).expect("a row")).expect("JSON");
            assert_eq!(
                row,
                json!({
                    "id": "000000000000000000000000000000ab", "agent_id": "a:1",
                    "process_id": "a:1:7", "pid": 7, "syscall": syscall,
                    "timestamp": timestamp, "metadata": metadata,
                })
            );
        };
        check(
            r#"{"pid":7,"syscall":"open","timestamp":"2026-01-15T10:00:00+05:30","metadata":{"p":"\u00e9"}}"#,
            "open",
            "2026-01-15T04:30:00",
            json!({"p": "é"}),
        );
        check(
            r#"{"pid":7,"syscall":"","timestamp":1700000000.25,"metadata":null}"#,
            "",
            "2023-11-14T22:13:20.250000",
            Value::Null,
        );
        check(r#"{"pid":7,"syscall":"x"}"#, "x", "2026-01-15T10:00:00", json!({}));
    }

    #[test]
    fn score_and_process_rows_have_the_originals_fields() {
        let moment = Timestamp::from_micros(1_768_471_200_500_000);
        let row = serde_json::to_value(ScoreRow::new("agent-1", 7, 37.0, None, moment));
        assert_eq!(
            row.expect("JSON"),
            json!({
                "id": "agent-1:7:2026-01-15T10:00:00.500000", "process_id": "agent-1:7",
                "agent_id": "agent-1", "pid": 7, "risk_score": 37.0, "anomaly_score": null,
                "calculated_at": "2026-01-15T10:00:00.500000", "metadata": {},
            })
        );
        let row = serde_json::to_value(ProcessRow::new("agent-1", 7, "", moment, moment));
        assert_eq!(
            row.expect("JSON"),
            json!({
                "id": "agent-1:7", "agent_id": "agent-1", "pid": 7, "name": "pid-7",
                "started_at": "2026-01-15T10:00:00.500000",
                "last_seen": "2026-01-15T10:00:00.500000", "metadata": {},
            })
        );
    }

    #[test]
    fn a_page_says_whether_there_is_more() {
        assert_eq!(
            Page::new(vec![1], Some("c".into())).to_body(),
            r#"{"data":[1],"pagination":{"cursor":"c","has_more":true}}"#
        );
        assert_eq!(
            Page::<u8>::new(vec![], None).to_body(),
            r#"{"data":[],"pagination":{"cursor":null,"has_more":false}}"#
        );
    }

    #[test]
    fn process_ids_split_at_the_last_colon() {
        assert_eq!(split_process_id("a:b:-7"), Some(("a:b", -7)));
        assert_eq!(split_process_id(":7"), Some(("", 7)));
        for id in ["", "a", "a:", "a:x", "a:+7", "a:007", "a:99999999999999999999"] {
            assert_eq!(split_process_id(id), None, "id {id:?}");
        }
    }
}
