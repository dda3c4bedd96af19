//! The SysScore platform API: what its agents send and its readers expect.
