use super::{Asking, scores};
use crate::discovery::Connect;
use crate::output::{Fields, Output, Style, ago, bytes, count, duration, now};
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
                sparkline(&overview.timeline)
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
    let mut text = fields.render(out.paint);
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
fn sparkline(timeline: &[Minute]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let sums: Vec<u64> =
        timeline.chunks(2).map(|pair| pair.iter().map(|minute| minute.events).sum()).collect();
    let most = sums.iter().copied().max().unwrap_or(0);
    sums.iter()
        .map(|sum| match (sum * 7).div_ceil(most.max(1)) {
            0 => BARS[0],
            height => {
                usize::try_from(height).ok().and_then(|at| BARS.get(at)).copied().unwrap_or('█')
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_the_minutes_are_busy() {
        check(&[], "");
        check(&[0, 0, 0, 0], "▁▁");
        check(&[1, 0, 700, 0, 350, 0], "▂█▅");
    }

    #[track_caller]
    fn check(events: &[u64], expected: &str) {
        let minute = Timestamp::from_micros(0);
        let timeline: Vec<Minute> =
            events.iter().map(|events| Minute { minute, events: *events, alerts: 0 }).collect();
        assert_eq!(sparkline(&timeline), expected);
    }
}
