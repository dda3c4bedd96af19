//! The body of a POST: read, unpacked, its signature looked at on both bases, and then parsed: all of it
//! within room that was taken before, and large ones off the threads that answer others.

use super::caller::Caller;
use super::refusal::Refusal;
use super::unpack::{unpack, unpacked_bytes_max};
use crate::body;
use crate::guard::{PROJECT_BODY_BYTES_MAX, Project, Trouble};
use crate::server::Server;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use ringwall_dialects::guard::verify;
use ringwall_event::Timestamp;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

const SIGNATURE: HeaderName = HeaderName::from_static("x-payload-signature");
/// From here on unpacking and parsing would keep other requests waiting.
const LARGE_BYTES: usize = 64 << 10;
/// Of all batches that are being unpacked and parsed, or wait for the disk: what they unpack to.
pub(super) const UNPACKED_KIBIBYTES_MAX: usize = 256 << 10;
/// A packed body of a few kilobytes may become many megabytes, so its arrival alone bounds nothing.
pub(super) static ROOM: Semaphore = Semaphore::const_new(UNPACKED_KIBIBYTES_MAX);
/// How many large batches are looked at at once; further ones wait, with the room that they hold.
const LARGE_AT_ONCE: usize = 4;
static PLACES: Semaphore = Semaphore::const_new(LARGE_AT_ONCE);

/// What was made of a body.
pub(super) struct Looked<T> {
    /// What the job found.
    pub(super) found: T,
    /// To be held as long as what was found is.
    pub(super) room: Room,
}

/// Room among the batches of all projects, and within the share of its own.
pub(super) struct Room {
    _of_all: SemaphorePermit<'static>,
    _of_project: OwnedSemaphorePermit,
}

/// Reads what a guard sent, believed as far as its project asks for, and does `job` with the JSON text.
///
/// # Errors
/// Where it is too large, cannot be unpacked, or its signature is wrong, or missing where the project
/// requires one; and where there is no room now.
pub(super) async fn read<T: Send + 'static>(
    server: &Server,
    caller: &Caller,
    headers: HeaderMap,
    body: Body,
    job: impl FnOnce(&[u8]) -> T + Send + 'static,
) -> Result<Looked<T>, Refusal> {
    let bytes_max = server.config.limits.body_bytes_max;
    let share = caller.project.share();
    // What is larger than the share of a project never finds room: told to come later, it came for ever.
    let wire_max = bytes_max.min(PROJECT_BODY_BYTES_MAX);
    let wire = body::read_within(body, wire_max, |bytes| share.room(bytes)).await?;
    let unpacked_max = unpacked_bytes_max(&headers, wire.len(), bytes_max)?;
    let room = take_room(&caller.project, unpacked_max)?;
    let (project, now) = (Arc::clone(&caller.project), server.now());
    let look = move || -> Result<Result<Looked<T>, Trouble>, Refusal> {
        let text = unpack(&headers, wire.clone(), bytes_max)?;
        Ok(match trouble(&project, now, &headers, &wire, &text) {
            Some(trouble) => Err(trouble),
            // What was taken goes with it, so that it is not given back while this still runs.
            None => Ok(Looked { found: job(&text), room }),
        })
    };
    let looked = if unpacked_max < LARGE_BYTES { look() } else { aside(look).await? };
    match looked? {
        Ok(looked) => Ok(looked),
        Err(trouble) => {
            let troubles = &server.guard_troubles;
            troubles.tell(&server.engine, &caller.project, trouble, &caller.address).await;
            Err(Refusal::WrongSignature)
        }
    }
}

fn take_room(project: &Project, bytes: usize) -> Result<Room, Refusal> {
    let of_project = project.share().room(bytes).ok_or(Refusal::Later { seconds: 1 })?;
    // One that is larger than all there is has it for itself.
    let kibibytes = bytes.div_ceil(1024).clamp(1, UNPACKED_KIBIBYTES_MAX);
    let kibibytes = u32::try_from(kibibytes).unwrap_or(u32::MAX);
    let of_all = ROOM.try_acquire_many(kibibytes).map_err(|_| Refusal::Later { seconds: 1 })?;
    Ok(Room { _of_all: of_all, _of_project: of_project })
}

/// Does something off the threads that answer others.
async fn aside<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let failed = |error: &dyn std::error::Error| {
        tracing::error!(%error, "a guard's batch could not be read");
        Refusal::NotReady("the batch could not be looked at")
    };
    let place = PLACES.acquire().await.map_err(|error| failed(&error))?;
    let job = move || {
        let found = job();
        drop(place);
        found
    };
    tokio::task::spawn_blocking(job).await.map_err(|error| failed(&error))
}

fn trouble(
    project: &Project,
    now: Timestamp,
    headers: &HeaderMap,
    wire: &Bytes,
    text: &[u8],
) -> Option<Trouble> {
    if !project.stored.signs() {
        return None;
    }
    let Some(signature) = headers.get(SIGNATURE) else {
        return project.stored.require_signature.then_some(Trouble::MissingSignature);
    };
    let signature = signature.to_str().unwrap_or_default();
    // Agents 2.5 to 3.0 sign what goes over the wire, later ones the text within. Every basis is tried
    // under every secret, whichever fits: how long it takes tells nothing.
    let mut is_signed = false;
    for secret in project.signing_secrets(now) {
        is_signed |= verify(secret, wire, signature) | verify(secret, text, signature);
    }
    (!is_signed).then_some(Trouble::WrongSignature)
}
