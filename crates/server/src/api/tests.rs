//! The API as its clients see it: whole requests through the real router, on a real database.

mod agents;
mod authorisation;
mod changes;
mod fixture;
mod holds;
mod identities;
mod lists;
mod requests;
mod sign_in;
mod store;
mod stream;
mod timeline;
mod users;

use fixture::{Answer, Fixture, Sender};
