//! The country database, read again when its file changes.

use super::watched_file::WatchedFile;
use super::{Current, Stopping};
use crate::country::{CountryDatabase, CountryDatabaseError, CountrySource};
use ringwall_app_guard::Country;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// Where the country database lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountryFile {
    /// The file.
    pub path: PathBuf,
    /// How often it is looked at for a change.
    pub check_every: Duration,
}

impl CountryFile {
    /// A file that is looked at every ten seconds.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), check_every: Duration::from_secs(10) }
    }
}

/// The database as it was last read; none while that never succeeded.
#[derive(Debug, Default)]
pub(crate) struct Countries(Current<Option<CountryDatabase>>);

impl CountrySource for Countries {
    fn country(&self, address: IpAddr) -> Option<Country> {
        self.0.load().as_ref().as_ref()?.country(address)
    }

    fn is_ready(&self) -> bool {
        self.0.load().is_some()
    }
}

/// Reads the file now, and again whenever it changes. A file that is no database leaves what was read before.
pub(crate) async fn follow(file: CountryFile, countries: Arc<Countries>, mut stopping: Stopping) {
    let mut watched = WatchedFile::new(file.path);
    // One warning for each thing that is wrong, not one for each look.
    let mut complaint = String::new();
    loop {
        match reload(&mut watched, &countries).await {
            Ok(()) => complaint.clear(),
            Err(error) => {
                let path = watched.path().display();
                let error = error.to_string();
                if error != complaint {
                    warn!(%path, %error, "country database not read; what was read before stays");
                    complaint = error;
                }
            }
        }
        if !stopping.pause(file.check_every).await {
            return;
        }
    }
}

async fn reload(
    watched: &mut WatchedFile,
    countries: &Countries,
) -> Result<(), CountryDatabaseError> {
    let Some(stamp) = watched.changed().await.map_err(CountryDatabaseError::Read)? else {
        return Ok(());
    };
    let path = watched.path().to_owned();
    let read = tokio::task::spawn_blocking(move || CountryDatabase::open(&path)).await;
    let database = read.unwrap_or_else(|_| Err(CountryDatabaseError::Format("panicked".into())));
    if matches!(database, Ok(_) | Err(CountryDatabaseError::Format(_))) {
        watched.seen(stamp);
    }
    let database = database?;
    info!(path = %watched.path().display(), ?database, "country database read");
    countries.0.replace(Some(database));
    Ok(())
}
