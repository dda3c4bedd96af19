use super::Asking;
use crate::discovery::Connect;
use crate::output::{Cell, Column, Style, Table, ago, now, say, visible};
use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use ringwall_event::Timestamp;
use ringwall_lifecycle::{Exit, Failure, private_file};
use ringwall_server_api::{
    PasswordAnswer, PasswordRequest, Role, SecretText, SessionQuery, SessionRow, UserChange,
    UserRequest, UserRow,
};
use std::path::{Path, PathBuf};

/// The people who may sign in
///
/// Without a subcommand, lists them.
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
  ringwall users add ada --role responder
  ringwall users role ada admin
  ringwall users disable eve
  ringwall users sessions";

#[derive(Debug, Subcommand)]
enum Action {
    /// List users; the same as without a subcommand
    List,
    /// Let somebody sign in; a password is made and shown this once
    Add {
        /// What they sign in with: a-z, 0-9 and . _ - @ +
        #[arg(value_name = "NAME")]
        name: String,
        /// What they may do: admin, responder, analyst, read_only
        #[arg(long, value_name = "ROLE", value_parser = role)]
        role: Role,
        /// Take the password from this file, which nobody else may read, instead of making one
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Let somebody sign in no more
    Remove {
        #[command(flatten)]
        user: User,
    },
    /// Change what somebody may do; their sessions end
    Role {
        #[command(flatten)]
        user: User,
        /// What they may do from now on: admin, responder, analyst, read_only
        #[arg(value_name = "ROLE", value_parser = role)]
        role: Role,
    },
    /// Give somebody another password, made and shown this once; their sessions end
    Password {
        #[command(flatten)]
        user: User,
        /// Take the password from this file, which nobody else may read, instead of making one
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Let somebody not sign in for the time being; their sessions end
    Disable {
        #[command(flatten)]
        user: User,
    },
    /// Let somebody sign in again
    Enable {
        #[command(flatten)]
        user: User,
    },
    /// Who is signed in, and where
    Sessions {
        /// Only those of this user
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Sign somebody out everywhere
    SignOut {
        #[command(flatten)]
        user: User,
    },
}

#[derive(Debug, Args)]
struct User {
    /// Who
    #[arg(value_name = "NAME")]
    name: String,
}

const PASSWORD_FILE_BYTES_MAX: u64 = 4096;

fn role(text: &str) -> Result<Role, String> {
    Role::from_name(text).ok_or_else(|| "one of admin, responder, analyst, read_only".to_owned())
}

pub(super) async fn run(asking: &Asking, arguments: Arguments) -> Result<Exit> {
    match arguments.action {
        None | Some(Action::List) => {
            let rows = asking.client.users().await?;
            asking.out.list(&rows, |rows| table(rows, now()), "no users")?;
        }
        Some(Action::Add { name, role, password_file }) => {
            let password = password_file.as_deref().map(password).transpose()?;
            let request = UserRequest { name, role, password };
            tell(asking, &asking.client.create_user(&request).await?, "may sign in")?;
        }
        Some(Action::Remove { user: User { name } }) => {
            asking.client.delete_user(&name).await?;
            asking.out.done(&name, &format!("user {} is gone", visible(&name)))?;
        }
        Some(Action::Role { user, role }) => {
            let change = UserChange { role: Some(role), disabled: None };
            alter(asking, &user.name, &change, &format!("is {} now", role.name())).await?;
        }
        Some(Action::Password { user: User { name }, password_file }) => {
            let password = password_file.as_deref().map(password).transpose()?;
            let answer = asking.client.set_password(&name, &PasswordRequest { password }).await?;
            tell(asking, &answer, "has another password")?;
        }
        Some(Action::Disable { user }) => {
            let change = UserChange { role: None, disabled: Some(true) };
            alter(asking, &user.name, &change, "may not sign in").await?;
        }
        Some(Action::Enable { user }) => {
            let change = UserChange { role: None, disabled: Some(false) };
            alter(asking, &user.name, &change, "may sign in again").await?;
        }
        Some(Action::Sessions { name }) => {
            let query = SessionQuery { user: Some(name.unwrap_or_else(|| "*".to_owned())) };
            let rows = asking.client.sessions(&query).await?;
            asking.out.list(&rows, |rows| sessions(rows, now()), "nobody is signed in")?;
        }
        Some(Action::SignOut { user: User { name } }) => {
            let query = SessionQuery { user: Some(name.clone()) };
            asking.client.end_sessions(&query).await?;
            asking.out.done(&name, &format!("user {} is signed out", visible(&name)))?;
        }
    }
    Ok(Exit::Yes)
}

async fn alter(asking: &Asking, name: &str, change: &UserChange, what: &str) -> Result<()> {
    let row = asking.client.change_user(name, change).await?;
    if asking.out.json {
        asking.out.one(&row, |_| String::new())
    } else {
        asking.out.done(name, &format!("user {} {what}", visible(name)))
    }
}

fn tell(asking: &Asking, answer: &PasswordAnswer, what: &str) -> Result<()> {
    let made = answer.password.as_ref();
    if asking.out.json || made.is_some() {
        let text = |answer: &PasswordAnswer| match &answer.password {
            Some(password) => format!("{}\n", password.expose()),
            None => String::new(),
        };
        asking.out.one(answer, text)?;
    }
    if !asking.out.json {
        let shown = if made.is_some() { "; the password is not shown again" } else { "" };
        say(&format!("user {} {what}{shown}", visible(&answer.name)));
    }
    Ok(())
}

/// Passwords are not taken from the command line, which everybody on the machine can read.
fn password(path: &Path) -> Result<SecretText> {
    let bytes = private_file::read(path, PASSWORD_FILE_BYTES_MAX)?;
    let text =
        String::from_utf8(bytes).ok().with_context(|| format!("{}: not text", path.display()))?;
    match text.trim_end_matches(['\n', '\r']) {
        "" => Err(Failure::new(format!("{}: empty", path.display())).into()),
        password => Ok(SecretText::from(password)),
    }
}

fn table(rows: &[UserRow], now: Timestamp) -> Table {
    let columns = vec![
        Column::new("USER").flexible(),
        Column::new("ROLE"),
        Column::new("SIGN-IN"),
        Column::new("SESSIONS").right(),
        Column::new("LAST").right(),
        Column::new("ADDED").right(),
    ];
    Table::of(columns, rows, |row| {
        vec![
            Cell::new(&row.name),
            Cell::new(row.role.name()),
            if row.disabled {
                Cell::styled("disabled", Style::Bad)
            } else {
                Cell::styled("allowed", Style::Faint)
            },
            Cell::new(row.sessions.to_string()),
            Cell::maybe(row.last_sign_in.map(|moment| ago(now, moment))),
            Cell::new(ago(now, row.created)),
        ]
    })
}

fn sessions(rows: &[SessionRow], now: Timestamp) -> Table {
    let columns = vec![
        Column::new("SESSION"),
        Column::new("USER").flexible(),
        Column::new("FROM"),
        Column::new("BEGAN").right(),
        Column::new("USED").right(),
        Column::new("ENDS").right(),
    ];
    Table::of(columns, rows, |row| {
        vec![
            Cell::new(&row.id),
            Cell::new(&row.user),
            Cell::new(&row.address),
            Cell::new(ago(now, row.created)),
            Cell::new(ago(now, row.last_used)),
            Cell::new(ago(now, row.expires)),
        ]
    })
}
