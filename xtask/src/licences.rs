//! Whether every dependency has a licence that `deny.toml` allows: what `cargo deny check licenses` asks,
//! from what Cargo itself knows, so that nothing has to be installed for it.

use crate::place::Place;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::process::Command;
use toml::{Table, Value};

/// Checks the licence of every package in the lock file that is not ours.
///
/// # Errors
///
/// All packages without an allowed licence, one a line.
pub(crate) fn check(place: &Place) -> Result<()> {
    let deny: Table = std::fs::read_to_string(place.root.join("deny.toml"))?.parse()?;
    let allowed = deny.get("licenses").and_then(|licences| licences.get("allow"));
    let allowed = allowed.and_then(Value::as_array).context("deny.toml allows no licences")?;
    let allowed: BTreeSet<&str> = allowed.iter().filter_map(Value::as_str).collect();
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--locked", "--format-version", "1"]).current_dir(&place.root);
    let output = cargo.output().context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata.get("packages").and_then(|packages| packages.as_array());
    let mut wrong = Vec::new();
    for package in packages.context("no packages")? {
        let text = |field| package.get(field).and_then(serde_json::Value::as_str);
        // Without a source it is ours.
        if text("source").is_none() {
            continue;
        }
        let licence = text("license").unwrap_or("says no licence");
        if !is_allowed(licence, &allowed) {
            let (name, version) = (text("name"), text("version"));
            let [name, version] = [name, version].map(Option::unwrap_or_default);
            wrong.push(format!("{name} {version}: {licence}"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { bail!("licences:\n  {}", wrong.join("\n  ")) }
}

/// Whether an SPDX expression can be met by what is allowed: `A OR B` by either, `A AND B` by both, and of
/// both the AND binds first (SPDX 2.3, annex D.4). A slash is an OR in old manifests.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest, allowed) == Some(true) && rest.is_empty()
}

/// None where it is no expression.
fn any_of(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> Option<bool> {
    let mut met = all_of(rest, allowed)?;
    while let ["OR", after @ ..] = *rest {
        *rest = after;
        met |= all_of(rest, allowed)?;
    }
    Some(met)
}

fn all_of(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> Option<bool> {
    let mut met = one_of(rest, allowed)?;
    while let ["AND", after @ ..] = *rest {
        *rest = after;
        met &= one_of(rest, allowed)?;
    }
    Some(met)
}

fn one_of(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> Option<bool> {
    match *rest {
        ["(", after @ ..] => {
            *rest = after;
            let met = any_of(rest, allowed)?;
            *rest = rest.strip_prefix(&[")"])?;
            Some(met)
        }
        [name, "WITH", exception, after @ ..] => {
            *rest = after;
            Some(allowed.contains(format!("{name} WITH {exception}").as_str()))
        }
        [name, after @ ..] if !["AND", "OR", ")"].contains(name) => {
            *rest = after;
            Some(allowed.contains(name))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_by_what_is_allowed() {
        for (expression, expected) in [
            ("MIT", true),
            ("MIT OR GPL-3.0", true),
            ("GPL-3.0/MIT", true),
            ("MIT AND GPL-3.0", false),
            ("GPL-3.0 OR MIT AND ISC", true),
            ("(GPL-3.0 OR MIT) AND ISC", true),
            ("(GPL-3.0 OR MIT) AND LGPL-2.1", false),
            ("Apache-2.0 WITH LLVM-exception OR X", true),
            ("Apache-2.0", false),
            ("MIT OR", false),
            ("(MIT", false),
            ("", false),
        ] {
            let allowed = BTreeSet::from(["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]);
            assert_eq!(is_allowed(expression, &allowed), expected, "{expression:?}");
        }
    }
}
