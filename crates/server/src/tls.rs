//! TLS of the listeners: whose certificate is shown, and how it is kept valid while the server runs.
//!
//! Without files of the administrator's own, the server is its own authority ([`authority`]): it
//! makes one on the first need, certifies its own names with it, and renews that certificate before
//! it ends and whenever the names change.

mod authority;
mod names;
mod own_files;
mod section;

pub(crate) use names::Names;
pub use section::{TlsSection, TlsUse};

use crate::environment::hostname;
use crate::listen::asked_to_stop;
use crate::secrets::Secrets;
use crate::server::Server;
use anyhow::Context;
use authority::Authority;
use own_files::OwnFiles;
use parking_lot::{Mutex, RwLock};
use ringwall_event::Timestamp;
use ringwall_server_client::Fingerprint;
use ringwall_store::Database;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

/// How often is looked whether the certificate must change.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The authority's certificate in the data directory, for programs on this machine.
pub(crate) const CA_FILE: &str = "ca.pem";

/// What the TLS listeners show.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
    source: Source,
}

enum Source {
    /// Our own authority.
    Authority(Arc<Mutex<Authority>>),
    /// Files that somebody else keeps.
    Files(Mutex<OwnFiles>),
}

/// The certificate of the next handshake.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

impl Tls {
    /// Reads the administrator's files where the configuration names some; else our own authority,
    /// which is made where there is none yet.
    ///
    /// # Errors
    /// Where the files or the authority cannot be used.
    pub(crate) fn load(
        section: &TlsSection,
        names: &Names,
        database: &Arc<Database>,
        secrets: &Secrets,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let (source, first) = match OwnFiles::named_in(section) {
            Some(mut files) => {
                let first = files.read()?;
                (Source::Files(Mutex::new(files)), first)
            }
            None => {
                let (authority, first) =
                    Authority::load(Arc::clone(database), secrets, names, section, now)
                        .context("cannot set up the authority of this server")?;
                (Source::Authority(Arc::new(Mutex::new(authority))), first)
            }
        };
        let shown = Arc::new(Shown(RwLock::new(Arc::new(first))));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("cannot set up TLS")?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as _);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), shown, source })
    }

    /// Accepts handshakes.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// The certificate of the authority that vouches for this server, as PEM; none where own files
    /// do not hold it.
    pub(crate) fn authority_pem(&self) -> Option<String> {
        match &self.source {
            Source::Authority(authority) => Some(authority.lock().pem().to_owned()),
            Source::Files(files) => files.lock().authority_pem(),
        }
    }

    /// The fingerprint of that authority: what a host agent needs to know on first contact.
    pub(crate) fn authority_fingerprint(&self) -> Option<Fingerprint> {
        Fingerprint::of_pem(self.authority_pem()?.as_bytes()).ok()
    }

    /// Whether the certificate is from our own authority.
    pub(crate) fn is_built_in(&self) -> bool {
        matches!(self.source, Source::Authority(_))
    }

    /// Writes the authority's certificate where programs on this machine look for it.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub(crate) fn write_ca_file(&self, data_dir: &Path) -> anyhow::Result<()> {
        let path = data_dir.join(CA_FILE);
        let pem = self.authority_pem().unwrap_or_default();
        if std::fs::read_to_string(&path).is_ok_and(|there| there == pem) {
            return Ok(());
        }
        ringwall_lifecycle::private_file::write(&path, pem.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Renews or reads again what must be. What goes wrong leaves the certificate as it was.
    fn look(&self, secrets: &Secrets, names: &Names, now: Timestamp) {
        let fresh = match &self.source {
            Source::Authority(authority) => authority
                .lock()
                .renew_if_due(secrets, names, now)
                .context("certificate not renewed"),
            Source::Files(files) => {
                files.lock().read_if_changed().context("certificate not read again")
            }
        };
        match fresh {
            Ok(None) => {}
            Ok(Some(fresh)) => {
                *self.shown.0.write() = Arc::new(fresh);
                tracing::info!("a new certificate is shown from now on");
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the certificate stays as it was");
            }
        }
    }
}

/// Looks after the certificate until the server stops.
pub(crate) async fn look_after(
    server: Arc<Server>,
    tls: Arc<Tls>,
    bound: Vec<SocketAddr>,
    data_dir: PathBuf,
) {
    let mut shutdown = server.shutdown.clone();
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = asked_to_stop(&mut shutdown) => return,
        }
        let (server, tls) = (Arc::clone(&server), Arc::clone(&tls));
        let (bound, data_dir) = (bound.clone(), data_dir.clone());
        // Files and the database are waited for: not on a thread that serves requests.
        let work = move || {
            let configured = &server.config.server.host_names;
            let names = Names::of_server(configured, &hostname(), &bound);
            tls.look(&server.secrets, &names, server.now());
            if let Err(error) = tls.write_ca_file(&data_dir) {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "the authority's file is not up to date"
                );
            }
        };
        if let Err(error) = tokio::task::spawn_blocking(work).await {
            tracing::error!(%error, "looking after the certificate failed");
        }
    }
}

#[cfg(test)]
mod tests;
