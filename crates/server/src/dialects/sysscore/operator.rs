//! Who may read: people and programs with a bearer token, the original's kind or ours.

use super::refusal::Refusal;
use crate::api::token_subject;
use crate::server::Server;
use http::{HeaderMap, StatusCode, header};
use ringwall_access::Permission;
use ringwall_dialects::sysscore::{Problem, verify_operator_token};

/// Checks the bearer token of a request: a JSON Web Token under the configured secret, which may
/// everything here as with the original, or a token of ours whose role has this permission. Returns who
/// it is, as audit entries name them.
pub(super) async fn admit(
    server: &Server,
    headers: &HeaderMap,
    permission: Permission,
) -> Result<String, Refusal> {
    let token =
        bearer(headers).ok_or(Refusal::Plain(StatusCode::UNAUTHORIZED, "Not authenticated"))?;
    if token.starts_with(OUR_PREFIX) {
        return match token_subject(server, token).await? {
            None => Err(Problem::TOKEN_REFUSED.into()),
            Some(subject) if subject.may(permission) => Ok(subject.to_string()),
            Some(_) => Err(Problem::FORBIDDEN.into()),
        };
    }
    // Without a configured secret there is none: none is built in.
    let Some(secret) = &server.operator_secret else {
        return Err(Problem::TOKEN_REFUSED.into());
    };
    verify_operator_token(token, secret, server.now()).map_err(|error| {
        tracing::debug!(%error, "operator token refused");
        Refusal::from(Problem::TOKEN_REFUSED)
    })?;
    Ok("sysscore:operator".to_owned())
}

/// No JSON Web Token begins so: theirs begin with the base64 of `{`.
const OUR_PREFIX: &str = "rwt_";

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
