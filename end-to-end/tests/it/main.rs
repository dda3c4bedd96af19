//! The real programs, driven from outside.
#![expect(
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says on stderr what it skips"
)]

mod backup;
mod chaos;
mod commanding;
mod crash;
mod damaged_files;
mod disk_full;
mod guard_agents;
mod guard_kill;
mod guard_middleware;
mod guard_rules;
mod guard_shared;
mod guide_client;
mod guides;
mod host_agent;
mod hostile;
mod identity;
mod open_files;
mod operators;
mod people;
mod query;
mod react;
mod stored;
mod tls;
mod torn_journal;
mod watcher;
mod webhooks;
