//! Following cursors to the end of a list.

use crate::http_client::Http;
use anyhow::{Context, Result, bail};
use serde_json::Value;

/// More pages than any test makes: a cursor that leads in a circle ends here.
const PAGES_MAX: usize = 5_000;

/// All rows of a list of our API: `{"data": […], "next_cursor": …}`.
///
/// # Errors
///
/// When a page cannot be read, or there is no end.
pub async fn of_api(http: &Http, path: &str) -> Result<Vec<Value>> {
    rows(http, path, |page| page.get("next_cursor")).await
}

/// All rows of a list of the SysScore dialect: `{"data": […], "pagination": {…}}`.
///
/// # Errors
///
/// When a page cannot be read, or there is no end.
pub async fn of_sysscore(http: &Http, path: &str) -> Result<Vec<Value>> {
    rows(http, path, |page| {
        let pagination = page.get("pagination")?;
        let has_more = pagination.get("has_more").and_then(Value::as_bool)?;
        has_more.then(|| pagination.get("cursor")).flatten()
    })
    .await
}

async fn rows(
    http: &Http,
    path: &str,
    next: impl Fn(&Value) -> Option<&Value>,
) -> Result<Vec<Value>> {
    let joint = if path.contains('?') { '&' } else { '?' };
    let mut rows = Vec::new();
    let mut page_path = path.to_owned();
    for _ in 0..PAGES_MAX {
        let mut page = http.get_json(&page_path).await?;
        let cursor = next(&page).and_then(Value::as_str).map(percent_encoded);
        match page.get_mut("data").map(Value::take) {
            Some(Value::Array(data)) => rows.extend(data),
            other => bail!("{page_path}: no `data` but {other:?}"),
        }
        match cursor {
            Some(cursor) => page_path = format!("{path}{joint}cursor={cursor}"),
            None => return Ok(rows),
        }
    }
    bail!("{path}: {PAGES_MAX} pages and no end")
}

/// The text as a query value (RFC 3986 §2.1).
pub fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// A field that must be text.
///
/// # Errors
///
/// When it is missing or something else.
pub fn text<'a>(row: &'a Value, pointer: &str) -> Result<&'a str> {
    row.pointer(pointer).and_then(Value::as_str).with_context(|| format!("no {pointer} in {row}"))
}
