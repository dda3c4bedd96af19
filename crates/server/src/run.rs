//! The life of the server: open, bind, say so, serve, drain, write down.

use crate::accounts::{FirstCredentials, FirstPassword};
use crate::collected::{self, Collected};
use crate::config::Config;
use crate::engine::{Engine, now};
use crate::environment::{Environment, hostname};
use crate::guard::{GuardProjects, GuardTroubles};
use crate::guard_rules::{self, GuardRules};
use crate::identities::Identities;
use crate::keys::KeyRing;
use crate::listen::{self, ListenLimits, asked_to_stop};
use crate::query::Queries;
use crate::rules::Rules;
use crate::secrets::Secrets;
use crate::server::Server;
use crate::tls::{self, Names, Tls};
use crate::upkeep::{self, UpkeepState};
use crate::webhooks::{self, Webhooks};
use crate::{api, dashboard, dialects, guard, indicators};
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

const FIRST_CREDENTIALS: &str = "first-credentials.json";
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
    let credentials = FirstCredentials::load(&database, &data_dir.join(FIRST_CREDENTIALS))?;
    let keys = KeyRing::load(&database, &secrets, &environment.agent_keys)?;
    let bound = listeners.tls_addresses()?;
    let tls = if bound.is_empty() {
        None
    } else {
        let names = Names::of_server(&config.server.host_names, &hostname(), &bound);
        let tls = Tls::load(&config.tls, &names, &database, &secrets, now())?;
        tls.write_ca_file(&data_dir)?;
        if let Some(fingerprint) = tls.authority_fingerprint() {
            tracing::info!(%fingerprint, "TLS is spoken; this authority vouches for the server");
        }
        Some(Arc::new(tls))
    };
    let identities = Identities::load(&database, config.host_agents.suspend_cloned, now())?;
    let own_url = listeners.main.url()?;
    let settings = config.webhooks.complete(environment.webhooks.clone(), &own_url)?;
    let guard_rules = GuardRules::load(&database, config.limits.connections_max)?;
    let first = first_rules(&config, &database)?;
    let rules = Rules {
        enrolled: identities.enrolled(),
        webhooks: Webhooks::load(settings, &database, &secrets)?,
        guard_projects: GuardProjects::load(&database, &secrets)?,
        access: guard_rules.automatic().with_access(&first.access),
        guard_rules,
        ..first
    };
    let engine = Engine::start(Arc::clone(&database), rules, &config.engine_settings())
        .context("cannot start the engine")?;
    let server = Arc::new(Server {
        main_address: listeners.main.socket.local_addr()?,
        sign_in: api::SignInState::new(config.session_times()),
        tls: tls.clone(),
        first_password: FirstPassword {
            credentials: Some(data_dir.join(FIRST_CREDENTIALS)),
            ready_files: ready_files.clone(),
        },
        upkeep: UpkeepState::default(),
        guard_troubles: GuardTroubles::default(),
        operator_secret: environment.operator_secret,
        sysscore_origins: environment.sysscore_origins,
        started: now(),
        shutdown: options.shutdown.clone(),
        collected: Collected::of(&data_dir, collected::bounds(&config)),
        queries: Queries::new(
            options.program.clone(),
            data_dir.clone(),
            config.query.concurrent_max,
        ),
        config,
        engine,
        secrets,
        keys,
        identities,
    });
    let ready = ReadyFile {
        main: listeners.main.url()?,
        dialects: listeners.dialect_urls()?,
        ca_file: tls.as_ref().map(|_| data_dir.join(tls::CA_FILE)),
        tls_name: own_name(&server),
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
    tasks.spawn(guard_rules::sweep::run(Arc::clone(&server), options.shutdown.clone()));
    if let Some(tls) = tls {
        tasks.spawn(tls::look_after(Arc::clone(&server), tls, bound, data_dir.clone()));
    }
    tasks.spawn(collected::sweep(Arc::clone(&server), options.shutdown.clone()));
    tasks.spawn(guard::run(Arc::clone(&server), options.shutdown.clone()));
    tasks.spawn(webhooks::run(Arc::clone(&server), options.shutdown.clone()));
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
    api::write_rest_of_failed_sign_ins(&server).await;
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
    [hostname(), "localhost".to_owned()].into_iter().filter(|name| !name.is_empty()).collect()
}

/// What a certificate of the administrator's own is for: programs on this machine reach the server by
/// an address of loopback, which is hardly in it.
fn own_name(server: &Server) -> Option<String> {
    let is_own = server.tls.as_ref().is_some_and(|tls| !tls.is_built_in());
    server.config.server.host_names.first().filter(|_| is_own).cloned()
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
        api::write_failed_sign_ins(&server).await;
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
    main: Bound,
    dialects: Vec<(&'static str, Option<Bound>)>,
}

/// One of them.
struct Bound {
    socket: TcpListener,
    is_tls: bool,
}

impl Bound {
    /// Where programs on this machine find it.
    fn url(&self) -> anyhow::Result<String> {
        let mut address = self.socket.local_addr()?;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let scheme = if self.is_tls { "https" } else { "http" };
        Ok(format!("{scheme}://{address}"))
    }
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
        let address = wanted(config.server.listen);
        let main = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address} (server.listen)"))?;
        let main = Bound { socket: main, is_tls: config.speaks_tls(None, address) };
        let mut bound = Vec::new();
        for (name, settings, own) in config.dialect_listeners() {
            let Some(address) = settings.map(wanted) else { continue };
            let is_tls = config.speaks_tls(own, address);
            if !is_tls && !address.ip().to_canonical().is_loopback() {
                tracing::warn!(
                    dialect = name,
                    %address,
                    "this dialect is reached by other machines, unencrypted"
                );
            }
            match TcpListener::bind(address).await {
                Ok(socket) => bound.push((name, Some(Bound { socket, is_tls }))),
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
        let main = self.main.url()?;
        self.dialects
            .iter()
            .map(|(name, listener)| {
                let url = match listener {
                    Some(listener) => listener.url()?,
                    None => format!("{main}/dialects/{name}"),
                };
                Ok(((*name).to_owned(), url))
            })
            .collect()
    }

    /// Where TLS is spoken.
    fn tls_addresses(&self) -> anyhow::Result<Vec<SocketAddr>> {
        let dialects = self.dialects.iter().filter_map(|(_, listener)| listener.as_ref());
        [&self.main]
            .into_iter()
            .chain(dialects)
            .filter(|listener| listener.is_tls)
            .map(|listener| Ok(listener.socket.local_addr()?))
            .collect()
    }

    fn serve(self, server: &Arc<Server>, shutdown: &watch::Receiver<bool>) -> JoinSet<()> {
        let limits = ListenLimits {
            connections_max: server.config.limits.connections_max,
            header_timeout: HEADER_TIMEOUT,
            drain_timeout: DRAIN_TIMEOUT,
        };
        let mut tasks = JoinSet::new();
        let mut serve = |listener: Bound, router: Router| {
            let tls = server.tls.as_ref().filter(|_| listener.is_tls).map(|tls| tls.acceptor());
            tasks.spawn(listen::serve(listener.socket, router, tls, limits, shutdown.clone()));
        };
        let mut main = Router::new().merge(api::router(Arc::clone(server)));
        for (name, listener) in self.dialects {
            let router = match name {
                "sysscore" => dialects::sysscore::router(Arc::clone(server)),
                _ => dialects::watcher::router(Arc::clone(server)),
            };
            // Requests below the prefix, and the root of the dialect with and without a slash.
            main = main.nest_service(&format!("/dialects/{name}"), router.clone());
            if let Some(listener) = listener {
                serve(listener, router);
            }
        }
        // The guard dialect has no port of its own: its clients are configured with a path.
        main = main.nest_service("/dialects/guard", dialects::guard::router(Arc::clone(server)));
        let mut main = main.fallback(axum::routing::get(dashboard::serve));
        let seconds = server.config.tls.strict_transport_seconds;
        if self.main.is_tls && seconds > 0 {
            main = main.layer(axum::middleware::map_response(move |response| {
                listen::with_strict_transport(response, seconds)
            }));
        }
        serve(self.main, main);
        tasks
    }
}
