//! Indicators and rules: events to alerts.
