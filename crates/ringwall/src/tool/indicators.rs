use super::{Asking, alerts};
use crate::discovery::Connect;
use crate::output::{Cell, Column, Style, Table, ago, count, now, say, visible};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use ringwall_event::{Severity, Timestamp};
use ringwall_lifecycle::{Exit, Failure};
use ringwall_server_api::{
    IndicatorAction, IndicatorImport, IndicatorKind, IndicatorOrigin, IndicatorRequest,
    IndicatorRow,
};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The list of known bad things
///
/// Without a subcommand, lists them. Kinds: process (the short name of a program), path (of its
/// file), hash (SHA-256 of its file), address (or network), domain.
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
  ringwall indicators add process evil.sh
  ringwall indicators add address 203.0.113.0/24 --note 'incident of Tuesday'
  ringwall indicators add process nc --action alert
  ringwall indicators import ioc_feed.json
  ringwall indicators import domains.txt --kind domain
  ringwall indicators remove process evil.sh";

#[derive(Debug, Subcommand)]
enum Action {
    /// List indicators; the same as without a subcommand
    List,
    /// Add one; says what will happen
    Add {
        /// process, path, hash, address, domain
        #[arg(value_name = "KIND", value_parser = kind)]
        kind: IndicatorKind,
        /// The name, path, SHA-256, address or domain
        #[arg(value_name = "VALUE")]
        value: String,
        #[command(flatten)]
        about: About,
    },
    /// Add many from a file
    ///
    /// A file that begins with { is a SysScore feed: hashes, ips, domains, file_paths and
    /// process_names, each a list. Any other has one value a line, # begins a comment, and --kind
    /// says what they are.
    Import {
        /// The file; - reads stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// What the lines are: process, path, hash, address, domain
        #[arg(long, value_name = "KIND", value_parser = kind)]
        kind: Option<IndicatorKind>,
        #[command(flatten)]
        about: About,
    },
    /// Take one off the list
    Remove {
        /// Its id, or its kind and value
        #[arg(value_name = "ID | KIND VALUE", num_args = 1..=2, required = true)]
        what: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct About {
    /// What a match does: kill the process, or alert only
    #[arg(long, value_name = "kill|alert", value_parser = action)]
    action: Option<IndicatorAction>,
    /// How bad a match is: informational, low, medium, high, critical
    #[arg(long, value_name = "SEVERITY", value_parser = alerts::severity)]
    severity: Option<Severity>,
    /// Why it is on the list
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

fn kind(text: &str) -> Result<IndicatorKind, String> {
    IndicatorKind::from_name(text)
        .ok_or_else(|| "one of process, path, hash, address, domain".to_owned())
}

fn action(text: &str) -> Result<IndicatorAction, String> {
    IndicatorAction::from_name(text).ok_or_else(|| "one of kill, alert".to_owned())
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<Exit> {
    match arguments.action {
        None | Some(Action::List) => {
            let rows = asking.client.indicators().await?;
            asking.out.list(&rows, |rows| table(rows, now()), "no indicators")?;
            Ok(Exit::Yes)
        }
        Some(Action::Add { kind, value, about }) => {
            let request = IndicatorRequest {
                kind,
                value,
                action: about.action,
                severity: about.severity,
                note: about.note,
            };
            let row = asking.client.create_indicator(&request).await?;
            asking.out.one(&row, consequence)?;
            if !asking.out.json && row.action == IndicatorAction::Kill {
                let (kind, value) = (row.kind.name(), shell_word(&row.value));
                say(&format!(
                    "to be told only: ringwall indicators remove {kind} {value} && \
                     ringwall indicators add {kind} {value} --action alert"
                ));
            }
            Ok(Exit::Yes)
        }
        Some(Action::Import { file, kind, about }) => import(asking, &file, kind, about).await,
        Some(Action::Remove { what }) => {
            let row = find(asking, &what).await?;
            asking.client.delete_indicator(&row.id).await?;
            let words = format!(
                "{} {} is not on the list any more; alerts and commands stay as they are",
                row.kind.name(),
                visible(&row.value)
            );
            asking.out.done(&row.id, &words)?;
            Ok(Exit::Yes)
        }
    }
}

/// In plain words, what happens from now on.
fn consequence(row: &IndicatorRow) -> String {
    let value = visible(&row.value);
    let what = match row.kind {
        IndicatorKind::Process => format!("a process named {value}"),
        IndicatorKind::Path => format!("a process whose program is {value}"),
        IndicatorKind::Hash => format!("a process whose program has the SHA-256 {value}"),
        IndicatorKind::Address => format!("a connection to {value}"),
        IndicatorKind::Domain => format!("a connection to {value} or a name below it"),
    };
    let severity = row.severity.name();
    match (row.action, row.kind) {
        (IndicatorAction::Kill, IndicatorKind::Address | IndicatorKind::Domain) => format!(
            "From now on, {what} raises an alert ({severity}), and the process that holds it is \
             killed, on every host.\n"
        ),
        (IndicatorAction::Kill, _) => format!(
            "From now on, {what} raises an alert ({severity}) and is killed, on every host, also \
             where it runs already.\n"
        ),
        (IndicatorAction::Alert, _) => format!(
            "From now on, {what} raises an alert ({severity}) on every host; killing is offered, \
             not ordered.\n"
        ),
    }
}

async fn import(
    asking: &Asking,
    file: &Path,
    kind: Option<IndicatorKind>,
    about: About,
) -> Result<Exit> {
    const BYTES_MAX: u64 = 14 << 20;
    let place = file.display();
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(BYTES_MAX + 1).read_to_string(&mut text)?;
    } else {
        let opened = std::fs::File::open(file).with_context(|| format!("{place}"))?;
        opened.take(BYTES_MAX + 1).read_to_string(&mut text).with_context(|| format!("{place}"))?;
    }
    if text.len() as u64 > BYTES_MAX {
        return Err(Failure::new(format!("{place}: more than {BYTES_MAX} bytes"))
            .hint("split the file")
            .into());
    }
    let is_json = text.trim_start().starts_with('{');
    if !is_json && kind.is_none() {
        return Err(Failure::new(format!("{place}: what are these lines?"))
            .hint("say --kind process, path, hash, address or domain")
            .into());
    }
    let json = is_json
        .then(|| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| Failure::new(format!("{place}: {error}")))?;
    let request = IndicatorImport {
        text: (!is_json).then_some(text),
        kind,
        json,
        action: about.action,
        severity: about.severity,
        note: about.note,
    };
    let answer = asking.client.import_indicators(&request).await?;
    asking.out.one(&answer, |answer| {
        format!(
            "{} added, {} there before, {} refused\n",
            count(answer.added),
            count(answer.unchanged),
            count(answer.refused.len() as u64)
        )
    })?;
    if !asking.out.json {
        for refusal in &answer.refused {
            say(&format!("{place}:{}: {}", refusal.line, visible(&refusal.reason)));
        }
    }
    let nothing = answer.added + answer.unchanged == 0 && !answer.refused.is_empty();
    Ok(if nothing { Exit::No } else { Exit::Yes })
}

async fn find(asking: &Asking, what: &[String]) -> Result<IndicatorRow> {
    let rows = asking.client.indicators().await?;
    let found = match what {
        [id] => rows.into_iter().find(|row| row.id == *id),
        [kind_name, value] => {
            let kind = kind(kind_name)
                .map_err(|known| Failure::new(format!("`{kind_name}` is no kind")).hint(known))?;
            let same = |row: &IndicatorRow| row.value.eq_ignore_ascii_case(value);
            rows.into_iter().find(|row| row.kind == kind && same(row))
        }
        _ => None,
    };
    found.ok_or_else(|| {
        Failure::no(format!("`{}` is not on the list", what.join(" ")))
            .hint("`ringwall indicators` shows what is")
            .into()
    })
}

/// The text as one word of a shell.
fn shell_word(text: &str) -> String {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | ':' | '@' | '+');
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", visible(text).replace('\'', "'\\''"))
}

fn table(rows: &[IndicatorRow], now: Timestamp) -> Table {
    let columns = vec![
        Column::new("KIND"),
        Column::new("VALUE").flexible(),
        Column::new("ACTION"),
        Column::new("SEVERITY"),
        Column::new("HITS").right(),
        Column::new("LAST HIT").right(),
        Column::new("FROM"),
        Column::new("NOTE").flexible(),
    ];
    Table::of(columns, rows, |row| {
        let kills = row.action == IndicatorAction::Kill;
        vec![
            Cell::new(row.kind.name()),
            Cell::new(&row.value),
            Cell::styled(row.action.name(), if kills { Style::Bad } else { Style::Plain }),
            Cell::styled(row.severity.name(), row.severity),
            Cell::new(count(row.hits)),
            Cell::maybe(row.last_hit.map(|hit| ago(now, hit))),
            Cell::new(match row.origin {
                IndicatorOrigin::Default => "built-in",
                IndicatorOrigin::User => "people",
                IndicatorOrigin::Import => "import",
            }),
            Cell::maybe(row.note.as_ref()),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_safe_to_paste() {
        assert_eq!(shell_word("evil.sh"), "evil.sh");
        assert_eq!(shell_word("a b"), "'a b'");
        assert_eq!(shell_word("a';rm -rf /\n"), "'a'\\'';rm -rf /⟨LF⟩'");
    }
}
