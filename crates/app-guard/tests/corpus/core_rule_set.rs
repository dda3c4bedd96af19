//! The requests of the regression tests of the OWASP Core Rule Set, looked at as an application would get them.
//!
//! They are not committed: they lie under `$RINGWALL_SHARED/suites/crs/tests`. A test there is about one rule, and a
//! request that this rule must not match may still be an attack that another rule is about.

use ringwall_app_guard::payload::{Detector, Finding};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders about attacks in what a request brings, by number.
pub(crate) const FOLDERS: [&str; 10] =
    ["913", "921", "930", "931", "932", "933", "934", "941", "942", "944"];

/// Where the tests lie; nothing where nobody named a place for shared suites.
pub(crate) fn tests_folder() -> Option<PathBuf> {
    let shared = std::env::var_os("RINGWALL_SHARED")?;
    Some(Path::new(&shared).join("suites/crs/tests"))
}

/// What came out for one folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) folder: &'static str,
    /// Of the tests whose rule must match: in how many something was found, and how many there are.
    pub(crate) found: (usize, usize),
    /// The same for the tests whose rule must not match.
    pub(crate) flagged: (usize, usize),
    /// The tests that are not as their rule wants it: number of rule and test, and what was sent.
    pub(crate) otherwise: Vec<String>,
}

impl Row {
    /// The line of a table.
    pub(crate) fn line(&self) -> String {
        let ((found, of), (flagged, harmless)) = (self.found, self.flagged);
        format!("{:<8} {found:>6} {of:>5} {flagged:>8} {harmless:>5}", self.folder)
    }
}

/// The heading of the table.
pub(crate) const HEADING: &str = "CRS       found    of  flagged    of";

/// Sends all requests of the suite through the detector.
///
/// # Errors
/// A folder or a file cannot be read.
pub(crate) fn run(detector: &Detector, tests: &Path) -> Result<Vec<Row>, String> {
    FOLDERS.into_iter().map(|folder| run_folder(detector, tests, folder)).collect()
}

fn run_folder(detector: &Detector, tests: &Path, folder: &'static str) -> Result<Row, String> {
    let start = format!("REQUEST-{folder}-");
    let named = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start))
    };
    let path = entries(tests)?
        .into_iter()
        .find(named)
        .ok_or_else(|| format!("no folder {start}* in {}", tests.display()))?;
    let mut row = Row { folder, ..Row::default() };
    for file in entries(&path)? {
        let text = fs::read_to_string(&file).map_err(|error| at(&file, error))?;
        let suite: Suite = serde_saphyr::from_str(&text).map_err(|error| at(&file, error))?;
        for test in &suite.tests {
            judge(detector, suite.rule_id, test, &mut row);
        }
    }
    Ok(row)
}

fn judge(detector: &Detector, rule: u64, test: &Test, row: &mut Row) {
    let logs: Vec<&Log> =
        test.stages.iter().filter_map(|stage| stage.output.log.as_ref()).collect();
    let is_attack = logs.iter().any(|log| !log.expect_ids.is_empty());
    if !is_attack && logs.iter().all(|log| log.no_expect_ids.is_empty()) {
        // Judged by something else than a rule that matches.
        return;
    }
    let found = test.stages.iter().any(|stage| !stage.input.look(detector).is_empty());
    let (hits, of) = if is_attack { &mut row.found } else { &mut row.flagged };
    *of += 1;
    *hits += usize::from(found);
    if found != is_attack {
        let word = if is_attack { "missed " } else { "flagged" };
        let inputs: Vec<String> = test.stages.iter().map(|stage| stage.input.in_words()).collect();
        row.otherwise.push(format!("{word} {rule}-{}  {}", test.test_id, inputs.join(" | ")));
    }
}

/// In the order of their names, so that every run tells the same.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| at(folder, error))?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|e| e.path())).collect();
    let mut paths = paths.map_err(|error| at(folder, error))?;
    paths.sort();
    Ok(paths)
}

fn at(path: &Path, error: impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

#[derive(Deserialize)]
struct Suite {
    rule_id: u64,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    test_id: u64,
    stages: Vec<Stage>,
}

#[derive(Deserialize)]
struct Stage {
    input: Input,
    output: Output,
}

#[derive(Deserialize)]
struct Output {
    log: Option<Log>,
}

#[derive(Deserialize)]
struct Log {
    #[serde(default)]
    expect_ids: Vec<u64>,
    #[serde(default)]
    no_expect_ids: Vec<u64>,
}

#[derive(Deserialize)]
struct Input {
    #[serde(default)]
    method: String,
    #[serde(default)]
    uri: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    data: Option<String>,
}

impl Input {
    fn look(&self, detector: &Detector) -> Vec<Finding> {
        let mut found = Vec::new();
        let (path, query) = match self.uri.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.uri.as_str(), None),
        };
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        detector.scan_request(path, query, headers, &mut found);
        if let Some(data) = &self.data {
            let mut body = detector.body(Some(self.content_type()));
            body.feed(data.as_bytes(), &mut found);
            body.finish(&mut found);
        }
        found
    }

    /// Data without a type is sent as a form.
    fn content_type(&self) -> &str {
        let named = |(name, _): &(&String, &String)| name.eq_ignore_ascii_case("content-type");
        let given = self.headers.iter().find(named).map(|(_, value)| value.as_str());
        given.unwrap_or("application/x-www-form-urlencoded")
    }

    /// What is particular about it.
    fn in_words(&self) -> String {
        const ALWAYS: [&str; 9] = [
            "accept",
            "accept-charset",
            "accept-encoding",
            "accept-language",
            "connection",
            "content-length",
            "host",
            "keep-alive",
            "proxy-connection",
        ];
        let mut words = format!("{} {}", self.method, self.uri);
        for (name, value) in &self.headers {
            if !ALWAYS.contains(&name.to_ascii_lowercase().as_str()) && !value.contains("CRS test")
            {
                words.push_str(&format!("  {name}: {value}"));
            }
        }
        if let Some(data) = &self.data {
            words.push_str(&format!("  {data}"));
        }
        words.escape_debug().to_string()
    }
}
