//! The OpenAPI 3.1 document: each operation described once, its bodies by their types.

mod guard;
mod guard_rules;
mod operation;
mod operations;
mod people;
mod webhooks;

use operation::Described;
use utoipa::openapi::path::Paths;
use utoipa::openapi::schema::Components;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{InfoBuilder, License, OpenApi, OpenApiBuilder};

/// What this API is, whole: for programs that generate clients, and for the page that people read.
pub fn openapi() -> OpenApi {
    let mut components = Components::new();
    for (name, scheme) in security_schemes() {
        components.add_security_scheme(name, scheme);
    }
    let mut paths = Paths::new();
    for Described { path, method, operation, schemas } in operations::all() {
        paths.add_path_operation(path, vec![method], operation);
        components.schemas.extend(schemas);
    }
    let mut info = InfoBuilder::new()
        .title("Ringwall")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .build();
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    info.license = Some(license);
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components))
        .tags(Some(TAGS.map(|(name, description)| {
            TagBuilder::new().name(name).description(Some(description)).build()
        })))
        .build()
}

/// The names of the security schemes.
mod scheme {
    pub(super) const TOKEN: &str = "token";
    pub(super) const SESSION: &str = "session";
    pub(super) const AGENT: &str = "agent_signature";
}

fn security_schemes() -> [(&'static str, SecurityScheme); 3] {
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("rwt_…")
        .description(Some("A token of `POST /api/v1/tokens`, or the administrator's."))
        .build();
    [
        (scheme::TOKEN, SecurityScheme::Http(token)),
        (
            scheme::SESSION,
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                "ringwall_session",
                "Set by `POST /api/v1/session`; over https its name is `__Host-ringwall_session`. \
                 Requests that change something then also need the \
                 header `X-Ringwall-CSRF` with the session's `csrf`.",
            ))),
        ),
        (
            scheme::AGENT,
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
                "Signature",
                "HTTP Message Signatures (RFC 9421) with Ed25519, in this profile and no other: \
                 `Signature-Input: ringwall=(\"@method\" \"@path\" \"@query\" \
                 \"content-digest\");created=SECONDS;keyid=\"NAME/KEY\";alg=\"ed25519\";\
                 nonce=\"NONCE\";tag=\"ringwall-agent\"`, `Signature: ringwall=:BASE64:` and \
                 `Content-Digest: sha-256=:BASE64:` (RFC 9530). NAME is that of the agent (`-` where \
                 it enrols), KEY the first 16 hexadecimal digits of the SHA-256 of the public key, \
                 NONCE 16 to 64 of `A-Z a-z 0-9 - _`, never used twice; SECONDS are at most 300 off.",
            ))),
        ),
    ]
}

const DESCRIPTION: &str = "\
Observe, conclude, act, prove: everything the dashboard and the command line do goes through this API.

* Bodies are JSON. Times are RFC 3339 in UTC with `Z` and up to six digits of fraction.
* Lists are `{\"data\": [...], \"next_cursor\": \"...\"}`, newest first where rows have a time. Give \
`next_cursor` as `cursor` for the rows after; it is signed and opaque. `limit` is 100 where it is absent.
* Errors are `application/problem+json` (RFC 9457). Programs look at `type` and `status`; the words may change.
* Ids of hosts hold a colon (`host-agent:web-1`), which may be percent-encoded in a path.
* Names, command lines and titles hold text that whoever attacks a host may have chosen. Show it, never run it.";

const TAGS: [(&str, &str); 11] = [
    ("overview", "The server and everything at a glance"),
    ("hosts", "Who reports, and what runs there"),
    ("events", "What was observed"),
    ("alerts", "What was concluded, and what people do about it"),
    ("commands", "What was ordered, and what became of it"),
    ("indicators", "The list of known bad things"),
    ("webhooks", "Where alerts are told, and what arrived there"),
    ("guard", "Guarded applications: who reports for them, and what"),
    ("access", "People, sessions, tokens and the keys of agents"),
    ("stream", "What happens from now on"),
    ("host agents", "What our own host agents say and hear"),
];
