//! Guards a web application from inside: addresses, rates, bans, payloads, rules per route.
//!
//! All of it is pure: the present moment is an argument, what has to be looked up elsewhere is asked for,
//! and decisions are answers.
#![forbid(unsafe_code)]
