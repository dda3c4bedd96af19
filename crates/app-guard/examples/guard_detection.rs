//! How much of the labelled corpus is found, and how long it takes: `./x bench guard-detection`.
//!
//! With files of one's own it says how much of them is found: `./x bench guard-detection -- --help`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what it is for")]
#![expect(clippy::panic, reason = "a corpus that cannot be read is an error of the build")]

#[path = "../tests/corpus/core_rule_set.rs"]
mod core_rule_set;
#[path = "../tests/corpus/labelled.rs"]
mod labelled;

use labelled::Sample;
use ringwall_app_guard::payload::{Category, Detector, DetectorSettings, Place};
use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const HELP: &str = "\
Says how much of what is sent to an application the detection finds, and how much it finds that is harmless.

Usage: ./x bench guard-detection [-- OPTIONS]

  --attacks FILE         attacks, one a line: category, place and value, separated by tabs
  --benign FILE          what honest clients send, one a line: place and value, separated by a tab
  --core-rule-set FOLDER the regression tests of the OWASP Core Rule Set, each miss with its request
  --help                 this text

Without options: our own corpus, the Core Rule Set where $RINGWALL_SHARED has it, and the time it takes.

Places: query:NAME, name (of a parameter), path, header:NAME, body:NAME (a field), file (the name of a file), upload
(the content of a file), json, form, text (whole bodies). In values \\n, \\r, \\t, \\0, \\\\ and \\xNN stand for those
bytes. Lines that begin with `# ` are comments. Categories: those of `threat_categories` in events.

Exit: 0 when the samples were read, 2 when they could not be.";

fn main() -> ExitCode {
    match Wanted::from_arguments(std::env::args().skip(1)).and_then(|wanted| wanted.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            eprintln!("hint: --help says what can be judged, and the form of files");
            ExitCode::from(2)
        }
    }
}

/// What is to be judged.
#[derive(Default)]
struct Wanted {
    help: bool,
    attacks: Option<PathBuf>,
    benign: Option<PathBuf>,
    core_rule_set: Option<PathBuf>,
}

impl Wanted {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut wanted = Self::default();
        while let Some(argument) = arguments.next() {
            let place = match argument.as_str() {
                "--help" | "-h" => {
                    wanted.help = true;
                    continue;
                }
                "--attacks" => &mut wanted.attacks,
                "--benign" => &mut wanted.benign,
                "--core-rule-set" => &mut wanted.core_rule_set,
                other => return Err(format!("unknown option `{other}`")),
            };
            let path = arguments.next().ok_or_else(|| format!("`{argument}` needs a path"))?;
            *place = Some(PathBuf::from(path));
        }
        Ok(wanted)
    }

    fn run(&self) -> Result<(), String> {
        if self.help {
            println!("{HELP}");
            return Ok(());
        }
        let settings = DetectorSettings::default();
        let detector = Detector::new(&settings).map_err(|error| error.to_string())?;
        let attacks = self.attacks.as_deref().map(|path| samples(path, true)).transpose()?;
        let benign = self.benign.as_deref().map(|path| samples(path, false)).transpose()?;
        if attacks.is_some() || benign.is_some() {
            quality(&detector, &attacks.unwrap_or_default(), &benign.unwrap_or_default());
        }
        if let Some(tests) = &self.core_rule_set {
            for line in core_rule_set(&detector, tests)? {
                println!("{line}");
            }
        }
        let is_own_choice =
            self.attacks.is_some() || self.benign.is_some() || self.core_rule_set.is_some();
        if is_own_choice {
            return Ok(());
        }
        quality(&detector, &labelled::attacks(), &labelled::benign());
        match core_rule_set::tests_folder() {
            Some(tests) => drop(core_rule_set(&detector, &tests)?),
            None => {
                println!("skipped: the Core Rule Set lies in RINGWALL_SHARED, which is not set")
            }
        }
        throughput(&detector);
        requests(&detector);
        Ok(())
    }
}

fn samples(path: &Path, are_attacks: bool) -> Result<Vec<Sample>, String> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    labelled::parse(&text, are_attacks).map_err(|error| format!("{}: {error}", path.display()))
}

/// Prints the table; returns what is not as the rules want it.
fn core_rule_set(detector: &Detector, tests: &Path) -> Result<Vec<String>, String> {
    let rows = core_rule_set::run(detector, tests)?;
    println!("{}", core_rule_set::HEADING);
    let mut sum = core_rule_set::Row { folder: "all", ..core_rule_set::Row::default() };
    for row in &rows {
        println!("{}", row.line());
        sum.found = (sum.found.0 + row.found.0, sum.found.1 + row.found.1);
        sum.flagged = (sum.flagged.0 + row.flagged.0, sum.flagged.1 + row.flagged.1);
    }
    println!("{}", sum.line());
    Ok(rows.into_iter().flat_map(|row| row.otherwise).collect())
}

fn quality(detector: &Detector, attacks: &[Sample], benign: &[Sample]) {
    let mut missed = Vec::new();
    if !attacks.is_empty() {
        println!("category          found   of");
        let mut as_another = 0;
        for category in Category::ALL {
            let of: Vec<_> =
                attacks.iter().filter(|sample| sample.category == Some(category)).collect();
            if of.is_empty() {
                continue;
            }
            let mut found = 0;
            for sample in &of {
                let findings = labelled::look(detector, sample);
                if findings.is_empty() {
                    missed.push(&sample.line);
                } else {
                    found += 1;
                    as_another +=
                        usize::from(findings.iter().all(|finding| finding.category != category));
                }
            }
            println!("{:<16} {found:>6} {:>4}", category.name(), of.len());
        }
        let found = attacks.len() - missed.len();
        let recall = found as f64 / attacks.len() as f64;
        println!(
            "recall            {recall:.4}, {found} of {}; {as_another} under another category",
            attacks.len()
        );
    }
    let flagged: Vec<_> = benign
        .iter()
        .filter_map(|sample| {
            labelled::look(detector, sample).into_iter().next().map(|finding| (sample, finding))
        })
        .collect();
    if !benign.is_empty() {
        println!(
            "false positives   {:.4}, {} of {}",
            flagged.len() as f64 / benign.len() as f64,
            flagged.len(),
            benign.len()
        );
        let mut by_category: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, finding) in &flagged {
            *by_category.entry(finding.category.name()).or_default() += 1;
        }
        for (category, count) in by_category {
            println!("  taken for {category:<16} {count:>3}");
        }
    }
    for line in missed {
        println!("missed            {}", line.replace('\t', "  "));
    }
    for (sample, finding) in flagged {
        println!(
            "flagged           {}  ({}, {})",
            sample.line.replace('\t', "  "),
            finding.category,
            finding.pattern
        );
    }
}

fn throughput(detector: &Detector) {
    let prose =
        "The quick brown fox jumps over the lazy dog while seven wizards mix a potion. ".repeat(50);
    let word = "holidayinportugal2026".repeat(190);
    for (name, value) in [("benign prose", &prose), ("benign token", &word)] {
        println!("{name:<17} {:.2} ns a byte", nanoseconds_a_byte(detector, value.as_bytes()));
    }
    let mut worst = (0.0, "");
    let mut steepest = (0.0, "");
    for pattern in [
        "((((",
        "%25%25",
        "' or ' or",
        "<<<<",
        "/*/*",
        "${${",
        "<a \"",
        "`id`;",
        "../",
        "\\u0027",
        "&#39;",
        "$ne[",
        "a=b&c=d;",
        "http://127.0.0.1 ",
        "{{7*",
        "on=on=",
        "javascript:",
        "union select ",
        "\r\nx: y",
        "%c0%af",
        "O:1:\"",
        "eval(",
        "'-alert",
        "filename=\"",
        "0x1,",
        "<!--",
        "or 1=1",
        "*)(",
    ] {
        let value = pattern.repeat(16_384 / pattern.len());
        let cost = nanoseconds_a_byte(detector, value.as_bytes());
        // Short runs, as whoever else uses the machine must not be measured.
        let short = pattern.repeat(4_096 / pattern.len());
        let growth = cost / nanoseconds_a_byte(detector, short.as_bytes());
        if growth > steepest.0 {
            steepest = (growth, pattern);
        }
        if cost > worst.0 {
            worst = (cost, pattern);
        }
    }
    println!("worst adversarial {:.2} ns a byte, `{}` repeated", worst.0, worst.1.escape_debug());
    println!(
        "worst growth      {:.2} times that for each byte of four times the length, `{}` repeated",
        steepest.0,
        steepest.1.escape_debug()
    );
}

fn nanoseconds_a_byte(detector: &Detector, value: &[u8]) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let begun = Instant::now();
        let mut found = Vec::new();
        detector.scan(Place::BodyField("text"), black_box(value), &mut found);
        black_box(&found);
        best = best.min(begun.elapsed());
    }
    best.as_nanos() as f64 / value.len() as f64
}

/// The two requests of the target.
fn requests(detector: &Detector) {
    let headers: [(&str, &[u8]); 8] = [
        ("host", b"shop.example.com"),
        ("user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        ("accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("accept-language", b"en-US,en;q=0.5"),
        ("accept-encoding", b"gzip, deflate, br"),
        ("referer", b"https://shop.example.com/products?page=2"),
        ("cookie", b"session=4f3c2b1a0d9e8f7a6b5c4d3e2f1a0b9c; theme=dark; lang=en"),
        ("connection", b"keep-alive"),
    ];
    let get = median(|| {
        let mut found = Vec::new();
        let query = "q=summer+dresses&page=2&sort=price_asc";
        detector.scan_request("/products/search", Some(query), headers, &mut found);
        black_box(found);
    });
    println!("GET, 3 parameters, 8 headers: {:.2} µs", get.as_nanos() as f64 / 1000.0);
    let mut body = String::from("{");
    for field in 0..24 {
        let comma = if field == 0 { "" } else { "," };
        body.push_str(&format!("{comma}\"field_{field}\": \"some ordinary text {field}\""));
    }
    body.push('}');
    let post = median(|| {
        let mut found = Vec::new();
        let mut scan = detector.body(Some("application/json"));
        scan.feed(body.as_bytes(), &mut found);
        scan.finish(&mut found);
        black_box(found);
    });
    println!(
        "JSON body, {} bytes, 24 fields: {:.2} µs",
        body.len(),
        post.as_nanos() as f64 / 1000.0
    );
}

fn median(work: impl Fn()) -> Duration {
    let mut times: Vec<Duration> = (0..2001)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
