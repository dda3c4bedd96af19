use ringwall_event::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the store holds, as far as it is told without opening the archive: as cheap as it looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoreStats {
    /// All events.
    pub events: u64,
    /// What waits to be archived.
    pub intake: StoreIntake,
    /// What is archived.
    pub archive: StoreArchive,
    /// Bytes of the database and its journal; the intake lies there, and all that is no event.
    pub database_bytes: u64,
    /// When the first event was received that is still there.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub oldest: Option<Timestamp>,
    /// When the last event was received.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub newest: Option<Timestamp>,
    /// How many legal holds keep events from being removed.
    pub holds: u64,
    /// The last days on which events were received, newest first, at most 400.
    pub days: Vec<StoreDay>,
}

/// Events that wait to be archived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoreIntake {
    /// How many batches.
    pub batches: u64,
    /// How many events are in them.
    pub events: u64,
    /// When the one that waits longest was received.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub waiting_since: Option<Timestamp>,
}

/// Events in Parquet files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoreArchive {
    /// How many files.
    pub files: u64,
    /// How many events are in them.
    pub events: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes for each event; none where there are no events.
    pub bytes_per_event: Option<f64>,
}

/// What was received on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoreDay {
    /// Its beginning, UTC.
    #[schema(value_type = String, format = DateTime)]
    pub day: Timestamp,
    /// Events received on it.
    pub events: u64,
    /// Bytes of the archive files that hold them; what still waits has none.
    pub bytes: u64,
}

/// How many days an answer lists.
pub const STORE_DAYS_MAX: usize = 400;
