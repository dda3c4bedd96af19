//! Which server is meant.

use clap::Args;
use ringwall_lifecycle::{Failure, ReadyFile, ReadyFileError, data_dir};
use ringwall_server_client::{Fingerprint, Trust};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Which server, and in which form the answer is printed.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Server and form")]
pub(crate) struct Connect {
    /// The data directory of the server
    ///
    /// The server on this machine that keeps its data there is asked. Default: RINGWALL_URL with
    /// RINGWALL_TOKEN where they are set, else RINGWALL_DATA_DIR, else ringwall in $XDG_DATA_HOME
    /// or ~/.local/share.
    #[arg(long, value_name = "DIRECTORY", global = true)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Whom to trust over https: a file with the certificate of the server's authority, or its
    /// fingerprint
    ///
    /// Not needed on the machine of the server. `ringwall ca` prints both there. Default: RINGWALL_CA.
    #[arg(long, value_name = "FILE|sha256:...", global = true)]
    pub(crate) ca: Option<String>,
    /// Print JSON for programs
    ///
    /// Lists are one array; with --follow, one object a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// A server that is believed to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where its API is.
    pub(crate) url: String,
    /// What opens it.
    pub(crate) token: String,
    /// The roots of its dialects, where known.
    pub(crate) dialects: BTreeMap<String, String>,
    /// Who vouches for it over https: a file of certificates, or a fingerprint.
    pub(crate) ca: Option<String>,
    /// The name that its certificate is for, where that is not in the address.
    pub(crate) tls_name: Option<String>,
}

impl Found {
    /// Whom to believe that they are this server.
    pub(crate) fn trust(&self) -> Result<Trust, Failure> {
        trust(self.ca.as_deref(), self.tls_name.as_deref())
    }
}

/// Whom to believe that they are the server of this ready file.
pub(crate) fn trust_of(ready: &ReadyFile) -> Result<Trust, Failure> {
    let ca = ready.ca_file.as_ref().map(|path| path.to_string_lossy());
    trust(ca.as_deref(), ready.tls_name.as_deref())
}

fn trust(ca: Option<&str>, name: Option<&str>) -> Result<Trust, Failure> {
    let Some(ca) = ca else { return Ok(Trust::default()) };
    let trust = match ca.parse::<Fingerprint>() {
        Ok(fingerprint) => Trust::fingerprint(fingerprint),
        Err(error) if ca.starts_with("sha256:") => return Err(Failure::new(error.to_string())),
        Err(_) => {
            let pem = std::fs::read(ca).map_err(|error| {
                Failure::new(format!("cannot read {ca}: {error}"))
                    .hint("`ringwall ca > FILE` writes it on the server")
            })?;
            Trust::authorities(&pem).map_err(|error| Failure::new(format!("{ca}: {error}")))?
        }
    };
    match name {
        Some(name) => trust.with_server_name(name).map_err(|error| Failure::new(error.to_string())),
        None => Ok(trust),
    }
}

/// Finds it: by `--data-dir`, then by `RINGWALL_URL`, then by the data directory of the environment.
pub(crate) fn find(
    given: Option<&Path>,
    ca: Option<&str>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Found, Failure> {
    if let Some(data_dir) = given {
        return in_data_dir(data_dir, ca);
    }
    let text = |name: &str| {
        variable(name)
            .and_then(|value| value.into_string().ok())
            .filter(|value| !value.trim().is_empty())
    };
    if let Some(url) = text("RINGWALL_URL") {
        let Some(token) = text("RINGWALL_TOKEN") else {
            return Err(Failure::new("RINGWALL_URL is set, but not RINGWALL_TOKEN")
                .hint("make a token on the server: ringwall tokens create NAME --role analyst"));
        };
        let ca = ca.map(str::to_owned).or_else(|| text("RINGWALL_CA"));
        let is_https = url.trim().to_ascii_lowercase().starts_with("https:");
        if is_https && ca.is_none() {
            return Err(Failure::new("RINGWALL_URL says https, but not whom to trust").hint(
                "set RINGWALL_CA to what `ringwall ca` prints on the server: a file with the \
                 certificate, or its fingerprint",
            ));
        }
        return Ok(Found {
            url,
            token: token.trim().to_owned(),
            dialects: BTreeMap::new(),
            ca,
            tls_name: None,
        });
    }
    match data_dir::find(variable) {
        Some(data_dir) => in_data_dir(&data_dir, ca),
        None => Err(Failure::new("no server is named: HOME is not set")
            .hint("give --data-dir, or RINGWALL_URL and RINGWALL_TOKEN")),
    }
}

fn in_data_dir(data_dir: &Path, ca: Option<&str>) -> Result<Found, Failure> {
    match ReadyFile::read(&data_dir.join(ReadyFile::NAME)) {
        Ok(ready) if !is_running(data_dir) => Err(Failure::new(format!(
            "the server of {} is gone: process {} ended without a word",
            data_dir.display(),
            ready.pid
        ))
        .hint("nothing that it acknowledged is lost: start it again with `ringwall up`")),
        Ok(ready) => {
            let there = ready.ca_file.map(|path| path.to_string_lossy().into_owned());
            Ok(Found {
                url: ready.main,
                token: ready.admin_token,
                dialects: ready.dialects,
                ca: ca.map(str::to_owned).or(there),
                tls_name: ready.tls_name,
            })
        }
        Err(ReadyFileError::Missing(_)) => {
            Err(Failure::new(format!("no server runs on {}", data_dir.display())).hint(
                "start one with `ringwall up`, or name another by --data-dir, or by RINGWALL_URL \
                 and RINGWALL_TOKEN",
            ))
        }
        Err(error) => {
            let failure = Failure::new(error.to_string());
            Err(match &error {
                ReadyFileError::File(_) => failure
                    .hint("is the server another user's? then use RINGWALL_URL and RINGWALL_TOKEN"),
                _ => failure,
            })
        }
    }
}

/// Whether a server holds this data directory. Its ready file may be left over: then somebody else may
/// listen on the port by now, and must not be shown the token.
pub(crate) fn is_running(data_dir: &Path) -> bool {
    std::fs::File::open(data_dir.join("lock"))
        .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_explicit_word_wins() {
        let folder = Folder::new("words");
        let ready = |name: &str| {
            let data_dir = folder.0.join(name);
            std::fs::create_dir_all(&data_dir).unwrap();
            let ready = ReadyFile {
                main: format!("http://{name}"),
                dialects: BTreeMap::new(),
                policy_socket: None,
                ca_file: None,
                tls_name: None,
                admin_token: format!("rwt_{name}"),
                admin_password: String::new(),
                data_dir: data_dir.clone(),
                pid: std::process::id(),
            };
            ready.write(&data_dir.join("ready.json")).unwrap();
            let lock = std::fs::File::create(data_dir.join("lock")).unwrap();
            lock.lock().unwrap();
            (data_dir, lock)
        };
        // As long as the locks are held, their servers run.
        let ((given, _one), (environment, _other)) = (ready("given"), ready("environment"));
        let set = [
            ("RINGWALL_URL", "http://elsewhere".into()),
            ("RINGWALL_TOKEN", " rwt_elsewhere\n".into()),
            ("RINGWALL_DATA_DIR", environment.clone().into_os_string()),
        ];
        check(Some(&given), &set, Ok("http://given rwt_given"));
        check(None, &set, Ok("http://elsewhere rwt_elsewhere"));
        check(None, &set[2..], Ok("http://environment rwt_environment"));
        check(None, &set[..1], Err("RINGWALL_URL is set, but not RINGWALL_TOKEN"));
        let https = [
            ("RINGWALL_URL", "https://elsewhere".into()),
            ("RINGWALL_TOKEN", "rwt_x".into()),
            ("RINGWALL_CA", "sha256:00".into()),
        ];
        check(None, &https[..2], Err("RINGWALL_URL says https, but not whom to trust"));
        check(None, &https, Ok("https://elsewhere rwt_x"));
        let error = trust(Some("sha256:00"), None).unwrap_err();
        assert!(error.message.contains("not a fingerprint"), "{}", error.message);
        assert!(trust(Some("/nowhere/ca.pem"), None).unwrap_err().message.contains("/nowhere"));
        check(None, &[], Err("no server is named: HOME is not set"));
        let home = [("HOME", folder.0.clone().into_os_string())];
        let nowhere = format!("no server runs on {}/.local/share/ringwall", folder.0.display());
        check(None, &home, Err(&nowhere));
    }

    #[test]
    fn a_dead_server_is_not_asked() {
        let folder = Folder::new("dead");
        let ready = ReadyFile {
            main: "http://127.0.0.1:1".to_owned(),
            dialects: BTreeMap::new(),
            policy_socket: None,
            ca_file: None,
            tls_name: None,
            admin_token: String::new(),
            admin_password: String::new(),
            data_dir: folder.0.clone(),
            // Another process has its number by now: what counts is that nobody holds the lock.
            pid: std::process::id(),
        };
        ready.write(&folder.0.join("ready.json")).unwrap();
        std::fs::write(folder.0.join("lock"), "").unwrap();
        let expected = format!(
            "the server of {} is gone: process {} ended without a word",
            folder.0.display(),
            std::process::id()
        );
        check(Some(&folder.0), &[], Err(&expected));
    }

    #[track_caller]
    fn check(given: Option<&Path>, set: &[(&str, OsString)], expected: Result<&str, &str>) {
        let found = find(given, None, |name| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        });
        let found = match &found {
            Ok(found) => Ok(format!("{} {}", found.url, found.token)),
            Err(failure) => Err(failure.message.as_str()),
        };
        assert_eq!(found.as_deref().map_err(|why| *why), expected);
    }

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("ringwall-find-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }
}
