//! The book of what was sent and what was acknowledged, and the comparison with what is there.

use super::clients::{HOST_AGENT, SYSSCORE, WATCHER};
use crate::stored;
use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::pages;
use ringwall_end_to_end::server::Server;
use ringwall_end_to_end::tour;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The original Watcher server holds this many reports, and so does our view of them.
const WATCHER_REPORTS_MAX: usize = 1000;

#[derive(Default)]
pub(crate) struct Ledger(Mutex<Book>);

#[derive(Default)]
struct Book {
    sent: BTreeSet<String>,
    /// Per SysScore agent: the serial of each acknowledged event, and the id it was given.
    acknowledged: BTreeMap<&'static str, BTreeMap<String, String>>,
    host_agent: BTreeSet<i64>,
    watcher_sent: BTreeSet<String>,
    watcher_acknowledged: BTreeSet<String>,
}

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn sent(&self, serials: &[String]) {
        self.book().sent.extend(serials.iter().cloned());
    }

    pub(crate) fn acknowledged(
        &self,
        agent: &'static str,
        events: impl Iterator<Item = (String, String)>,
    ) -> Result<()> {
        let mut book = self.book();
        let mine = book.acknowledged.entry(agent).or_default();
        for (serial, id) in events {
            let is_id = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
            ensure!(is_id, "{serial} was given the id `{id}`");
            mine.insert(serial, id);
        }
        Ok(())
    }

    pub(crate) fn host_agent_acknowledged(&self, pids: &[i64]) {
        self.book().host_agent.extend(pids);
    }

    pub(crate) fn watcher_sent(&self, serial: &str) {
        self.book().watcher_sent.insert(serial.to_owned());
    }

    pub(crate) fn watcher_acknowledged(&self, serial: &str) {
        self.book().watcher_acknowledged.insert(serial.to_owned());
    }

    pub(crate) fn summary(&self) -> String {
        let book = self.book();
        let events: usize = book.acknowledged.values().map(BTreeMap::len).sum();
        format!(
            "acknowledged and there once: {events} SysScore events, {} host agent events, \
             {} Watcher reports",
            book.host_agent.len(),
            book.watcher_acknowledged.len()
        )
    }

    /// Compares with what the server holds, seen through every face it has.
    pub(crate) async fn check(&self, server: &Server) -> Result<()> {
        for client in SYSSCORE {
            self.check_sysscore(server, client.name).await.context(client.name)?;
        }
        self.check_host_agent(server).await.context("host agent")?;
        self.check_watcher(server).await.context("watcher")?;
        self.check_watcher_events(server).await.context("watcher events")?;
        self.check_counts(server).await.context("counts")
    }

    /// As many by SQL as by pages, and as many again by the minute.
    async fn check_counts(&self, server: &Server) -> Result<()> {
        let mut paged = 0;
        for host in pages::of_api(&server.api(), "/api/v1/hosts?limit=1000").await? {
            let host = pages::percent_encoded(pages::text(&host, "/id")?);
            let path = format!("/api/v1/events?host={host}&limit=1000");
            paged += pages::of_api(&server.api(), &path).await?.len();
        }
        let by_sql = stored::number(server.tool(), "SELECT count(*) AS n FROM events").await?;
        ensure!(by_sql == paged as i64, "{by_sql} events by SQL, {paged} by pages");
        let distinct = "SELECT count(DISTINCT metadata_uid) AS n FROM events";
        let distinct = stored::number(server.tool(), distinct).await?;
        ensure!(by_sql == distinct, "{by_sql} events by SQL, {distinct} of them distinct");
        let by_minute = stored::on_timeline(server).await?;
        ensure!(by_minute == paged as u64, "{by_minute} events by the minute, {paged} by pages");
        Ok(())
    }

    async fn check_sysscore(&self, server: &Server, agent: &'static str) -> Result<()> {
        let reader = tour::sysscore_reader(server)?;
        let path = format!("/api/v1/events?agent_id={agent}&limit=1000");
        let mut there = BTreeMap::new();
        for row in pages::of_sysscore(&reader, &path).await? {
            let serial = pages::text(&row, "/metadata/serial")?.to_owned();
            let id = pages::text(&row, "/id")?.to_owned();
            ensure!(there.insert(serial, id).is_none(), "twice: {row}");
        }
        let path = format!("/api/v1/events?host=sysscore:{agent}&limit=1000");
        let mut ids = BTreeSet::new();
        for row in pages::of_api(&server.api(), &path).await? {
            let id = pages::text(&row, "/id")?.replace('-', "");
            ensure!(ids.insert(id), "twice in our API: {row}");
        }
        let by_sql = ids_by_sql(server, agent).await?;
        ensure!(
            by_sql == ids,
            "SQL shows {} events, our API {}: {:?}",
            by_sql.len(),
            ids.len(),
            by_sql.symmetric_difference(&ids).next()
        );
        let book = self.book();
        let acknowledged: Vec<_> = book.acknowledged.get(agent).into_iter().flatten().collect();
        let lost: Vec<_> = acknowledged
            .iter()
            .filter(|(serial, id)| there.get(*serial) != Some(id))
            .map(|(serial, id)| format!("{serial} as {id}, in our API: {}", ids.contains(*id)))
            .collect();
        ensure!(
            lost.is_empty(),
            "{} of {} acknowledged events are not there: {:?}",
            lost.len(),
            acknowledged.len(),
            lost.iter().take(5).collect::<Vec<_>>()
        );
        let unknown = there.keys().find(|serial| !book.sent.contains(*serial));
        ensure!(unknown.is_none(), "never sent: {unknown:?}");
        let seen: BTreeSet<String> = there.into_values().collect();
        ensure!(
            seen == ids,
            "the dialect shows {} events, our API {}: {:?}",
            seen.len(),
            ids.len(),
            seen.symmetric_difference(&ids).next()
        );
        Ok(())
    }

    async fn check_host_agent(&self, server: &Server) -> Result<()> {
        let path = format!("/api/v1/events?host=host-agent:{HOST_AGENT}&limit=1000");
        let mut there = BTreeSet::new();
        for row in pages::of_api(&server.api(), &path).await? {
            let pid = row["pid"].as_i64().with_context(|| format!("no pid in {row}"))?;
            ensure!(there.insert(pid), "twice: {row}");
        }
        // This client does not stop before its last report is acknowledged: all is there.
        ensure!(there == self.book().host_agent, "{} events", there.len());
        Ok(())
    }

    async fn check_watcher(&self, server: &Server) -> Result<()> {
        let watcher = Http::new(server.dialect("watcher")?);
        let rows = watcher.get_json(&format!("/api/v1/events?limit={WATCHER_REPORTS_MAX}")).await?;
        let mut there = BTreeSet::new();
        for row in rows.as_array().map(Vec::as_slice).unwrap_or_default() {
            ensure!(row["hostname"] == WATCHER, "{row}");
            ensure!(there.insert(pages::text(row, "/timestamp")?.to_owned()), "twice: {row}");
        }
        let book = self.book();
        let unknown = there.difference(&book.watcher_sent).next();
        ensure!(unknown.is_none(), "never sent: {unknown:?}");
        if book.watcher_sent.len() <= WATCHER_REPORTS_MAX {
            let lost = book.watcher_acknowledged.difference(&there).next();
            ensure!(lost.is_none(), "lost: {lost:?}");
        }
        Ok(())
    }

    /// Every acknowledged report is one inventory among our events, however many there are.
    async fn check_watcher_events(&self, server: &Server) -> Result<()> {
        let path = format!("/api/v1/events?host=watcher:{WATCHER}&kind=inventory&limit=1000");
        let rows = pages::of_api(&server.api(), &path).await?;
        let ids: BTreeSet<_> = rows.iter().map(|row| row.get("id").map(Value::to_string)).collect();
        ensure!(ids.len() == rows.len(), "an inventory twice among {}", rows.len());
        let book = self.book();
        let wanted = book.watcher_acknowledged.len()..=book.watcher_sent.len();
        ensure!(wanted.contains(&rows.len()), "{} inventories, wanted {wanted:?}", rows.len());
        Ok(())
    }
}

/// The ids of an agent's events, some at a time.
async fn ids_by_sql(server: &Server, agent: &str) -> Result<BTreeSet<String>> {
    const AT_ONCE: usize = 50_000;
    let mut ids = BTreeSet::new();
    loop {
        let after = ids.last().map_or("", String::as_str);
        let sql = format!(
            "SELECT metadata_uid FROM events WHERE metadata_log_name = '{agent}' \
             AND metadata_uid > '{after}' ORDER BY metadata_uid LIMIT {AT_ONCE}"
        );
        let rows = stored::query(server, &sql).await?;
        let count = rows.len();
        for row in rows {
            let id = row.first().and_then(Value::as_str).context("no id")?.to_owned();
            ensure!(ids.insert(id), "twice by SQL: {row:?}");
        }
        if count < AT_ONCE {
            return Ok(ids);
        }
    }
}
