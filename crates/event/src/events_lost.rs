use serde::{Deserialize, Serialize};

/// Events of a host that will never arrive: dropped for want of room, or refused for good.
///
/// The server concludes this from what the host's agent counts, once for each loss.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsLost {
    /// Names the spool of the agent that they were lost from.
    pub spool_id: Box<str>,
    /// How many were lost since the count before.
    pub count: u64,
    /// How many were lost since the spool was made.
    pub total: u64,
}
