//! The state of a host as the first version of the program wrote it into checkpoints.

use crate::host_table::HostTable1;
use crate::{HostState, SeenNames};
use serde::Deserialize;

/// [`HostState`] as it was.
#[derive(Debug, Deserialize)]
pub struct HostState1 {
    table: HostTable1,
    seen: SeenNames,
}

impl From<HostState1> for HostState {
    fn from(state: HostState1) -> Self {
        Self { table: state.table.into(), seen: state.seen }
    }
}
