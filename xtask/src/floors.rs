//! The floors of the crates: an arrow between two of ours points down, or is one of the few that
//! may stay on their floor.
//!
//! Each `crates/NAME/Cargo.toml` says `[package.metadata] floor = N`.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use toml::{Table, Value};

/// Crates that others on their own floor may use, and the program that contains the others.
const USED_WITHIN_FLOOR: [&str; 8] = [
    "event",
    "signing",
    "inspection",
    "resilience",
    "detection",
    "delivery",
    "lifecycle",
    "server-client",
];
const CONTAINS_PROGRAMS: &str = "ringwall";

/// One crate of ours, as its manifest tells.
struct Crate {
    floor: i64,
    /// Which of ours it uses, without the prefix `ringwall-`.
    uses: Vec<String>,
}

/// Reads every manifest and checks every arrow.
///
/// # Errors
///
/// All wrong arrows and all manifests without a floor, one a line.
pub(crate) fn check(root: &Path) -> Result<()> {
    let folder = root.join("crates");
    let mut crates = BTreeMap::new();
    for entry in
        fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let path = entry?.path().join("Cargo.toml");
        if !path.exists() {
            continue;
        }
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let (name, one) = read(&text).with_context(|| path.display().to_string())?;
        crates.insert(name, one);
    }
    let wrong = wrong_arrows(&crates);
    if wrong.is_empty() { Ok(()) } else { bail!("floors:\n  {}", wrong.join("\n  ")) }
}

fn read(manifest: &str) -> Result<(String, Crate)> {
    let manifest: Table = manifest.parse()?;
    let package = manifest.get("package").context("no [package]")?;
    let name = package.get("name").and_then(Value::as_str).context("no package name")?;
    let floor = package
        .get("metadata")
        .and_then(|metadata| metadata.get("floor"))
        .and_then(Value::as_integer)
        .context("no `floor = N` in [package.metadata]")?;
    let mut uses = Vec::new();
    arrows(&manifest, &mut uses);
    // What only some platforms need is an arrow too.
    if let Some(targets) = manifest.get("target").and_then(Value::as_table) {
        targets.values().filter_map(Value::as_table).for_each(|target| arrows(target, &mut uses));
    }
    Ok((short(name).to_owned(), Crate { floor, uses }))
}

/// Tests may look up as well as down, so `dev-dependencies` are not arrows.
fn arrows(table: &Table, uses: &mut Vec<String>) {
    for section in ["dependencies", "build-dependencies"] {
        let Some(section) = table.get(section).and_then(Value::as_table) else { continue };
        for (key, value) in section {
            let package = value.get("package").and_then(Value::as_str).unwrap_or(key);
            if package.starts_with("ringwall") {
                uses.push(short(package).to_owned());
            }
        }
    }
}

fn short(package: &str) -> &str {
    package.strip_prefix("ringwall-").unwrap_or(package)
}

fn wrong_arrows(crates: &BTreeMap<String, Crate>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, one) in crates {
        for used in &one.uses {
            let Some(floor) = crates.get(used).map(|used| used.floor) else {
                wrong.push(format!("{name} uses {used}, which is not in crates/"));
                continue;
            };
            let from = one.floor;
            if floor > from {
                wrong.push(format!("{name} (floor {from}) uses {used} (floor {floor}): upward"));
            } else if floor == from
                && !USED_WITHIN_FLOOR.contains(&used.as_str())
                && name != CONTAINS_PROGRAMS
            {
                wrong.push(format!("{name} uses {used} on the same floor {floor}"));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_point_down_or_to_the_few_of_the_same_floor() {
        check_arrows(&["a 1 event", "event 0"], &[]);
        check_arrows(&["dialects 0 event signing", "event 0", "signing 0"], &[]);
        check_arrows(&["store 2 detection lifecycle", "detection 1", "lifecycle 2"], &[]);
        check_arrows(&["ringwall 3 server", "server 3"], &[]);
        check_arrows(
            &["event 0 store", "store 2"],
            &["event (floor 0) uses store (floor 2): upward"],
        );
        check_arrows(&["access 1 risk", "risk 1"], &["access uses risk on the same floor 1"]);
        check_arrows(
            &["server 3 host-agent", "host-agent 3"],
            &["server uses host-agent on the same floor 3"],
        );
        check_arrows(&["risk 1 gone"], &["risk uses gone, which is not in crates/"]);
    }

    #[test]
    fn every_way_to_name_a_dependency_is_an_arrow() {
        check_uses("[dependencies]\nringwall-event.workspace = true", &["event"]);
        check_uses("[dependencies]\nserde = \"1\"", &[]);
        check_uses("[dependencies]\nwords = { package = \"ringwall-event\" }", &["event"]);
        check_uses("[build-dependencies.ringwall-store]\npath = \"../store\"", &["store"]);
        check_uses("[target.'cfg(unix)'.dependencies]\nringwall-store = \"1\"", &["store"]);
        check_uses("[dev-dependencies]\nringwall-store = \"1\"", &[]);
    }

    #[test]
    fn a_manifest_without_a_floor_is_refused() {
        assert!(read("[package]\nname = \"ringwall-a\"").is_err());
    }

    #[test]
    fn this_workspace_stands() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        if let Err(error) = check(&root) {
            panic!("{error:#}");
        }
    }

    /// Each line: a crate, its floor, what it uses.
    #[track_caller]
    fn check_arrows(lines: &[&str], expected: &[&str]) {
        let crates = lines
            .iter()
            .map(|line| {
                let mut words = line.split(' ').map(str::to_owned);
                let name = words.next().unwrap();
                let floor = words.next().unwrap().parse().unwrap();
                (name, Crate { floor, uses: words.collect() })
            })
            .collect();
        assert_eq!(wrong_arrows(&crates), expected, "crates {lines:?}");
    }

    #[track_caller]
    fn check_uses(sections: &str, expected: &[&str]) {
        let manifest = format!(
            "[package]\nname = \"ringwall-one\"\n[package.metadata]\nfloor = 1\n{sections}"
        );
        let (name, one) = read(&manifest).unwrap();
        assert_eq!((name.as_str(), one.floor), ("one", 1));
        assert_eq!(one.uses, expected, "sections {sections:?}");
    }
}
