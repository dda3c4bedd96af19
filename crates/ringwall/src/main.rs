//! The one binary: up, every part as a subcommand, and the tool for people.
#![forbid(unsafe_code)]

mod cli;
mod discovery;
mod failure;
mod output;
mod programs;
mod tool;

use clap::Parser;
use cli::{Cli, Part};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = match cli.part {
        Part::Up(arguments) => programs::up::run(arguments),
        Part::Server(arguments) => programs::server::run(arguments),
        Part::HostAgent(arguments) => ringwall_host_agent::run(arguments),
        Part::Backup(arguments) => tool::backup::run(arguments),
        Part::Restore(arguments) => tool::restore::run(arguments),
        Part::Store(arguments) => tool::store::run(arguments),
        Part::Generate(arguments) => tool::generate::run(arguments),
        Part::Config(arguments) => tool::config::run(arguments),
        Part::Completions(arguments) => tool::completions::run(&arguments),
        Part::QueryWorker(arguments) => programs::query_worker::run(&arguments),
        Part::Tool(part) => tool::run(part),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => failure::tell(error).into(),
    }
}
