//! The archive: older events in Parquet files that anything can read.

pub(crate) mod archiver;
mod blocks;
pub(crate) mod bulk_load;
pub(crate) mod bytes;
pub(crate) mod columns;
pub(crate) mod commits;
pub(crate) mod compaction;
pub(crate) mod events_of;
pub(crate) mod examination;
pub(crate) mod file;
pub(crate) mod guard;
pub(crate) mod holds;
mod merge;
pub(crate) mod open_files;
pub(crate) mod read;
pub(crate) mod readers;
pub(crate) mod recent;
pub(crate) mod registry;
pub(crate) mod retention;
pub(crate) mod rows;
pub(crate) mod unlink;
