//! Lax readings of JSON and the refusals that go with them, as pydantic 2 under FastAPI has them.
//!
//! The original SysScore and Watcher servers are built on that framework, so their clients rely on
//! what it takes (`"12"` and `true` are integers) and see its refusals:
//! `{"detail":[{"type","loc","msg","input"[,"ctx"]}]}` with status 422.
//!
//! Ours differ in one point: the offending input is repeated up to [`INPUT_ECHO_MAX`] bytes only.
//!
//! ```
//! use ringwall_dialects::validation::{Integer, Json, Place, Refusals};
//!
//! let body = Json::read(br#"{"pid": "12", "name": 7}"#).unwrap();
//! let model = body.model().unwrap();
//! let mut refusals = Refusals::default();
//! let place = Place::of("body");
//!
//! let pid = refusals.required(&place, body, &model, "pid", Json::integer);
//! let name = refusals.required(&place, body, &model, "name", Json::text);
//! assert_eq!(pid, Some(Integer::Fits(12)));
//! assert_eq!(name, None);
//! assert_eq!(
//!     refusals.to_body(),
//!     r#"{"detail":[{"type":"string_type","loc":["body","name"],"msg":"Input should be a valid string","input":7}]}"#
//! );
//! ```

mod fault;
mod integer;
mod json;
mod refusals;

pub use fault::Fault;
pub use integer::Integer;
pub use json::{Json, Members, SyntaxError, without_half_pairs, without_non_numbers};
pub use refusals::{INPUT_ECHO_MAX, Place, REFUSALS_MAX, Refusals};
