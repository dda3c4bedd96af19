//! The answers that depend on nothing but the clock.

use super::rows::iso;
use ringwall_event::Timestamp;
use serde_json::json;

/// The body of every error but 422.
pub fn detail(text: &str) -> String {
    json!({ "detail": text }).to_string()
}

/// The body of `GET /`.
pub fn root_body() -> String {
    json!({
        "name": "AI-Eye Watcher Central Server",
        "version": "1.0.0",
        "status": "running",
        "endpoints": {
            "dashboard_stats": "/api/v1/dashboard/stats",
            "alerts": "/api/v1/alerts",
            "events": "/api/v1/events",
            "commands": "/api/v1/commands",
            "health": "/health",
            "docs": "/docs",
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
