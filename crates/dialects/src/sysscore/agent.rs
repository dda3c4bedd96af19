use super::metadata::plain;
use super::rows::raw_json;
use super::{AGENT_TEXT_CHARS_MAX, METADATA_BYTES_MAX, METADATA_DEPTH_MAX};
use crate::validation::{Fault, Json, Place, Refusals};
use ringwall_event::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The body of `POST /agents`.
///
/// Registration is for people: it neither gives nor takes a secret, and an agent may post without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRegistration {
    /// The agent's id.
    pub id: Box<str>,
    /// A name for people.
    pub name: Box<str>,
    /// The host it runs on.
    pub hostname: Option<Box<str>>,
    /// The text of a JSON object; `{}` where it was left out or null.
    pub metadata: Box<str>,
}

impl AgentRegistration {
    /// Reads the body of an authorised request.
    ///
    /// # Errors
    /// Everything that does not fit the schema: the body of a 422.
    pub fn read(body: &[u8]) -> Result<Self, Refusals> {
        let json = Json::read(body).map_err(|error| Refusals::of_syntax(&error))?;
        let mut refusals = Refusals::default();
        let place = Place::of("body");
        let registration = refusals.check(&place, json, json.model()).and_then(|model| {
            let id = refusals.required(&place, json, &model, "id", bounded_text);
            let name = refusals.required(&place, json, &model, "name", bounded_text);
            let hostname = refusals.optional(&place, &model, "hostname", bounded_text);
            let metadata = refusals.optional(&place, &model, "metadata", bounded_object);
            Some(Self {
                id: id?,
                name: name?,
                hostname,
                metadata: metadata.unwrap_or_else(|| "{}".into()),
            })
        });
        match registration {
            Some(registration) if refusals.is_empty() => Ok(registration),
            _ => Err(refusals),
        }
    }
}

fn bounded_text(json: Json<'_>) -> Result<Box<str>, Fault> {
    let text = json.text()?;
    if text.chars().nth(AGENT_TEXT_CHARS_MAX).is_some() {
        return Err(Fault::too_long(AGENT_TEXT_CHARS_MAX));
    }
    Ok(text.into())
}

fn bounded_object(json: Json<'_>) -> Result<Box<str>, Fault> {
    json.dictionary()?;
    if json.as_text().len() > METADATA_BYTES_MAX {
        return Err(Fault::new("too_long", "Dictionary should have at most 65536 bytes"));
    }
    if json.depth() > METADATA_DEPTH_MAX {
        return Err(Fault::new("recursion_loop", "Dictionary should have at most 64 levels"));
    }
    Ok(plain(json.as_text()).into())
}

/// A registered agent: the form it is kept in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The agent's id.
    pub id: Box<str>,
    /// A name for people.
    pub name: Box<str>,
    /// The host it runs on.
    pub hostname: Option<Box<str>>,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// When it last posted; when it was registered, before that.
    pub last_seen: Timestamp,
    /// The text of a JSON object.
    pub metadata: Box<str>,
}

impl Agent {
    /// A new agent, registered at this moment.
    pub fn new(registration: AgentRegistration, now: Timestamp) -> Self {
        let AgentRegistration { id, name, hostname, metadata } = registration;
        Self { id, name, hostname, registered_at: now, last_seen: now, metadata }
    }

    /// The JSON of a row of `GET /agents`.
    pub fn to_row(&self) -> String {
        #[derive(Serialize)]
        struct Row<'a> {
            id: &'a str,
            name: &'a str,
            hostname: Option<&'a str>,
            registered_at: String,
            last_seen: String,
            metadata: &'a RawValue,
        }
        let row = Row {
            id: &self.id,
            name: &self.name,
            hostname: self.hostname.as_deref(),
            registered_at: self.registered_at.to_naive_iso(),
            last_seen: self.last_seen.to_naive_iso(),
            metadata: raw_json(&self.metadata),
        };
        // Texts and well-formed JSON always serialise.
        serde_json::to_string(&row).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_registration_becomes_a_row() {
        let body = br#"{"id":"agent-1","name":"Web","hostname":null,"secret":"x"}"#;
        let registration = AgentRegistration::read(body).expect("fine");
        let agent = Agent::new(registration, Timestamp::from_micros(1_768_471_200_000_000));
        let row: Value = serde_json::from_str(&agent.to_row()).expect("JSON");
        assert_eq!(
            row,
            json!({
                "id": "agent-1", "name": "Web", "hostname": null, "metadata": {},
                "registered_at": "2026-01-15T10:00:00", "last_seen": "2026-01-15T10:00:00",
            })
        );
    }

    #[test]
    fn metadata_is_kept_as_sent() {
        let body = br#"{"id":"a","name":"b","hostname":"h","metadata":{"x": [1.50]}}"#;
        let registration = AgentRegistration::read(body).expect("fine");
        assert_eq!(&*registration.metadata, r#"{"x": [1.50]}"#);
        assert_eq!(registration.hostname.as_deref(), Some("h"));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        check("{}", &["missing", "missing"]);
        check(r#"{"id":1,"name":null}"#, &["string_type", "string_type"]);
        check(r#"{"id":"a","name":"b","hostname":1,"metadata":[]}"#, &["string_type", "dict_type"]);
        check(&format!(r#"{{"id":"{}","name":"b"}}"#, "é".repeat(257)), &["string_too_long"]);
        let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
        check(
            &format!(r#"{{"id":"a","name":"b","metadata":{{"x":{deep}}}}}"#),
            &["recursion_loop"],
        );
        check("{", &["json_invalid"]);
    }

    #[track_caller]
    fn check(body: &str, expected: &[&str]) {
        let refusals = AgentRegistration::read(body.as_bytes()).expect_err("refused");
        let answer: Value = serde_json::from_str(&refusals.to_body()).expect("JSON");
        let details = answer["detail"].as_array().expect("a list");
        let kinds: Vec<_> = details.iter().map(|detail| detail["type"].as_str()).collect();
        let expected: Vec<_> = expected.iter().copied().map(Some).collect();
        assert_eq!(kinds, expected, "body {body:.80}");
    }
}
