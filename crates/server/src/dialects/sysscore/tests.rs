//! The dialect through its real router, on a real engine and database.

mod authentication;
mod batches;
mod fixture;
mod reads;
mod scores;
mod surface;
