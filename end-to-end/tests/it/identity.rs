//! Agents that cannot be impersonated: enrolment, signatures, replay, rotation, revocation, clones.

use anyhow::{Context, Result, ensure};
use http::Method;
use ringwall_end_to_end::folder::Folder;
use ringwall_end_to_end::host_agent::{COMMANDS, HostAgent, REPORTS, ROTATE, Stamp};
use ringwall_end_to_end::http_client::{Answer, Http};
use ringwall_end_to_end::relay::{Network, Relay, address};
use ringwall_end_to_end::server::{Server, Setup};
use ringwall_end_to_end::{machine, pages, tour};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

const NAME: &str = "web-1";

fn report(sequence: u64) -> Vec<u8> {
    let process = json!({"ProcessStarted": {"pid": 100 + sequence, "name": "worker"}});
    let report = json!({
        "boot_id": "boot-1", "sequence": sequence, "hostname": NAME, "dropped": 0,
        "events": [{"time": "2026-01-15T10:00:00.000000Z", "activity": process}],
    });
    report.to_string().into_bytes()
}

/// A server that has run for longer than the second in which it refuses everything.
async fn start() -> Result<(Server, Http, HostAgent)> {
    let server = Setup::new()?.start().await?;
    let agent = HostAgent::enrol(&server, NAME).await?;
    let http = Http::new(&server.ready().main);
    settle(&agent, &http).await?;
    Ok((server, http, agent))
}

async fn settle(agent: &HostAgent, http: &Http) -> Result<()> {
    tour::until(tour::SOON, async || {
        let answer = agent.send_stamped(http, Method::GET, COMMANDS, &Stamp::now()?, b"").await?;
        ensure!(answer.status == 200, "{}", answer.text());
        Ok(())
    })
    .await
}

/// A request as it was recorded.
#[derive(Clone)]
struct Recorded {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Recorded {
    fn new(agent: &HostAgent, method: &Method, target: &str, body: &[u8]) -> Result<Self> {
        let signed = agent.headers(method, target, &Stamp::now()?, body)?;
        let headers: Vec<(String, String)> =
            signed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Self {
            method: method.to_string(),
            target: target.to_owned(),
            headers,
            body: body.to_vec(),
        })
    }

    /// The answer; none where it cannot even be sent as HTTP.
    async fn send(&self, http: &Http) -> Result<Option<Answer>> {
        let Ok(method) = Method::from_bytes(self.method.as_bytes()) else { return Ok(None) };
        let fits = |(name, value): &(String, String)| {
            http::HeaderName::from_bytes(name.as_bytes()).is_ok()
                && http::HeaderValue::from_str(value).is_ok()
        };
        if !self.headers.iter().all(fits) || self.target.parse::<http::Uri>().is_err() {
            return Ok(None);
        }
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Ok(http.send(method, &self.target, &headers, self.body.clone()).await.ok())
    }
}

/// The text with the byte at this position changed to others that may stand there.
fn altered(text: &str, position: usize) -> Vec<String> {
    let mut all = Vec::new();
    for replacement in [b'0', b'A', b'z', b'-', b'=', b'"', b';', b' '] {
        let mut bytes = text.as_bytes().to_vec();
        if bytes[position] != replacement {
            bytes[position] = replacement;
            all.extend(String::from_utf8(bytes));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_request_altered_in_any_byte_is_refused() -> Result<()> {
    let (server, http, agent) = start().await?;
    let target = format!("{REPORTS}?a=b");
    // Never sent itself: what is refused below is refused for its content, not for being known.
    let good = Recorded::new(&agent, &Method::POST, &target, &report(1))?;
    let mut variants: Vec<(String, Recorded)> = Vec::new();
    for position in 0..good.method.len() {
        for method in altered(&good.method, position) {
            variants.push((format!("method {method}"), Recorded { method, ..good.clone() }));
        }
    }
    for position in 1..good.target.len() {
        for target in altered(&good.target, position) {
            variants.push((format!("target {target}"), Recorded { target, ..good.clone() }));
        }
    }
    for position in 0..good.body.len() {
        let mut body = good.body.clone();
        body[position] ^= 1;
        variants.push((format!("body at {position}"), Recorded { body, ..good.clone() }));
    }
    for (index, (name, value)) in good.headers.iter().enumerate() {
        for position in 0..value.len() {
            // One at each place is enough over the network; beside the code all bits are tried.
            for value in altered(value, position).into_iter().take(2) {
                let mut headers = good.headers.clone();
                let what = format!("{name}: {value}");
                headers[index].1 = value;
                variants.push((what, Recorded { headers, ..good.clone() }));
            }
        }
        let mut headers = good.headers.clone();
        headers.remove(index);
        variants.push((format!("without {name}"), Recorded { headers, ..good.clone() }));
        let mut headers = good.headers.clone();
        headers.push(good.headers[index].clone());
        variants.push((format!("{name} twice"), Recorded { headers, ..good.clone() }));
    }
    // What says that the body is packed is signed by not being there.
    let mut headers = good.headers.clone();
    headers.push(("content-encoding".into(), "zstd".into()));
    variants.push(("content-encoding added".into(), Recorded { headers, ..good.clone() }));
    ensure!(variants.len() > 900, "{} variants", variants.len());
    for (what, variant) in &variants {
        // Where the path is another, there is nothing there; else the answer is always the same.
        let Some(answer) = variant.send(&http).await? else { continue };
        ensure!([401, 404, 405, 400].contains(&answer.status), "{what}: {}", answer.status);
        let is_elsewhere = what.starts_with("target") || what.starts_with("method");
        ensure!(answer.status == 401 || is_elsewhere, "{what}: {}", answer.text());
    }
    let events = pages::of_api(&server.api(), "/api/v1/events?host=host-agent:web-1").await?;
    ensure!(events.is_empty(), "{events:?}");
    // As it was recorded it is good, once.
    let good = Recorded::new(&agent, &Method::POST, &target, &report(1))?;
    ensure!(good.send(&http).await?.context("no answer")?.status == 200);
    ensure!(good.send(&http).await?.context("no answer")?.status == 401);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_request_is_refused_after_a_restart_too() -> Result<()> {
    let (server, http, agent) = start().await?;
    // Of agents whose clocks are right, behind and ahead.
    let (slow, fast) =
        (HostAgent::enrol(&server, "slow").await?, HostAgent::enrol(&server, "fast").await?);
    let mut recorded = Vec::new();
    for (agent, skew) in [(&agent, 0), (&slow, -1), (&fast, 200)] {
        let stamp = Stamp::in_seconds(skew)?;
        let path = format!("{COMMANDS}?wait=0");
        let answer = agent.send_stamped(&http, Method::GET, &path, &stamp, b"").await?;
        // The slow one signs for before the start.
        ensure!([200, 401].contains(&answer.status), "{skew} s: {}", answer.text());
        recorded.push((agent, path, stamp));
    }
    let server = server.kill().await?.start().await?;
    let http = Http::new(&server.ready().main);
    for (agent, path, stamp) in recorded {
        let answer = agent.send_stamped(&http, Method::GET, &path, &stamp, b"").await?;
        ensure!(answer.status == 401, "{}: {stamp:?}: {}", agent.name, answer.text());
    }
    // The agent itself goes on after a second; so does the one that is ahead, by its own clock.
    settle(&agent, &http).await?;
    let later = Stamp::in_seconds(210)?;
    let path = format!("{COMMANDS}?wait=0");
    let answer = fast.send_stamped(&http, Method::GET, &path, &later, b"").await?;
    ensure!(answer.status == 200, "{}", answer.text());
    Ok(())
}

/// `ringwall hosts enrol`, and the token in what it prints.
pub(crate) async fn token(server: &Server, more: &[&str]) -> Result<String> {
    let made = server.ringwall_json(&[&["hosts", "enrol"], more].concat()).await?;
    Ok(made["token"].as_str().context("no token")?.to_owned())
}

/// A host in a folder of its own, with what tells its machine from others.
pub(crate) struct Host {
    pub(crate) folder: Folder,
    pub(crate) program: PathBuf,
}

impl Host {
    pub(crate) fn new(machine: &str) -> Result<Self> {
        let folder = Folder::new()?;
        std::fs::write(folder.path().join("machine-id"), machine)?;
        Ok(Self { folder, program: ringwall_end_to_end::environment::ringwall()? })
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn agent(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("host-agent").args(arguments).arg("--state-dir").arg(self.state_dir());
        command.arg("--machine-id-file").arg(self.folder.path().join("machine-id"));
        command.env("RINGWALL_LOG", "info").stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    pub(crate) async fn enrol(
        &self,
        url: &str,
        token: &str,
        more: &[&str],
    ) -> Result<std::process::Output> {
        let mut command = self.agent(&[&["enrol", "--server", url], more].concat());
        Ok(command.env("RINGWALL_ENROLMENT_TOKEN", token).output().await?)
    }

    pub(crate) async fn enrolled(&self, url: &str, token: &str, more: &[&str]) -> Result<Value> {
        let output = self.enrol(url, token, &[more, &["--json"]].concat()).await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Starts it; what it says is in the file beside.
    pub(crate) fn start(&self, log: &Path) -> Result<Child> {
        let log = std::fs::File::create(log)?;
        self.agent(&[]).stdout(Stdio::null()).stderr(log).spawn().context("cannot start")
    }

    fn identity(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&std::fs::read(self.state_dir().join("identity.json"))?)?)
    }
}

pub(crate) async fn identity(server: &Server, name: &str) -> Result<Value> {
    let page = server.api().get_json("/api/v1/identities").await?;
    let rows = page["data"].as_array().context("no data")?.clone();
    rows.into_iter().find(|row| row["name"] == name).with_context(|| format!("no {name}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn enrolment_is_once_and_a_reinstalled_host_keeps_its_name() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let url = server.ready().main.clone();
    let host = Host::new("0123456789abcdef0123456789abcdef\n")?;
    let one = token(&server, &["--name", "db-1"]).await?;
    let told = host.enrolled(&url, &one, &[]).await?;
    ensure!(told["name"] == "db-1", "{told}");
    let mode = |path: &Path| -> Result<u32> {
        Ok(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path)?.permissions()) & 0o777)
    };
    ensure!(mode(&host.state_dir().join("identity.json"))? == 0o600);
    ensure!(mode(&host.state_dir())? == 0o700);
    let again = host.enrol(&url, &one, &[]).await?;
    ensure!(again.status.code() == Some(1), "an identity is not given up by accident");
    let other = Host::new("ffffffffffffffffffffffffffffffff")?;
    let refused = other.enrol(&url, &one, &[]).await?;
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(!refused.status.success() && words.contains("used up"), "{words}");
    ensure!(!words.contains("rwe_"), "{words}");

    // Reinstalled: nothing is left but the machine, which has another hostname, as any token may show.
    std::fs::remove_dir_all(host.state_dir())?;
    let told = host.enrolled(&url, &token(&server, &[]).await?, &[]).await?;
    ensure!(told["name"] == "db-1", "{told}");
    let taken = other.enrol(&url, &token(&server, &["--name", "db-1"]).await?, &[]).await?;
    let words = String::from_utf8_lossy(&taken.stderr).into_owned();
    ensure!(taken.status.code() == Some(1) && words.contains("--replaces"), "{words}");
    let told = other.enrolled(&url, &token(&server, &["--replaces", "db-1"]).await?, &[]).await?;
    ensure!(told["name"] == "db-1", "{told}");
    let check = host.agent(&["check", "--json"]).output().await?;
    ensure!(check.status.code() == Some(1), "the machine that was replaced is shut out");
    Ok(())
}

/// Whatever step it breaks off at: the answer to an enrolment, and that to a rotation, are lost.
#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_lock_nobody_out() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let through = Network::Through(address(&server.ready().main)?);
    let lost = Network::AnswersLost(address(&server.ready().main)?);
    let relay = Relay::start(lost).await?;
    let host = Host::new("0123456789abcdef0123456789abcdef")?;
    let token = token(&server, &["--name", NAME]).await?;
    ensure!(!host.enrol(relay.url(), &token, &[]).await?.status.success());
    ensure!(identity(&server, NAME).await?["state"] == "active", "the server has it");
    relay.set(through);
    host.enrolled(relay.url(), &token, &[]).await?;
    let check = async || -> Result<()> {
        let check = host.agent(&["check", "--json"]).output().await?;
        ensure!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
        Ok(())
    };
    check().await?;

    let first = host.identity()?;
    // The server is away: the new key is on the disk, and nobody heard of it.
    relay.set(Network::Down);
    ensure!(!host.agent(&["rotate-key"]).output().await?.status.success());
    let prepared = host.identity()?;
    ensure!(prepared["key"] == first["key"] && prepared["next_key"].is_string());
    relay.set(through);
    check().await?;
    // The server has heard of it, and the host does not know.
    relay.set(lost);
    ensure!(!host.agent(&["rotate-key"]).output().await?.status.success());
    ensure!(host.identity()? == prepared, "the same key is tried again");
    relay.set(through);
    check().await?;
    let rotated = host.agent(&["rotate-key"]).output().await?;
    ensure!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    let after = host.identity()?;
    ensure!(after["key"] == prepared["next_key"] && after["next_key"].is_null());
    // Both keys, until the new one is used; then the old one is nobody's.
    let old = HostAgent { name: NAME.into(), ..seed_of(&first)? };
    let http = Http::new(&server.ready().main);
    ensure!(old.send(&http, Method::GET, COMMANDS, b"").await?.status == 200);
    check().await?;
    ensure!(old.send(&http, Method::GET, COMMANDS, b"").await?.status == 401);
    ensure!(identity(&server, NAME).await?["rotated"].is_string());
    let body = json!({"public_key": HostAgent::new("x")?.public_key()}).to_string();
    ensure!(old.send(&http, Method::POST, ROTATE, body.as_bytes()).await?.status == 401);
    Ok(())
}

fn seed_of(identity: &Value) -> Result<HostAgent> {
    let folder = Folder::new()?;
    folder.private_file("identity.json", identity.to_string().as_bytes())?;
    HostAgent::of_state_dir(folder.path())
}

/// A running agent is shut out at once, says so, keeps its events, and is let in again.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_agent_says_so_and_keeps_its_events() -> Result<()> {
    let _machine = machine::alone().await?;
    let server = Setup::new()?.start().await?;
    let host = Host::new("0123456789abcdef0123456789abcdef")?;
    let token = token(&server, &["--name", NAME]).await?;
    host.enrolled(&server.ready().main, &token, &[]).await?;
    let log = host.folder.path().join("agent.log");
    let mut agent = host.start(&log)?;
    let path = format!("/api/v1/hosts/host-agent:{NAME}");
    let seen = async || server.api().get(&path).await?.expect(200)?.json();
    tour::until(tour::SOON, async || seen().await.map(|_| ())).await?;
    server.ringwall(&["hosts", "revoke", NAME, "--reason", "a test"]).await?;
    tour::until(tour::SOON, async || {
        let words = std::fs::read_to_string(&log)?;
        ensure!(words.contains("this agent was revoked"), "{words}");
        Ok(())
    })
    .await?;
    ensure!(seen().await?["identity"]["state"] == "revoked");
    ensure!(agent.try_wait()?.is_none(), "it ended");
    let listed = server.ringwall(&["hosts"]).await?;
    ensure!(listed.contains("revoked"), "{listed}");
    Ok(())
}

/// Two running copies of one state directory.
#[tokio::test(flavor = "multi_thread")]
async fn a_cloned_state_directory_is_noticed() -> Result<()> {
    let (server, http, agent) = start().await?;
    let poll = async |run: &str, machine: &str| -> Result<u16> {
        let path = format!("{COMMANDS}?wait=0&run={run}&machine={machine}");
        Ok(agent.send(&http, Method::GET, &path, b"").await?.status)
    };
    for run in ["first", "copy", "first", "copy", "first"] {
        ensure!(poll(run, "m").await? == 200, "nobody is shut out");
    }
    let alerts = pages::of_api(&server.api(), "/api/v1/alerts").await?;
    ensure!(alerts.len() == 1, "{alerts:?}");
    ensure!(alerts[0]["finding"]["type"] == "cloned_identity", "{alerts:?}");
    ensure!(alerts[0]["severity"] == "high" && alerts[0]["count"] == 1, "{alerts:?}");
    let row = identity(&server, NAME).await?;
    ensure!(row["state"] == "active" && row["warning"].is_string(), "{row}");
    server.ringwall(&["hosts", "reinstate", NAME]).await?;
    ensure!(identity(&server, NAME).await?["warning"].is_null());
    Ok(())
}

/// From before agents had keys of their own.
#[tokio::test(flavor = "multi_thread")]
async fn shared_secrets_of_before_are_removed_and_said_once() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let stopped = server.stop().await?;
    let database = stopped.data().join("ringwall.db");
    let insert = "INSERT INTO document (kind, key, body) VALUES \
                  ('key/host-agent', 'web-1', '{\"sealed\": \"AAAA\", \"created\": \"2026-01-01T00:00:00Z\"}')";
    let done = Command::new("python3")
        .args(["-c", "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()"])
        .arg(&database)
        .arg(insert)
        .output()
        .await?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let server = stopped.start().await?;
    let said = |server: &Server| server.log().matches("they must enrol anew").count();
    ensure!(said(&server) == 1, "{}", server.log());
    let server = server.stop().await?.start().await?;
    ensure!(said(&server) == 1, "{}", server.log());
    Ok(())
}
