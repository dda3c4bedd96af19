//! From what was seen to what the server has: events wait in a spool on the disk and go out in reports.
//!
//! What is here does not care where observations come from, so whoever makes them up sends them through
//! the same spool and the same requests as the agent does.

use crate::dialect::ringwall::{after_refusal, is_final, tell_trouble};
use crate::own_health::Waiting;
use crate::report;
use crate::watching::is_picture;
use bytes::Bytes;
use ringwall_delivery::{
    Batch, BatchBounds, DiskSettings, DiskSpool, Encoding, Ended, Item, LocalSpool, MemorySpool,
    Outbox, Outcome, Parcel, Sender, SenderSettings, SenderStatus, Sink, SpoolError,
};
use ringwall_host_probes::Observation;
use ringwall_server_client::AgentClient;
use std::path::PathBuf;
use tokio::sync::watch;

/// Where events wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolSettings {
    /// The spool's folder.
    pub folder: PathBuf,
    /// What it may take on the disk; beyond it pictures go first, then the oldest events.
    pub bytes_max: u64,
    /// What is held in memory instead where the folder cannot be used.
    pub memory_bytes_max: u64,
}

/// Takes in what was seen. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reports {
    outbox: Outbox<LocalSpool>,
}

/// Brings it to the server.
#[derive(Debug)]
pub struct ReportSender {
    sender: Sender<LocalSpool, ReportSink>,
}

impl Reports {
    /// Opens the spool; what an earlier process left in it goes first. Where the folder cannot be used,
    /// events wait in memory, and the log says so.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub fn open(
        client: AgentClient,
        settings: &SpoolSettings,
    ) -> Result<(Self, ReportSender), SpoolError> {
        let disk = DiskSettings::new(&settings.folder, settings.bytes_max);
        let spool = match DiskSpool::open(disk) {
            Ok(spool) => LocalSpool::Disk(spool),
            Err(error) => {
                tracing::warn!(
                    %error,
                    "no spool on the disk: events wait in memory, and are lost when this agent ends"
                );
                LocalSpool::Memory(MemorySpool::new(settings.memory_bytes_max)?)
            }
        };
        let sender_settings = SenderSettings {
            bounds: BatchBounds {
                count_max: report::REPORT_EVENTS_MAX,
                bytes_max: report::REPORT_BYTES_MAX,
            },
            ..SenderSettings::default()
        };
        let sink = ReportSink { client, hostname: crate::host_name(), is_troubled: false };
        let (sender, outbox) = Sender::new(spool, sink, sender_settings);
        Ok((Self { outbox }, ReportSender { sender }))
    }

    /// Takes observations in, in their order. What cannot be kept is counted; that needs no answer.
    pub async fn add(&self, observations: Vec<Observation>) {
        let mut items = Vec::with_capacity(observations.len());
        let mut unwritable = 0;
        for observation in observations {
            let gives_way = is_picture(&observation);
            match report::event(observation) {
                Some(payload) => items.push(Item { payload, gives_way }),
                None => unwritable += 1,
            }
        }
        if let Err(error) = self.outbox.append(items).await {
            tracing::error!(%error, "the spool fails: what was seen may be lost uncounted");
        }
        if unwritable > 0
            && let Err(error) = self.outbox.count_lost(unwritable).await
        {
            tracing::error!(%error, events = unwritable, "lost events cannot be counted");
        }
    }

    /// What waits, and what was lost.
    pub(crate) fn waiting(&self) -> Waiting {
        let spool = self.outbox.status().spool;
        Waiting {
            events: spool.counters.waiting,
            bytes: spool.bytes,
            bytes_max: spool.bytes_max,
            dropped: spool.counters.lost(),
        }
    }

    /// How things stand.
    pub fn status(&self) -> SenderStatus {
        self.outbox.status()
    }
}

impl ReportSender {
    /// Sends until `stop` turns true, and then for a short while what still waits.
    pub async fn run(self, stop: watch::Receiver<bool>) -> Ended {
        self.sender.run(stop).await
    }
}

/// The server's door for reports.
#[derive(Debug)]
struct ReportSink {
    client: AgentClient,
    hostname: String,
    /// Whether the last attempt failed: each trouble is told once.
    is_troubled: bool,
}

impl Sink for ReportSink {
    fn name(&self) -> &str {
        "server"
    }

    fn encoding(&self) -> Encoding {
        Encoding::Zstd
    }

    /// A host may be renamed between two attempts.
    fn label(&self) -> Bytes {
        Bytes::copy_from_slice(self.hostname.as_bytes())
    }

    fn write(&self, batch: &Batch) -> Option<Bytes> {
        report::body(batch)
    }

    async fn deliver(&mut self, parcel: &Parcel) -> Outcome {
        let (body, encoding) = (parcel.body.clone(), parcel.encoding.header());
        let error = match self.client.report_packed(body, encoding).await {
            Ok(answer) => {
                self.is_troubled = false;
                tracing::debug!(
                    sequence = parcel.id.ordinal,
                    bytes = parcel.body.len(),
                    accepted = answer.accepted,
                    duplicates = answer.duplicates,
                    "report taken"
                );
                return Outcome::Delivered;
            }
            Err(error) => error,
        };
        let why = error.to_string();
        if error.is_status(413) {
            Outcome::TooLarge { why }
        } else if is_final(&error) {
            Outcome::Refused { why }
        } else {
            if !std::mem::replace(&mut self.is_troubled, true) {
                tell_trouble(&error, "reports cannot be delivered: events are kept");
            }
            Outcome::Retry { after: after_refusal(&error), why }
        }
    }
}
