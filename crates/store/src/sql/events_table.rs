//! `events` as a virtual table of SQLite.

use super::cells::Cells;
use super::event_source::{Batches, EventSource};
use super::moment;
use super::plan::{Argument, Operator, Plan, Shown, predicate_of};
use super::running::Running;
use crate::StoreError;
use crate::archive::columns::ColumnKind;
use crate::scan::predicate::Predicate;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::Value;
use rusqlite::vtab::{
    Context, Filters, IndexConstraintOp as Op, IndexInfo, Module, VTab, VTabConfig, VTabConnection,
    VTabCursor, sqlite3_vtab, sqlite3_vtab_cursor,
};
use rusqlite::{Connection, Error, Result};
use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int};
use std::sync::Arc;

/// Its name in SQL.
pub(super) const NAME: &str = "events";

/// Makes `events` known to this connection.
pub(super) fn add(
    connection: &Connection,
    source: &Arc<dyn EventSource>,
    running: &Arc<Running>,
) -> Result<()> {
    const MODULE: &Module<'static, EventsTable> = &Module::eponymous_only_module().without_rowid();
    let shared = Shared { source: Arc::clone(source), running: Arc::clone(running) };
    connection.create_module(NAME, MODULE, Some(shared))
}

/// What tables and cursors need.
#[derive(Clone)]
pub(super) struct Shared {
    source: Arc<dyn EventSource>,
    running: Arc<Running>,
}

/// The table.
#[repr(C)]
struct EventsTable {
    base: sqlite3_vtab,
    shared: Shared,
}

/// How SQLite is told of the columns. The id is the key: there are no row numbers, and where SQLite
/// puts the rows of two scans together (`a = 1 OR b = 2`), it tells them apart by it.
pub(super) fn declaration() -> String {
    let columns: Vec<String> = Shown::all()
        .map(|column| {
            let kind = match column {
                Shown::MetadataUid => "UID TEXT PRIMARY KEY NOT NULL".to_owned(),
                Shown::Stored(column) => match column.kind() {
                    ColumnKind::Time => format!("TIME TEXT COLLATE {}", moment::COLLATION),
                    ColumnKind::Integer => "INTEGER".to_owned(),
                    ColumnKind::Float => "REAL".to_owned(),
                    ColumnKind::Text => "TEXT".to_owned(),
                    ColumnKind::Uid => "UID TEXT".to_owned(),
                },
            };
            format!("{} {kind}", column.name())
        })
        .collect();
    format!("CREATE TABLE {NAME} ({}) WITHOUT ROWID", columns.join(", "))
}

#[expect(unsafe_code, reason = "SQLite finds its own part at the start of the table")]
// SAFETY: the struct is `repr(C)` and begins with `sqlite3_vtab`.
unsafe impl VTab<'_> for EventsTable {
    type Aux = Shared;
    type Cursor = EventsCursor;

    fn connect(
        connection: &mut VTabConnection,
        shared: Option<&Shared>,
        _module: &[u8],
        _database: &[u8],
        _table: &[u8],
        _arguments: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        connection.config(VTabConfig::Innocuous)?;
        let shared = shared.ok_or_else(|| Error::ModuleError("no events".to_owned()))?.clone();
        let declaration = CString::new(declaration())?;
        Ok((Cow::Owned(declaration), Self { base: sqlite3_vtab::default(), shared }))
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let mut plan = Plan { columns: info.col_used(), ..Plan::default() };
        let candidates: Vec<(usize, c_int, Op)> = info
            .constraints()
            .enumerate()
            .filter(|(_, constraint)| constraint.is_usable())
            .map(|(index, constraint)| (index, constraint.column(), constraint.operator()))
            .collect();
        let mut share = 1.0;
        let mut is_limited = false;
        for (index, column, operator) in candidates {
            if operator == Op::SQLITE_INDEX_CONSTRAINT_LIMIT {
                // Not taken: SQLite ends by itself. It only tells that few rows will be read.
                is_limited = true;
            }
            let Some(column) = usize::try_from(column).ok().and_then(Shown::at) else { continue };
            let Some(operator) = operator_of(&operator) else { continue };
            let collation = if column.is_time() { moment::COLLATION } else { "BINARY" };
            let ignores_collation = matches!(operator, Operator::Like | Operator::Glob);
            if !operator.helps(column) || !ignores_collation && info.collation(index)? != collation
            {
                continue;
            }
            let is_in = operator == Operator::Equal && info.set_in_constraint(index, true)?;
            let operator = if is_in { Operator::In } else { operator };
            plan.conditions.push((column, operator));
            share *= share_of(column, operator);
            let place = c_int::try_from(plan.conditions.len()).unwrap_or(c_int::MAX);
            let mut usage = info.constraint_usage(index);
            usage.set_argv_index(place);
            // For these the scan gives exactly what SQLite would; without its second look the times
            // need not be written as text.
            usage.set_omit(column.is_time() && !is_in);
        }
        let orders: Vec<(c_int, bool)> =
            info.order_bys().map(|order| (order.column(), order.is_order_by_desc())).collect();
        // By time, newest first; a second order by the id is what the scan gives anyway.
        if is_limited && matches!(orders.as_slice(), [(0, true)] | [(0, true), (1, true)]) {
            info.set_order_by_consumed(true);
            plan.newest_first = true;
        }
        let events = self.shared.source.events_about().max(1.0);
        // Each scan opens files and starts threads: never cheap, so that SQLite does not repeat one
        // for each row of another table where it could go through it once.
        info.set_estimated_cost(10_000.0 + events * (0.05 + share));
        #[expect(clippy::cast_possible_truncation, reason = "an estimate")]
        info.set_estimated_rows((events * share).max(1.0) as i64);
        info.set_idx_str(&plan.to_string());
        Ok(true)
    }

    fn open(&mut self) -> Result<EventsCursor> {
        Ok(EventsCursor {
            base: sqlite3_vtab_cursor::default(),
            shared: self.shared.clone(),
            batches: None,
            cells: Cells::default(),
            row: 0,
        })
    }
}

/// About what share of all events such a condition lets through.
fn share_of(column: Shown, operator: Operator) -> f64 {
    match operator {
        Operator::Equal | Operator::Is if column == Shown::MetadataUid => 1e-9,
        Operator::Equal | Operator::Is => 0.01,
        Operator::In => 0.05,
        Operator::Like | Operator::Glob => 0.1,
        Operator::NotEqual | Operator::IsNotNull => 0.9,
        _ => 0.3,
    }
}

fn operator_of(operator: &Op) -> Option<Operator> {
    Some(match operator {
        Op::SQLITE_INDEX_CONSTRAINT_EQ => Operator::Equal,
        Op::SQLITE_INDEX_CONSTRAINT_NE => Operator::NotEqual,
        Op::SQLITE_INDEX_CONSTRAINT_LT => Operator::Less,
        Op::SQLITE_INDEX_CONSTRAINT_LE => Operator::LessOrEqual,
        Op::SQLITE_INDEX_CONSTRAINT_GT => Operator::Greater,
        Op::SQLITE_INDEX_CONSTRAINT_GE => Operator::GreaterOrEqual,
        Op::SQLITE_INDEX_CONSTRAINT_LIKE => Operator::Like,
        Op::SQLITE_INDEX_CONSTRAINT_GLOB => Operator::Glob,
        Op::SQLITE_INDEX_CONSTRAINT_ISNULL => Operator::IsNull,
        Op::SQLITE_INDEX_CONSTRAINT_ISNOTNULL => Operator::IsNotNull,
        Op::SQLITE_INDEX_CONSTRAINT_IS => Operator::Is,
        _ => return None,
    })
}

/// One pass through the table.
#[repr(C)]
struct EventsCursor {
    base: sqlite3_vtab_cursor,
    shared: Shared,
    batches: Option<Box<dyn Batches>>,
    cells: Cells,
    row: usize,
}

impl EventsCursor {
    /// Goes on to the next batch that has rows, or to the end.
    fn fetch(&mut self) -> Result<()> {
        self.row = 0;
        while let Some(batches) = &mut self.batches {
            match batches.next().map_err(|error| self.shared.refuse(&error))? {
                Some(batch) => {
                    self.cells.show(&batch);
                    if self.cells.rows() > 0 {
                        return Ok(());
                    }
                }
                None => self.batches = None,
            }
        }
        self.cells = Cells::default();
        Ok(())
    }
}

impl Shared {
    fn refuse(&self, error: &StoreError) -> Error {
        // What an earlier complaint or the end of the time caused is told by that.
        if !matches!(error, StoreError::Cancelled) {
            self.running.complain(error.to_string());
        }
        Error::ModuleError(error.to_string())
    }
}

#[expect(unsafe_code, reason = "SQLite finds its own part at the start of the cursor")]
// SAFETY: the struct is `repr(C)` and begins with `sqlite3_vtab_cursor`.
unsafe impl VTabCursor for EventsCursor {
    fn filter(&mut self, _number: c_int, plan: Option<&str>, values: &Filters<'_>) -> Result<()> {
        self.batches = None;
        let plan = plan
            .and_then(Plan::read)
            .ok_or_else(|| Error::ModuleError("events: no plan".to_owned()))?;
        let mut predicate = Predicate::True;
        for (index, (column, operator)) in plan.conditions.iter().enumerate() {
            let argument = if *operator == Operator::In {
                Argument::Set(
                    values.in_values(index)?.map(|value| Ok(Value::try_from(value)?)).collect()?,
                )
            } else {
                Argument::One(values.get(index)?)
            };
            let one = predicate_of(*column, *operator, &argument).map_err(|why| {
                self.shared.running.complain(why.clone());
                Error::ModuleError(why)
            })?;
            predicate = predicate.and(one);
        }
        let columns = plan.stored_columns();
        let batches = if plan.newest_first {
            self.shared.source.newest_first(predicate, columns)
        } else {
            self.shared.source.all(predicate, columns)
        };
        self.batches = Some(batches.map_err(|error| self.shared.refuse(&error))?);
        self.fetch()
    }

    fn next(&mut self) -> Result<()> {
        self.row += 1;
        if self.row < self.cells.rows() { Ok(()) } else { self.fetch() }
    }

    fn eof(&self) -> bool {
        self.row >= self.cells.rows()
    }

    fn column(&self, context: &mut Context, index: c_int) -> Result<()> {
        self.cells.give(self.row, usize::try_from(index).unwrap_or(usize::MAX), context)
    }

    fn rowid(&self) -> Result<i64> {
        Err(Error::ModuleError("events have no row numbers".to_owned()))
    }
}
