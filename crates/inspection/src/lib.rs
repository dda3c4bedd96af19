//! What an inspector sees of an HTTP exchange, its phases, and the verdict it returns.
#![forbid(unsafe_code)]
