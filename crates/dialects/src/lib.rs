//! The wire types of the software that connects unchanged, to and from events.
