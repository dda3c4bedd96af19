//! A typed client of the server's HTTP API.
