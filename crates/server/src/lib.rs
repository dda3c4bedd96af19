//! The server: intake, conclusions, store, API, dialects, dashboard.
