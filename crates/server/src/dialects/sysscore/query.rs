//! Query parameters, read as the framework reads them.

use super::refusal::Refusal;
use crate::server::Server;
use axum::extract::Query;
use http::Uri;
use ringwall_access::{open_cursor, seal_cursor};
use ringwall_dialects::sysscore::Problem;
use ringwall_dialects::validation::{Fault, Integer, Json};
use ringwall_event::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;
/// How long a cursor can be followed.
const CURSOR_SECONDS: i64 = 3600;

/// The parameters of a request.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn read(uri: &Uri) -> Self {
        Self(Query::try_from_uri(uri).map(|Query(pairs)| pairs).unwrap_or_default())
    }

    /// The text of a parameter, the last where it is repeated; an empty one counts as none.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.raw(name).filter(|text| !text.is_empty())
    }

    /// The text of a parameter that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.raw(name).ok_or_else(|| Refusal::parameter("query", name, &Fault::MISSING, None))
    }

    /// How many rows: 1 to 1000, more is treated as 1000.
    pub(super) fn limit(&self) -> Result<usize, Refusal> {
        let Some(text) = self.raw("limit") else { return Ok(LIMIT_DEFAULT) };
        let refuse = |fault: Fault| Refusal::parameter("query", "limit", &fault, Some(text));
        match Integer::parse(text).map_err(refuse)? {
            Integer::Fits(limit) if limit >= 1 => {
                Ok(usize::try_from(limit).unwrap_or(LIMIT_MAX).min(LIMIT_MAX))
            }
            Integer::TooLarge if !text.trim_start().starts_with('-') => Ok(LIMIT_MAX),
            _ => Err(refuse(Fault::below(1.0))),
        }
    }

    /// A score, 0 to 100.
    pub(super) fn score(&self, name: &str) -> Result<Option<f64>, Refusal> {
        let Some(text) = self.raw(name) else { return Ok(None) };
        let refuse = |fault: Fault| Refusal::parameter("query", name, &fault, Some(text));
        let score = Json::parse_number(text).map_err(refuse)?;
        if score < 0.0 {
            return Err(refuse(Fault::below(0.0)));
        }
        if score > 100.0 {
            return Err(refuse(Fault::above(100.0)));
        }
        Ok(Some(score))
    }

    /// The place that a cursor of this list and these filters stands for.
    pub(super) fn cursor<T: DeserializeOwned>(
        &self,
        server: &Server,
        purpose: &str,
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text("cursor") else { return Ok(None) };
        let refused = || Refusal::from(Problem::INVALID_CURSOR);
        let bytes =
            open_cursor(server.secrets.cursor_key(), purpose, text).map_err(|_| refused())?;
        let (place, expires): (T, Timestamp) =
            postcard::from_bytes(&bytes).map_err(|_| refused())?;
        if server.now() >= expires {
            return Err(refused());
        }
        Ok(Some(place))
    }

    fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, text)| text.as_str())
    }
}

/// The text that stands for a place in a list under these filters, for an hour.
pub(super) fn make_cursor<T: Serialize>(
    server: &Server,
    purpose: &str,
    place: &T,
) -> Result<String, Refusal> {
    let expires = server.now().plus_seconds(CURSOR_SECONDS);
    let bytes = postcard::to_allocvec(&(place, expires)).map_err(Refusal::internal)?;
    seal_cursor(server.secrets.cursor_key(), purpose, &bytes).map_err(Refusal::internal)
}
