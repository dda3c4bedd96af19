//! The test runs: everything, or one of its parts.

use crate::build;
use crate::fuzz;
use crate::lint;
use crate::package;
use crate::place::Place;
use crate::run::{command, keeping_lines, quietly_named, say, succeeds};
use crate::set_up;
use crate::steps::Steps;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

/// The benches, and what each is given in `./x test --full`: the store is as large as time allows there.
const BENCHES: [(&str, &[&str]); 8] = [
    ("ingest", &[]),
    ("react", &[]),
    ("agent", &[]),
    ("store", &["--events", "2000000"]),
    ("query", &["--events", "1000000"]),
    ("fleet", &["--seconds", "20"]),
    ("guard", &[]),
    ("guard-detection", &[]),
];

/// `./x test [--full]`.
pub(crate) fn all(place: &Place, full: bool) -> Result<()> {
    let mut steps = Steps::default();
    match &place.shared {
        Some(shared) => say(&format!("x: shared suites and seeds in {}", shared.display())),
        None => say("x: no RINGWALL_SHARED and no ../shared: what needs it skips, and says so"),
    }
    steps.step("set-up", || {
        set_up::for_unit_tests()?;
        set_up::for_end_to_end(place)?;
        set_up::for_browser()?;
        set_up::npm(place)
    })?;
    steps.step("dashboard", || build::dashboard(place))?;
    lint::steps_of(place, &mut steps)?;
    steps.step("programs", || build::ringwall_for_tests(place).map(drop))?;
    steps.step("packages", || {
        package::check(place, &build::programs(place, build::Profile::Dev)?)
    })?;
    let ringwall = place.program("debug", "ringwall");
    let kills = if full { 100 } else { 10 };
    steps.suite("unit tests", || {
        // No program turns on what is in Redis.
        let features = ["--features", "ringwall-delivery/redis,ringwall-app-guard-layer/redis"];
        let chosen = [&["--workspace", "--exclude", "ringwall-end-to-end"], &features[..]].concat();
        runner(place, &ringwall, &chosen, None)
    })?;
    steps.step("examples in the documentation", || {
        let arguments = ["test", "--locked", "--doc", "--workspace", "-q"];
        quietly_named(&mut command("cargo", arguments, &place.root), "cargo test --doc")
    })?;
    steps.step("dashboard tests", || build::npm_run(place, "test"))?;
    steps.suite("end to end", || {
        let mut environment = end_to_end(place, &ringwall);
        environment.push(("RINGWALL_KILLS".into(), kills.to_string()));
        runner_with(place, &["-p", "ringwall-end-to-end"], None, environment)
    })?;
    steps.step("demo-check", || run_demo_check(place, &ringwall, &[]))?;
    if full {
        for target in fuzz::targets(place)? {
            steps.step(&format!("fuzz {target}"), || fuzz::one(place, &target, 60))?;
        }
        for (name, arguments) in BENCHES {
            let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            steps.step(&format!("bench {name}"), || run_bench(place, name, &arguments))?;
        }
    }
    steps.summary()
}

/// `./x crash-test --kills N`.
pub(crate) fn crash(place: &Place, kills: u32) -> Result<()> {
    let mut steps = Steps::default();
    set_up::for_end_to_end(place)?;
    let ringwall = build::ringwall_for_tests(place)?;
    steps.suite(&format!("crash test, {kills} kills"), || {
        let mut environment = end_to_end(place, &ringwall);
        environment.push(("RINGWALL_KILLS".into(), kills.to_string()));
        runner_with(place, &["-p", "ringwall-end-to-end"], Some("crash::"), environment)
    })?;
    steps.summary()
}

/// `./x chaos --minutes N --seed N`.
pub(crate) fn chaos(place: &Place, minutes: u32, seed: Option<u64>) -> Result<()> {
    let mut steps = Steps::default();
    set_up::for_end_to_end(place)?;
    let ringwall = build::ringwall_for_tests(place)?;
    steps.suite(&format!("chaos, {minutes} minutes"), || {
        let mut environment = end_to_end(place, &ringwall);
        environment.push(("RINGWALL_CHAOS_SECONDS".into(), (minutes * 60).to_string()));
        environment.extend(seed.map(|seed| ("RINGWALL_SEED".into(), seed.to_string())));
        runner_with(place, &["-p", "ringwall-end-to-end"], Some("chaos::"), environment)
    })?;
    steps.summary()
}

/// `./x demo-check`.
pub(crate) fn demo_check(place: &Place, arguments: &[String]) -> Result<()> {
    set_up::for_end_to_end(place)?;
    set_up::for_browser()?;
    let ringwall = build::ringwall_for_tests(place)?;
    let mut steps = Steps::default();
    steps.step("demo-check", || run_demo_check(place, &ringwall, arguments))
}

/// `./x bench NAME [ARGUMENTS]`.
pub(crate) fn bench(place: &Place, arguments: &[String]) -> Result<()> {
    match arguments.split_first() {
        Some((name, rest)) if BENCHES.iter().any(|(known, _)| known == name) => {
            run_bench(place, name, rest)
        }
        _ => bail!("`bench` takes one of: {}", BENCHES.map(|(name, _)| name).join(", ")),
    }
}

fn run_demo_check(place: &Place, ringwall: &Path, arguments: &[String]) -> Result<()> {
    let mut cargo = command("cargo", ["run", "-q", "--locked", "-p"], &place.root);
    cargo.args(["ringwall-end-to-end", "--bin", "demo-check", "--"]).args(arguments);
    cargo.arg("--dashboard").arg(place.dashboard());
    cargo.envs(end_to_end(place, ringwall));
    quietly_named(&mut cargo, "demo-check")
}

fn run_bench(place: &Place, name: &str, arguments: &[String]) -> Result<()> {
    if name == "guard-detection" {
        return run_guard_detection(place, arguments);
    }
    if matches!(name, "store" | "guard") {
        // Their peers are DuckDB and the original middleware.
        set_up::for_end_to_end(place)?;
    }
    // The guard lives in other people's programs, not in ours.
    let ringwall = match name {
        "guard" => place.program("release", "ringwall"),
        _ => build::ringwall(place)?,
    };
    let mut cargo = command("cargo", ["run", "-q", "--locked", "--release", "-p"], &place.root);
    cargo.args(["ringwall-end-to-end", "--bin", "bench", "--", name]).args(arguments);
    cargo.envs(end_to_end(place, &ringwall));
    // The figures are what was asked for: they stay on stdout.
    let status = cargo.status()?;
    if status.success() { Ok(()) } else { bail!("bench {name} ended with {status}") }
}

/// The detection needs no program around it: its crate measures itself.
fn run_guard_detection(place: &Place, arguments: &[String]) -> Result<()> {
    let built = ["build", "-q", "--locked", "--release", "-p", "ringwall-app-guard"];
    let mut cargo = command("cargo", built, &place.root);
    cargo.args(["--example", "guard_detection"]);
    quietly_named(&mut cargo, "building the bench of the detection")?;
    let arguments = match arguments {
        [dashes, rest @ ..] if dashes == "--" => rest,
        all => all,
    };
    // Files that the caller names lie where the caller is.
    let mut bench = Command::new(place.program("release", "examples/guard_detection"));
    if let Some(shared) = &place.shared {
        bench.env("RINGWALL_SHARED", shared);
    }
    let status = bench.args(arguments).status()?;
    if status.success() { Ok(()) } else { bail!("bench guard-detection ended with {status}") }
}

/// What the end-to-end harness reads from its environment.
fn end_to_end(place: &Place, ringwall: &Path) -> Vec<(String, String)> {
    let mut environment = vec![
        ("RINGWALL_BIN".to_owned(), ringwall.display().to_string()),
        ("RINGWALL_PYTHON".to_owned(), place.python().display().to_string()),
        ("RINGWALL_GUARD_PYTHON".to_owned(), place.guard_python().display().to_string()),
    ];
    if let Some(shared) = &place.shared {
        environment.push(("RINGWALL_SHARED".to_owned(), shared.display().to_string()));
    }
    environment
}

fn runner(
    place: &Place,
    ringwall: &Path,
    chosen: &[&str],
    filter: Option<&str>,
) -> Result<Vec<String>> {
    runner_with(place, chosen, filter, end_to_end(place, ringwall))
}

/// Runs tests by nextest where it is installed, else by cargo's own runner; returns closing lines.
fn runner_with(
    place: &Place,
    chosen: &[&str],
    filter: Option<&str>,
    environment: Vec<(String, String)>,
) -> Result<Vec<String>> {
    let nextest = succeeds("cargo", &["nextest", "--version"]);
    let mut cargo: Command = if nextest {
        let arguments = ["nextest", "run", "--locked", "--no-fail-fast", "--no-tests=fail"];
        command("cargo", arguments, &place.root)
    } else {
        command("cargo", ["test", "--locked", "--no-fail-fast", "-q"], &place.root)
    };
    cargo.args(chosen).args(filter).envs(environment);
    keeping_lines(&mut cargo, "the test runner", closing).map(drop_empty)
}

/// Whether a test runner ends with this line.
fn closing(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("Summary [") || line.starts_with("test result:")
}

/// Without the closing lines of runs that had nothing to do.
fn drop_empty(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().filter(|line| !line.contains(" 0 passed; 0 failed; 0 ignored")).collect()
}
