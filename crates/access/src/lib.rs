//! Tokens, roles, sessions, and the one function that permits an action.
