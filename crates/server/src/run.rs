//! The life of the server: open, bind, say so, serve, drain, write down.

use crate::accounts::FirstCredentials;
use crate::config::Config;
use crate::engine::{Engine, now};
use crate::environment::Environment;
use crate::keys::KeyRing;
use crate::listen::{self, ListenLimits, asked_to_stop};
use crate::query::Queries;
use crate::rules::Rules;
use crate::secrets::Secrets;
use crate::server::Server;
use crate::upkeep::{self, UpkeepState};
use crate::{api, dashboard, dialects, indicators};
use anyhow::{Context, bail};
use axum::Router;
use ringwall_detection::IndicatorSet;
use ringwall_lifecycle::ReadyFile;
use ringwall_store::Database;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How this start differs from what the configuration says.
pub struct RunOptions {
    /// Where to write the ready file, beside the one in the data directory.
    pub ready_file: Option<PathBuf>,
    /// Bind every listener to a free port of loopback.
    pub ephemeral_ports: bool,
    /// A taken dialect port is an error instead of a warning.
    pub dialect_ports_required: bool,
    /// The environment, with what an environment file adds to it.
    pub env: BTreeMap<String, String>,
    /// This program, which the server starts again for each query in SQL; none refuses them.
    pub program: Option<PathBuf>,
    /// Turns true when the server shall stop.
    pub shutdown: watch::Receiver<bool>,
}

const SWEEP_EVERY: Duration = Duration::from_secs(5);
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the server until it is asked to stop. `on_ready` is called once everything listens.
///
/// # Errors
/// Where the data directory, the configuration or a port does not let it start, or the last state
/// cannot be written down.
pub async fn run(
    config: Config,
    options: RunOptions,
    on_ready: impl FnOnce(&ReadyFile),
) -> anyhow::Result<()> {
    let data_dir = prepare_data_dir(&config.server.data_dir)?;
    let _lock = lock(&data_dir)?;
    // The own one first: whoever sees the other may use the tool at once, which looks for this one.
    let ready_files: Vec<PathBuf> =
        [data_dir.join(ReadyFile::NAME)].into_iter().chain(options.ready_file.clone()).collect();
    // What a killed server left behind would say that this one is ready.
    remove_all(&ready_files)?;
    let environment = Environment::read(&options.env)?;
    let listeners = Listeners::bind(&config, &options).await?;
    let database = Arc::new(Database::open(&data_dir.join("ringwall.db"))?);
    let secrets = Secrets::load(&data_dir.join("master.key"))?;
    let credentials = FirstCredentials::load(&database, &data_dir.join("first-credentials.json"))?;
    let keys = KeyRing::load(&database, &secrets, &environment.agent_keys)?;
    let rules = Rules { enrolled: keys.enrolled(), ..first_rules(&config, &database)? };
    let engine = Engine::start(Arc::clone(&database), rules, &config.engine_settings())
        .context("cannot start the engine")?;
    let server = Arc::new(Server {
        main_address: listeners.main.local_addr()?,
        sign_in: api::SignInState::default(),
        upkeep: UpkeepState::default(),
        operator_secret: environment.operator_secret,
        started: now(),
        shutdown: options.shutdown.clone(),
        queries: Queries::new(
            options.program.clone(),
            data_dir.clone(),
            config.query.concurrent_max,
        ),
        config,
        engine,
        secrets,
        keys,
    });
    let ready = ReadyFile {
        main: format!("http://{}", server.main_address),
        dialects: listeners.dialect_urls()?,
        policy_socket: None,
        admin_token: String::from_utf8(credentials.admin_token.expose().to_vec())?,
        admin_password: match &credentials.admin_password {
            Some(password) => String::from_utf8(password.expose().to_vec())?,
            None => String::new(),
        },
        data_dir: data_dir.clone(),
        pid: std::process::id(),
    };
    let mut tasks = listeners.serve(&server, &options.shutdown);
    tasks.spawn(sweep(Arc::clone(&server), options.shutdown.clone()));
    tasks.spawn(upkeep::run(Arc::clone(&server), database, options.shutdown.clone()));
    for path in &ready_files {
        ready.write(path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    tracing::info!(main = %ready.main, data_dir = %data_dir.display(), "ready");
    on_ready(&ready);

    let mut shutdown = options.shutdown;
    asked_to_stop(&mut shutdown).await;
    tracing::info!("stopping");
    if let Err(error) = remove_all(&ready_files) {
        tracing::warn!(%error, "a ready file stays behind");
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a listener ended in a panic")?;
    }
    server.engine.checkpoint().await.context("the last state could not be written down")?;
    tracing::info!("stopped");
    Ok(())
}

fn remove_all(files: &[PathBuf]) -> anyhow::Result<()> {
    for path in files {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn first_rules(config: &Config, database: &Database) -> anyhow::Result<Rules> {
    let indicators = indicators::load(database)?;
    Ok(config.rules(Arc::new(IndicatorSet::new(indicators)), own_hostnames()))
}

/// By which names this machine may be reported: its commands must never hit the server itself.
fn own_hostnames() -> Vec<String> {
    match std::fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(name) => vec![name.trim().to_owned(), "localhost".to_owned()],
        Err(_) => vec!["localhost".to_owned()],
    }
}

fn prepare_data_dir(path: &Path) -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot create the data directory {}", path.display()))?;
    let path = path.canonicalize()?;
    let mode = std::fs::metadata(&path)?.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        bail!("{}: mode {mode:04o} lets others write; run: chmod go-w {0}", path.display());
    }
    Ok(path)
}

/// Two servers on one data directory would each think that its state is the truth.
fn lock(data_dir: &Path) -> anyhow::Result<std::fs::File> {
    let path = data_dir.join("lock");
    let file = std::fs::File::create(&path)
        .with_context(|| format!("cannot create {}", path.display()))?;
    // Whoever looks whether a server runs holds the lock for an instant.
    let locked = match file.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => {
            std::thread::sleep(Duration::from_millis(50));
            file.try_lock()
        }
        other => other,
    };
    match locked {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!("another server is running on {}", data_dir.display())
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

async fn sweep(server: Arc<Server>, mut shutdown: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(SWEEP_EVERY) => {}
            () = asked_to_stop(&mut shutdown) => return,
        }
        if server.engine.derived().open_commands.is_empty() {
            continue;
        }
        if let Err(error) = server.engine.write(|writing| writing.expire_commands()).await {
            tracing::warn!(%error, "overdue commands could not be ended");
        }
    }
}

/// The sockets, bound before anything else is touched: a taken port is known at once.
struct Listeners {
    main: TcpListener,
    dialects: Vec<(&'static str, Option<TcpListener>)>,
}

impl Listeners {
    async fn bind(config: &Config, options: &RunOptions) -> anyhow::Result<Self> {
        let wanted = |address: SocketAddr| {
            if options.ephemeral_ports {
                SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.into(), 0)
            } else {
                address
            }
        };
        let main = wanted(config.server.listen);
        let main = TcpListener::bind(main)
            .await
            .with_context(|| format!("cannot listen on {main} (server.listen)"))?;
        let mut bound = Vec::new();
        for (name, settings) in config.dialect_listeners() {
            let Some(address) = settings.map(wanted) else { continue };
            match TcpListener::bind(address).await {
                Ok(listener) => bound.push((name, Some(listener))),
                Err(error) if options.dialect_ports_required => {
                    return Err(error).with_context(|| {
                        format!("cannot listen on {address} (dialects.{name}.listen)")
                    });
                }
                Err(error) => {
                    tracing::warn!(
                        dialect = name,
                        %address,
                        %error,
                        "dialect port is taken: the dialect is served under /dialects/{name} of the main port only"
                    );
                    bound.push((name, None));
                }
            }
        }
        Ok(Self { main, dialects: bound })
    }

    fn dialect_urls(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let main = self.main.local_addr()?;
        self.dialects
            .iter()
            .map(|(name, listener)| {
                let url = match listener {
                    Some(listener) => format!("http://{}", listener.local_addr()?),
                    None => format!("http://{main}/dialects/{name}"),
                };
                Ok(((*name).to_owned(), url))
            })
            .collect()
    }

    fn serve(self, server: &Arc<Server>, shutdown: &watch::Receiver<bool>) -> JoinSet<()> {
        let limits = ListenLimits {
            connections_max: server.config.limits.connections_max,
            header_timeout: HEADER_TIMEOUT,
            drain_timeout: DRAIN_TIMEOUT,
        };
        let mut tasks = JoinSet::new();
        let mut main = Router::new().merge(api::router(Arc::clone(server)));
        for (name, listener) in self.dialects {
            let router = match name {
                "sysscore" => dialects::sysscore::router(Arc::clone(server)),
                _ => dialects::watcher::router(Arc::clone(server)),
            };
            // Requests below the prefix, and the root of the dialect with and without a slash.
            main = main.nest_service(&format!("/dialects/{name}"), router.clone());
            if let Some(listener) = listener {
                tasks.spawn(listen::serve(listener, router, limits, shutdown.clone()));
            }
        }
        let main = main.fallback(axum::routing::get(dashboard::serve));
        tasks.spawn(listen::serve(self.main, main, limits, shutdown.clone()));
        tasks
    }
}
