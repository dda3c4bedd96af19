//! Leave for hosts to enrol, and what becomes of those that did.

use crate::output::{Cell, Column, Fields, Style, Table, ago, now, visible};
use crate::tool::Asking;
use anyhow::Result;
use clap::Args;
use ringwall_event::Timestamp;
use ringwall_server_api::{
    EnrolmentCreated, EnrolmentRequest, EnrolmentRow, IdentityReason, IdentityRow, IdentityState,
};

#[derive(Debug, Args)]
pub(super) struct Enrol {
    /// The name that the host gets; else it keeps the one that it had, or takes its own
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How many hosts it enrols, 1 to 10000
    #[arg(long, value_name = "NUMBER", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    uses: u32,
    /// How long it is good for: 10m, 1h, 7d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = seconds)]
    expires: u32,
    /// Let another machine take the name of this host over: it was replaced or set up anew, or it was
    /// revoked
    #[arg(long, value_name = "HOST")]
    replaces: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Enrolments {
    /// Take one back: hosts that enrolled with it stay
    #[arg(long, value_name = "ID")]
    withdraw: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Change {
    /// The name of the host agent
    #[arg(value_name = "NAME", value_parser = agent_name)]
    name: String,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Forget {
    /// The name of the host agent
    #[arg(value_name = "NAME", value_parser = agent_name)]
    name: String,
}

/// Hosts go by their ids elsewhere: `host-agent:web-1` names the same agent.
fn agent_name(text: &str) -> Result<String, String> {
    Ok(text.strip_prefix("host-agent:").unwrap_or(text).to_owned())
}

/// `90s`, `10m`, `1h`, `7d`.
fn seconds(text: &str) -> Result<u32, String> {
    let wrong = || "a time from 1m to 7d, as in 10m, 1h or 7d".to_owned();
    let unit = match text.as_bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3600,
        Some(b'd') => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = text.get(..text.len() - 1).and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
    number.checked_mul(unit).filter(|seconds| (60..=604_800).contains(seconds)).ok_or_else(wrong)
}

pub(super) async fn enrol(asking: &Asking, enrol: Enrol) -> Result<()> {
    let request = EnrolmentRequest {
        name: enrol.name,
        uses: Some(enrol.uses),
        expires_in_seconds: Some(enrol.expires),
        replaces: enrol.replaces,
    };
    let created = asking.client.create_enrolment(&request).await?;
    asking.out.one(&created, |created| explained(created, enrol.uses, asking))
}

/// The line to be copied alone on its line, whatever stands around it.
fn explained(created: &EnrolmentCreated, uses: u32, asking: &Asking) -> String {
    let whom = if uses == 1 { "the host".to_owned() } else { format!("each of {uses} hosts") };
    let fields = Fields::default()
        .with("enrolment", &created.id)
        .with("good until", created.expires.to_string())
        .maybe("server key", created.server_fingerprint.as_ref());
    format!(
        "On {whom}, as the user that the agent runs as, run:\n\n{}\n\nThen start the agent there: \
         ringwall-host-agent\n\n{}The token is shown this once.\n",
        visible(created.command.expose()),
        fields.render(asking.out.paint),
    )
}

pub(super) async fn enrolments(asking: &Asking, arguments: Enrolments) -> Result<()> {
    if let Some(id) = arguments.withdraw {
        asking.client.delete_enrolment(&id).await?;
        let words = format!("enrolment {} enrols nobody any more", visible(&id));
        return asking.out.done(&id, &words);
    }
    let rows = asking.client.enrolments().take(usize::MAX).await?;
    asking.out.list(&rows, |rows| enrolment_table(rows, now()), "no enrolments")
}

fn enrolment_table(rows: &[EnrolmentRow], now: Timestamp) -> Table {
    let columns = vec![
        Column::new("ID"),
        Column::new("FOR").flexible(),
        Column::new("BY"),
        Column::new("MADE").right(),
        Column::new("STATE"),
        Column::new("USED BY").flexible(),
    ];
    Table::of(columns, rows, |row| {
        let whom = match (&row.replaces, &row.name) {
            (Some(host), _) => format!("another machine as {host}"),
            (None, Some(name)) => name.clone(),
            (None, None) => "any host".to_owned(),
        };
        let (state, style) = if row.uses_left == 0 {
            ("used up".to_owned(), Style::Faint)
        } else if now >= row.expires {
            ("expired".to_owned(), Style::Faint)
        } else {
            (format!("{} left, {}", row.uses_left, ago(row.expires, now)), Style::Good)
        };
        vec![
            Cell::new(&row.id),
            Cell::new(whom),
            Cell::new(&row.created_by),
            Cell::styled(ago(now, row.created), Style::Faint),
            Cell::styled(state, style),
            Cell::new(row.used_by.join(", ")),
        ]
    })
}

pub(super) async fn identities(asking: &Asking) -> Result<()> {
    let rows = asking.client.identities().take(usize::MAX).await?;
    asking.out.list(
        &rows,
        |rows| identity_table(rows, now()),
        "no host agent enrolled yet; `ringwall hosts enrol` says how",
    )
}

pub(super) const fn style(state: IdentityState) -> Style {
    match state {
        IdentityState::Active => Style::Good,
        IdentityState::Revoked | IdentityState::Suspended => Style::Bad,
    }
}

fn identity_table(rows: &[IdentityRow], now: Timestamp) -> Table {
    let columns = vec![
        Column::new("NAME").flexible(),
        Column::new("STATE"),
        Column::new("KEY"),
        Column::new("ENROLLED").right(),
        Column::new("ROTATED").right(),
        Column::new("USED").right(),
        Column::new("FROM"),
        Column::new("WARNING").flexible(),
    ];
    Table::of(columns, rows, |row| {
        let when = |moment: Option<Timestamp>| Cell::maybe(moment.map(|moment| ago(now, moment)));
        vec![
            Cell::new(&row.name),
            Cell::styled(row.state.name(), style(row.state)),
            Cell::new(&row.key_id),
            Cell::styled(ago(now, row.enrolled), Style::Faint),
            when(row.rotated),
            when(row.last_used),
            Cell::maybe(row.address.as_ref()),
            Cell::maybe(row.warning.as_ref()),
        ]
    })
}

pub(super) async fn revoke(asking: &Asking, change: Change) -> Result<()> {
    let reason = IdentityReason { reason: change.reason };
    let row = asking.client.revoke_identity(&change.name, &reason).await?;
    asking.out.one(&row, |row| format!("{} is shut out; it keeps its events\n", visible(&row.name)))
}

pub(super) async fn reinstate(asking: &Asking, change: Change) -> Result<()> {
    let reason = IdentityReason { reason: change.reason };
    let row = asking.client.reinstate_identity(&change.name, &reason).await?;
    asking.out.one(&row, |row| format!("{} is let in\n", visible(&row.name)))
}

pub(super) async fn forget(asking: &Asking, Forget { name }: Forget) -> Result<()> {
    asking.client.delete_identity(&name).await?;
    let words = format!(
        "the host agent {0} is forgotten: its requests are refused, and its name is free; \
                 its events stay",
        visible(&name)
    );
    asking.out.done(&name, &words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_bounds() {
        for (text, expected) in [
            ("60s", Some(60)),
            ("10m", Some(600)),
            ("1h", Some(3600)),
            ("7d", Some(604_800)),
            ("8d", None),
            ("59s", None),
            ("10", None),
            ("h", None),
            ("", None),
            ("99999999d", None),
        ] {
            assert_eq!(seconds(text).ok(), expected, "{text:?}");
        }
    }
}
