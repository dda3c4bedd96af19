//! Files that host agents bring, and people fetch.

use super::agent_signature::signed;
use super::body::Json;
use super::caller::Caller;
use super::decide::{audit, permit};
use super::problem::ApiError;
use super::query::{InPath, in_query, not_found};
use crate::collected::{PartError, PartTaken};
use crate::server::Server;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringwall_access::Change;
use ringwall_event::{CommandId, Source};
use ringwall_server_api::{FILE_PART_BYTES_MAX, FilePart, FilePartAnswer, Problem, ProblemKind};
use ringwall_store::StateStore;
use std::io;
use std::sync::Arc;

/// `POST /agent/commands/{id}/file`.
pub(super) async fn bring(
    State(server): State<Arc<Server>>,
    InPath(id): InPath<String>,
    request: Request,
) -> Result<Json<FilePartAnswer>, ApiError> {
    let uri = request.uri().clone();
    let (agent, body) = signed(&server, request).await?;
    let part: FilePart = in_query(&uri)?;
    must_be_bytes(&agent.headers)?;
    if body.len() > FILE_PART_BYTES_MAX {
        let detail = format!("a part has at most {FILE_PART_BYTES_MAX} bytes");
        return Err(ApiError::new(ProblemKind::BodyTooLarge, detail));
    }
    let source = Source::new(Source::HOST_AGENT, &agent.agent);
    let id = CommandId::parse(&id).map_err(|_| not_found("command", &id))?;
    let (key, by) = (id.to_string(), source.clone());
    let found = server.engine.write(move |writing| writing.collecting(&by, &key)).await?;
    let Some(command) = found else {
        // Of another host, of another kind, not handed out, ended: it is all the same to whoever asks.
        return Err(ApiError::new(ProblemKind::Conflict, "no file is expected for this command"));
    };
    if let Some(file) = command.file {
        return Ok(Json(FilePartAnswer { received: file.bytes, complete: true }));
    }
    let taking = Arc::clone(&server);
    let (of, announced) = (id.clone(), part.clone());
    let taken = tokio::task::spawn_blocking(move || taking.collected.take(&of, &announced, &body))
        .await
        .map_err(|error| ApiError::internal(&error))??;
    let answer = match taken {
        PartTaken::Some(received) => FilePartAnswer { received, complete: false },
        PartTaken::Whole => {
            let (key, bytes, sha256) = (id.to_string(), part.bytes, part.sha256);
            let is_known = server
                .engine
                .write(move |writing| writing.file_arrived(&source, &key, bytes, &sha256))
                .await?;
            if !is_known {
                let removing = Arc::clone(&server);
                tokio::task::spawn_blocking(move || removing.collected.remove(&id))
                    .await
                    .map_err(|error| ApiError::internal(&error))?
                    .map_err(PartError::from)?;
                let detail = "the command ended while its file was brought";
                return Err(ApiError::new(ProblemKind::Conflict, detail));
            }
            FilePartAnswer { received: bytes, complete: true }
        }
    };
    Ok(Json(answer))
}

/// `GET /commands/{id}/file`.
pub(super) async fn fetch(
    State(server): State<Arc<Server>>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Response, ApiError> {
    let action = Change::FetchFile { command: id.clone() };
    let permit = permit(&server, &caller, &action, "").await?;
    let missing = not_found("collected file", &id);
    let Ok(id) = CommandId::parse(&id) else { return Err(missing) };
    let key = id.to_string();
    let command = server.engine.read(move |session| session.command(&key)).await?;
    let Some((file, path)) = command.and_then(|command| {
        let path = command.order.path().cloned()?;
        command.file.map(|file| (file, path))
    }) else {
        return Err(missing);
    };
    if file.removed.is_some() {
        return Err(ApiError::new(ProblemKind::NotFound, "the file was given up for its age"));
    }
    let (reading, sha256) = (Arc::clone(&server), file.sha256.clone());
    let of = id.clone();
    let content = tokio::task::spawn_blocking(move || reading.collected.read(&of, &sha256))
        .await
        .map_err(|error| ApiError::internal(&error))?;
    let content = match content {
        Err(PartError::Storage(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(missing);
        }
        other => other?,
    };
    server.engine.write(audit(permit)).await?;
    let name = format!("attachment; filename=\"{}\"", attachment_name(&id, path.file_name()));
    let digest = format!("sha-256=:{}:", base64_of(&file.sha256));
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
        (header::HeaderName::from_static("repr-digest"), digest),
    ];
    let mut response = (StatusCode::OK, Body::from(content)).into_response();
    for (name, value) in headers {
        let value = HeaderValue::try_from(value).map_err(|error| ApiError::internal(&error))?;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// What the browser calls it: never a name that does something when it is opened.
fn attachment_name(id: &CommandId, file: &str) -> String {
    let plain: String = file
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' })
        .take(100)
        .collect();
    format!("{id}-{plain}.collected")
}

/// Base64 of what stands there in hexadecimal digits (RFC 9530).
fn base64_of(digits: &str) -> String {
    let bytes: Vec<u8> = digits
        .as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    STANDARD.encode(bytes)
}

fn must_be_bytes(headers: &HeaderMap) -> Result<(), ApiError> {
    let sent = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if sent.eq_ignore_ascii_case(b"application/octet-stream") {
        return Ok(());
    }
    let detail = "the body must be `application/octet-stream`";
    Err(ApiError::new(ProblemKind::UnsupportedMediaType, detail))
}

impl From<PartError> for ApiError {
    fn from(error: PartError) -> Self {
        match error {
            PartError::TooLarge { .. } => Self::new(ProblemKind::BodyTooLarge, error.to_string()),
            PartError::BeyondEnd => Problem::invalid_parameter("offset", error.to_string()).into(),
            PartError::Digest => Problem::invalid_parameter("sha256", error.to_string()).into(),
            PartError::Full | PartError::Damaged => {
                Self::new(ProblemKind::Conflict, error.to_string())
            }
            PartError::Storage(error) => {
                tracing::error!(%error, "a collected file cannot be stored");
                Self::new(ProblemKind::StorageUnavailable, "the file cannot be stored").after(5)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_attachments_are_harmless() {
        let id = CommandId::parse("cmd_1").unwrap();
        for (file, expected) in [
            ("evil.sh", "cmd_1-evil.sh.collected"),
            ("a\"; filename=x.exe", "cmd_1-a___filename_x.exe.collected"),
            ("..", "cmd_1-...collected"),
            ("é\r\n", "cmd_1-___.collected"),
        ] {
            assert_eq!(attachment_name(&id, file), expected, "{file:?}");
        }
        assert_eq!(base64_of("00ff"), "AP8=");
    }
}
