use super::{Asking, scores};
use crate::discovery::Connect;
use crate::output::{Fields, Output, Style, ago, bytes, count, duration, now, sparkline};
use anyhow::Result;
use clap::Args;
use ringwall_event::{Severity, Timestamp};
use ringwall_lifecycle::Exit;
use ringwall_server_api::{Minute, Overview};

/// Everything at a glance
#[derive(Debug, Args)]
#[command(
    visible_alias = "status",
    after_help = "Examples:\n  ringwall status\n  ringwall overview --json"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) connect: Connect,
}

pub(super) async fn run(asking: &Asking) -> Result<Exit> {
    let overview = asking.client.overview().await?;
    let url = &asking.server.url;
    asking.out.one(&overview, |overview| at_a_glance(overview, url, &asking.out, now()))?;
    Ok(Exit::Yes)
}

/// So many fit into a line.
const BUSIEST_SHOWN: usize = 3;

fn at_a_glance(overview: &Overview, url: &str, out: &Output, now: Timestamp) -> String {
    let server = &overview.server;
    let up = duration(now.micros_since(server.started).max(0) / 1_000_000);
    let by_severity = overview.alerts.by_severity;
    let by_severity: Vec<String> = Severity::ALL
        .into_iter()
        .rev()
        .filter_map(|severity| {
            let mut counts = by_severity;
            let number = *counts.of(severity);
            (number > 0).then(|| format!("{} {}", count(number), severity.name()))
        })
        .collect();
    let mut alerts = format!("{} open", count(overview.alerts.open));
    if !by_severity.is_empty() {
        alerts += &format!(": {}", by_severity.join(", "));
    }
    let commands = overview.commands;
    let alert_style = if overview.alerts.open == 0 { Style::Plain } else { Style::Bad };
    let fields = Fields::default()
        .with("server", format!("Ringwall {} at {url}, up for {up}", server.version))
        .with(
            "data",
            format!(
                "{}; {} of {} places in the intake taken",
                bytes(server.data_dir_bytes),
                count(server.intake.queued),
                count(server.intake.capacity)
            ),
        )
        .with(
            "hosts",
            format!("{} of {} online", count(overview.hosts.online), count(overview.hosts.total)),
        )
        .with(
            "events",
            format!(
                "{}, {} in the last minute  {}",
                count(overview.events.total),
                count(overview.events.last_minute),
                last_hour(&overview.timeline)
            ),
        )
        .styled("alerts", alerts, alert_style)
        .with(
            "commands",
            format!(
                "{} open; {} succeeded and {} failed in 24 hours",
                count(commands.open),
                count(commands.succeeded_24h),
                count(commands.failed_24h)
            ),
        );
    let busiest: Vec<String> = overview
        .busiest_hosts
        .iter()
        .take(BUSIEST_SHOWN)
        .map(|host| format!("{} {}", host.id, count(host.events)))
        .collect();
    let busiest = (!busiest.is_empty()).then(|| format!("{} in 24 hours", busiest.join(", ")));
    let mut text = fields.maybe("busiest", busiest).render(out.paint);
    if !overview.recent_alerts.is_empty() {
        text.push('\n');
        for alert in overview.recent_alerts.iter().take(5) {
            let line = Fields::default().styled(
                "alert",
                format!("{} ago on {}: {}", ago(now, alert.last_seen), alert.source, alert.title),
                alert.severity,
            );
            text += &line.render(out.paint);
        }
    }
    if !overview.top_risk.is_empty() {
        text.push('\n');
        let top = overview.top_risk.get(..5).unwrap_or(&overview.top_risk);
        text += &scores::table(top, now).render(out.paint, out.width);
    }
    text
}

/// The last hour as a line of bars, two minutes each.
fn last_hour(timeline: &[Minute]) -> String {
    let events = |pair: &[Minute]| pair.iter().map(|minute| minute.events).sum();
    sparkline(&timeline.chunks(2).map(events).collect::<Vec<u64>>())
}
