//! Two made-up hosts, so that a first look has something to see.
//!
//! They exist only in what is sent here, through the same doors as any other client: `demo-web-1`
//! speaks SysScore, `demo-db-1` speaks Watcher. No process runs for them, and a kill that is ordered
//! for one of them ends nothing: the demo obeys by leaving the process out of its next report.
//!
//! Beside them a guarded web shop runs, and is attacked now and then: see [`shop`].

mod database_host;
mod shop;
mod web_host;

use crate::discovery::trust_of;
use crate::output::now;
use anyhow::{Context, Result};
use database_host::DatabaseHost;
use ringwall_lifecycle::ReadyFile;
use shop::Shop;
use std::time::Duration;
use web_host::WebHost;

const EVERY: Duration = Duration::from_secs(2);
/// A report of the database host for so many of the web host.
const REPORT_EVERY: u64 = 3;

/// Reports until it is dropped.
pub(super) async fn run(ready: &ReadyFile) {
    tokio::join!(run_hosts(ready), run_shop(ready));
}

async fn run_shop(ready: &ReadyFile) {
    let shop = match Shop::open(ready).await {
        Ok(Some(shop)) => shop,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(error = %format!("{error:#}"), "the demo's shop cannot open");
            return;
        }
    };
    let mut beat = tokio::time::interval(EVERY);
    for tick in 0u64.. {
        beat.tick().await;
        if let Err(error) = shop.visit(tick).await {
            tracing::warn!(error = %format!("{error:#}"), "the demo's shop does not answer");
        }
    }
}

async fn run_hosts(ready: &ReadyFile) {
    let (mut web, mut database) = match start(ready).await {
        Ok(hosts) => hosts,
        Err(error) => {
            tracing::error!(error = %format!("{error:#}"), "the demo cannot start");
            return;
        }
    };
    let mut beat = tokio::time::interval(EVERY);
    for tick in 0u64.. {
        beat.tick().await;
        if let Err(error) = web.report(tick, now()).await {
            tracing::warn!(error = %format!("{error:#}"), "demo-web-1 could not report");
        }
        if tick.is_multiple_of(REPORT_EVERY)
            && let Err(error) = database.report(tick / REPORT_EVERY, now()).await
        {
            tracing::warn!(error = %format!("{error:#}"), "demo-db-1 could not report");
        }
    }
}

async fn start(ready: &ReadyFile) -> Result<(WebHost, DatabaseHost)> {
    let root = |dialect: &str| {
        ready.dialects.get(dialect).with_context(|| format!("{dialect} is not served"))
    };
    let web = WebHost::enrol(ready, root("sysscore")?).await?;
    Ok((web, DatabaseHost::new(root("watcher")?, &trust_of(ready)?)?))
}
