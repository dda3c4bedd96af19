//! Brings a file to the server, part by part, through one descriptor.

use super::files::FileHands;
use super::{Failure, unfinished};
use crate::chance;
use crate::kill::Place;
use bytes::Bytes;
use ringwall_event::{FileTarget, Timestamp};
use ringwall_host_probes::plain_file::PlainFile;
use ringwall_resilience::{Backoff, BackoffPolicy};
use ringwall_server_api::{FILE_PART_BYTES_MAX, FilePart};
use ringwall_server_client::{AgentClient, ClientError};
use ringwall_signing::Sha256Stream;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

/// The waits between attempts.
const RETRY: BackoffPolicy =
    BackoffPolicy::new(Duration::from_millis(250), Duration::from_secs(10));
/// A server that lost what it had may ask for it again so many times.
const STEPS_BACK_MAX: u32 = 3;

/// Collects a file before the command expires, and tells what was collected.
pub(super) async fn collect(
    client: &AgentClient,
    hands: &Arc<FileHands>,
    id: &str,
    target: &FileTarget,
    until: Timestamp,
    place: Place,
) -> Result<String, Failure> {
    let (hands, path) = (Arc::clone(hands), target.path.clone());
    let opened = place.run(move |_, _| Collected::open(&hands, &path)).await;
    let file = Arc::new(opened.ok_or_else(unfinished)??);
    let mut backoff = Backoff::new(RETRY);
    let (mut offset, mut steps_back) = (0, 0);
    loop {
        let part = file.part(offset);
        let body = Arc::clone(&file).read(offset).await?;
        match client.file_part(id, &part, body).await {
            Ok(answer) if answer.complete => break,
            Ok(answer) => {
                backoff.succeeded();
                steps_back += u32::from(answer.received <= offset);
                if answer.received > file.bytes || steps_back > STEPS_BACK_MAX {
                    return Err("the server does not take the file to its end".to_owned());
                }
                offset = answer.received;
            }
            Err(error) if is_passing(&error) => {
                let retry_after = match &error {
                    ClientError::Refused { retry_after, .. } => *retry_after,
                    _ => None,
                };
                let wait = backoff.failed(chance(), retry_after);
                if crate::now() > until {
                    return Err(format!("not brought before the command expired: {error}"));
                }
                tokio::time::sleep(wait).await;
            }
            Err(error) => return Err(format!("not brought: {error}")),
        }
    }
    Ok(format!("collected `{}`: {} bytes, sha256 {}", target.path, file.bytes, file.sha256))
}

/// A server that is being restarted, or whose disk is full for a moment, takes it by and by.
fn is_passing(error: &ClientError) -> bool {
    error.is_passing() || error.is_status(408)
}

/// An open file, and what it was when it was looked at.
#[derive(Debug)]
struct Collected {
    file: PlainFile,
    bytes: u64,
    sha256: String,
}

impl Collected {
    fn open(hands: &FileHands, path: &ringwall_event::AbsolutePath) -> Result<Self, Failure> {
        let file = hands.open(path).map_err(|error| error.to_string())?;
        let (bytes, bytes_max) = (file.bytes(), hands.collect_bytes_max);
        if bytes > bytes_max {
            return Err(format!("`{path}` has {bytes} bytes; at most {bytes_max} are collected"));
        }
        let mut digest = Sha256Stream::default();
        let mut offset = 0;
        while offset < bytes {
            let part = read_part(&file, bytes, offset)?;
            digest.update(&part);
            offset = offset.saturating_add(part.len() as u64);
        }
        Ok(Self { file, bytes, sha256: digest.hexadecimal() })
    }

    fn part(&self, offset: u64) -> FilePart {
        FilePart { offset, bytes: self.bytes, sha256: self.sha256.clone() }
    }

    /// What comes next, away from the thread that talks to the server.
    async fn read(self: Arc<Self>, offset: u64) -> Result<Bytes, Failure> {
        let read = tokio::task::spawn_blocking(move || read_part(&self.file, self.bytes, offset));
        read.await.unwrap_or_else(|_| Err(unfinished())).map(Bytes::from)
    }
}

/// The next bytes of a file: never more than it had, nothing but a whole part, and then only if nobody
/// wrote to it since.
fn read_part(file: &PlainFile, bytes: u64, offset: u64) -> Result<Vec<u8>, Failure> {
    let length = bytes.saturating_sub(offset).min(FILE_PART_BYTES_MAX as u64);
    let mut part = vec![0; usize::try_from(length).unwrap_or(FILE_PART_BYTES_MAX)];
    let read = file.file().read_exact_at(&mut part, offset);
    if file.has_changed().unwrap_or(true) {
        return Err("the file changed while it was read".to_owned());
    }
    read.map_err(|error| format!("cannot read the file: {error}"))?;
    Ok(part)
}
