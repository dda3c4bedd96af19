//! `check`: what this agent can see and do here. The five checks of the Watcher guide's test suite.

use crate::arguments::{Arguments, Dialect};
use crate::dialect::ringwall::check_report;
use crate::dialect::sysscore::SysscoreServer;
use crate::dialect::watcher::WatcherServer;
use crate::kill::{self, Hands};
use crate::trust::Authority;
use crate::watching::{Watching, is_picture};
use http::{HeaderMap, Method};
use ringwall_event::{Activity, Inventory};
use ringwall_host_probes::Observation;
use ringwall_host_probes::hands::{KillOrder, identity};
use ringwall_lifecycle::Failure;
use ringwall_server_client::{AgentClient, HttpClient};
use serde::Serialize;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// What came of the checks.
#[derive(Debug, Serialize)]
pub(crate) struct Checks {
    /// Whether none failed.
    pub(crate) ok: bool,
    /// One by one.
    pub(crate) checks: Vec<Check>,
}

/// What came of one check.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Passed,
    Failed,
    Skipped,
}

impl Outcome {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// Why a check did not pass.
enum Not {
    Passed(String),
    Possible(String),
}

type Found = Result<String, Not>;

/// Runs the five checks.
///
/// # Errors
/// Where the arguments make no sense: no answer can be had then.
pub(crate) async fn run(arguments: &Arguments) -> Result<Checks, Failure> {
    let server = Server::of(arguments)?;
    let (collection, picture) = collection(arguments).await;
    let connectivity = server.connectivity().await;
    let (transmission, polling) = match &connectivity {
        Ok(_) => (server.transmission(picture).await, server.polling().await),
        Err(_) => {
            let unreachable = || Err(Not::Possible("the server does not answer".to_owned()));
            (unreachable(), unreachable())
        }
    };
    let checks = vec![
        check("collection", collection),
        check("connectivity", connectivity),
        check("transmission", transmission),
        check("polling", polling),
        check("killing", killing(arguments).await),
    ];
    let ok = checks.iter().all(|check| check.outcome != Outcome::Failed);
    Ok(Checks { ok, checks })
}

fn check(name: &'static str, found: Found) -> Check {
    let (outcome, detail) = match found {
        Ok(detail) => (Outcome::Passed, detail),
        Err(Not::Passed(detail)) => (Outcome::Failed, detail),
        Err(Not::Possible(detail)) => (Outcome::Skipped, detail),
    };
    Check { name, outcome, detail }
}

fn failed(error: impl std::fmt::Display) -> Not {
    Not::Passed(format!("{error:#}"))
}

/// Takes a full picture of this host.
async fn collection(arguments: &Arguments) -> (Found, Option<Observation>) {
    let mut watching = match Watching::start(arguments.host().probe()).await {
        Ok(watching) => watching,
        Err(error) => return (Err(failed(error)), None),
    };
    let found = watching.next().await.into_iter().flatten().find(is_picture);
    let Some(picture) = found else {
        return (Err(Not::Passed("no picture of this host".to_owned())), None);
    };
    let detail = match &picture.activity {
        Activity::Inventory(inventory) => describe(inventory, &watching.state().capabilities),
        _ => String::new(),
    };
    (Ok(detail), Some(picture))
}

fn describe(picture: &Inventory, capabilities: &ringwall_host_probes::Capabilities) -> String {
    let changes = match &capabilities.process_changes {
        ringwall_host_probes::ProcessChanges::Scan(reason) => {
            format!("changes by scanning ({reason})")
        }
        _ => "changes as the kernel tells them".to_owned(),
    };
    let users = if capabilities.other_users { "all users" } else { "own user only in full" };
    let sockets = match &capabilities.connections {
        ringwall_host_probes::ConnectionSource::SockDiag => "sockets over netlink".to_owned(),
        ringwall_host_probes::ConnectionSource::Procfs(reason) => {
            format!("sockets from procfs ({reason})")
        }
        _ => "no sockets".to_owned(),
    };
    format!(
        "{}, {}; {changes}; {sockets}; {users}",
        counted(picture.processes.len(), "process", "processes"),
        counted(picture.connections.len(), "connection", "connections")
    )
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Starts a process and ends it as a command would.
async fn killing(arguments: &Arguments) -> Found {
    // Any program that stays: one of the two is on every system.
    let spawn = |program: &str, argument: Option<&str>| {
        Command::new(program)
            .args(argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    };
    let child = spawn("sleep", Some("60")).or_else(|_| spawn("cat", None));
    let mut child = child.map_err(|error| failed(format!("cannot start a process: {error}")))?;
    let gone = || Not::Passed("the process that was started is gone".to_owned());
    let pid = child.id().ok_or_else(gone)?;
    let (start_time, name) = identity(pid).ok_or_else(gone)?;
    let order =
        KillOrder { pid: i64::from(pid), start_time: Some(start_time), name: Some(name.clone()) };
    let host = arguments.host();
    let killed = Hands::new(host.protected, host.patience).kill(order).await.map_err(failed)?;
    child.wait().await.map_err(failed)?;
    Ok(format!("own child `{name}` {}", kill::describe(&killed)))
}

/// The server at the other end.
enum Server {
    Ringwall(Box<Ringwall>),
    Watcher(Box<WatcherServer>),
    Sysscore(Box<Sysscore>),
}

struct Ringwall {
    http: HttpClient,
    /// None where this host did not enrol.
    agent: Option<AgentClient>,
}

struct Sysscore {
    server: SysscoreServer,
    has_key: bool,
}

const TIMEOUT: Duration = Duration::from_secs(10);
const NO_KEY: &str = "this host is not enrolled";

impl Server {
    fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let url = arguments.server_url();
        let unusable = |error: ringwall_server_client::ClientError| Failure::new(error.to_string());
        match arguments.dialect {
            Dialect::Ringwall => {
                let is_enrolled = arguments.identity()?.is_some();
                let settings = is_enrolled.then(|| arguments.settings()).transpose()?;
                let url = settings.as_ref().map_or(url, |settings| settings.server_url.clone());
                let trust = match &settings {
                    Some(settings) => settings.trust.clone(),
                    None => Authority::read(arguments.ca.as_deref())?
                        .trust(None, arguments.tls_name.as_deref())?,
                };
                let agent = settings.map(|settings| {
                    AgentClient::trusting(&url, &settings.agent_name, settings.key, &trust)
                });
                Ok(Self::Ringwall(Box::new(Ringwall {
                    http: HttpClient::trusting(&url, TIMEOUT, &trust).map_err(unusable)?,
                    agent: agent.transpose().map_err(unusable)?,
                })))
            }
            Dialect::Watcher => {
                Ok(Self::Watcher(Box::new(WatcherServer::new(&url).map_err(unusable)?)))
            }
            Dialect::Sysscore => {
                let key = arguments.has_key().then(|| arguments.sysscore_key()).transpose()?;
                let has_key = key.is_some();
                let (id, secret) = key.unwrap_or_else(|| ("unknown".to_owned(), "".into()));
                let server = SysscoreServer::new(&url, &id, secret).map_err(unusable)?;
                Ok(Self::Sysscore(Box::new(Sysscore { server, has_key })))
            }
        }
    }

    async fn connectivity(&self) -> Found {
        match self {
            Self::Ringwall(ringwall) => {
                let path = ringwall_server_api::paths::HEALTH;
                let request = ringwall.http.send(Method::GET, path, HeaderMap::new(), "".into());
                let answer = request.await.map_err(failed)?;
                if !answer.status.is_success() {
                    return Err(failed(format!("the server answers {}", answer.status)));
                }
                Ok(format!("{} answers", ringwall.http.url()))
            }
            Self::Watcher(server) => {
                server.health().await.map_err(failed)?;
                Ok("the server is healthy".to_owned())
            }
            Self::Sysscore(sysscore) => {
                sysscore.server.health().await.map_err(failed)?;
                Ok("the server is healthy".to_owned())
            }
        }
    }

    async fn transmission(&self, picture: Option<Observation>) -> Found {
        let nothing = || Not::Possible("there is no picture to send".to_owned());
        let picture = picture.ok_or_else(nothing)?;
        match self {
            Self::Ringwall(ringwall) => {
                let agent =
                    ringwall.agent.as_ref().ok_or_else(|| Not::Possible(NO_KEY.to_owned()))?;
                let body = check_report(picture).await.map_err(failed)?;
                let bytes = body.len();
                let answer = agent.report(body).await.map_err(failed)?;
                Ok(format!("{} event of {bytes} bytes stored", answer.accepted))
            }
            Self::Watcher(server) => {
                let Activity::Inventory(inventory) = &picture.activity else {
                    return Err(nothing());
                };
                let hostname = crate::host_name();
                let stored = server.collect(&hostname, picture.time, inventory).await;
                Ok(format!("picture sent; the server holds {}", stored.map_err(failed)?))
            }
            Self::Sysscore(sysscore) => {
                if !sysscore.has_key {
                    return Err(Not::Possible("no key given: --secret-file".to_owned()));
                }
                let stored = sysscore.server.post_one(of_this_process(picture)).await;
                match stored.map_err(failed)? {
                    0 => Err(Not::Passed("the server did not store the event".to_owned())),
                    stored => Ok(format!("{stored} event stored")),
                }
            }
        }
    }

    async fn polling(&self) -> Found {
        match self {
            Self::Ringwall(ringwall) => {
                let agent =
                    ringwall.agent.as_ref().ok_or_else(|| Not::Possible(NO_KEY.to_owned()))?;
                // What waits is not carried out here: the server hands it out again by and by.
                let commands = agent.commands(Duration::ZERO, None).await.map_err(failed)?;
                Ok(format!("{} commands wait", commands.commands.len()))
            }
            Self::Watcher(server) => {
                // The server forgets what it hands out: asked for a host that there is not.
                let host = format!("{}.check", crate::host_name());
                let commands = server.commands(&host).await.map_err(failed)?;
                Ok(format!("{} commands for `{host}`", commands.len()))
            }
            Self::Sysscore(_) => {
                Err(Not::Possible("servers of this kind give no commands".to_owned()))
            }
        }
    }
}

/// A picture shows no call: what is sent is that this process runs.
fn of_this_process(picture: Observation) -> Observation {
    let own = i64::from(std::process::id());
    let process = match picture.activity {
        Activity::Inventory(inventory) => {
            inventory.processes.into_iter().find(|process| process.pid == own)
        }
        _ => None,
    };
    let process =
        process.unwrap_or_else(|| ringwall_event::Process { pid: own, ..Default::default() });
    Observation {
        time: picture.time,
        activity: Activity::ProcessStarted(process),
        system_call: Some("execve"),
    }
}
