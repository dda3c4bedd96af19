//! What guarded applications are told: the rules that people edit, and the addresses that are banned.
//!
//! [`composition`] makes one object of both for each project; [`publishing`] gives it a version and
//! keeps it in the transaction of what changed it; [`board`] holds what was published in memory, for
//! everybody who asks or listens. [`bans`] begins and ends bans, [`automatic`] decides when one begins
//! without anybody asking, [`own_bans`] knows what applications ban by themselves, and [`preview`] tries rules on what was stored.

pub(crate) mod answering;
pub(crate) mod automatic;
pub(crate) mod bans;
pub(crate) mod board;
pub(crate) mod composition;
pub(crate) mod observed;
mod own_bans;
pub(crate) mod preview;
pub(crate) mod publishing;
pub(crate) mod summary;
pub(crate) mod sweep;
mod told;
pub(crate) mod windows;

pub(crate) use board::GuardRules;
