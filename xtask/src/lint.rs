//! What is checked without running anything: format, clippy, floors, licences, types.

use crate::place::Place;
use crate::run::{command, quietly_named};
use crate::steps::Steps;
use crate::{build, floors, licences, set_up};
use anyhow::Result;

/// `./x lint`.
pub(crate) fn all(place: &Place) -> Result<()> {
    let mut steps = Steps::default();
    steps_of(place, &mut steps)?;
    steps.summary()
}

/// The steps of `./x lint`, as part of a longer run.
pub(crate) fn steps_of(place: &Place, steps: &mut Steps) -> Result<()> {
    steps.step("format", || {
        // The fuzz targets are a workspace of their own.
        for folder in [place.root.clone(), place.root.join("fuzz")] {
            quietly_named(
                &mut command("cargo", ["fmt", "--all", "--check"], &folder),
                "cargo fmt",
            )?;
        }
        Ok(())
    })?;
    steps.step("floors", || floors::check(&place.root))?;
    steps.step("licences", || licences::check(place))?;
    steps.step("dashboard types", || {
        set_up::npm(place)?;
        build::npm_run(place, "check")
    })?;
    steps.step("clippy", || {
        let arguments = ["clippy", "--locked", "--workspace", "--all-targets", "-q"];
        let mut clippy = command("cargo", arguments, &place.root);
        // No program turns the spool in Redis on.
        clippy.args(["--features", "ringwall-delivery/redis", "--", "-D", "warnings"]);
        quietly_named(&mut clippy, "cargo clippy")
    })
}
