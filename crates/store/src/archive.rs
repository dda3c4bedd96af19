//! The archive: older events in Parquet files that anything can read.

pub(crate) mod columns;
