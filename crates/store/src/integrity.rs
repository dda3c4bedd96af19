//! SQLite's own examination of a database.

use crate::{Progress, StoreError};
use rusqlite::{Connection, ErrorCode};
use std::sync::Arc;

/// How many findings are told.
const FINDINGS_MAX: u32 = 50;
/// Steps of SQLite's machine between two looks at the wish to stop: a few milliseconds.
const STEPS: i32 = 100_000;

/// What `PRAGMA integrity_check` finds wrong; nothing where all is well. A database too damaged to be
/// examined is a finding as well.
pub(crate) fn check(
    connection: &mut Connection,
    progress: &Arc<Progress>,
) -> Result<Vec<String>, StoreError> {
    let watch = Arc::clone(progress);
    connection.progress_handler(STEPS, Some(move || watch.is_cancelled()))?;
    let found = examine(connection);
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match found {
        Ok(found) => Ok(found),
        Err(error) => {
            progress.go_on()?;
            told(error)
        }
    }
}

fn examine(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({FINDINGS_MAX})"))?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    let found: Vec<String> = rows.collect::<Result<_, _>>()?;
    Ok(if found == ["ok"] { Vec::new() } else { found })
}

/// Damage that SQLite reports as an error, as a finding; other errors as they are.
pub(crate) fn told(error: rusqlite::Error) -> Result<Vec<String>, StoreError> {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Ok(vec![error.to_string()]),
        _ => Err(error.into()),
    }
}
