//! The HTTP API described once: paths, bodies, error codes, OpenAPI.
