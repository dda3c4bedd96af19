//! Straight into the archive of a data directory that no server is using.

use super::Outcome;
use super::meter::Meter;
use crate::discovery::Connect;
use crate::tool::store_failure::of_data_dir;
use anyhow::{Context as _, Result};
use ringwall_event_generator::{Batches, Generator};
use ringwall_lifecycle::{Failure, Shutdown, data_dir as default};
use ringwall_store::data_dir::{DATABASE, DataDirError, lock_alone};
use ringwall_store::{BulkLoad, BulkLoadSettings, BulkLoaded, Database, EventStore, StoreError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// More would share the disk, and each holds a file under construction in memory.
const THREADS_MAX: usize = 4;

/// The data directory that is meant.
pub(super) fn data_dir(connect: &Connect) -> Result<PathBuf, Failure> {
    let given = connect.data_dir.clone();
    given.or_else(|| default::find(|name| std::env::var_os(name))).ok_or_else(|| {
        Failure::new("no data directory is named: HOME is not set").hint("give --data-dir")
    })
}

/// Writes all events, or those until somebody asks to stop.
pub(super) async fn run(
    data_dir: PathBuf,
    generator: &Generator,
    meter: &Arc<Meter>,
    stop: &Shutdown,
) -> Result<Outcome> {
    let (generator, counting, stop) = (generator.clone(), Arc::clone(meter), stop.clone());
    let work = tokio::task::spawn_blocking(move || load(&data_dir, &generator, &counting, &stop));
    let loaded = meter.watch(work).await.context("the work ended in a panic")??;
    Ok(Outcome::Loaded { files: loaded.files, bytes: loaded.bytes })
}

fn load(
    data_dir: &Path,
    generator: &Generator,
    meter: &Meter,
    stop: &Shutdown,
) -> Result<BulkLoaded, Failure> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(|error| {
        Failure::new(format!("cannot create the data directory {}: {error}", data_dir.display()))
    })?;
    let _lock = lock_alone(data_dir).map_err(|error| match error {
        DataDirError::InUse(_) => {
            Failure::new(error.to_string()).hint("stop it first, or send through it: --send")
        }
        other => of_data_dir(other),
    })?;
    let database = Database::open(&data_dir.join(DATABASE)).map_err(of_store)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let parts = generator.split(threads as u32);
    refuse_repetition(&database, generator, threads as u32)?;
    let loaded = std::thread::scope(|scope| {
        let running: Vec<_> = parts
            .into_iter()
            .map(|part| scope.spawn(|| load_part(&database, part, meter, stop)))
            .collect();
        running
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(loaded) => loaded.map_err(of_store),
                Err(_) => Err(Failure::new("the work ended in a panic")),
            })
            .collect::<Vec<_>>()
    });
    // All threads have ended before the first failure is told.
    let mut sum = BulkLoaded::default();
    for part in loaded {
        let part = part?;
        sum.files += part.files;
        sum.events += part.events;
        sum.bytes += part.bytes;
    }
    Ok(sum)
}

/// The same seed, numbers and end give the same ids, which must not be there twice.
fn refuse_repetition(
    database: &Database,
    generator: &Generator,
    parts: u32,
) -> Result<(), Failure> {
    for mut part in generator.split(parts) {
        let Some(id) = part.next().and_then(|batch| Some(batch.events.first()?.id)) else {
            continue;
        };
        if database.read(|session| session.event(id)).map_err(of_store)?.is_some() {
            return Err(Failure::new("these events, or some of them, are there already")
                .hint("another --seed or --end gives others"));
        }
    }
    Ok(())
}

fn load_part(
    database: &Database,
    part: Batches,
    meter: &Meter,
    stop: &Shutdown,
) -> Result<BulkLoaded, StoreError> {
    let mut load = BulkLoad::open(database, BulkLoadSettings::default())?;
    for batch in part {
        if stop.is_asked() {
            break;
        }
        let events = batch.events.len() as u64;
        load.add(batch.events)?;
        meter.add(events);
    }
    load.finish()
}

fn of_store(error: StoreError) -> Failure {
    match error {
        StoreError::Full => {
            Failure::new("no space left; whole files of events are there, the rest is not")
                .hint("make room, and try again with another --seed")
        }
        other => of_data_dir(other.into()),
    }
}
