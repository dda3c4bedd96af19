//! Workers in Python, behind the original middleware, and workers in Rust share bans and limits in one Redis.

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::routing::get;
use ringwall_app_guard::GuardSettings;
use ringwall_app_guard_layer::GuardLayer;
use ringwall_app_guard_layer::state::redis::RedisSettings;
use ringwall_app_guard_layer::state::{WhenAway, WhenAwayPolicy};
use ringwall_end_to_end::folder::Folder;
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::original_guard::OriginalApplication;
use serde_json::json;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

const ATTACK: &str = "/search?q=%27%20union%20select%20password%20from%20users--";
/// Requests in a minute from one address.
const RATE: u32 = 10;
/// Attacks from one address; the last one bans.
const ATTACKS: u32 = 3;

/// A Redis that ends with this value.
struct Redis {
    _child: Child,
    url: String,
}

impl Redis {
    async fn start(folder: &Folder) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let port = address.port().to_string();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start redis-server")?;
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).await.is_err() {
            ensure!(Instant::now() < deadline, "redis-server does not come up");
            sleep(Duration::from_millis(10)).await;
        }
        Ok(Self { _child: child, url: format!("redis://127.0.0.1:{port}") })
    }
}

/// A worker in Rust; it ends with the runtime.
async fn rust_worker(redis: &Redis) -> Result<Http> {
    let settings = GuardSettings {
        trusted_proxies: vec!["127.0.0.1".to_owned()],
        rate_limit: RATE,
        auto_ban_threshold: ATTACKS,
        ..GuardSettings::default()
    };
    let shared =
        RedisSettings { timeout: Duration::from_secs(2), ..RedisSettings::new(&redis.url) };
    // Nothing here is decided by one worker alone.
    let never_alone = WhenAwayPolicy {
        bans: WhenAway::Closed,
        rates: WhenAway::Closed,
        behaviour: WhenAway::Closed,
    };
    let guard = GuardLayer::builder(settings).redis(shared, never_alone);
    let app = Router::new()
        .route("/", get(|| async { "home" }))
        .route("/search", get(|| async { "found" }))
        .layer(guard.build()?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    Ok(Http::new(&format!("http://{address}")))
}

async fn statuses(worker: &Http, client: &str, path: &str, times: u32) -> Result<Vec<u16>> {
    let http = worker.clone().with_header("x-forwarded-for", client);
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(http.get(path).await?.status);
    }
    Ok(statuses)
}

#[tokio::test(flavor = "multi_thread")]
async fn python_and_rust_workers_share_bans_and_limits() -> Result<()> {
    let folder = Folder::new()?;
    let redis = Redis::start(&folder).await?;
    let middleware = json!({
        "trusted_proxies": ["127.0.0.1"], "enable_redis": true, "redis_url": redis.url,
        "rate_limit": RATE, "rate_limit_window": 60, "auto_ban_threshold": ATTACKS,
    });
    let python = OriginalApplication::start(folder.path(), middleware, None).await?;
    let rust = rust_worker(&redis).await?;

    // Whoever is banned by one worker is banned at all.
    let by_python = "198.51.100.1";
    ensure!(statuses(&rust, by_python, "/", 1).await? == [200]);
    let attacks = statuses(python.http(), by_python, ATTACK, ATTACKS).await?;
    ensure!(attacks == [400, 400, 403], "{attacks:?}");
    // A worker in Rust remembers for a second that somebody was not banned.
    let deadline = Instant::now() + Duration::from_secs(30);
    while statuses(&rust, by_python, "/", 1).await? != [403] {
        ensure!(Instant::now() < deadline, "the ban does not reach the worker in Rust");
        sleep(Duration::from_millis(300)).await;
    }
    let by_rust = "198.51.100.2";
    ensure!(statuses(python.http(), by_rust, "/", 1).await? == [200]);
    let attacks = statuses(&rust, by_rust, ATTACK, ATTACKS).await?;
    ensure!(attacks == [400, 400, 403], "{attacks:?}");
    ensure!(statuses(python.http(), by_rust, "/", 1).await? == [403]);
    // Nobody else is.
    ensure!(statuses(python.http(), "198.51.100.3", "/", 1).await? == [200]);
    ensure!(statuses(&rust, "198.51.100.3", "/", 1).await? == [200]);

    // What one worker served counts at the other.
    let busy = "198.51.100.4";
    let served = statuses(python.http(), busy, "/", 6).await?;
    ensure!(served == [200; 6], "{served:?}");
    let served = statuses(&rust, busy, "/", 5).await?;
    ensure!(served == [200, 200, 200, 200, 429], "{served:?}");
    ensure!(statuses(python.http(), busy, "/", 1).await? == [429]);
    python.stop().await?;
    Ok(())
}
