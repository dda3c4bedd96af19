//! The guard around a web application in Rust: a tower layer for axum, tonic and hyper.
//!
//! ```
//! use axum::{Router, routing::get};
//! use ringwall_app_guard::GuardSettings;
//! use ringwall_app_guard_layer::GuardLayer;
//!
//! let guard = GuardLayer::new(GuardSettings { rate_limit: 100, ..GuardSettings::default() })?;
//! let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(guard);
//! # drop(app);
//! # Ok::<(), ringwall_app_guard_layer::BuildError>(())
//! ```
//!
//! Who the client is the server tells: with axum,
//! `app.into_make_service_with_connect_info::<SocketAddr>()`; other servers put a [`PeerAddress`] into the
//! extensions of the request. Without either a request is refused, unless the settings say otherwise.
//!
//! The decisions are those of `ringwall-app-guard`, which does no I/O; this crate carries requests to it, answers
//! its questions from memory, from Redis, from a country database or by asking the application, and tells
//! [`EventSink`]s of what it decided. `docs/guard-rust.md` is the guide.
#![forbid(unsafe_code)]

mod answer;
mod background;
mod body;
mod callbacks;
mod carrier;
pub mod cloud;
pub mod country;
mod exchanging;
pub mod fetch;
mod grpc;
mod handle;
mod held;
mod layer;
mod peer;
mod request_head;
mod service;
pub mod sink;
pub mod state;
#[cfg(feature = "telemetry")]
pub mod telemetry;
mod time_zone;

pub use answer::AnswerBody;
pub use background::{CloudLists, CountryFile};
pub use body::{GuardBody, GuardBodyError};
pub use handle::{BanError, GuardHandle};
pub use layer::{BuildError, GuardBuilder, GuardLayer};
pub use peer::{OverTls, PeerAddress};
pub use service::{GuardFuture, GuardService};
pub use sink::EventSink;

/// The guide's examples are compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guard-rust.md")]
mod guide {}
