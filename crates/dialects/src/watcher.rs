//! The Watcher server: what its agents send and its readers expect.
