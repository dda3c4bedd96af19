//! The dialect as its clients see it, on a real database.

mod batches;
mod doors;
mod fixture;
mod keys;
mod troubles;
