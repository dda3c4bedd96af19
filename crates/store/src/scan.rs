//! Looking through all events: what fits a predicate, as fast as the files allow.
//!
//! A row group is first judged without unpacking it (statistics, bloom filters, dictionaries: `prune`); of
//! what is left the columns of the predicate are unpacked, and only for the rows that fit the columns
//! that are wanted. Row groups are shared out among threads; memory is bounded by a batch of rows and
//! the dictionaries of one row group per thread.

pub(crate) mod control;
pub(crate) mod evaluate;
pub(crate) mod kernels;
pub(crate) mod predicate;
pub(crate) mod prune;
pub(crate) mod snapshot;
mod text;
