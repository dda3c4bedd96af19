use crate::sha256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What of a request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    method: &'a str,
    path: &'a str,
    /// With the question mark; a lone one where there is no query (RFC 9421 §2.2.7).
    query: &'a str,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    /// A request with this target (path and query as they are sent, percent-encoding included) and body
    /// (as it is sent, packed or not).
    pub fn new(method: &'a str, path_and_query: &'a str, body: &'a [u8]) -> Self {
        let query_begins = path_and_query.find('?').unwrap_or(path_and_query.len());
        let (path, query) = path_and_query.split_at(query_begins);
        Self {
            method,
            // RFC 9421 §2.2.6: an empty path is a slash.
            path: if path.is_empty() { "/" } else { path },
            query: if query.is_empty() { "?" } else { query },
            body,
        }
    }

    pub(super) const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Whether every part is one line: a line break could shift what is signed. No HTTP parser lets one
    /// through, and this does not rely on it.
    pub(super) fn is_unambiguous(&self) -> bool {
        [self.method, self.path, self.query].into_iter().all(|text| !text.contains(['\n', '\r']))
    }

    /// The text under the signature (RFC 9421 §2.5).
    pub(super) fn signature_base(&self, content_digest: &str, parameters: &str) -> String {
        let Self { method, path, query, .. } = self;
        format!(
            "\"@method\": {method}\n\"@path\": {path}\n\"@query\": {query}\n\
             \"content-digest\": {content_digest}\n\"@signature-params\": {parameters}"
        )
    }
}

/// The value of `Content-Digest` for this body: `sha-256=:…:` (RFC 9530 §2).
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(sha256(body)))
}
