//! Pages: how many rows, and where the last page ended.

use super::problem::ApiError;
use crate::server::Server;
use ringwall_access::{open_cursor, seal_cursor};
use ringwall_server_api::{LIMIT_DEFAULT, LIMIT_MAX, Page, Problem, ProblemKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// A page for which there is much to look through ends early, and says where to go on. Tests want whole pages,
/// however slow the machine is.
pub(super) const PAGE_BUDGET: Duration =
    if cfg!(test) { Duration::from_secs(600) } else { Duration::from_millis(25) };

/// Which part of which list is wanted. `P` is the place of a row in the list's order.
pub(super) struct Wanted<'a, P> {
    server: &'a Server,
    purpose: String,
    limit: usize,
    /// The place of the last row of the page before.
    pub(super) after: Option<P>,
}

impl<'a, P: Serialize + DeserializeOwned> Wanted<'a, P> {
    /// Reads `limit` and `cursor`. `list` and `filter` name the list: a cursor of another one is
    /// refused.
    pub(super) fn read(
        server: &'a Server,
        list: &str,
        filter: &impl Serialize,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<Self, ApiError> {
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            let detail = format!("must be 1 to {LIMIT_MAX}");
            return Err(Problem::invalid_parameter("limit", detail).into());
        }
        let purpose =
            serde_json::to_string(&(list, filter)).map_err(|error| ApiError::internal(&error))?;
        let after = cursor.map(|text| open(server, &purpose, text)).transpose()?;
        // A page has at most a thousand rows: this cannot be cut.
        Ok(Self { server, purpose, limit: usize::try_from(limit).unwrap_or(1), after })
    }

    /// How many rows to fetch: one more than wanted tells whether there is another page.
    pub(super) const fn fetch(&self) -> usize {
        self.limit + 1
    }

    /// The page, from up to [`Wanted::fetch`] rows.
    pub(super) fn page<R>(
        &self,
        mut rows: Vec<R>,
        place: impl Fn(&R) -> P,
    ) -> Result<Page<R>, ApiError> {
        let has_more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next_cursor = match rows.last() {
            Some(last) if has_more => Some(self.seal(&place(last))?),
            _ => None,
        };
        Ok(Page { data: rows, next_cursor })
    }

    /// As [`Wanted::page`], for a search that may have stopped early: `resume` is then where to go on,
    /// however few rows there are.
    pub(super) fn page_until<R>(
        &self,
        rows: Vec<R>,
        place: impl Fn(&R) -> P,
        resume: Option<P>,
    ) -> Result<Page<R>, ApiError> {
        let mut page = self.page(rows, place)?;
        if let (None, Some(resume)) = (&page.next_cursor, resume) {
            page.next_cursor = Some(self.seal(&resume)?);
        }
        Ok(page)
    }

    fn seal(&self, place: &P) -> Result<String, ApiError> {
        let bytes = serde_json::to_vec(place).map_err(|error| ApiError::internal(&error))?;
        seal_cursor(self.server.secrets.cursor_key(), &self.purpose, &bytes)
            .map_err(|error| ApiError::internal(&error))
    }
}

fn open<P: DeserializeOwned>(server: &Server, purpose: &str, text: &str) -> Result<P, ApiError> {
    let refused = || ApiError::new(ProblemKind::InvalidCursor, "not a cursor of this list");
    let bytes = open_cursor(server.secrets.cursor_key(), purpose, text).map_err(|_| refused())?;
    serde_json::from_slice(&bytes).map_err(|_| refused())
}
