use super::fields::{RuleFields, read_json};
use crate::output::{Cell, Column, Fields, Paint, Style, Table, ago, count, now, say, visible};
use crate::tool::Asking;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use ringwall_event::Timestamp;
use ringwall_lifecycle::Failure;
use ringwall_server_api::{
    GuardPreview, GuardPreviewRequest, GuardRestoreRequest, GuardRules, GuardRulesEditRow,
    GuardRulesRequest, PREVIEW_HOURS_DEFAULT, PREVIEW_HOURS_MAX,
};
use ringwall_server_client::ClientError;
use serde_json::Value;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What guarded applications are told: limits, patterns, countries, addresses
///
/// Applications that hold a stream open have a change within a second, others with their next question.
/// What rules leave out falls back to the application's own configuration.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

const EXAMPLES: &str = "\
Examples:
  ringwall guard rules show shop
  ringwall guard rules preview shop 'blocked_user_agents=[\"sqlmap\",\"nikto\"]'
  ringwall guard rules set shop 'blocked_user_agents=[\"sqlmap\",\"nikto\"]' --note scanners
  ringwall guard rules set shop 'endpoint_rate_limits={\"/login\":[5,60]}'
  ringwall guard rules set shop emergency_mode=true expires_at=2026-12-01T08:00:00Z
  ringwall guard rules edit shop
  ringwall guard rules history shop
  ringwall guard rules restore shop 86401";

#[derive(Debug, Subcommand)]
enum Action {
    /// The rules in force
    Show(Project),
    /// Change the rules in the editor ($VISUAL or $EDITOR), as JSON
    Edit {
        #[command(flatten)]
        project: Project,
        #[command(flatten)]
        note: Note,
    },
    /// Change single fields, or all with --file
    Set {
        #[command(flatten)]
        project: Project,
        #[command(flatten)]
        fields: RuleFields,
        /// Refuse if the rules are not at this version any more
        #[arg(long, value_name = "VERSION")]
        base_version: Option<i64>,
        #[command(flatten)]
        note: Note,
    },
    /// What rules would have blocked of what guards reported
    ///
    /// Without fields, those in force. Guards report what they notice, not every request.
    Preview {
        #[command(flatten)]
        project: Project,
        #[command(flatten)]
        fields: RuleFields,
        /// How far to look back
        #[arg(long, value_name = "HOURS", default_value_t = PREVIEW_HOURS_DEFAULT,
              value_parser = clap::value_parser!(u32).range(1..=i64::from(PREVIEW_HOURS_MAX)))]
        hours: u32,
    },
    /// How the rules were edited, newest first
    History {
        #[command(flatten)]
        project: Project,
        /// Show at most so many
        #[arg(long, value_name = "N", default_value_t = 50,
              value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Put earlier rules into force again, under a new version
    Restore {
        #[command(flatten)]
        project: Project,
        /// Their version, as the history has it
        #[arg(value_name = "VERSION")]
        version: i64,
        #[command(flatten)]
        note: Note,
    },
}

#[derive(Debug, Args)]
struct Project {
    /// The project
    #[arg(value_name = "PROJECT")]
    name: String,
}

#[derive(Debug, Args)]
struct Note {
    /// Why, for the history and the audit log
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<()> {
    match arguments.action {
        Action::Show(project) => {
            let rules = asking.client.guard_rules(&project.name).await?;
            asking.out.one(&rules, |rules| described(rules, now(), asking.out.paint))
        }
        Action::Edit { project, note } => edit(asking, &project.name, note.note).await,
        Action::Set { project, fields, base_version, note } => {
            if fields.is_empty() {
                return Err(Failure::new("nothing to set")
                    .hint("give fields, as in emergency_mode=true, or --file")
                    .into());
            }
            let current = asking.client.guard_rules(&project.name).await?;
            let rules = fields.over(&current.rules)?;
            let base_version = base_version.unwrap_or(current.version);
            put(asking, &project.name, rules, base_version, note.note).await
        }
        Action::Preview { project, fields, hours } => {
            let current = asking.client.guard_rules(&project.name).await?;
            let rules = fields.over(&current.rules)?;
            let request = GuardPreviewRequest { rules, hours: Some(hours) };
            let preview = asking.client.preview_guard_rules(&project.name, &request).await;
            let preview = preview.map_err(faults)?;
            asking
                .out
                .one(&preview, |preview| previewed(preview, asking.out.paint, asking.out.width))
        }
        Action::History { project, limit } => {
            let rows = asking.client.guard_rules_history(&project.name, limit).await?;
            asking.out.list(&rows, |rows| table(rows, now()), "never edited")
        }
        Action::Restore { project, version, note } => {
            let request = GuardRestoreRequest { version, note: note.note };
            let rules = asking.client.restore_guard_rules(&project.name, &request).await;
            told(asking, &rules.map_err(faults)?)
        }
    }
}

async fn put(
    asking: &Asking,
    project: &str,
    rules: Value,
    base_version: i64,
    note: Option<String>,
) -> Result<()> {
    let request = GuardRulesRequest { rules, base_version, note };
    let rules = asking.client.replace_guard_rules(project, &request).await;
    told(asking, &rules.map_err(faults)?)
}

fn told(asking: &Asking, rules: &GuardRules) -> Result<()> {
    asking.out.one(rules, |rules| {
        format!("rules of {} are at version {}\n", visible(&rules.project), rules.version)
    })
}

/// All faults of refused rules, a line each.
fn faults(error: ClientError) -> anyhow::Error {
    let ClientError::Refused { problem, .. } = &error else { return error.into() };
    match problem.status {
        409 => Failure::no(problem.detail.clone())
            .hint("somebody edited them meanwhile: look at `ringwall guard rules history`, and set yours again")
            .into(),
        422 => {
            let lines: Vec<String> = problem
                .errors
                .iter()
                .map(|fault| {
                    let place = fault.pointer.as_deref().unwrap_or_default();
                    let place = place.strip_prefix("#/rules/").unwrap_or(place);
                    format!("{place}: {}", fault.detail)
                })
                .collect();
            Failure::new(format!("the rules have faults; nothing changed\n{}", lines.join("\n")))
                .hint("docs/guard-rules.md says what each field takes")
                .into()
        }
        _ => error.into(),
    }
}

async fn edit(asking: &Asking, project: &str, note: Option<String>) -> Result<()> {
    let current = asking.client.guard_rules(project).await?;
    let path = write_draft(project, &current.rules)?;
    run_editor(&path)?;
    let rules: Value = match read_json(&path) {
        Ok(rules) => rules,
        Err(error) => {
            say(&format!("what you wrote is in {}", path.display()));
            return Err(error);
        }
    };
    if rules == current.rules {
        std::fs::remove_file(&path)?;
        say("nothing changed");
        return Ok(());
    }
    match put(asking, project, rules, current.version, note).await {
        Ok(()) => Ok(std::fs::remove_file(&path)?),
        Err(error) => {
            say(&format!(
                "what you wrote is in {0}; mended: ringwall guard rules set {1} --file {0}",
                path.display(),
                visible(project)
            ));
            Err(error)
        }
    }
}

/// The rules in a file of its own that only this user reads.
fn write_draft(project: &str, rules: &Value) -> Result<PathBuf> {
    let name = format!("ringwall-rules-{project}-{}.json", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot create {}", path.display()))?;
    file.write_all(serde_json::to_string_pretty(rules)?.as_bytes())?;
    file.write_all(b"\n")?;
    Ok(path)
}

fn run_editor(path: &Path) -> Result<()> {
    let named = ["VISUAL", "EDITOR"].into_iter().find_map(std::env::var_os);
    let editor = named.filter(|name| !name.is_empty()).unwrap_or_else(|| "vi".into());
    // `code --wait` is a program with an argument.
    let text = editor.to_string_lossy().into_owned();
    let mut words = text.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status =
        std::process::Command::new(program).args(words).arg(path).status().map_err(|error| {
            Failure::new(format!("cannot start the editor `{program}`: {error}"))
                .hint("set EDITOR, or use `ringwall guard rules set`")
        })?;
    if !status.success() {
        std::fs::remove_file(path)?;
        bail!("the editor `{program}` ended with {status}; nothing changed");
    }
    Ok(())
}

/// Only what is set: all else is the application's own.
fn described(rules: &GuardRules, now: Timestamp, paint: Paint) -> String {
    let published = &rules.published;
    let edited = match (rules.updated, &rules.updated_by) {
        (Some(at), Some(by)) => format!("{} ago by {}", ago(now, at), visible(by)),
        _ => "never".to_owned(),
    };
    let mut fields = Fields::default()
        .with("project", &rules.project)
        .with("version", rules.version.to_string())
        .with("edited", edited)
        .maybe("note", rules.note.as_deref())
        .with("applications see", format!("version {}", published.version))
        .with("bans", count(published.bans));
    if published.bans_left_out > 0 {
        let left_out = format!("{} found no room in the list", count(published.bans_left_out));
        fields = fields.styled("left out", left_out, Style::Bad);
    }
    if rules.expired {
        fields = fields.styled("state", "past their end: none of this is in force", Style::Bad);
    }
    let mut text = fields.render(paint);
    let members = rules.rules.as_object();
    let is_set = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    for (name, value) in members.into_iter().flatten().filter(|(_, value)| is_set(value)) {
        text += &format!("{name}={}\n", visible(&value.to_string()));
    }
    text
}

fn previewed(preview: &GuardPreview, paint: Paint, width: Option<usize>) -> String {
    let mut text = format!(
        "of {} requests that guards reported in {} h, {} would have been blocked\n",
        count(preview.requests_seen),
        preview.hours,
        count(preview.would_block),
    );
    if preview.partial {
        text += "there were more requests than there was time for: these are the newest\n";
    }
    if !preview.not_tried.is_empty() {
        text += &format!("cannot be tried on what is stored: {}\n", preview.not_tried.join(", "));
    }
    if preview.by_rule.is_empty() {
        return text;
    }
    let columns = vec![
        Column::new("FIELD"),
        Column::new("ENTRY").flexible(),
        Column::new("REQUESTS").right(),
        Column::new("ADDRESSES").right(),
        Column::new("LATELY").flexible(),
    ];
    let table = Table::of(columns, &preview.by_rule, |rule| {
        let newest = rule.samples.first().map(|sample| {
            let parts = [sample.method.as_deref(), sample.endpoint.as_deref()];
            let request: Vec<&str> = parts.into_iter().flatten().collect();
            format!("{} {}", sample.address, request.join(" "))
        });
        vec![
            Cell::new(&rule.field),
            Cell::new(&rule.entry),
            Cell::new(count(rule.count)),
            Cell::new(count(rule.addresses)),
            Cell::maybe(newest),
        ]
    });
    text + &table.render(paint, width)
}

fn table(rows: &[GuardRulesEditRow], now: Timestamp) -> Table {
    let columns = vec![
        Column::new("VERSION").right(),
        Column::new("EDITED").right(),
        Column::new("BY"),
        Column::new("WHAT").flexible(),
        Column::new("NOTE").flexible(),
    ];
    Table::of(columns, rows, |row| {
        vec![
            Cell::new(row.version.to_string()),
            Cell::new(ago(now, row.updated)),
            Cell::new(&row.updated_by),
            Cell::new(&row.summary),
            Cell::maybe(row.note.as_deref()),
        ]
    })
}
