//! How much of the labelled corpus is found, and how long it takes: `./x bench guard-detection`.
#![expect(clippy::print_stdout, reason = "what it is for")]
#![expect(clippy::panic, reason = "a corpus that cannot be read is an error of the build")]

#[path = "../tests/corpus/labelled.rs"]
mod labelled;

use ringwall_app_guard::payload::{Category, Detector, DetectorError, DetectorSettings, Place};
use std::hint::black_box;
use std::time::{Duration, Instant};

fn main() -> Result<(), DetectorError> {
    let detector = Detector::new(&DetectorSettings::default())?;
    quality(&detector);
    throughput(&detector);
    requests(&detector);
    Ok(())
}

fn quality(detector: &Detector) {
    let attacks = labelled::attacks();
    let mut missed = Vec::new();
    let mut as_another = 0;
    println!("category          found   of");
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
    let benign = labelled::benign();
    let flagged: Vec<_> = benign
        .iter()
        .filter_map(|sample| {
            labelled::look(detector, sample).into_iter().next().map(|finding| (sample, finding))
        })
        .collect();
    let recall = (attacks.len() - missed.len()) as f64 / attacks.len() as f64;
    println!(
        "recall            {:.4}, {} of {}; {as_another} under another category",
        recall,
        attacks.len() - missed.len(),
        attacks.len()
    );
    println!(
        "false positives   {:.4}, {} of {}",
        flagged.len() as f64 / benign.len() as f64,
        flagged.len(),
        benign.len()
    );
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
