use crate::server::Server;
use axum::Router;
use std::sync::Arc;

pub(crate) fn router(_server: Arc<Server>) -> Router {
    Router::new()
}
