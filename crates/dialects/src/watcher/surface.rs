//! The answers that depend on nothing but the clock.

use super::rows::iso;
use ringwall_event::Timestamp;
use serde_json::json;

/// The body of every error but 422.
pub fn detail(text: &str) -> String {
    json!({ "detail": text }).to_string()
}

/// The body of `GET /`; `prefix` is the path that the dialect is mounted under, empty at the root.
pub fn root_body(prefix: &str) -> String {
    let at = |path: &str| format!("{prefix}{path}");
    json!({
        "name": "AI-Eye Watcher Central Server",
        "version": "1.0.0",
        "status": "running",
        "endpoints": {
            "dashboard_stats": at("/api/v1/dashboard/stats"),
            "alerts": at("/api/v1/alerts"),
            "events": at("/api/v1/events"),
            "commands": at("/api/v1/commands"),
            "health": at("/health"),
            "docs": at("/docs"),
        },
    })
    .to_string()
}

/// The body of `GET /health`.
pub fn health_body(now: Timestamp) -> String {
    json!({ "status": "healthy", "timestamp": iso(now), "version": "1.0.0" }).to_string()
}

/// The description of the dialect, OpenAPI 3.1, for a server at the root.
pub const OPENAPI: &str = include_str!("openapi.json");
