//! The API as its clients see it: whole requests through the real router, on a real database.

mod agents;
mod authorisation;
mod changes;
mod commands;
mod fixture;
mod guard;
mod guard_own_bans;
mod guard_rules;
mod guard_shares;
mod holds;
mod identities;
mod lists;
mod receiver;
mod requests;
mod sign_in;
mod store;
mod stream;
mod timeline;
mod users;
mod webhooks;

use fixture::{Answer, Fixture, Sender};
