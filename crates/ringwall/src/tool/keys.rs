use super::Asking;
use crate::discovery::Connect;
use crate::output::{Cell, Column, Fields, Style, Table, ago, now, visible};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use ringwall_event::Timestamp;
use ringwall_lifecycle::{Exit, Failure};
use ringwall_server_api::{KeyCreated, KeyKind, KeyOrigin, KeyRequest, KeyRow, SecretText};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The keys that agents sign with
///
/// Without a subcommand, lists them, without their secrets. The only kind is sysscore: our own host
/// agents enrol, see `ringwall hosts enrol`.
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
  ringwall keys create sysscore agent-1
  ringwall keys create sysscore agent-1 --secret-file ./secret --json
  (umask 077; ringwall keys create sysscore agent-1 --json > key.json)
  ringwall keys delete sysscore agent-1";

#[derive(Debug, Subcommand)]
enum Action {
    /// List keys; the same as without a subcommand
    List,
    /// Make a key for an agent; its secret is shown this once
    Create {
        #[command(flatten)]
        key: Key,
        /// Take the secret from this file instead of making a random one; - reads stdin
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
    },
    /// Remove a key: what it signs is refused from now on
    Delete(Key),
}

#[derive(Debug, Args)]
struct Key {
    /// sysscore
    #[arg(value_name = "KIND", value_parser = kind)]
    kind: KeyKind,
    /// The agent's name
    #[arg(value_name = "ID")]
    name: String,
}

fn kind(text: &str) -> Result<KeyKind, String> {
    KeyKind::from_name(text).ok_or_else(|| match text {
        "host-agent" => "host agents enrol: `ringwall hosts enrol`".to_owned(),
        _ => "only sysscore".to_owned(),
    })
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<Exit> {
    match arguments.action {
        None | Some(Action::List) => {
            let rows = asking.client.keys().take(usize::MAX).await?;
            asking.out.list(&rows, |rows| table(rows, now()), "no keys")?;
        }
        Some(Action::Create { key, secret_file }) => {
            let secret = secret_file.as_deref().map(read_secret).transpose()?;
            let request = KeyRequest { kind: key.kind, name: key.name, secret };
            let key = asking.client.create_key(&request).await?;
            asking.out.one(&key, |key| explained(key, asking))?;
        }
        Some(Action::Delete(key)) => {
            asking.client.delete_key(key.kind, &key.name).await?;
            let (kind, name) = (key.kind.name(), visible(&key.name));
            let words =
                format!("the {kind} key of {name} is gone; what it signs is refused from now on");
            asking.out.done(&format!("{kind}/{}", key.name), &words)?;
        }
    }
    Ok(Exit::Yes)
}

/// The file's text without the line feed at its end, which editors put there.
fn read_secret(path: &Path) -> Result<SecretText> {
    const BYTES_MAX: u64 = 4096;
    let place = path.display();
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("{place}"))?;
        file.take(BYTES_MAX + 1).read_to_end(&mut bytes).with_context(|| format!("{place}"))?;
    }
    if bytes.len() as u64 > BYTES_MAX {
        return Err(Failure::new(format!("{place}: more than {BYTES_MAX} bytes")).into());
    }
    let text = String::from_utf8(bytes).map_err(|_| Failure::new(format!("{place}: not UTF-8")))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Failure::new(format!("{place}: is empty")).into());
    }
    Ok(SecretText::from(text))
}

/// The key, and what to put where on the agent's side.
fn explained(key: &KeyCreated, asking: &Asking) -> String {
    let fields = Fields::default().with("kind", key.kind.name()).with("id", &key.id).styled(
        "secret",
        key.secret.expose(),
        Style::Strong,
    );
    let (id, secret) = (yaml(&key.id), yaml(key.secret.expose()));
    let next = match key.kind {
        KeyKind::SysScore => {
            let under_main = || format!("{}/dialects/sysscore", asking.server.url);
            let root = asking.server.dialects.get("sysscore").cloned().unwrap_or_else(under_main);
            format!(
                "In the agent's config/config.yml:\n\n\
                 platform:\n  enabled: true\n  api_url: \"{root}/api/v1\"\n  agent_id: {id}\n  \
                 secret_key: {secret}\n"
            )
        }
    };
    format!("{}\nThe secret is shown this once. {next}", fields.render(asking.out.paint))
}

/// A text in double quotes, as YAML and JSON alike read it.
fn yaml(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn table(rows: &[KeyRow], now: Timestamp) -> Table {
    let columns = vec![
        Column::new("KIND"),
        Column::new("ID").flexible(),
        Column::new("MADE").right(),
        Column::new("USED").right(),
        Column::new("FROM"),
    ];
    Table::of(columns, rows, |row| {
        let when = |moment: Option<Timestamp>| Cell::maybe(moment.map(|moment| ago(now, moment)));
        vec![
            Cell::new(row.kind.name()),
            Cell::new(&row.name),
            when(row.created),
            when(row.last_used),
            Cell::new(match row.origin {
                KeyOrigin::Stored => "the database",
                KeyOrigin::Environment => "AGENT_KEYS",
            }),
        ]
    })
}
