use super::automatic::on_or_off;
use crate::output::{Cell, Column, Fields, Paint, Style, Table, ago, count, now, say, visible};
use crate::tool::Asking;
use anyhow::Result;
use clap::{Args, Subcommand};
use ringwall_event::Timestamp;
use ringwall_server_api::{
    GRACE_SECONDS_DEFAULT, GRACE_SECONDS_MAX, GuardProjectChange, GuardProjectKeys,
    GuardProjectRequest, GuardProjectRow, GuardRotateRequest,
};

/// The applications whose guards report
///
/// Without a subcommand, lists them.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List projects; the same as without a subcommand
    List,
    /// Add a project; its key and secrets are shown this once, with what to do with them
    Add {
        /// 1 to 64 of A-Z a-z 0-9 - _ . with a letter or digit first
        #[arg(value_name = "NAME")]
        name: String,
        /// Make no encryption key
        #[arg(long)]
        no_encryption: bool,
        /// Make no signing secret
        #[arg(long)]
        no_signing: bool,
        /// Refuse what is not signed; guards before 2.5 cannot sign
        #[arg(long, conflicts_with = "no_signing")]
        require_signature: bool,
    },
    /// Everything about one project
    Show(Project),
    /// Change what is demanded of a project's guards, from their next batch on
    Set {
        #[command(flatten)]
        project: Project,
        /// Whether to refuse what is not signed: on or off; guards before 2.5 cannot sign
        #[arg(long, value_name = "ON|OFF", value_parser = on_or_off, required = true)]
        require_signature: Option<bool>,
    },
    /// Make another key and other secrets, shown this once
    Rotate {
        #[command(flatten)]
        project: Project,
        /// For how long those of now stay good; 0 voids them at once
        #[arg(
            long,
            value_name = "SECONDS",
            default_value_t = GRACE_SECONDS_DEFAULT,
            value_parser = clap::value_parser!(u32).range(0..=i64::from(GRACE_SECONDS_MAX))
        )]
        grace_seconds: u32,
    },
    /// Remove a project: its key is refused from now on
    Remove(Project),
}

#[derive(Debug, Args)]
struct Project {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<()> {
    match arguments.action {
        None | Some(Action::List) => list(asking).await?,
        Some(Action::Add { name, no_encryption, no_signing, require_signature }) => {
            let request = GuardProjectRequest {
                name,
                encryption: !no_encryption,
                signing: !no_signing,
                require_signature,
            };
            let keys = asking.client.create_guard_project(&request).await?;
            tell(asking, &keys)?;
            if !asking.out.json {
                say("Key and secrets are not shown again.");
            }
        }
        Some(Action::Show(project)) => {
            let row = asking.client.guard_project(&project.name).await?;
            asking.out.one(&row, |row| described(row, now(), asking.out.paint))?;
        }
        Some(Action::Set { project, require_signature }) => {
            let change = GuardProjectChange { require_signature };
            let row = asking.client.change_guard_project(&project.name, &change).await?;
            asking.out.one(&row, |row| described(row, now(), asking.out.paint))?;
        }
        Some(Action::Rotate { project, grace_seconds }) => {
            let request = GuardRotateRequest { grace_seconds: Some(grace_seconds) };
            let keys = asking.client.rotate_guard_project(&project.name, &request).await?;
            tell(asking, &keys)?;
            if !asking.out.json {
                say(&match grace_seconds {
                    0 => "What was before is void.".to_owned(),
                    seconds => format!("What was before is good for another {seconds} s."),
                });
            }
        }
        Some(Action::Remove(project)) => {
            asking.client.delete_guard_project(&project.name).await?;
            let words =
                format!("{} is gone; its key is refused from now on", visible(&project.name));
            asking.out.done(&project.name, &words)?;
        }
    }
    Ok(())
}

pub(super) async fn list(asking: &Asking) -> Result<()> {
    let rows = asking.client.guard_projects().await?;
    asking.out.list(&rows, |rows| table(rows, now()), "no guard projects")
}

fn tell(asking: &Asking, keys: &GuardProjectKeys) -> Result<()> {
    let endpoint = format!("{}/dialects/guard", asking.server.url.trim_end_matches('/'));
    asking.out.one(keys, |keys| explained(keys, &endpoint))
}

/// What to write where.
fn explained(keys: &GuardProjectKeys, endpoint: &str) -> String {
    let mut options = vec![
        ("endpoint", endpoint),
        ("project_id", keys.project.as_str()),
        ("api_key", keys.key.expose()),
    ];
    let secrets = [
        ("payload_signing_secret", &keys.signing_secret),
        ("project_encryption_key", &keys.encryption_key),
    ];
    options
        .extend(secrets.into_iter().filter_map(|(name, it)| Some((name, it.as_ref()?.expose()))));
    let options: String =
        options.iter().map(|(name, value)| format!("        {name}=\"{value}\",\n")).collect();
    format!(
        "The Python guard agent is configured so:\n\n    AgentConfig(\n{options}    )\n\n\
         Our layer for Rust takes the same values under the same names.\n"
    )
}

fn table(rows: &[GuardProjectRow], now: Timestamp) -> Table {
    let columns = vec![
        Column::new("PROJECT"),
        Column::new("GUARDS").right(),
        Column::new("EVENTS 24H").right(),
        Column::new("BLOCKED 24H").right(),
        Column::new("RULES").right(),
        Column::new("SEEN").right(),
        Column::new("WARNING").flexible(),
    ];
    Table::of(columns, rows, |row| {
        vec![
            Cell::new(&row.name),
            Cell::new(count(row.agents)),
            Cell::new(count(row.events_24h)),
            Cell::new(count(row.blocked_24h)),
            match row.rules_version {
                0 => Cell::styled("none", Style::Faint),
                version => Cell::new(format!("v{version}")),
            },
            Cell::maybe(row.last_seen.map(|moment| ago(now, moment))),
            match &row.warning {
                Some(warning) => Cell::styled(warning, Style::Bad),
                None => Cell::new(""),
            },
        ]
    })
}

fn described(row: &GuardProjectRow, now: Timestamp, paint: Paint) -> String {
    let signing = match (row.signed, row.require_signature) {
        (true, true) => "yes, and required",
        (true, false) => "yes, not required",
        (false, _) => "no",
    };
    let seen = row.last_seen.map_or_else(|| "never".to_owned(), |moment| ago(now, moment));
    let fields = Fields::default()
        .with("project", &row.name)
        .with("added", format!("{} by {}", row.created, row.created_by))
        .with("encryption", if row.encrypted { "yes" } else { "no" })
        .with("signing", signing)
        .maybe("earlier keys", row.previous_until.map(|until| format!("good until {until}")))
        .with("guards", count(row.agents))
        .with("last seen", seen)
        .with("events", format!("{} in 24 hours", count(row.events_24h)))
        .with("blocked", format!("{} in 24 hours", count(row.blocked_24h)))
        .with("rules", format!("version {}", row.rules_version));
    match &row.warning {
        Some(warning) => fields.styled("warning", warning, Style::Bad).render(paint),
        None => fields.render(paint),
    }
}
