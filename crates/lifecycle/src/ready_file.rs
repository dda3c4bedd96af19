use crate::private_file::{self, PrivateFileError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where a running server is to be found, and how to get in.
///
/// The server writes it when everything listens, whole and with mode 0600; its presence says
/// "ready". One always stands as `ready.json` in the data directory while the server runs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadyFile {
    /// The dashboard and our API: `http://127.0.0.1:7400`.
    pub main: String,
    /// The root of each dialect that is served, by its name.
    pub dialects: BTreeMap<String, String>,
    /// The socket of the policy daemon, where there is one.
    pub policy_socket: Option<PathBuf>,
    /// The certificate of the authority that vouches for the server, where one of these addresses
    /// begins with `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The name that the certificate is for, where it is not for the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_name: Option<String>,
    /// A token that may do everything.
    pub admin_token: String,
    /// The first password of the user `admin`; empty once it was changed.
    pub admin_password: String,
    /// Where everything is kept; absolute.
    pub data_dir: PathBuf,
    /// The process of the server.
    pub pid: u32,
}

/// Why a ready file was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadyFileError {
    /// There is none: no server runs there.
    #[error("{}: not there", .0.display())]
    Missing(PathBuf),
    /// It cannot be read, or others can.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// It is not what a server writes.
    #[error("{}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl ReadyFile {
    /// Its name in the data directory.
    pub const NAME: &'static str = "ready.json";

    /// Writes it, readable for the owner only and whole at once.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        private_file::write(path, &text)
    }

    /// Reads it.
    ///
    /// # Errors
    /// Where there is none, or it cannot be trusted or understood.
    pub fn read(path: &Path) -> Result<Self, ReadyFileError> {
        let bytes = match private_file::read(path, BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(PrivateFileError::Io { error, path })
                if error.kind() == io::ErrorKind::NotFound =>
            {
                return Err(ReadyFileError::Missing(path));
            }
            Err(error) => return Err(error.into()),
        };
        serde_json::from_slice(&bytes).map_err(|error| ReadyFileError::Unreadable {
            path: path.to_owned(),
            why: error.to_string(),
        })
    }
}

const BYTES_MAX: u64 = 64 << 10;

impl fmt::Debug for ReadyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyFile")
            .field("main", &self.main)
            .field("dialects", &self.dialects)
            .field("policy_socket", &self.policy_socket)
            .field("data_dir", &self.data_dir)
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_written_is_read_back_and_nobody_else_sees_it() {
        let path = std::env::temp_dir().join(format!("ringwall-ready-{}.json", std::process::id()));
        assert!(matches!(ReadyFile::read(&path), Err(ReadyFileError::Missing(_))));
        let ready = ReadyFile {
            main: "http://127.0.0.1:7400".to_owned(),
            dialects: BTreeMap::from([("sysscore".to_owned(), "http://[::1]:8000".to_owned())]),
            policy_socket: None,
            ca_file: None,
            tls_name: None,
            admin_token: "rwt_abc".to_owned(),
            admin_password: "correct horse".to_owned(),
            data_dir: "/var/lib/ringwall".into(),
            pid: 17,
        };
        ready.write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(ReadyFile::read(&path).unwrap(), ready);
        let debug = format!("{ready:?}");
        assert!(!debug.contains("rwt_abc") && !debug.contains("horse"), "{debug}");
        std::fs::write(&path, "{").unwrap();
        assert!(matches!(ReadyFile::read(&path), Err(ReadyFileError::Unreadable { .. })));
        std::fs::remove_file(&path).unwrap();
    }
}
