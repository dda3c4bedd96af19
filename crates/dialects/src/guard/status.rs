use super::ascii_json::{ObjectWriter, push_list, push_number, push_text};
use super::text::{printed, printed_field};
use super::{BatchError, NAME_BYTES_MAX, STATUS_ERRORS_MAX, TEXT_BYTES_MAX, TimeForm};
use crate::validation::{Integer, Json, Members, without_non_numbers};
use ringwall_event::Timestamp;

/// How an agent is, as it says itself. Project and versions are in the headers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// When, by the sender's clock.
    pub timestamp: Option<Timestamp>,
    /// `healthy`, `degraded` or `failed`.
    pub status: Box<str>,
    /// Seconds.
    pub uptime: f64,
    /// Events that were acknowledged since the start.
    pub events_sent: u64,
    /// Events whose sending failed since the start.
    pub events_failed: u64,
    /// How many items wait.
    pub buffer_size: u64,
    /// When something was last sent.
    pub last_flush: Option<Timestamp>,
    /// What is wrong, in words.
    pub errors: Vec<Box<str>>,
    /// Items that were dropped since the start; only Ringwall's own agent says so.
    pub dropped: Option<u64>,
}

impl Status {
    /// Reads a status, leniently: what is missing or unreadable counts as nothing.
    ///
    /// # Errors
    /// Where the body is not a JSON object.
    pub fn read(bytes: &[u8]) -> Result<Self, BatchError> {
        match Json::read(bytes) {
            Ok(json) => Self::read_json(json),
            Err(error) => match without_non_numbers(bytes) {
                Some(repaired) => Self::read_json(Json::read(&repaired)?),
                None => Err(error.into()),
            },
        }
    }

    fn read_json(json: Json<'_>) -> Result<Self, BatchError> {
        let members = json.model().map_err(|_| BatchError::NotAnObject)?;
        let moment = |name| members.given(name).and_then(|json| json.date_time().ok());
        let errors = members.given("errors").map(Json::list);
        Ok(Self {
            timestamp: moment("timestamp"),
            status: printed_field(&members, "status", NAME_BYTES_MAX).unwrap_or_default(),
            uptime: members.given("uptime").and_then(|json| json.number().ok()).unwrap_or(0.0),
            events_sent: count(&members, "events_sent").unwrap_or(0),
            events_failed: count(&members, "events_failed").unwrap_or(0),
            buffer_size: count(&members, "buffer_size").unwrap_or(0),
            last_flush: moment("last_flush"),
            errors: errors
                .and_then(Result::ok)
                .unwrap_or_default()
                .into_iter()
                .take(STATUS_ERRORS_MAX)
                .filter_map(|json| printed(json, TEXT_BYTES_MAX))
                .collect(),
            dropped: count(&members, "dropped"),
        })
    }

    /// The body of a POST, as agents of the 3.x line write it.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut object = ObjectWriter::new(&mut out);
        moment_or_null(&mut object, "timestamp", self.timestamp);
        object.text("status", &self.status);
        push_number(object.field("uptime"), self.uptime);
        object.display_or_null("events_sent", Some(self.events_sent));
        object.display_or_null("events_failed", Some(self.events_failed));
        object.display_or_null("buffer_size", Some(self.buffer_size));
        moment_or_null(&mut object, "last_flush", self.last_flush);
        push_list(object.field("errors"), &self.errors, |out, error| push_text(out, error));
        if let Some(dropped) = self.dropped {
            object.display_or_null("dropped", Some(dropped));
        }
        object.end();
        out
    }
}

fn moment_or_null(object: &mut ObjectWriter<'_>, name: &str, moment: Option<Timestamp>) {
    match moment {
        Some(moment) => TimeForm::Space.push_json(object.field(name), moment),
        None => object.null(name),
    }
}

fn count(members: &Members<'_>, name: &str) -> Option<u64> {
    match members.given(name)?.integer() {
        Ok(Integer::Fits(count)) => u64::try_from(count).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_the_original_is_read() {
        let body = br#"{"timestamp":"2026-11-20 20:16:39.561480+00:00","status":"degraded",
            "uptime":12.5,"events_sent":3,"events_failed":1,"buffer_size":90,
            "last_flush":"2026-11-20 20:16:30","errors":["Buffer nearly full"],"future":[1]}"#;
        let status = Status::read(body).unwrap();
        assert_eq!((status.events_sent, status.events_failed, status.buffer_size), (3, 1, 90));
        assert_eq!(status.last_flush.unwrap().to_string(), "2026-11-20T20:16:30Z");
        assert_eq!(status.errors, [Box::from("Buffer nearly full")]);
        assert_eq!(status.dropped, None);
        assert_eq!(Status::read(&status.write()), Ok(status));
    }

    #[test]
    fn wrong_types_count_as_nothing() {
        let body = br#"{"timestamp":"soon","uptime":NaN,"events_sent":-1,"errors":{"a":1},
            "buffer_size":"7","dropped":4}"#;
        let status = Status::read(body).unwrap();
        assert_eq!(status, Status { buffer_size: 7, dropped: Some(4), ..Status::default() });
        assert_eq!(Status::read(b"[]"), Err(BatchError::NotAnObject));
        assert!(matches!(Status::read(b"{"), Err(BatchError::Syntax(_))));
    }
}
