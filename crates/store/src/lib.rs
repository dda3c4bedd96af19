//! One transaction for events and state, behind two traits.
