use crate::http_client::with_query;
use crate::{Client, ClientError};
use ringwall_server_api::{
    AlertQuery, CommandQuery, DeliveryQuery, EventQuery, GuardBanQuery, GuardEventQuery, LIMIT_MAX,
    Page, PageQuery, ScoreQuery,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The rows of a list, fetched page by page as they are asked for.
#[derive(Debug)]
pub struct Rows<Q, T> {
    client: Client,
    path: &'static str,
    query: Q,
    rows: std::vec::IntoIter<T>,
    end: bool,
}

/// A query that can be continued.
pub(crate) trait Paged: Serialize {
    fn limit(&mut self) -> &mut Option<u32>;
    fn cursor(&mut self) -> &mut Option<String>;
}

macro_rules! paged {
    ($($Query:ty),*) => {$(
        impl Paged for $Query {
            fn limit(&mut self) -> &mut Option<u32> {
                &mut self.limit
            }

            fn cursor(&mut self) -> &mut Option<String> {
                &mut self.cursor
            }
        }
    )*};
}

paged!(
    PageQuery,
    AlertQuery,
    CommandQuery,
    DeliveryQuery,
    EventQuery,
    GuardBanQuery,
    GuardEventQuery,
    ScoreQuery
);

#[expect(private_bounds, reason = "only our own queries are paged")]
impl<Q: Paged, T: DeserializeOwned> Rows<Q, T> {
    pub(crate) fn new(client: Client, path: &'static str, query: Q) -> Self {
        Self { client, path, query, rows: Vec::new().into_iter(), end: false }
    }

    /// The next row; none at the end.
    ///
    /// # Errors
    /// Where a page cannot be had.
    pub async fn next(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(row) = self.rows.next() {
                return Ok(Some(row));
            }
            if self.end {
                return Ok(None);
            }
            let page: Page<T> = self.client.get(&with_query(self.path, &self.query)?).await?;
            self.end = page.next_cursor.is_none();
            *self.query.cursor() = page.next_cursor;
            self.rows = page.data.into_iter();
        }
    }

    /// The next rows, at most so many.
    ///
    /// # Errors
    /// Where a page cannot be had.
    pub async fn take(mut self, rows_max: usize) -> Result<Vec<T>, ClientError> {
        let mut rows = Vec::new();
        while rows.len() < rows_max {
            let missing = u32::try_from(rows_max - rows.len()).unwrap_or(u32::MAX);
            *self.query.limit() = Some(missing.min(LIMIT_MAX));
            match self.next().await? {
                Some(row) => rows.push(row),
                None => break,
            }
        }
        Ok(rows)
    }
}
