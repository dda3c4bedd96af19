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
    content_type: Option<&'a str>,
    content_encoding: Option<&'a str>,
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
            content_type: None,
            content_encoding: None,
        }
    }

    /// With the values of `Content-Type` and `Content-Encoding` as they are sent, where they are sent: they
    /// say what the body means, so they are signed with it, and that one is not there is signed as well.
    #[must_use]
    pub const fn with_content(
        mut self,
        content_type: Option<&'a str>,
        content_encoding: Option<&'a str>,
    ) -> Self {
        self.content_type = content_type;
        self.content_encoding = content_encoding;
        self
    }

    /// What is covered, in this order: a header that is not there cannot be (RFC 9421 §2.1).
    pub(super) fn covered(&self) -> Covered {
        Covered {
            content_type: self.content_type.is_some(),
            content_encoding: self.content_encoding.is_some(),
        }
    }

    pub(super) const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Whether every part is one line: a line break could shift what is signed. No HTTP parser lets one
    /// through, and this does not rely on it.
    pub(super) fn is_unambiguous(&self) -> bool {
        let content = [self.content_type, self.content_encoding].into_iter().flatten();
        [self.method, self.path, self.query]
            .into_iter()
            .chain(content)
            .all(|text| !text.contains(['\n', '\r']))
    }

    /// The text under the signature (RFC 9421 §2.5).
    pub(super) fn signature_base(&self, content_digest: &str, parameters: &str) -> String {
        let Self { method, path, query, .. } = self;
        let mut base = format!(
            "\"@method\": {method}\n\"@path\": {path}\n\"@query\": {query}\n\
             \"content-digest\": {content_digest}\n"
        );
        let content =
            [("content-type", self.content_type), ("content-encoding", self.content_encoding)];
        for (name, value) in content {
            if let Some(value) = value {
                // Blanks around a value are none of it (RFC 9421 §2.1).
                base += &format!("\"{name}\": {}\n", value.trim_matches([' ', '\t']));
            }
        }
        base + &format!("\"@signature-params\": {parameters}")
    }
}

/// Which of the headers that a request may lack are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Covered {
    content_type: bool,
    content_encoding: bool,
}

impl Covered {
    /// The list of what is covered, as it stands in `Signature-Input`.
    pub(super) const fn list(self) -> &'static str {
        match (self.content_type, self.content_encoding) {
            (false, false) => r#"("@method" "@path" "@query" "content-digest")"#,
            (true, false) => r#"("@method" "@path" "@query" "content-digest" "content-type")"#,
            (false, true) => r#"("@method" "@path" "@query" "content-digest" "content-encoding")"#,
            (true, true) => {
                r#"("@method" "@path" "@query" "content-digest" "content-type" "content-encoding")"#
            }
        }
    }

    /// What the list at the beginning of a text covers, and what follows it.
    pub(super) fn read(text: &str) -> Option<(Self, &str)> {
        [(false, false), (true, false), (false, true), (true, true)].into_iter().find_map(
            |(content_type, content_encoding)| {
                let covered = Self { content_type, content_encoding };
                Some((covered, text.strip_prefix(covered.list())?))
            },
        )
    }
}

/// The value of `Content-Digest` for this body: `sha-256=:…:` (RFC 9530 §2).
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(sha256(body)))
}
