//! What an inspector sees of an HTTP exchange, its phases, and the verdict it returns.
//!
//! The narrow neck between who carries traffic (a proxy, a tower layer, an external agent) and who judges
//! it (an application guard, a web application firewall): neither needs to know the other.
//!
//! ```
//! use ringwall_inspection::{Headers, Inspector, Moment, Reply, RequestHead, Verdict};
//!
//! /// Refuses whoever does not say who they are.
//! struct NeedsUserAgent;
//!
//! impl Inspector for NeedsUserAgent {
//!     fn request_head(&mut self, head: &RequestHead<'_>, _now: Moment) -> Verdict {
//!         match head.headers.get("user-agent") {
//!             Some(_) => Verdict::Allow,
//!             None => Verdict::Refuse(Reply::new(403, "who are you?")),
//!         }
//!     }
//! }
//!
//! let now = Moment::new(std::time::Instant::now(), 1_700_000_000_000);
//! let pairs = [("User-Agent", b"curl/8".as_slice())];
//! let head = RequestHead { headers: Headers::new(&pairs), ..RequestHead::get("/") };
//! assert_eq!(NeedsUserAgent.request_head(&head, now), Verdict::Allow);
//! ```
#![forbid(unsafe_code)]

mod finding;
mod headers;
mod inspector;
mod moment;
mod request;
mod response;
mod verdict;

pub use finding::InspectionFinding;
pub use headers::Headers;
pub use inspector::{Inspector, Phase};
pub use moment::Moment;
pub use request::{BodySize, HttpVersion, Peer, RequestHead, Scheme};
pub use response::ResponseHead;
pub use verdict::{Reply, Verdict};
