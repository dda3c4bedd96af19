mod printing;

use super::{Asking, Limit, pick};
use crate::discovery::Connect;
use crate::output::{now, say, visible};
use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use ringwall_event::Severity;
use ringwall_lifecycle::{Exit, Failure};
use ringwall_server_api::{
    DeliveryQuery, DeliveryState, SecretText, WebhookChange, WebhookFormat, WebhookRequest,
};
use std::io::Read;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Where alerts are told, and what arrived there
///
/// Without a subcommand, lists webhooks. A webhook posts each alert that fits to an address, signed, and
/// tries again until it arrives or too many attempts failed; then it is a dead letter, which can be
/// replayed. Addresses that are not of the public internet must be allowed in the configuration
/// (webhooks.allow_networks).
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    pub(super) connect: Connect,
}

const EXAMPLES: &str = "\
Examples:
  ringwall webhooks add 'on call' https://example.com/ringwall --min-severity high
  ringwall webhooks test 'on call'
  ringwall webhooks deliveries 'on call' --state dead_letter
  ringwall webhooks replay 'on call'

A webhook is named by its id or its name; of the id of a delivery the beginning will do.";

#[derive(Debug, Subcommand)]
enum Action {
    /// List webhooks; the same as without a subcommand
    List,
    /// Have alerts told somewhere; the secret is shown this once
    Add(Add),
    /// Everything about one webhook, or about one delivery with its attempts
    Show {
        /// A webhook, or the id of a delivery
        #[arg(value_name = "WEBHOOK|DELIVERY")]
        what: String,
    },
    /// Send a message that tells nothing, and wait for what came of it
    Test {
        /// Its id or its name
        #[arg(value_name = "WEBHOOK")]
        webhook: String,
        /// Wait at most so many seconds for the first attempt; 0 does not wait
        #[arg(long, value_name = "SECONDS", default_value_t = 30)]
        wait: u64,
    },
    /// Send nothing for now: nothing new is written for it, and what waits goes on waiting
    Pause(Webhook),
    /// Send again, beginning with what waits
    Resume(Webhook),
    /// Remove a webhook; what waits becomes dead letters
    Remove(Webhook),
    /// Make a new secret, shown this once; in the standard form the old one signs beside it for a time
    RotateSecret(Webhook),
    /// Send all dead letters of a webhook again, or one delivery; the receiver sees the same ids
    Replay {
        /// A webhook, or the id of a delivery
        #[arg(value_name = "WEBHOOK|DELIVERY")]
        what: String,
    },
    /// List what was told, or is to be, newest first
    Deliveries {
        /// Only to this webhook: its id or its name
        #[arg(value_name = "WEBHOOK")]
        webhook: Option<String>,
        /// Only deliveries in this state: pending, failed, success, dead_letter
        #[arg(long, value_name = "STATE", value_parser = state)]
        state: Option<DeliveryState>,
        /// Only what tells of this alert: its id, or the beginning of it
        #[arg(long, value_name = "ALERT")]
        alert: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
}

#[derive(Debug, Args)]
struct Webhook {
    /// Its id or its name
    #[arg(value_name = "WEBHOOK")]
    webhook: String,
}

#[derive(Debug, Args)]
struct Add {
    /// What people call it
    #[arg(value_name = "NAME")]
    name: String,
    /// Where to post; - reads it from stdin, for addresses that others shall not see
    #[arg(value_name = "URL")]
    url: String,
    /// In which form: standard (Standard Webhooks), sysscore
    #[arg(long, value_name = "FORMAT", value_parser = format, default_value = "standard")]
    format: WebhookFormat,
    /// Only alerts from this severity on: informational, low, medium, high, critical
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    min_severity: Option<Severity>,
    /// Only this kind of finding: indicator_match, new_process, risk_threshold, command_refused,
    /// cloned_identity, app_attack, app_ban, app_abuse, app_emergency, guard_key_shared,
    /// guard_unreadable; may be repeated
    #[arg(long = "finding", value_name = "KIND")]
    findings: Vec<String>,
    /// Only alerts of this host: its id, or its name; may be repeated
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// Begin paused
    #[arg(long)]
    paused: bool,
}

fn state(text: &str) -> Result<DeliveryState, String> {
    DeliveryState::from_name(text)
        .ok_or_else(|| "one of pending, failed, success, dead_letter".to_owned())
}

fn format(text: &str) -> Result<WebhookFormat, String> {
    WebhookFormat::from_name(text).ok_or_else(|| "one of standard, sysscore".to_owned())
}

fn severity(text: &str) -> Result<Severity, String> {
    Severity::from_name(text)
        .ok_or_else(|| "one of informational, low, medium, high, critical".to_owned())
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<Exit> {
    match arguments.action {
        None | Some(Action::List) => {
            let rows = asking.client.webhooks().await?;
            asking.out.list(&rows, |rows| printing::webhooks(rows, now()), "no webhooks")?;
        }
        Some(Action::Add(new)) => add(asking, new).await?,
        Some(Action::Show { what }) if is_delivery(&what) => {
            let id = pick::delivery(asking, &what).await?;
            let detail = asking.client.delivery(&id).await?;
            asking.out.one(&detail, |detail| printing::delivery(detail, asking.out.paint))?;
        }
        Some(Action::Show { what }) => {
            let row = pick::webhook(asking, &what).await?;
            asking.out.one(&row, |row| printing::webhook(row, asking.out.paint))?;
        }
        Some(Action::Test { webhook, wait }) => return test(asking, &webhook, wait).await,
        Some(Action::Pause(one)) => switch(asking, &one.webhook, false).await?,
        Some(Action::Resume(one)) => switch(asking, &one.webhook, true).await?,
        Some(Action::Remove(one)) => {
            let row = pick::webhook(asking, &one.webhook).await?;
            asking.client.delete_webhook(&row.id).await?;
            let words = format!("webhook {} is gone; what waited is given up", visible(&row.name));
            asking.out.done(&row.id, &words)?;
        }
        Some(Action::RotateSecret(one)) => rotate(asking, &one.webhook).await?,
        Some(Action::Replay { what }) if is_delivery(&what) => {
            let id = pick::delivery(asking, &what).await?;
            let row = asking.client.replay_delivery(&id).await?;
            asking.out.one(&row, |row| format!("{} waits to be sent again\n", row.id))?;
        }
        Some(Action::Replay { what }) => {
            let row = pick::webhook(asking, &what).await?;
            let answer = asking.client.replay_webhook(&row.id).await?;
            asking.out.one(&answer, |answer| {
                let left = match answer.left {
                    0 => String::new(),
                    left => format!("; {left} are left, as no more may wait at once"),
                };
                format!("{} dead letters wait to be sent again{left}\n", answer.replayed)
            })?;
        }
        Some(Action::Deliveries { webhook, state, alert, limit }) => {
            let webhook = match &webhook {
                Some(webhook) => Some(pick::webhook(asking, webhook).await?.id),
                None => None,
            };
            let subject = match &alert {
                Some(alert) => Some(pick::alert(asking, alert).await?.to_string()),
                None => None,
            };
            let query = DeliveryQuery { webhook, state, subject, ..DeliveryQuery::default() };
            let rows = asking.client.deliveries(query).take(limit.limit).await?;
            let names = match asking.out.json {
                true => Vec::new(),
                false => asking.client.webhooks().await?,
            };
            asking.out.list(
                &rows,
                |rows| printing::deliveries(rows, &names, now()),
                "no deliveries",
            )?;
        }
    }
    Ok(Exit::Yes)
}

fn is_delivery(text: &str) -> bool {
    text.starts_with("dlv_")
}

async fn add(asking: &Asking, new: Add) -> Result<()> {
    let url = match new.url.as_str() {
        "-" => read_url()?,
        url => url.to_owned(),
    };
    let mut sources = Vec::with_capacity(new.hosts.len());
    for host in &new.hosts {
        sources.push(pick::host(asking, host).await?);
    }
    let request = WebhookRequest {
        name: new.name,
        url: SecretText::from(url),
        format: new.format,
        min_severity: new.min_severity,
        findings: new.findings,
        sources,
        enabled: !new.paused,
    };
    let created = asking.client.create_webhook(&request).await?;
    asking.out.one(&created, |created| match &created.secret {
        Some(secret) => format!("{}\n", secret.expose()),
        None => String::new(),
    })?;
    if !asking.out.json {
        let secret = match &created.secret {
            Some(_) => "This is its secret; it is not shown again.",
            None => "It is signed with HMAC_SECRET_KEY.",
        };
        say(&format!(
            "{} leads to {}. {secret} To try it:\n  ringwall webhooks test {}",
            created.id,
            visible(&created.webhook.url),
            created.id
        ));
    }
    Ok(())
}

/// More than any address has.
const URL_BYTES_MAX: u64 = 4096;

fn read_url() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .take(URL_BYTES_MAX)
        .read_to_string(&mut text)
        .context("cannot read the address from stdin")?;
    Ok(text.trim().to_owned())
}

async fn switch(asking: &Asking, webhook: &str, enabled: bool) -> Result<()> {
    let row = pick::webhook(asking, webhook).await?;
    let change = WebhookChange { enabled: Some(enabled), ..WebhookChange::default() };
    let row = asking.client.change_webhook(&row.id, &change).await?;
    asking.out.one(&row, |row| printing::webhook(row, asking.out.paint))
}

async fn rotate(asking: &Asking, webhook: &str) -> Result<()> {
    let row = pick::webhook(asking, webhook).await?;
    let rotated = asking.client.rotate_webhook_secret(&row.id).await?;
    asking.out.one(&rotated, |rotated| format!("{}\n", rotated.secret.expose()))?;
    if !asking.out.json {
        let before = match rotated.previous_until {
            Some(until) => format!("The secret before signs beside it until {until}."),
            None => "The secret before signs no more.".to_owned(),
        };
        say(&format!("This is the new secret; it is not shown again. {before}"));
    }
    Ok(())
}

const LOOK_EVERY: Duration = Duration::from_millis(100);

async fn test(asking: &Asking, webhook: &str, wait: u64) -> Result<Exit> {
    let row = pick::webhook(asking, webhook).await?;
    let sent = asking.client.test_webhook(&row.id).await?;
    let deadline = Instant::now() + Duration::from_secs(wait);
    let mut detail = asking.client.delivery(&sent.id).await?;
    while detail.attempts.is_empty() && detail.state.is_waiting() && Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
        detail = asking.client.delivery(&sent.id).await?;
    }
    asking.out.one(&detail, |detail| printing::delivery(detail, asking.out.paint))?;
    match detail.state {
        DeliveryState::Success => Ok(Exit::Yes),
        DeliveryState::Failed | DeliveryState::DeadLetter => Ok(Exit::No),
        DeliveryState::Pending if wait == 0 => Ok(Exit::Yes),
        DeliveryState::Pending => {
            Err(Failure::new(format!("{} was not tried within {wait} s", sent.id))
                .hint(
                    "after failures a receiver is left alone for a time; look again with: \
                       ringwall webhooks deliveries",
                )
                .into())
        }
    }
}
