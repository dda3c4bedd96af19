//! The host agent as a program of its own, for machines that need nothing else.
#![forbid(unsafe_code)]

use clap::Parser;
use ringwall_host_agent::Arguments;
use std::process::ExitCode;

/// Watch this host, report to a server, and carry out its commands
#[derive(Debug, Parser)]
#[command(name = "ringwall-host-agent", version, max_term_width = 100)]
struct Program {
    #[command(flatten)]
    arguments: Arguments,
}

fn main() -> ExitCode {
    let exit = ringwall_host_agent::run(Program::parse().arguments)
        .unwrap_or_else(ringwall_host_agent::tell);
    exit.into()
}
