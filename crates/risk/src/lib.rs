//! Scores of processes, each with its reasons.
