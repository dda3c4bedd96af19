//! From a one-time token to an identity of one's own.

use crate::identity::{self, Identity, KeySeed};
use crate::trust::Authority;
use crate::{machine, state_dir};
use anyhow::{Context as _, Result};
use ringwall_lifecycle::Failure;
use ringwall_lifecycle::private_file::{self, PrivateFileError};
use ringwall_server_api::{AgentEnrolRequest, ProblemKind};
use ringwall_server_client::ClientError;
use ringwall_signing::PublicKey;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The key of an enrolment that is under way: where the answer is lost, the same request can be sent again.
const PENDING: &str = "enrolling.json";
const PENDING_BYTES_MAX: u64 = 4096;
const TOKEN_BYTES_MAX: u64 = 4096;

/// How to enrol.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// The address of the server.
    pub server: String,
    /// The name to ask for; none keeps the one that this machine had, or takes that of the host.
    pub name: Option<String>,
    /// Where the identity is kept.
    pub state_dir: PathBuf,
    /// The file that tells this machine from others.
    pub machine_id_file: PathBuf,
    /// Who may vouch for the server over https: a file of certificates, or a fingerprint (`sha256:…`).
    pub ca: Option<String>,
    /// The name that the server's certificate is for, where that is not in the address.
    pub tls_name: Option<String>,
    /// Whether an identity that is there already is given up.
    pub again: bool,
}

impl Default for Enrolment {
    fn default() -> Self {
        Self {
            server: String::new(),
            name: None,
            state_dir: PathBuf::new(),
            machine_id_file: machine::MACHINE_ID.into(),
            ca: None,
            tls_name: None,
            again: false,
        }
    }
}

impl Enrolment {
    /// Shows the token to the server, and keeps the identity that it gives. A fresh key is drawn, whose
    /// private half never leaves this machine.
    ///
    /// # Errors
    /// Where the server refuses or cannot be reached, or the state directory cannot be used. It may then be
    /// tried again with the same token.
    pub async fn enrol(&self, token: &str) -> Result<Identity> {
        self.check_transport()?;
        state_dir::prepare(&self.state_dir)?;
        let _held = identity::lock(&self.state_dir)?;
        if !self.again
            && let Some(known) = Identity::load(&self.state_dir)?
        {
            let (name, server) = (known.name, known.server);
            return Err(Failure::no(format!(
                "this host is enrolled already, as {name} at {server}"
            ))
            .hint("--again gives that identity up for a new one")
            .into());
        }
        let pending = self.state_dir.join(PENDING);
        let seed = pending_seed(&pending)?;
        let key = seed.key()?;
        let request = AgentEnrolRequest {
            public_key: key.public_key().to_base64(),
            name: self.name.clone(),
            machine: machine::digest(&self.machine_id_file),
            hostname: crate::host_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        if request.machine.is_none() {
            tracing::warn!(
                file = %self.machine_id_file.display(),
                "nothing tells this machine from others: after a reinstallation its name must be replaced"
            );
        }
        let authority = Authority::read(self.ca.as_deref())?;
        let trust = authority.trust(None, self.tls_name.as_deref())?;
        let answer = ringwall_server_client::enrol(&self.server, token, &key, &request, &trust)
            .await
            .map_err(|error| refused(&self.server, &error))?;
        let server_public_key = PublicKey::from_base64(&answer.server_public_key)
            .map_err(|error| Failure::new(format!("the server's key: {error}")))?;
        let identity = Identity {
            name: answer.name,
            server: self.server.clone(),
            server_public_key,
            // What was given in so many words stands before what the server says.
            ca_certificate: authority.into_pem().or(answer.ca_certificate),
            tls_name: self.tls_name.clone(),
            key: seed,
            key_made: crate::now(),
            next_key: None,
        };
        identity.store(&self.state_dir)?;
        match std::fs::remove_file(&pending) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!(%error, file = %pending.display(), "a file stays behind");
            }
            _ => {}
        }
        Ok(identity)
    }
}

impl Enrolment {
    /// Whoever stands between could answer with a key of its own, and have orders carried out from then on.
    fn check_transport(&self) -> Result<(), Failure> {
        let Ok(address) = self.server.parse::<http::Uri>() else { return Ok(()) };
        if address.scheme_str() != Some("http") {
            return Ok(());
        }
        if self.ca.is_some() || self.tls_name.is_some() {
            let words =
                format!("{} does not speak TLS, so there is no certificate to check", self.server);
            return Err(
                Failure::new(words).hint("the address of a server with TLS begins with https://")
            );
        }
        let host = address.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_here = host.eq_ignore_ascii_case("localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
        if is_here {
            return Ok(());
        }
        let words =
            format!("{} is another machine, and plain http proves nothing of it", self.server);
        Err(Failure::new(words)
            .hint("use https:// and the --ca that `ringwall hosts enrol` prints, or a tunnel to 127.0.0.1"))
    }
}

fn refused(server: &str, error: &ClientError) -> Failure {
    let words = format!("not enrolled at {server}: {error}");
    // That the name is another machine's is an answer; all else is none.
    let failure = if error.is_status(409) { Failure::no(words) } else { Failure::new(words) };
    let hint = match error.problem() {
        Some(problem) if problem.kind() == Some(ProblemKind::Unauthenticated) => {
            Some("is the token whole, and from this server? `ringwall hosts enrol` makes a new one")
        }
        Some(problem) => problem.hint.as_deref(),
        None => None,
    };
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The key of the attempt before this one, or a fresh one that is on the disk before anybody hears of it.
fn pending_seed(path: &Path) -> Result<KeySeed> {
    match private_file::read(path, PENDING_BYTES_MAX) {
        Ok(bytes) => {
            if let Ok(seed) = serde_json::from_slice::<KeySeed>(&bytes)
                && seed.key().is_ok()
            {
                return Ok(seed);
            }
            tracing::warn!(file = %path.display(), "the key of an earlier attempt is damaged");
        }
        Err(PrivateFileError::Io { error, .. }) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let seed = KeySeed::draw()?;
    private_file::write(path, &serde_json::to_vec(&seed)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(seed)
}

/// The token of a file, `-` for stdin: there nobody else on the host can read it, as they can arguments.
pub(crate) fn read_token(path: &Path) -> Result<String> {
    let place = path.display();
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(TOKEN_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("{place}"))?;
        file.take(TOKEN_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .with_context(|| format!("{place}"))?;
    }
    let text = String::from_utf8(bytes).map_err(|_| Failure::new(format!("{place}: not text")))?;
    let token = text.trim();
    if token.is_empty() || token.len() as u64 > TOKEN_BYTES_MAX {
        return Err(Failure::new(format!("{place}: no enrolment token in it")).into());
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_enrols_over_plain_http_at_another_machine() {
        let state_dir = std::env::temp_dir().join(format!("ringwall-http-{}", std::process::id()));
        let enrolment = |server: &str| Enrolment {
            server: server.to_owned(),
            state_dir: state_dir.clone(),
            ..Enrolment::default()
        };
        for server in [
            "http://192.0.2.1:7400",
            "HTTP://192.0.2.1:7400",
            "http://[2001:db8::1]:7400",
            "http://guard.example.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://user@guard.example.com",
        ] {
            let refused = enrolment(server).enrol("rwe_token").await.unwrap_err();
            assert!(refused.to_string().contains("another machine"), "{server}: {refused}");
            // Before anything is made, and before the token goes anywhere.
            assert!(!state_dir.exists(), "{server}");
        }
        for server in [
            "http://127.0.0.1:7400",
            "http://127.9.9.9",
            "http://LocalHost:7400",
            "http://[::1]:7400",
            "http://[::ffff:127.0.0.1]",
            "https://guard.example.com",
        ] {
            assert!(enrolment(server).check_transport().is_ok(), "{server}");
        }
        // A certificate to check, and none that is shown.
        let pinned = Enrolment { ca: Some("ca.pem".into()), ..enrolment("http://127.0.0.1:7400") };
        let refused = pinned.check_transport().unwrap_err();
        assert!(refused.to_string().contains("does not speak TLS"), "{refused}");
    }
}
