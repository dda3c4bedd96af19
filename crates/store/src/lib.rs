//! One SQLite database for events and state: what is answered as stored, is.
//!
//! Everything that must come true together goes into **one** transaction: a [`GroupCommit`] runs the
//! jobs of many concurrent requests on one writer thread and commits them with one `fsync`
//! (`synchronous=FULL`); only then do their senders hear of success. Readers have connections of
//! their own and never wait for the writer.
//!
//! Callers see two seams, both implemented by [`Session`]: [`EventStore`] for the events, which lie
//! in compressed blobs, one a batch, and [`StateStore`] for what changes: alerts, commands, audit
//! entries, documents and checkpoints.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("ringwall-store-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! use ringwall_store::{Database, StateStore};
//! let database = Database::open(&folder.join("ringwall.db"))?;
//! database.write_now(|session| session.put_document("greeting", "world", &"hello"))?;
//! let back: Option<String> = database.read(|session| session.document("greeting", "world"))?;
//! assert_eq!(back.as_deref(), Some("hello"));
//! # drop(database); std::fs::remove_dir_all(&folder)?;
//! # Ok(()) }
//! ```

pub mod backup;
pub mod data_dir;
pub mod maintenance;
pub mod sql;

mod archive;
mod batch;
mod database;
mod error;
mod events;
mod group_commit;
mod integrity;
mod progress;
mod rollups;
mod scan;
mod schema;
mod sha256;
mod state;

pub use archive::archiver::{ArchiveLimits, Archived, archive_once};
pub use archive::bulk_load::{BulkLoad, BulkLoadSettings, BulkLoaded};
pub use archive::columns::{Column, ColumnKind, schema, schema_of};
pub use archive::commits::Commits;
pub use archive::compaction::{Compacted, CompactionLimits, compact_once};
pub use archive::events_of::events_of;
pub use archive::examination::{FileProblem, missing_files, remove_orphans};
pub use archive::file::{ArchiveFile, FileLayout, FileWriter, NewFile};
pub use archive::guard::ArchiveGuard;
pub use archive::holds::{HOLDS_MAX, HoldAdded, LegalHold};
pub use archive::registry::{FileRecord, IntakeWaiting};
pub use archive::retention::{Retention, RetentionLimits, RetireReason, Retired, retire_once};
pub use archive::rows::BatchBuilder;
pub use archive::unlink::{Unlinked, Unlinker};
pub use batch::{BatchError, EncodedBatch};
pub use database::{Database, Session};
pub use error::StoreError;
pub use events::{EventFilter, EventPage, EventStore, PagePosition, StoredBatch};
pub use group_commit::{CommitError, Finish, GroupCommit, GroupCommitOptions, QueueFull};
pub use progress::{Progress, ProgressNow};
pub use rollups::counts::RollupCounts;
pub use rollups::{
    BUCKETS_MAX, Counted, RollupStore, Series, SeriesKey, Timeline, TimelineBy, TimelineQuery,
    rebuild_rollups,
};
pub use scan::control::{ScanControl, ScanProgress};
pub use scan::kernels::{GROUPS_MAX, Groups, Value, value};
pub use scan::predicate::{Place, Predicate, Test, TextPattern};
pub use scan::snapshot::{ScanRequest, Sink};
pub use state::guard_bans::{ActiveBans, BanFilter, BanOrigin, GuardBan, GuardBanStore};
pub use state::guard_metrics::{
    GuardMetricBucket, GuardMetricEndpoint, GuardMetricPoint, GuardMetricStore,
};
pub use state::guard_own_bans::{OwnBan, OwnBanStore};
pub use state::guard_rules::{GuardRulesStore, PublishedRules, RULES_EDITS_MAX, RulesEdit};
pub use state::item_keys::ItemKeyStore;
pub use state::outbox::{
    Attempt, AttemptEnd, Delivery, DeliveryCounts, DeliveryFilter, DeliveryState, NewDelivery,
    OutboxStore, Replay,
};
pub use state::{AlertFilter, AuditRecord, CommandFilter, Mark, StateStore};
