//! Our automation.
fn main() {}
