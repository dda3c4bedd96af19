//! What every program does alike: configuration, logging, signals, exit codes.
