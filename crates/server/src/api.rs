//! Our own API.

use crate::server::Server;
use axum::Router;
use std::sync::Arc;

#[derive(Default)]
pub(crate) struct SignInState {}

pub(crate) fn router(_server: Arc<Server>) -> Router {
    Router::new()
}
