//! Bodies, looked at while they stream: what is held is bounded, and nothing behind a limit is unseen.

mod form;
mod json;
mod multipart;
mod window;
mod xml;

use super::detector::Detector;
use super::finding::Finding;
use super::place::Place;
use form::FormWalk;
use json::JsonWalk;
use multipart::MultipartWalk;
use window::Window;
use xml::XmlWalk;

pub use window::{WINDOW_BYTES, WINDOW_OVERLAP_BYTES};

/// The most that one [`BodyScan`] holds of a body, in bytes.
pub const HELD_BYTES_MAX: usize = 64 * 1024;

/// How much of a body or file that is not text is looked at: its marks are at its start.
const BINARY_BYTES_MAX: usize = 16 * 1024;

/// So much of the start tells whether what is called a picture, or another thing that is not text, is none.
const START_BYTES: usize = 512;

/// Looks at one body as it arrives.
///
/// How the body is cut into chunks makes no difference to what is found. Values that are longer than
/// [`WINDOW_BYTES`] are looked at in windows of that size, each of which begins with the last
/// [`WINDOW_OVERLAP_BYTES`] of the one before.
#[derive(Debug)]
pub struct BodyScan {
    detector: Detector,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// No type is given: the first byte that is not white space decides.
    Undecided,
    Json(JsonWalk),
    Form(FormWalk),
    Multipart(Box<MultipartWalk>),
    Xml(XmlWalk),
    Text(Window),
    /// The client says that it is not text, which its first bytes have to bear out: they are kept here.
    Claimed(Vec<u8>),
    /// Some of the start is looked at.
    Binary {
        window: Window,
        left: usize,
    },
}

/// Where the walks send the values that they find.
pub(super) struct Found<'a> {
    detector: &'a Detector,
    found: &'a mut Vec<Finding>,
}

impl Found<'_> {
    pub(super) fn value(&mut self, place: Place<'_>, value: &[u8]) {
        if !value.is_empty() {
            self.detector.scan(place, value, self.found);
        }
    }
}

impl BodyScan {
    pub(super) fn new(detector: Detector, content_type: Option<&str>) -> Self {
        Self { detector, kind: kind_of(content_type) }
    }

    /// Takes the next bytes; what is found in them is appended.
    pub fn feed(&mut self, chunk: &[u8], found: &mut Vec<Finding>) {
        let mut chunk = chunk;
        if let Kind::Claimed(start) = &mut self.kind {
            let taken = chunk.len().min(START_BYTES - start.len());
            let (more, rest) = chunk.split_at(taken);
            start.extend_from_slice(more);
            if start.len() < START_BYTES {
                return;
            }
            self.decide(found);
            chunk = rest;
        }
        let found = &mut Found { detector: &self.detector, found };
        if matches!(self.kind, Kind::Undecided) {
            let Some(start) = chunk.iter().position(|byte| !byte.is_ascii_whitespace()) else {
                return;
            };
            chunk = chunk.get(start..).unwrap_or_default();
            self.kind = match chunk.first() {
                Some(b'{' | b'[') => Kind::Json(JsonWalk::default()),
                Some(b'<') => Kind::Xml(XmlWalk::default()),
                _ => Kind::Text(Window::default()),
            };
        }
        match &mut self.kind {
            Kind::Undecided | Kind::Claimed(_) => {}
            Kind::Json(walk) => walk.feed(chunk, found),
            Kind::Form(walk) => walk.feed(chunk, found),
            Kind::Multipart(walk) => walk.feed(chunk, found),
            Kind::Xml(walk) => walk.feed(chunk, found),
            Kind::Text(window) => window.extend(chunk, &mut |text| found.value(Place::Body, text)),
            Kind::Binary { window, left } => {
                let taken = chunk.get(..chunk.len().min(*left)).unwrap_or_default();
                *left -= taken.len();
                window.extend(taken, &mut |text| found.value(Place::FileContent("body"), text));
            }
        }
    }

    /// Goes on with the start of a body that is called something else than text, as what it is.
    fn decide(&mut self, found: &mut Vec<Finding>) {
        let Kind::Claimed(start) = &mut self.kind else { return };
        let start = std::mem::take(start);
        self.kind = if looks_like_text(&start) {
            Kind::Undecided
        } else {
            Kind::Binary { window: Window::default(), left: BINARY_BYTES_MAX }
        };
        self.feed(&start, found);
    }

    /// The body has ended; what is found in the rest of it is appended.
    pub fn finish(&mut self, found: &mut Vec<Finding>) {
        self.decide(found);
        let found = &mut Found { detector: &self.detector, found };
        match &mut self.kind {
            Kind::Undecided | Kind::Claimed(_) => {}
            Kind::Json(walk) => walk.finish(found),
            Kind::Form(walk) => walk.finish(found),
            Kind::Multipart(walk) => walk.finish(found),
            Kind::Xml(walk) => walk.finish(found),
            Kind::Text(window) => window.finish(&mut |text| found.value(Place::Body, text)),
            Kind::Binary { window, .. } => {
                window.finish(&mut |text| found.value(Place::FileContent("body"), text));
            }
        }
    }

    /// How many bytes are held at the moment; at most [`HELD_BYTES_MAX`].
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        match &self.kind {
            Kind::Undecided => 0,
            Kind::Claimed(start) => start.capacity(),
            Kind::Json(walk) => walk.held_bytes(),
            Kind::Form(walk) => walk.held_bytes(),
            Kind::Multipart(walk) => walk.held_bytes(),
            Kind::Xml(walk) => walk.held_bytes(),
            Kind::Text(window) | Kind::Binary { window, .. } => window.held_bytes(),
        }
    }
}

fn kind_of(content_type: Option<&str>) -> Kind {
    let Some(content_type) = content_type else { return Kind::Undecided };
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media_type == "application/x-www-form-urlencoded" {
        return Kind::Form(FormWalk::default());
    }
    if media_type.starts_with("multipart/") {
        return match multipart::boundary(content_type) {
            Some(boundary) => Kind::Multipart(Box::new(MultipartWalk::new(&boundary))),
            // Without one there are no parts.
            None => Kind::Text(Window::default()),
        };
    }
    if is_json(&media_type) {
        return Kind::Json(JsonWalk::default());
    }
    if is_xml(&media_type) {
        return Kind::Xml(XmlWalk::default());
    }
    if is_binary(&media_type) {
        return Kind::Claimed(Vec::new());
    }
    if media_type.is_empty() {
        return Kind::Undecided;
    }
    Kind::Text(Window::default())
}

/// Whether the start of something is text, which may be cut off within a character.
fn looks_like_text(start: &[u8]) -> bool {
    let is_utf8 = match std::str::from_utf8(start) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    is_utf8 && !start.contains(&0)
}

fn is_json(media_type: &str) -> bool {
    media_type.ends_with("/json")
        || media_type.ends_with("+json")
        || media_type.ends_with("/x-ndjson")
        || media_type.ends_with("/json-seq")
        || media_type.ends_with("/csp-report")
}

fn is_xml(media_type: &str) -> bool {
    media_type.ends_with("/xml") || media_type.ends_with("+xml")
}

fn is_binary(media_type: &str) -> bool {
    // Messages in frames, whatever is said of what is in them; JSON alone is read as such.
    let is_framed = media_type.starts_with("application/grpc");
    let is_picture = media_type.starts_with("image/") && !media_type.contains("svg");
    is_picture
        || is_framed
        || ["audio/", "video/", "font/"].iter().any(|start| media_type.starts_with(start))
        || matches!(
            media_type,
            "application/octet-stream"
                | "application/zip"
                | "application/gzip"
                | "application/pdf"
                | "application/wasm"
                | "application/protobuf"
                | "application/x-protobuf"
                | "application/msgpack"
                | "application/cbor"
                | "application/x-tar"
        )
}
