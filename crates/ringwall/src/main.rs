//! The one binary: up, every part as a subcommand, and the tool for people.
fn main() {}
