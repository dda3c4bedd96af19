//! Bodies of `POST /collect`, by the rules of the original's models.

use super::{
    COMMAND_LINE_BYTES_MAX, CONNECTIONS_MAX, HOSTNAME_BYTES_MAX, NAME_BYTES_MAX, PROCESSES_MAX,
    Payload, ReportedConnection, ReportedProcess, SYSTEM_INFO_BYTES_MAX, SYSTEM_INFO_DEPTH_MAX,
    TEXT_BYTES_MAX, TIMESTAMP_BYTES_MAX,
};
use crate::validation::{
    Fault, Integer, Json, Members, Place, Refusals, SyntaxError, without_half_pairs,
    without_non_numbers,
};
use serde_json::value::RawValue;

impl Payload {
    /// Reads a body of the media type `application/json`.
    ///
    /// # Errors
    /// Everything that does not fit the schema: the body of a 422.
    pub fn read(body: &[u8]) -> Result<Self, Refusals> {
        if body.is_empty() {
            let mut refusals = Refusals::default();
            refusals.push(&Place::of("body"), &Fault::MISSING, "null");
            return Err(refusals);
        }
        match Json::read(body) {
            Ok(json) => read_payload(json),
            Err(error) => read_non_numbers(body, &error),
        }
    }

    /// The refusal of a body of another media type, as curl sends by default.
    pub fn refuse_media_type(body: &[u8]) -> Refusals {
        let mut refusals = Refusals::default();
        let text = String::from_utf8_lossy(body.get(..1024).unwrap_or(body));
        refusals.push(&Place::of("body"), &Fault::NOT_AN_OBJECT, &Json::quote(&text));
        refusals
    }
}

/// Python writes `NaN` for a float that is not a number, which the original takes.
fn read_non_numbers(body: &[u8], error: &SyntaxError) -> Result<Payload, Refusals> {
    without_non_numbers(body)
        .as_deref()
        .and_then(|body| Json::read(body).ok().map(read_payload))
        .unwrap_or_else(|| Err(Refusals::of_syntax(error)))
}

fn read_payload(json: Json<'_>) -> Result<Payload, Refusals> {
    let mut refusals = Refusals::default();
    let place = Place::of("body");
    let payload = refusals
        .check(&place, json, json.model())
        .and_then(|model| read_fields(json, &model, &place, &mut refusals));
    match payload {
        Some(payload) if refusals.is_empty() => Ok(payload),
        _ => Err(refusals),
    }
}

fn read_fields<'a>(
    json: Json<'a>,
    model: &Members<'a>,
    place: &Place<'_>,
    refusals: &mut Refusals,
) -> Option<Payload> {
    let hostname = refusals.required(place, json, model, "hostname", hostname);
    let timestamp = refusals.required(place, json, model, "timestamp", timestamp);
    let items = refusals
        .required(place, json, model, "processes", |list| bounded_list(list, PROCESSES_MAX));
    let place_of_all = place.field("processes");
    let processes = read_all(items.unwrap_or_default(), &place_of_all, refusals, read_process);
    let items =
        refusals.optional(place, model, "connections", |list| bounded_list(list, CONNECTIONS_MAX));
    let place_of_all = place.field("connections");
    let connections = match items {
        Some(items) => Some(read_all(items, &place_of_all, refusals, read_connection)),
        None => model.get("connections").is_none().then(Vec::new),
    };
    let system_info = match refusals.optional(place, model, "system_info", system_info) {
        Some(object) => Some(object),
        None if model.get("system_info").is_none() => Some(empty_object()?),
        None => None,
    };
    Some(Payload {
        hostname: hostname?,
        timestamp: timestamp?,
        processes,
        connections,
        system_info,
    })
}

fn read_all<'a, T>(
    items: Vec<Json<'a>>,
    place: &Place<'_>,
    refusals: &mut Refusals,
    read: impl Fn(Json<'a>, &Members<'a>, &Place<'_>, &mut Refusals) -> Option<T>,
) -> Vec<T> {
    let mut all = Vec::with_capacity(items.len());
    for (position, json) in items.into_iter().enumerate() {
        let place = place.index(position);
        let item = refusals
            .check(&place, json, json.model())
            .and_then(|model| read(json, &model, &place, refusals));
        all.extend(item);
    }
    all
}

fn read_process<'a>(
    json: Json<'a>,
    model: &Members<'a>,
    place: &Place<'_>,
    refusals: &mut Refusals,
) -> Option<ReportedProcess> {
    let pid = refusals.required(place, json, model, "pid", integer);
    let name = refusals.required(place, json, model, "name", |json| text(json, NAME_BYTES_MAX));
    let command_line =
        refusals.optional(place, model, "command_line", |json| text(json, COMMAND_LINE_BYTES_MAX));
    let user = refusals.optional(place, model, "user", |json| text(json, TEXT_BYTES_MAX));
    let cpu_percent = refusals.optional(place, model, "cpu_percent", Json::number);
    let memory_percent = refusals.optional(place, model, "memory_percent", Json::number);
    let (pid, name) = (pid?, name?);
    Some(ReportedProcess { pid, name, command_line, user, cpu_percent, memory_percent })
}

fn read_connection<'a>(
    json: Json<'a>,
    model: &Members<'a>,
    place: &Place<'_>,
    refusals: &mut Refusals,
) -> Option<ReportedConnection> {
    let short = |json| text(json, TEXT_BYTES_MAX);
    let local_address = refusals.required(place, json, model, "local_address", short);
    let local_port = refusals.required(place, json, model, "local_port", integer);
    let remote_address = refusals.optional(place, model, "remote_address", short);
    let remote_port = refusals.optional(place, model, "remote_port", integer);
    let status = refusals.required(place, json, model, "status", short);
    let pid = refusals.optional(place, model, "pid", integer);
    let (local_address, local_port, status) = (local_address?, local_port?, status?);
    Some(ReportedConnection { local_address, local_port, remote_address, remote_port, status, pid })
}

fn hostname(json: Json<'_>) -> Result<Box<str>, Fault> {
    let text = json.text()?;
    if text.is_empty() {
        return Err(Fault {
            context: Some(("min_length", "1".to_owned())),
            ..Fault::new("string_too_short", "String should have at least 1 character")
        });
    }
    if text.len() > HOSTNAME_BYTES_MAX {
        return Err(Fault::too_long(HOSTNAME_BYTES_MAX));
    }
    Ok(text.into())
}

fn timestamp(json: Json<'_>) -> Result<Box<str>, Fault> {
    let text = json.text()?;
    if text.len() > TIMESTAMP_BYTES_MAX {
        return Err(Fault::too_long(TIMESTAMP_BYTES_MAX));
    }
    Ok(text.into())
}

/// A text, cut where it is too long.
fn text(json: Json<'_>, bytes_max: usize) -> Result<Box<str>, Fault> {
    let text = json.text()?;
    if text.len() <= bytes_max {
        return Ok(text.into());
    }
    let mut end = bytes_max.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let kept = text.get(..end).unwrap_or_default();
    Ok(format!("{kept}…").into())
}

/// The original takes integers of any size; no process or port has one beyond 64 bits.
fn integer(json: Json<'_>) -> Result<i64, Fault> {
    match json.integer()? {
        Integer::Fits(value) => Ok(value),
        Integer::TooLarge => Err(Fault::new(
            "int_parsing_size",
            "Unable to parse input string as an integer, exceeded maximum size",
        )),
    }
}

fn bounded_list(json: Json<'_>, items_max: usize) -> Result<Vec<Json<'_>>, Fault> {
    let items = json.list()?;
    if items.len() > items_max {
        return Err(Fault::too_many(items_max, items.len()));
    }
    Ok(items)
}

fn system_info(json: Json<'_>) -> Result<Box<RawValue>, Fault> {
    let invalid = |reason: &str| Fault::with_reason("value_error", "Value error", reason);
    json.dictionary()?;
    if json.as_text().len() > SYSTEM_INFO_BYTES_MAX {
        return Err(invalid(&format!("longer than {SYSTEM_INFO_BYTES_MAX} bytes")));
    }
    if json.depth() > SYSTEM_INFO_DEPTH_MAX {
        return Err(invalid(&format!("nested deeper than {SYSTEM_INFO_DEPTH_MAX} levels")));
    }
    let whole = without_half_pairs(json.as_text());
    RawValue::from_string(whole.unwrap_or_else(|| json.as_text().to_owned()))
        .map_err(|_| invalid("not valid JSON"))
}

fn empty_object() -> Option<Box<RawValue>> {
    RawValue::from_string("{}".to_owned()).ok()
}

#[cfg(test)]
mod tests;
