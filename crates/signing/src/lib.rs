//! Request MACs, Ed25519 keys, canonical JSON and secrets that never print.
