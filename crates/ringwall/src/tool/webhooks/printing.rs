//! Webhooks and deliveries as people read them.

use super::pick;
use crate::output::{Cell, Column, Fields, Paint, Style, Table, ago, count, visible};
use ringwall_event::Timestamp;
use ringwall_server_api::{DeliveryDetail, DeliveryRow, WebhookRow};

pub(super) fn webhooks(rows: &[WebhookRow], now: Timestamp) -> Table {
    let columns = vec![
        Column::new("WEBHOOK"),
        Column::new("NAME").flexible(),
        Column::new("URL").flexible(),
        Column::new("FORM"),
        Column::new("FROM"),
        Column::new("STATE"),
        Column::new("WAITING").right(),
        Column::new("SENT").right(),
        Column::new("DEAD").right(),
        Column::new("MADE").right(),
    ];
    Table::of(columns, rows, |row| {
        let sums = row.deliveries;
        let dead = count(sums.dead_letter);
        vec![
            Cell::new(&row.id),
            Cell::new(&row.name),
            Cell::new(&row.url),
            Cell::new(row.format.name()),
            match row.min_severity {
                Some(severity) => Cell::styled(severity.name(), severity),
                None => Cell::styled("all", Style::Faint),
            },
            if row.enabled {
                Cell::styled("on", Style::Good)
            } else {
                Cell::styled("paused", Style::Warning)
            },
            Cell::new(count(sums.pending.saturating_add(sums.failed))),
            Cell::new(count(sums.success)),
            if sums.dead_letter > 0 { Cell::styled(dead, Style::Bad) } else { Cell::new(dead) },
            Cell::styled(ago(now, row.created), Style::Faint),
        ]
    })
}

pub(super) fn webhook(row: &WebhookRow, paint: Paint) -> String {
    let sums = row.deliveries;
    let all =
        |texts: Vec<String>| if texts.is_empty() { "all".to_owned() } else { texts.join(", ") };
    let (state, style) = if row.enabled { ("on", Style::Good) } else { ("paused", Style::Warning) };
    Fields::default()
        .with("id", &row.id)
        .with("name", &row.name)
        .styled("state", state, style)
        .maybe("paused because", row.paused_because.as_ref())
        .with("url", &row.url)
        .with("form", row.format.name())
        .with("from severity", row.min_severity.map_or("all", |severity| severity.name()))
        .with("findings", all(row.findings.clone()))
        .with("hosts", all(row.sources.iter().map(ToString::to_string).collect()))
        .maybe("agent", row.agent.as_ref())
        .maybe("from risk", row.threshold.map(|threshold| threshold.to_string()))
        .with("signed with", if row.shared_secret { "HMAC_SECRET_KEY" } else { "its own secret" })
        .maybe("old secret until", row.previous_secret_until.map(|until| until.to_string()))
        .with("waiting", count(sums.pending.saturating_add(sums.failed)))
        .with("sent", count(sums.success))
        .with("dead letters", count(sums.dead_letter))
        .with("made", row.created.to_string())
        .with("by", &row.created_by)
        .render(paint)
}

pub(super) fn deliveries(rows: &[DeliveryRow], webhooks: &[WebhookRow], now: Timestamp) -> Table {
    let ids: Vec<String> =
        rows.iter().map(|row| row.id.strip_prefix("dlv_").unwrap_or(&row.id).to_owned()).collect();
    let shown = pick::short_ids(&ids) + "dlv_".len();
    let columns = vec![
        Column::new("DELIVERY"),
        Column::new("WRITTEN").right(),
        Column::new("WEBHOOK").flexible(),
        Column::new("WHAT"),
        Column::new("STATE"),
        Column::new("TRIES").right(),
        Column::new("NEXT").right(),
        Column::new("ERROR").flexible(),
    ];
    Table::of(columns, rows, |row| {
        let webhook = webhooks.iter().find(|webhook| webhook.id == row.webhook);
        vec![
            Cell::new(row.id.get(..shown).unwrap_or(&row.id)),
            Cell::styled(ago(now, row.created), Style::Faint),
            Cell::new(webhook.map_or(&row.webhook, |webhook| &webhook.name)),
            Cell::new(&row.event_type),
            Cell::styled(row.state.name(), row.state),
            Cell::new(row.attempts.to_string()),
            Cell::maybe(row.next_attempt.map(|next| ago(now, next))),
            Cell::maybe(row.last_error.as_ref()),
        ]
    })
}

pub(super) fn delivery(detail: &DeliveryDetail, paint: Paint) -> String {
    let moment = |moment: Option<Timestamp>| moment.map(|moment| moment.to_string());
    let mut text = Fields::default()
        .with("id", &detail.id)
        .styled("state", detail.state.name(), detail.state)
        .maybe("error", detail.last_error.as_ref())
        .with("webhook", &detail.webhook)
        .with("what", &detail.event_type)
        .with("subject", &detail.subject)
        .with("written", detail.created.to_string())
        .maybe("next attempt", moment(detail.next_attempt))
        .maybe("finished", moment(detail.finished))
        .with("body", detail.payload.to_string())
        .render(paint);
    for attempt in &detail.attempts {
        let outcome = match (&attempt.error, attempt.status) {
            (Some(error), _) => paint.as_(Style::Bad, &visible(error)),
            (None, Some(status)) => paint.as_(Style::Good, &format!("answered {status}")),
            (None, None) => String::new(),
        };
        text.push_str(&format!(
            "\n{} {} after {} ms\n",
            paint.as_(Style::Faint, &attempt.at.to_string()),
            outcome,
            attempt.duration_ms
        ));
        for line in attempt.answer.lines() {
            text.push_str(&format!("  {}\n", visible(line)));
        }
    }
    text
}
