//! What a query may touch: an authoriser that knows every table and function, and limits.
//!
//! The connection is in memory and has the store attached read-only. Of the store, the three tables
//! behind the views may be read, by the views; keys, tokens, accounts and everything else cannot be
//! named at all.

use super::functions;
use super::running::Running;
use super::tables::{table_behind, tables};
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, Result};
use std::collections::HashSet;
use std::sync::Arc;

/// Under which name the store is attached.
pub(super) const STORE: &str = "store";
/// The longest query in bytes.
pub const SQL_BYTES_MAX: usize = 64 << 10;
/// The longest value in bytes.
pub(super) const VALUE_BYTES_MAX: i32 = 16 << 20;

/// Tables of SQLite itself that only take apart what they are given.
const HARMLESS: &[&str] = &["json_each", "json_tree"];

/// Closes everything but reading the `allowed` tables. Call it last: after it, nothing can be set up.
pub(super) fn close(
    connection: &mut Connection,
    allowed: &[String],
    running: &Arc<Running>,
) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    connection.pragma_update(None, "query_only", true)?;
    let sql_bytes_max = i32::try_from(SQL_BYTES_MAX).unwrap_or(i32::MAX);
    for (limit, max) in [
        (Limit::SQLITE_LIMIT_SQL_LENGTH, sql_bytes_max),
        (Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX),
        (Limit::SQLITE_LIMIT_COLUMN, 500),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
        (Limit::SQLITE_LIMIT_VDBE_OP, 250_000),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 100),
        (Limit::SQLITE_LIMIT_ATTACHED, 1),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 4096),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 0),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, max)?;
    }
    let guard = Guard::new(connection, allowed, Arc::clone(running))?;
    connection.authorizer(Some(move |context: AuthContext<'_>| guard.judge(&context)))
}

struct Guard {
    allowed: HashSet<String>,
    /// Names of tables that are there in fact; others are names that the query itself gave.
    real: HashSet<String>,
    functions: HashSet<&'static str>,
    running: Arc<Running>,
}

impl Guard {
    fn new(connection: &Connection, allowed: &[String], running: Arc<Running>) -> Result<Self> {
        let ours: HashSet<&str> = tables().iter().map(|table| table.name).collect();
        let mut real: HashSet<String> = ours.iter().map(|name| (*name).to_owned()).collect();
        let mut statement = connection.prepare(&format!(
            "SELECT lower(name) FROM {STORE}.sqlite_schema UNION SELECT lower(name) FROM pragma_module_list"
        ))?;
        for name in statement.query_map([], |row| row.get::<_, String>(0))? {
            real.insert(name?);
        }
        let allowed = allowed.iter().filter(|name| ours.contains(name.as_str())).cloned();
        Ok(Self {
            allowed: allowed.chain(HARMLESS.iter().map(|name| (*name).to_owned())).collect(),
            real,
            functions: functions::OF_SQLITE.iter().chain(functions::OURS).copied().collect(),
            running,
        })
    }

    fn judge(&self, context: &AuthContext<'_>) -> Authorization {
        match context.action {
            AuthAction::Select | AuthAction::Recursive => Authorization::Allow,
            AuthAction::Function { function_name } => {
                let name = function_name.to_ascii_lowercase();
                if self.functions.contains(name.as_str()) {
                    return Authorization::Allow;
                }
                self.running.complain(format!("the function `{name}` is not for queries"));
                Authorization::Deny
            }
            AuthAction::Read { table_name, column_name } => {
                if self.may_read(context, table_name, column_name) {
                    return Authorization::Allow;
                }
                let table: String = table_name.chars().take(64).collect();
                self.running.complain(format!("the table `{table}` may not be read"));
                Authorization::Deny
            }
            _ => {
                self.running.complain("only SELECT is for queries".to_owned());
                Authorization::Deny
            }
        }
    }

    fn may_read(&self, context: &AuthContext<'_>, table: &str, column: &str) -> bool {
        let table = table.to_ascii_lowercase();
        if context.database_name == Some(STORE) {
            // Only the views look into the store, each into its own table.
            return context.accessor.is_some_and(|view| {
                self.allowed.contains(view) && table_behind(view) == Some(table.as_str())
            });
        }
        // SQLite asks for no column where the rows of a table are only counted, also for names that
        // the query gives to its own parts. Those are nobody's tables.
        let is_own_name = column.is_empty()
            && !self.real.contains(&table)
            && !table.starts_with("sqlite_")
            && !table.starts_with("pragma_");
        self.allowed.contains(&table) || is_own_name
    }
}
