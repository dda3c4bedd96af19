//! Our automation, behind `./x`: set-up by name, build, test, lint, bench, fuzz.
//!
//! `./x help` lists the subcommands. Words go to stderr; stdout belongs to what was asked for, such
//! as the path that `./x path ringwall` prints.
#![forbid(unsafe_code)]

mod build;
mod floors;
mod fuzz;
mod licences;
mod lint;
mod package;
mod place;
mod run;
mod set_up;
mod steps;
mod test;

use anyhow::{Result, bail};
use build::Profile;
use place::Place;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match subcommand(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            run::say(&format!("error: {error:#}"));
            ExitCode::from(if error.is::<steps::StepFailed>() { 1 } else { 2 })
        }
    }
}

fn subcommand(arguments: &[String]) -> Result<()> {
    let place = Place::from_environment()?;
    let (name, rest) = match arguments.split_first() {
        Some((name, rest)) => (name.as_str(), rest),
        None => ("", arguments),
    };
    match name {
        "up" => build::up(&place, rest),
        "build" => {
            none_left("build", rest)?;
            for program in build::programs(&place, Profile::Release)? {
                run::say(&format!("built {}", program.display()));
            }
            Ok(())
        }
        "path" => build::print_path(&place, rest),
        "test" => match rest {
            [] => test::all(&place, false),
            [full] if full == "--full" => test::all(&place, true),
            _ => bail!("`test` takes nothing or --full, not `{}`", rest.join(" ")),
        },
        "lint" => {
            none_left("lint", rest)?;
            lint::all(&place)
        }
        "package" => package::run(&place, rest),
        "demo-check" => test::demo_check(&place, rest),
        "crash-test" => match rest {
            [] => test::crash(&place, 10),
            [flag, kills] if flag == "--kills" => test::crash(&place, kills.parse()?),
            _ => bail!("`crash-test` takes --kills N, not `{}`", rest.join(" ")),
        },
        "chaos" => {
            let (minutes, seed) = chaos_arguments(rest)?;
            test::chaos(&place, minutes, seed)
        }
        "bench" => test::bench(&place, rest),
        "fuzz" => fuzz::run(&place, rest),
        other => bail!("unknown subcommand `{other}`; ./x help lists them"),
    }
}

/// How many minutes, and whose choices are repeated.
fn chaos_arguments(arguments: &[String]) -> Result<(u32, Option<u64>)> {
    let (mut minutes, mut seed) = (1, None);
    for pair in arguments.chunks(2) {
        match pair {
            [flag, value] if flag == "--minutes" => minutes = value.parse()?,
            [flag, value] if flag == "--seed" => seed = Some(value.parse()?),
            _ => bail!("`chaos` takes --minutes N and --seed N, not `{}`", arguments.join(" ")),
        }
    }
    Ok((minutes, seed))
}

fn none_left(name: &str, rest: &[String]) -> Result<()> {
    match rest {
        [] => Ok(()),
        _ => bail!("`{name}` takes no arguments, not `{}`", rest.join(" ")),
    }
}
