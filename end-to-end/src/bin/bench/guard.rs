//! What the guard costs a request: CPU time against the bare application, in the process, without a network;
//! and what the original middleware costs the same requests.

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use ringwall_app_guard::GuardSettings;
use ringwall_app_guard_layer::{GuardLayer, PeerAddress};
use ringwall_end_to_end::environment;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;
use tower::ServiceExt;

const ROUNDS: usize = 7;

/// A request as both sides send it.
#[derive(Serialize)]
struct Sample {
    name: &'static str,
    method: &'static str,
    target: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
    #[serde(skip)]
    microseconds_max: f64,
}

pub(crate) async fn run(requests: u64, with_original: bool) -> Result<()> {
    ensure!(requests > 0, "at least one request");
    let samples = [plain_get(), json_post()];
    println!(
        "load      {requests} requests a round, {ROUNDS} rounds, median; CPU time of the thread"
    );
    let ours = tokio::task::spawn_blocking(move || ours(requests)).await??;
    let original = if with_original { original(&samples)? } else { HashMap::new() };
    for sample in &samples {
        let (bare, guarded) = *ours.get(sample.name).context("a sample was not measured")?;
        let overhead = guarded - bare;
        println!(
            "{:<10} bare {bare:.1} µs, guarded {guarded:.1} µs: {overhead:.1} µs a request (bound {:.0} µs)",
            sample.name, sample.microseconds_max
        );
        if let Some((bare, guarded)) = original.get(sample.name) {
            let theirs = guarded - bare;
            println!(
                "{:<10} fastapi-guard 8.1.2: bare {bare:.0} µs, guarded {guarded:.0} µs: {theirs:.0} µs a \
                 request, {:.0} times ours",
                "",
                theirs / overhead.max(0.001)
            );
        }
    }
    Ok(())
}

/// Microseconds a request, bare and guarded, by the name of the sample.
fn ours(requests: u64) -> Result<HashMap<&'static str, (f64, f64)>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut figures = HashMap::new();
        let guard = GuardLayer::builder(settings()).build()?;
        let (bare, guarded) = (application(), application().layer(guard));
        for sample in [plain_get(), json_post()] {
            // A round of one, then a round of the other: what the machine does beside hits both.
            let (mut without, mut with_guard) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                without.push(round(&bare, &sample, requests).await?);
                with_guard.push(round(&guarded, &sample, requests).await?);
            }
            figures.insert(sample.name, (median(without), median(with_guard)));
        }
        Ok(figures)
    })
}

/// Everything on; the limits are out of the way.
fn settings() -> GuardSettings {
    GuardSettings {
        rate_limit: 10_000_000,
        blacklist: vec!["198.51.100.0/24".to_owned()],
        blocked_user_agents: vec!["badbot".to_owned(), "sqlmap".to_owned()],
        ..GuardSettings::default()
    }
}

fn application() -> Router {
    let answer = || async { "{\"ok\":true}" };
    Router::new().route("/items", get(answer).post(|_: Bytes| async { "{\"ok\":true}" }))
}

async fn round(application: &Router, sample: &Sample, requests: u64) -> Result<f64> {
    let begun = clock_gettime(ClockId::ThreadCPUTime);
    for number in 0..requests {
        let response = application.clone().oneshot(sample.request(number)?).await?;
        ensure!(response.status() == 200, "{}: answered {}", sample.name, response.status());
        response.into_body().collect().await?;
    }
    let ended = clock_gettime(ClockId::ThreadCPUTime);
    let taken = Duration::try_from(ended)? - Duration::try_from(begun)?;
    Ok(taken.as_secs_f64() * 1e6 / requests as f64)
}

impl Sample {
    fn request(&self, number: u64) -> Result<Request<Body>> {
        let [.., high, low] = number.to_be_bytes();
        let peer = SocketAddr::from(([203, 0, high, low], 40_000));
        let mut request = Request::builder().method(self.method).uri(self.target);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        Ok(request.extension(PeerAddress::from(peer)).body(Body::from(self.body.clone()))?)
    }
}

/// Three parameters, eight headers.
fn plain_get() -> Sample {
    Sample {
        name: "GET",
        method: "GET",
        target: "/items?page=2&sort=name&filter=blue",
        headers: headers().to_vec(),
        body: String::new(),
        microseconds_max: 20.0,
    }
}

/// 1 kB of JSON in 24 fields.
fn json_post() -> Sample {
    let fields: serde_json::Map<String, serde_json::Value> = (0..24)
        .map(|number| {
            let value = format!("an ordinary value, number {number}");
            (format!("field_{number:02}"), value.into())
        })
        .collect();
    let body = serde_json::Value::Object(fields).to_string();
    let mut headers = headers().to_vec();
    headers.push(("content-type", "application/json".to_owned()));
    headers.push(("content-length", body.len().to_string()));
    Sample { name: "POST", method: "POST", target: "/items", headers, body, microseconds_max: 60.0 }
}

fn headers() -> [(&'static str, String); 8] {
    [
        ("host", "shop.example"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("accept", "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8"),
        ("accept-language", "en-GB,en;q=0.8,de;q=0.5"),
        ("accept-encoding", "gzip, deflate, br"),
        ("referer", "https://shop.example/items?page=1"),
        ("cookie", "session=8f14e45fceea167a5a36dedd4bea2543; theme=dark"),
        ("connection", "keep-alive"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
}

/// The original middleware, by the name of the sample.
fn original(samples: &[Sample]) -> Result<HashMap<String, (f64, f64)>> {
    let python = environment::guard_python();
    let mut child = Command::new(&python)
        .arg(environment::python_program("guard/bench_middleware.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", python.display()))?;
    let mut stdin = child.stdin.take().context("no pipe")?;
    stdin.write_all(&serde_json::to_vec(samples)?)?;
    drop(stdin);
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "the original middleware's bench ended with {}",
        output.status
    );
    let mut figures = HashMap::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let mut fields = line.split('\t');
        let name = fields.next().unwrap_or_default().to_owned();
        let mut number =
            || fields.next().context("a figure is missing")?.parse().context("no figure");
        figures.insert(name, (number()?, number()?));
    }
    Ok(figures)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
