use ringwall_inspection::{BodySize, Headers, RequestHead, Scheme};

/// A copy of a request's head in one piece of memory: an exchange outlives the buffers of its connection.
#[derive(Debug)]
pub(super) struct Head {
    bytes: Vec<u8>,
    method: Span,
    path: Span,
    query: Option<Span>,
    headers: Vec<(Span, Span)>,
    pub(super) scheme: Scheme,
    pub(super) body: BodySize,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    length: u32,
}

/// Whether it is the handshake of a web socket, as a server would take it (RFC 6455 §4.2.1, RFC 8441 §5): a
/// header alone must not open a second budget for ordinary requests.
pub(super) fn opens_websocket(head: &RequestHead<'_>) -> bool {
    let names = |name: &str, wanted: &str| {
        let lines = head.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        let mut tokens = lines.flat_map(|(_, value)| value.split(|byte| *byte == b','));
        tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let has = |name: &str| head.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    match head.method {
        "GET" => {
            names("upgrade", "websocket")
                && names("connection", "upgrade")
                && has("sec-websocket-key")
                && has("sec-websocket-version")
        }
        // HTTP/2 has it in `:protocol`, without which a server answers `CONNECT` nowhere.
        "CONNECT" => has("sec-websocket-version"),
        _ => false,
    }
}

impl Head {
    pub(super) fn copy(head: &RequestHead<'_>) -> Self {
        let sizes = head.headers.iter().map(|(name, value)| name.len() + value.len());
        let query_size = head.query.map_or(0, str::len);
        let size = head.method.len() + head.path.len() + query_size + sizes.sum::<usize>();
        let mut bytes = Vec::with_capacity(size);
        let mut span = |part: &[u8]| {
            // No head is larger than 4 GB; its carrier bounds it at kilobytes.
            let start = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(part);
            Span { start, length: u32::try_from(part.len()).unwrap_or(0) }
        };
        let method = span(head.method.as_bytes());
        let path = span(head.path.as_bytes());
        let query = head.query.map(|query| span(query.as_bytes()));
        let headers =
            head.headers.iter().map(|(name, value)| (span(name.as_bytes()), span(value))).collect();
        Self { method, path, query, headers, bytes, scheme: head.scheme, body: head.body }
    }

    pub(super) fn method(&self) -> &str {
        self.text(self.method)
    }

    pub(super) fn path(&self) -> &str {
        self.text(self.path)
    }

    pub(super) fn query(&self) -> Option<&str> {
        self.query.map(|query| self.text(query))
    }

    /// The first value under this name.
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The first value under this name, where it is UTF-8.
    pub(super) fn header_text(&self, name: &str) -> Option<&str> {
        self.header(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (self.text(*name), self.part(*value)))
    }

    /// Calls with a view of the headers.
    pub(super) fn with_headers<T>(&self, call: impl FnOnce(Headers<'_>) -> T) -> T {
        let pairs: Vec<(&str, &[u8])> = self.headers().collect();
        call(Headers::new(&pairs))
    }

    fn part(&self, span: Span) -> &[u8] {
        let start = span.start as usize;
        self.bytes.get(start..start + span.length as usize).unwrap_or_default()
    }

    fn text(&self, span: Span) -> &str {
        std::str::from_utf8(self.part(span)).unwrap_or_default()
    }
}
