//! The archive: older events in Parquet files that anything can read.

pub(crate) mod bulk_load;
pub(crate) mod bytes;
pub(crate) mod columns;
pub(crate) mod events_of;
pub(crate) mod file;
pub(crate) mod open_files;
pub(crate) mod read;
pub(crate) mod rows;
