//! The command line as people type it.

use crate::programs::{query_worker, server, up};
use crate::tool;
use clap::{Parser, Subcommand};

/// Ringwall watches hosts, concludes what is wrong, acts on it, and proves it
#[derive(Debug, Parser)]
#[command(
    name = "ringwall",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = EXAMPLES,
    after_long_help = LONG
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) part: Part,
}

const EXAMPLES: &str = "\
Examples:
  ringwall up                                 start here, on this machine
  ringwall alerts --follow                    see what is concluded as it happens
  ringwall indicators add process evil.sh     kill it wherever it shows up
  ringwall keys create sysscore agent-1       let a SysScore agent in

Every subcommand has --help, with examples.";

const LONG: &str = "\
Examples:
  ringwall up                                 start here, on this machine
  ringwall alerts --follow                    see what is concluded as it happens
  ringwall indicators add process evil.sh     kill it wherever it shows up
  ringwall keys create sysscore agent-1       let a SysScore agent in

Which server: the one whose data directory is given by --data-dir or RINGWALL_DATA_DIR (else
~/.local/share/ringwall), or the one at RINGWALL_URL with the token in RINGWALL_TOKEN.

Data goes to stdout, words to stderr; --json prints data for programs. Colour only on a terminal,
never with NO_COLOR.

Exit codes: 0 done, or the answer is yes; 1 the answer is no (denied, not found); 2 no answer
could be had.";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    Up(up::Arguments),
    Server(server::Arguments),
    HostAgent(ringwall_host_agent::Arguments),
    #[command(flatten)]
    Tool(tool::Part),
    Backup(tool::backup::Arguments),
    Restore(tool::restore::Arguments),
    Store(tool::store::Arguments),
    Generate(tool::generate::Arguments),
    Config(tool::config::Arguments),
    Completions(tool::completions::Arguments),
    #[command(hide = true)]
    QueryWorker(query_worker::Arguments),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::path::Path;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_help_is_the_reviewed_one() {
        let mut command = Cli::command().term_width(100);
        command.build();
        let mut found = Vec::new();
        visit(&mut command, &mut Vec::new(), &mut found);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/help");
        let update = std::env::var_os("UPDATE_GOLDEN").is_some();
        if update {
            std::fs::remove_dir_all(&folder).ok();
            std::fs::create_dir_all(&folder).unwrap();
        }
        let mut expected: Vec<String> = Vec::new();
        for (name, help) in found {
            let path = folder.join(&name);
            if update {
                std::fs::write(&path, &help).unwrap();
            }
            let golden = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(golden == help, "{name} changed; review it with UPDATE_GOLDEN=1:\n{help}");
            expected.push(name);
        }
        let mut there: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        there.sort();
        expected.sort();
        assert_eq!(there, expected, "golden files of commands that are no more");
    }

    fn visit(
        command: &mut clap::Command,
        path: &mut Vec<String>,
        found: &mut Vec<(String, String)>,
    ) {
        path.push(command.get_name().to_owned());
        let help = command.render_long_help().to_string();
        assert!(!help.contains('\u{1b}'));
        found.push((format!("{}.txt", path.join("-")), help));
        // What the host agent's own words are is tested beside it.
        for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "host-agent") {
            visit(sub, path, found);
        }
        path.pop();
    }
}
