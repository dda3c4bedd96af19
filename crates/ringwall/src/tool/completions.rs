use crate::cli::Cli;
use crate::output::Output;
use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;
use ringwall_lifecycle::Exit;

/// Completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  ringwall completions bash > ~/.local/share/bash-completion/completions/ringwall
  ringwall completions fish > ~/.config/fish/completions/ringwall.fish";

pub(crate) fn run(arguments: &Arguments) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "ringwall", &mut script);
    Output::new(false).text(&String::from_utf8(script)?)?;
    Ok(Exit::Yes)
}
