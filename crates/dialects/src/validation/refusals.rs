use super::{Fault, Json, Members, SyntaxError};
use std::fmt::Write;

/// How many bytes of an offending value are repeated at most.
pub const INPUT_ECHO_MAX: usize = 256;

/// How many refusals one answer lists at most; further ones are left out.
pub const REFUSALS_MAX: usize = 100;

/// The place of a value within a request: `["body", "events", 0, "pid"]`.
#[derive(Clone, Copy, Debug)]
pub struct Place<'p> {
    outer: Option<&'p Place<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'p> {
    Field(&'p str),
    Index(usize),
}

impl<'p> Place<'p> {
    /// The part of a request: `body`, `query`, `header`, `path`.
    pub const fn of(part: &'p str) -> Self {
        Self { outer: None, step: Step::Field(part) }
    }

    /// A field within this place.
    pub const fn field<'q>(&'q self, name: &'q str) -> Place<'q> {
        Place { outer: Some(self), step: Step::Field(name) }
    }

    /// An item of the list at this place.
    pub const fn index(&self, position: usize) -> Place<'_> {
        Place { outer: Some(self), step: Step::Index(position) }
    }

    fn write(&self, out: &mut String) {
        let mut steps = Vec::new();
        let mut place = Some(self);
        while let Some(here) = place {
            steps.push(here.step);
            place = here.outer;
        }
        out.push('[');
        for (position, step) in steps.iter().rev().enumerate() {
            if position > 0 {
                out.push(',');
            }
            match step {
                Step::Field(name) => out.push_str(&Json::quote(name)),
                Step::Index(index) => out.push_str(&index.to_string()),
            }
        }
        out.push(']');
    }
}

/// Everything wrong with a request, as the body of a 422.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    entries: String,
    count: usize,
}

impl Refusals {
    /// The refusal of bytes that are not JSON: `json_invalid`.
    pub fn of_syntax(error: &SyntaxError) -> Self {
        let mut refusals = Self::default();
        let fault = Fault {
            kind: "json_invalid",
            message: "JSON decode error".into(),
            context: Some(("error", Json::quote(&error.reason))),
        };
        refusals.push(&Place::of("body").index(error.position), &fault, "{}");
        refusals
    }

    /// Whether nothing was refused.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many values were refused, those beyond [`REFUSALS_MAX`] included.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Adds a refusal; `input` is the JSON text of the offending value.
    pub fn push(&mut self, place: &Place<'_>, fault: &Fault, input: &str) {
        self.count += 1;
        if self.count > REFUSALS_MAX {
            return;
        }
        let out = &mut self.entries;
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str("{\"type\":");
        out.push_str(&Json::quote(fault.kind));
        out.push_str(",\"loc\":");
        place.write(out);
        out.push_str(",\"msg\":");
        out.push_str(&Json::quote(&fault.message));
        out.push_str(",\"input\":");
        push_bounded(out, input);
        if let Some((name, value)) = &fault.context {
            // Writing to a `String` cannot fail.
            let _ = write!(out, ",\"ctx\":{{{}:{value}}}", Json::quote(name));
        }
        out.push('}');
    }

    /// Passes on what was read, or adds the refusal of `input`.
    pub fn check<T>(
        &mut self,
        place: &Place<'_>,
        input: Json<'_>,
        reading: Result<T, Fault>,
    ) -> Option<T> {
        match reading {
            Ok(value) => Some(value),
            Err(fault) => {
                self.push(place, &fault, input.as_text());
                None
            }
        }
    }

    /// Reads the field `name` of `model`, which must be there; `whole` is the model's own text, which
    /// is what the framework repeats for a missing field.
    pub fn required<'a, T>(
        &mut self,
        place: &Place<'_>,
        whole: Json<'a>,
        model: &Members<'a>,
        name: &str,
        read: impl FnOnce(Json<'a>) -> Result<T, Fault>,
    ) -> Option<T> {
        match model.get(name) {
            Some(value) => self.check(&place.field(name), value, read(value)),
            None => {
                self.push(&place.field(name), &Fault::MISSING, whole.as_text());
                None
            }
        }
    }

    /// Reads the field `name` of `model`; none where it is absent, null or refused.
    pub fn optional<'a, T>(
        &mut self,
        place: &Place<'_>,
        model: &Members<'a>,
        name: &str,
        read: impl FnOnce(Json<'a>) -> Result<T, Fault>,
    ) -> Option<T> {
        let value = model.given(name)?;
        self.check(&place.field(name), value, read(value))
    }

    /// The body of the answer, `application/json`, status 422.
    pub fn to_body(&self) -> String {
        format!("{{\"detail\":[{}]}}", self.entries)
    }
}

/// Repeats a value, or the beginning of its text as a string where it is long.
fn push_bounded(out: &mut String, input: &str) {
    // Some readers refuse all of a text that has `1e999` or half of a surrogate pair in it.
    let is_plain = || serde_json::from_str::<serde_json::Value>(input).is_ok();
    if input.len() <= INPUT_ECHO_MAX && is_plain() {
        out.push_str(input);
        return;
    }
    let mut end = input.len().min(INPUT_ECHO_MAX);
    while !input.is_char_boundary(end) {
        end -= 1;
    }
    let rest = if end < input.len() { "…" } else { "" };
    let start = input.get(..end).unwrap_or_default();
    out.push_str(&Json::quote(&format!("{start}{rest}")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_refusal_has_the_shape_of_the_framework() {
        let mut refusals = Refusals::default();
        assert!(refusals.is_empty());
        let body = Place::of("body");
        let events = body.field("events");
        refusals.push(&events.index(3).field("pid"), &Fault::MISSING, "{\"a\":1}");
        refusals.push(&Place::of("query").field("risk_min"), &Fault::above(100.0), "\"101\"");
        assert_eq!(
            parsed(&refusals),
            json!({"detail": [
                {"type": "missing", "loc": ["body", "events", 3, "pid"], "msg": "Field required", "input": {"a": 1}},
                {"type": "less_than_equal", "loc": ["query", "risk_min"],
                 "msg": "Input should be less than or equal to 100", "input": "101", "ctx": {"le": 100}},
            ]})
        );
    }

    #[test]
    fn flaw_13_a_refusal_does_not_repeat_the_whole_input() {
        let mut refusals = Refusals::default();
        let secret = Json::quote(&"é".repeat(100_000));
        refusals.push(&Place::of("body"), &Fault::MISSING, &secret);
        assert!(refusals.to_body().len() < 600);
        let echoed = parsed(&refusals)["detail"][0]["input"].as_str().map(str::len);
        assert!(echoed.is_some_and(|length| length <= INPUT_ECHO_MAX + 3));
    }

    #[test]
    fn what_strict_readers_refuse_is_repeated_as_text() {
        for input in ["1e999", r#""\ud800""#, &"[".repeat(200).replace('[', "[[")] {
            let mut refusals = Refusals::default();
            refusals.push(&Place::of("body"), &Fault::MISSING, input);
            assert!(parsed(&refusals)["detail"][0]["input"].is_string(), "input {input}");
        }
    }

    #[test]
    fn the_list_is_bounded() {
        let mut refusals = Refusals::default();
        for position in 0..10_000 {
            refusals.push(&Place::of("body").index(position), &Fault::MISSING, "null");
        }
        assert_eq!(refusals.len(), 10_000);
        assert_eq!(parsed(&refusals)["detail"].as_array().map(Vec::len), Some(REFUSALS_MAX));
    }

    #[test]
    fn a_syntax_error_becomes_json_invalid() {
        let error = Json::read(b"{\"a\":}").expect_err("not JSON");
        let body = parsed(&Refusals::of_syntax(&error));
        assert_eq!(body["detail"][0]["type"], "json_invalid");
        assert_eq!(body["detail"][0]["loc"][0], "body");
        assert_eq!(body["detail"][0]["loc"][1], 5);
    }

    fn parsed(refusals: &Refusals) -> Value {
        serde_json::from_str(&refusals.to_body()).expect("the body is JSON")
    }
}
