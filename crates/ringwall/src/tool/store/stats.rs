//! What the store holds, as tables.

use crate::output::{Cell, Column, Fields, Output, Style, Table, ago, bytes, clock, count, now};
use crate::tool::store_failure::of_data_dir;
use crate::tool::store_work;
use anyhow::Result;
use ringwall_event::Timestamp;
use ringwall_lifecycle::Exit;
use ringwall_store::maintenance::{ColumnStats, DaySummary, Stats, stats};
use std::path::{Path, PathBuf};

pub(super) fn run(data_dir: PathBuf, days: usize, out: &Output) -> Result<Exit> {
    let place = data_dir.clone();
    let counted = store_work::run(move |progress| stats(&place, progress))?;
    let mut counted = counted.map_err(of_data_dir)?;
    let left_out = counted.summary.days.len().saturating_sub(days);
    counted.summary.days.truncate(days);
    counted.summary.days_left_out += left_out as u64;
    out.one(&counted, |counted| text(&data_dir, counted, out, now()))?;
    Ok(Exit::Yes)
}

fn text(data_dir: &Path, stats: &Stats, out: &Output, now: Timestamp) -> String {
    let mut text = facts(data_dir, stats, now).render(out.paint);
    if !stats.summary.days.is_empty() {
        text.push('\n');
        text += &days(&stats.summary.days).render(out.paint, out.width);
        if stats.summary.days_left_out > 0 {
            text += &format!("and {} days before\n", count(stats.summary.days_left_out));
        }
    }
    if !stats.columns.is_empty() {
        text.push('\n');
        text += &columns(&stats.columns, stats.packed_bytes, stats.summary.archived_events)
            .render(out.paint, out.width);
    }
    text
}

fn facts(data_dir: &Path, stats: &Stats, now: Timestamp) -> Fields {
    let summary = &stats.summary;
    let span = |from: Option<Timestamp>, to: Option<Timestamp>| {
        from.zip(to).map(|(from, to)| format!("{} to {}", clock(from), clock(to)))
    };
    let ratio = if stats.packed_bytes > 0 {
        format!(
            "; compressed to 1/{:.1} of its encoded size",
            stats.encoded_bytes as f64 / stats.packed_bytes as f64
        )
    } else {
        String::new()
    };
    let intake = match summary.intake_since {
        Some(since) => format!(
            "{} events in {} batches, the first {} ago",
            count(summary.intake_events),
            count(summary.intake_batches),
            ago(now, since)
        ),
        None => "empty".to_owned(),
    };
    let mut fields = Fields::default()
        .styled("store", data_dir.display().to_string(), Style::Strong)
        .with("events", count(summary.events))
        .with(
            "archive",
            format!(
                "{} events in {} files, {}{ratio}",
                count(summary.archived_events),
                count(summary.archive_files),
                bytes(summary.archive_bytes)
            ),
        )
        .maybe("per event", summary.bytes_per_event.map(|bytes| format!("{bytes:.1} bytes")))
        .with("intake", intake)
        .with(
            "database",
            format!(
                "{} and {} of journal",
                bytes(stats.database_bytes),
                bytes(stats.journal_bytes)
            ),
        )
        .maybe("received", span(summary.oldest, summary.newest))
        .maybe("claimed", span(stats.claimed.map(|of| of.0), stats.claimed.map(|of| of.1)))
        .with("legal holds", count(summary.holds));
    if summary.doomed_files > 0 {
        fields = fields.with(
            "to be removed",
            format!("{} files, {}", count(summary.doomed_files), bytes(summary.doomed_bytes)),
        );
    }
    if stats.unreadable_files > 0 {
        let text = format!("{} files; see ringwall store verify", count(stats.unreadable_files));
        fields = fields.styled("unreadable", text, Style::Bad);
    }
    fields
}

fn days(days: &[DaySummary]) -> Table {
    let columns = vec![
        Column::new("DAY"),
        Column::new("EVENTS").right(),
        Column::new("FILES").right(),
        Column::new("SIZE").right(),
        Column::new("PER EVENT").right(),
    ];
    Table::of(columns, days, |day| {
        let date = clock(day.day);
        let per_event = (day.bytes > 0 && day.events > 0)
            .then(|| format!("{:.1} B", day.bytes as f64 / day.events as f64));
        vec![
            Cell::new(date.split(' ').next().unwrap_or_default()),
            Cell::new(count(day.events)),
            Cell::new(count(day.files)),
            Cell::new(bytes(day.bytes)),
            Cell::maybe(per_event),
        ]
    })
}

fn columns(columns: &[ColumnStats], packed_bytes: u64, events: u64) -> Table {
    let headings = vec![
        Column::new("COLUMN"),
        Column::new("PACKED").right(),
        Column::new("SHARE").right(),
        Column::new("PER EVENT").right(),
        Column::new("ENCODED").right(),
        Column::new("FILTERS").right(),
        Column::new("ENCODINGS").flexible(),
    ];
    let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
    Table::of(headings, columns, |column| {
        let filters = (column.filter_bytes > 0).then(|| bytes(column.filter_bytes));
        let encodings: Vec<&str> = column.encodings.iter().map(String::as_str).collect();
        vec![
            Cell::new(&column.name),
            Cell::new(bytes(column.packed_bytes)),
            Cell::new(format!("{:.1} %", 100.0 * share(column.packed_bytes, packed_bytes))),
            Cell::new(format!("{:.2} B", share(column.packed_bytes, events))),
            Cell::new(bytes(column.encoded_bytes)),
            Cell::maybe(filters),
            Cell::new(encodings.join(" ").to_lowercase()),
        ]
    })
}
