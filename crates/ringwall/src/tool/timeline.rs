use super::{Asking, alerts, events, pick};
use crate::discovery::Connect;
use crate::output::{
    Cell, Column, Style, Table, clock, clock_today, count, duration, now, say, sparkline,
};
use anyhow::Result;
use clap::Args;
use ringwall_event::{Severity, Timestamp};
use ringwall_lifecycle::Exit;
use ringwall_server_api::{Timeline, TimelineGroup, TimelineQuery, TimelineSeries};
use std::cmp::Reverse;

/// How much was received, over time
///
/// One row for each kind, severity or source, the largest first; on a terminal with a line of bars.
/// Events are counted by the time of their receipt, in UTC, whatever time their senders claim.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Only what was received since: 10m, 2h, 7d, or a date and time
    #[arg(long, value_name = "MOMENT", default_value = "24h")]
    since: String,
    /// Only what was received before: 10m, 2h, 7d, or a date and time
    #[arg(long, value_name = "MOMENT")]
    until: Option<String>,
    /// What has a row of its own: kind, severity, source, none
    #[arg(long, value_name = "WHAT", value_parser = group, default_value_t = TimelineGroup::Kind)]
    by: TimelineGroup,
    /// How much time a bar is about, such as 10m, 6h or 1d; the server widens what is too fine
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    step: Option<u32>,
    /// Only events of this kind, such as process_started or sign_in
    #[arg(long, value_name = "KIND", value_parser = events::kind)]
    kind: Option<String>,
    /// Only events of this severity: informational, low, medium, high, critical
    #[arg(long, value_name = "SEVERITY", value_parser = alerts::severity)]
    severity: Option<Severity>,
    /// Only events of this host: its id, or its name
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    #[command(flatten)]
    pub(super) connect: Connect,
}

const EXAMPLES: &str = "\
Examples:
  ringwall timeline
  ringwall timeline --since 7d --by source
  ringwall timeline --since 1h --step 1m --host web-1 --kind sign_in
  ringwall timeline --by none --json | jq '.series[0].counts'";

/// Few enough for a narrow terminal.
const BARS: i64 = 48;

fn group(text: &str) -> Result<TimelineGroup, String> {
    TimelineGroup::ALL
        .into_iter()
        .find(|group| group.name() == text)
        .ok_or_else(|| "one of kind, severity, source, none".to_owned())
}

fn seconds(text: &str) -> Result<u32, String> {
    let zero = Timestamp::from_micros(0);
    let is_time = text.starts_with(|first: char| first.is_ascii_digit()) && !text.contains('-');
    let ago = pick::moment(text, zero).ok().filter(|_| is_time);
    ago.and_then(|ago| u32::try_from(-ago.as_seconds()).ok())
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| "as in 10m, 6h or 1d".to_owned())
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<Exit> {
    let now = now();
    let since = pick::moment(&arguments.since, now)?;
    let until = match &arguments.until {
        Some(text) => pick::moment(text, now)?,
        None => now,
    };
    let host = match &arguments.host {
        Some(host) => Some(pick::host(asking, host).await?),
        None => None,
    };
    let bar = until.micros_since(since).max(0) / 1_000_000 / BARS;
    let query = TimelineQuery {
        since: Some(since),
        until: Some(until),
        step: arguments.step.or_else(|| u32::try_from(bar.max(1)).ok()),
        by: Some(arguments.by),
        kind: arguments.kind,
        severity: arguments.severity,
        host,
    };
    let timeline = asking.client.timeline(&query).await?;
    let out = &asking.out;
    let shown = |timeline: &Timeline| {
        table(timeline, now, out.width.is_some()).render(out.paint, out.width)
    };
    if timeline.total == 0 && !out.json {
        say("no events");
        return Ok(Exit::Yes);
    }
    out.one(&timeline, shown)?;
    if !out.json {
        say(&format!(
            "{} events received from {} to {} UTC, {} a bar",
            count(timeline.total),
            clock(timeline.since),
            clock(timeline.until),
            duration(i64::try_from(timeline.step_seconds).unwrap_or(i64::MAX)),
        ));
    }
    Ok(Exit::Yes)
}

fn table(timeline: &Timeline, now: Timestamp, with_bars: bool) -> Table {
    let mut columns = vec![
        Column::new(match timeline.by {
            TimelineGroup::None => "EVENTS OF",
            TimelineGroup::Kind => "KIND",
            TimelineGroup::Severity => "SEVERITY",
            TimelineGroup::Source => "SOURCE",
        }),
        Column::new("EVENTS").right(),
        Column::new("MOST").right(),
        Column::new("AT (UTC)"),
    ];
    if with_bars {
        columns.push(Column::new("OVER TIME").flexible());
    }
    Table::of(columns, &timeline.series, |series| {
        let TimelineSeries { key, counts } = series;
        // The first of several that are equal.
        let (at, most) = (0i64..)
            .zip(counts)
            .max_by_key(|(at, count)| (*count, Reverse(*at)))
            .unwrap_or((0, &0));
        let step = i64::try_from(timeline.step_seconds).unwrap_or(i64::MAX);
        let most_at = timeline.since.plus_seconds(at.saturating_mul(step));
        let style = match (timeline.by, Severity::from_name(key)) {
            (TimelineGroup::Severity, Some(severity)) => severity.into(),
            _ => Style::Plain,
        };
        let mut cells = vec![
            Cell::styled(key, style),
            Cell::new(count(counts.iter().copied().fold(0, u64::saturating_add))),
            Cell::new(count(*most)),
            Cell::styled(clock_today(now, most_at), Style::Faint),
        ];
        if with_bars {
            cells.push(Cell::styled(sparkline(counts), Style::Accent));
        }
        cells
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Paint;

    #[test]
    fn a_row_tells_how_much_and_when_most() {
        let timeline = Timeline {
            step_seconds: 3600,
            since: Timestamp::from_micros(1_792_483_200_000_000),
            until: Timestamp::from_micros(1_792_494_000_000_000),
            by: TimelineGroup::Kind,
            series: vec![
                TimelineSeries { key: "system_call".into(), counts: vec![1, 1200, 600] },
                TimelineSeries { key: "sign_in".into(), counts: vec![2, 0, 2] },
            ],
            total: 1805,
        };
        let now = timeline.until;
        let shown = |bars, width| table(&timeline, now, bars).render(Paint::default(), width);
        let bare = "\
KIND         EVENTS   MOST  AT (UTC)
system_call   1,801  1,200  09:00:00
sign_in           4      2  08:00:00
";
        assert_eq!(shown(false, None), bare);
        let with_bars = "\
KIND         EVENTS   MOST  AT (UTC)  OVER TIME
system_call   1,801  1,200  09:00:00  ▂█▅
sign_in           4      2  08:00:00  █▁█
";
        assert_eq!(shown(true, Some(80)), with_bars);
    }

    #[test]
    fn a_step_is_a_length_of_time() {
        check("10m", Some(600));
        check("1d", Some(86_400));
        check("0m", None);
        check("2026-01-31T12:00:00Z", None);
        check("m", None);
        check("9999999d", None);
    }

    #[track_caller]
    fn check(text: &str, expected: Option<u32>) {
        assert_eq!(seconds(text).ok(), expected, "text {text:?}");
    }
}
