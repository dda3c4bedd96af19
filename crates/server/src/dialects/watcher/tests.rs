//! The dialect through its real router, on a real engine and database.

mod admission;
mod commands;
mod enrolled;
mod fixture;
mod intake;
mod reads;
mod surface;
