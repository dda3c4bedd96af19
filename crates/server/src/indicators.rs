//! The list of known bad things: kept in the database, compiled for the engine.

use crate::engine::{Engine, TakeError, Writing};
use ringwall_detection::{Indicator, IndicatorSet, default_indicators};
use ringwall_store::{Database, StateStore, StoreError};
use std::sync::Arc;

const INDICATORS: &str = "indicator";
/// Set once the default list was written: what people remove from it stays removed.
const SEEDED: (&str, &str) = ("setting", "default_indicators_written");
/// More would not fit the memory that one server is meant to have.
pub(crate) const INDICATORS_MAX: usize = 1_000_000;

/// Reads the list; the first time, writes the default one.
///
/// # Errors
/// Where the database cannot be read or written.
pub(crate) fn load(database: &Database) -> Result<Vec<Indicator>, StoreError> {
    database.write_now(|session| {
        if session.document::<bool>(SEEDED.0, SEEDED.1)?.is_none() {
            for indicator in default_indicators() {
                session.put_document(INDICATORS, indicator.id(), &indicator)?;
            }
            session.put_document(SEEDED.0, SEEDED.1, &true)?;
        }
        Ok(session.documents(INDICATORS)?.into_iter().map(|(_, indicator)| indicator).collect())
    })
}

/// What adding came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Added {
    /// How many are new, or have another action, severity or note than before.
    pub(crate) added: usize,
    /// How many were there already.
    pub(crate) unchanged: usize,
    /// How many found no room.
    pub(crate) no_room: usize,
}

/// Puts indicators on the list and into force.
///
/// # Errors
/// Where nothing can be stored; then nothing changed.
pub(crate) async fn add(
    engine: &Engine,
    indicators: Vec<Indicator>,
    audit: impl FnOnce(&mut Writing<'_>) -> Result<(), StoreError> + Send + 'static,
) -> Result<Added, TakeError> {
    engine
        .write(move |writing| {
            audit(writing)?;
            let mut outcome = Added::default();
            let mut count = writing.rules.indicators.indicators().len();
            for indicator in indicators {
                let known: Option<Indicator> =
                    writing.session.document(INDICATORS, indicator.id())?;
                let same = known.as_ref().is_some_and(|known| {
                    known.action == indicator.action
                        && known.severity == indicator.severity
                        && known.note == indicator.note
                });
                if same {
                    outcome.unchanged += 1;
                } else if known.is_none() && count >= INDICATORS_MAX {
                    outcome.no_room += 1;
                } else {
                    count += usize::from(known.is_none());
                    writing.session.put_document(INDICATORS, indicator.id(), &indicator)?;
                    outcome.added += 1;
                }
            }
            if outcome.added > 0 {
                let set = put_into_force(writing)?;
                // What runs already may be what was just listed.
                writing.judge_known(&set)?;
            }
            Ok(outcome)
        })
        .await
}

/// Takes an indicator off the list; returns whether it was on it.
///
/// # Errors
/// Where nothing can be stored; then nothing changed.
pub(crate) async fn remove(
    engine: &Engine,
    id: String,
    audit: impl FnOnce(&mut Writing<'_>) -> Result<(), StoreError> + Send + 'static,
) -> Result<bool, TakeError> {
    engine
        .write(move |writing| {
            audit(writing)?;
            let removed = writing.session.delete_document(INDICATORS, &id)?;
            if removed {
                put_into_force(writing)?;
            }
            Ok(removed)
        })
        .await
}

/// The list as this transaction has it, in force with its commit.
fn put_into_force(writing: &mut Writing<'_>) -> Result<Arc<IndicatorSet>, StoreError> {
    let listed = writing.session.documents(INDICATORS)?;
    let set = listed.into_iter().map(|(_, indicator)| indicator).collect();
    let set = Arc::new(IndicatorSet::new(set));
    writing.put_indicators_into_force(Arc::clone(&set));
    Ok(set)
}
