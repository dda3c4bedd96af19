//! The host agent: probes, buffer, commands.
