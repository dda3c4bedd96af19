//! From what people type to the one thing they mean.

use super::Asking;
use anyhow::Result;
use ringwall_event::{EventId, Source, Timestamp};
use ringwall_lifecycle::{Failure, nearest};
use ringwall_server_api::{AlertQuery, CommandQuery, DeliveryQuery, HostRow, WebhookRow};

/// How far back the beginning of an id is looked for.
const ROWS_MAX: usize = 2000;
/// Ids begin with the time in 12 digits; shorter beginnings say too little.
const BEGINNING_MIN: usize = 6;

/// A host by its id (`host-agent:web-1`), its name or the name it gives itself.
pub(super) async fn host(asking: &Asking, text: &str) -> Result<Source> {
    let given = Source::parse(text);
    if let Some(source) = &given
        && [Source::HOST_AGENT, Source::SYSSCORE, Source::WATCHER].contains(&&*source.dialect)
    {
        return Ok(source.clone());
    }
    let hosts = asking.client.hosts().take(ROWS_MAX).await?;
    let fits = |host: &&HostRow| host.name == text || host.hostname == text;
    let found: Vec<&HostRow> = hosts.iter().filter(fits).collect();
    match found.as_slice() {
        [host] => Ok(host.id.clone()),
        [] => match given {
            Some(source) => Ok(source),
            None => {
                let names = hosts.iter().flat_map(|host| [host.name.as_str(), &host.hostname]);
                let failure = Failure::no(format!("there is no host `{text}`"));
                Err(match nearest(text, names) {
                    Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
                    None => failure.hint("`ringwall hosts` lists them"),
                }
                .into())
            }
        },
        several => {
            let ids: Vec<String> = several.iter().map(|host| host.id.to_string()).collect();
            Err(Failure::new(format!("`{text}` is the name of {} hosts", several.len()))
                .hint(format!("name one by its id: {}", ids.join(", ")))
                .into())
        }
    }
}

/// An alert by its id or the beginning of it.
pub(super) async fn alert(asking: &Asking, text: &str) -> Result<EventId> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    check_beginning("alert", text)?;
    let alerts = asking.client.alerts(AlertQuery::default()).take(ROWS_MAX).await?;
    let ids = alerts.iter().map(|alert| (alert.id.to_string(), alert.id));
    only("alert", text, ids)
}

/// A command by its id or the beginning of it, with or without `cmd_`.
pub(super) async fn command(asking: &Asking, text: &str) -> Result<String> {
    let digits = text.strip_prefix("cmd_").unwrap_or(text);
    if digits.len() == 32 {
        return Ok(format!("cmd_{digits}"));
    }
    check_beginning("command", digits)?;
    let commands = asking.client.commands(CommandQuery::default()).take(ROWS_MAX).await?;
    let ids = commands.into_iter().map(|command| {
        (command.id.strip_prefix("cmd_").unwrap_or(&command.id).to_owned(), command.id)
    });
    only("command", digits, ids)
}

/// A webhook by its id or its name.
pub(super) async fn webhook(asking: &Asking, text: &str) -> Result<WebhookRow> {
    let rows = asking.client.webhooks().await?;
    let names: Vec<String> = rows.iter().map(|row| row.name.clone()).collect();
    match rows.into_iter().find(|row| row.id == text || row.name == text) {
        Some(row) => Ok(row),
        None => {
            let failure = Failure::no(format!("there is no webhook `{text}`"));
            Err(match nearest(text, names.iter().map(String::as_str)) {
                Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
                None => failure.hint("`ringwall webhooks` lists them"),
            }
            .into())
        }
    }
}

/// A delivery by its id or the beginning of it, with or without `dlv_`.
pub(super) async fn delivery(asking: &Asking, text: &str) -> Result<String> {
    let digits = text.strip_prefix("dlv_").unwrap_or(text);
    if digits.len() == 32 {
        return Ok(format!("dlv_{digits}"));
    }
    check_beginning("delivery", digits)?;
    let deliveries = asking.client.deliveries(DeliveryQuery::default()).take(ROWS_MAX).await?;
    let ids = deliveries.into_iter().map(|delivery| {
        (delivery.id.strip_prefix("dlv_").unwrap_or(&delivery.id).to_owned(), delivery.id)
    });
    only("delivery", digits, ids)
}

fn check_beginning(what: &str, text: &str) -> Result<(), Failure> {
    let is_hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if text.len() >= BEGINNING_MIN && is_hexadecimal {
        return Ok(());
    }
    Err(Failure::new(format!(
        "`{text}` is not the id of {} {what}",
        if what == "alert" { "an" } else { "a" }
    ))
    .hint(format!(
        "an id has 32 hexadecimal digits, of which the first {BEGINNING_MIN} or more will do"
    )))
}

fn only<T>(what: &str, beginning: &str, ids: impl Iterator<Item = (String, T)>) -> Result<T> {
    let beginning = beginning.to_ascii_lowercase();
    let mut found = ids.filter(|(id, _)| id.starts_with(&beginning));
    match (found.next(), found.next()) {
        (Some((_, one)), None) => Ok(one),
        (None, _) => Err(Failure::no(format!("there is no {what} `{beginning}`")).into()),
        (Some(_), Some(_)) => {
            Err(Failure::new(format!("`{beginning}` is the beginning of several ids"))
                .hint("give more of it")
                .into())
        }
    }
}

/// How much of each id must be shown so that it names one.
pub(super) fn short_ids(ids: &[String]) -> usize {
    const SHORTEST: usize = 12;
    let mut sorted: Vec<&String> = ids.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
        .windows(2)
        .filter_map(|pair| match pair {
            [a, b] => Some(a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count() + 1),
            _ => None,
        })
        .fold(SHORTEST, usize::max)
}

/// A moment: RFC 3339, or how long ago, as in `90s`, `10m`, `2h`, `7d`.
pub(super) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let wrong = || {
        Failure::new(format!("not a moment: `{text}`"))
            .hint("as in 10m, 2h, 7d, or 2026-01-31T12:00:00Z")
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = match text.get(digits.len()..) {
            Some("s") => 1,
            Some("m" | "min") => 60,
            Some("h") => 3600,
            Some("d") => 86_400,
            _ => return Err(wrong()),
        };
        let many: i64 = digits.parse().map_err(|_| wrong())?;
        return Ok(now.plus_seconds(many.saturating_mul(-seconds)));
    }
    Timestamp::parse(text).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_absolute_or_ago() {
        check("90s", Some("2026-10-20T07:58:30Z"));
        check("10m", Some("2026-10-20T07:50:00Z"));
        check("10min", Some("2026-10-20T07:50:00Z"));
        check("2h", Some("2026-10-20T06:00:00Z"));
        check("7d", Some("2026-10-13T08:00:00Z"));
        check("2026-01-31T12:00:00+01:00", Some("2026-01-31T11:00:00Z"));
        check("7", None);
        check("7w", None);
        check("d", None);
        check("", None);
        check("99999999999999999999d", None);
        check("9223372036854775807d", Some("0001-01-01T00:00:00Z"));
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let now = Timestamp::from_micros(1_792_483_200_000_000);
        let found = moment(text, now).ok().map(|moment| moment.to_string());
        assert_eq!(found.as_deref(), expected, "text {text:?}");
    }

    #[test]
    fn ids_are_shown_until_they_differ() {
        let id = |text: &str| format!("{text:0<32}");
        assert_eq!(short_ids(&[]), 12);
        assert_eq!(short_ids(&[id("01a1"), id("01a1")]), 12);
        assert_eq!(short_ids(&[id("0123456789abcdef1"), id("77"), id("0123456789abcdef2")]), 17);
    }

    #[test]
    fn a_beginning_names_one_or_none() {
        let ids = || [("aabb01", 1), ("aabb02", 2)].map(|(id, n)| (id.to_owned(), n)).into_iter();
        assert_eq!(only("alert", "AABB01", ids()).unwrap(), 1);
        assert!(only("alert", "aabb", ids()).is_err());
        let error = only("alert", "cc", ids()).unwrap_err();
        assert_eq!(error.to_string(), "there is no alert `cc`");
        assert!(check_beginning("alert", "abc").is_err());
        assert!(check_beginning("alert", "nothex").is_err());
        let error = check_beginning("command", "x").unwrap_err();
        assert_eq!(error.message, "`x` is not the id of a command");
    }
}
