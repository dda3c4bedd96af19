//! Every change somebody asks for goes through here to `authorise`.

use super::caller::Caller;
use super::problem::ApiError;
use crate::engine::Writing;
use crate::server::Server;
use ringwall_access::{Change, Decision, Permit, authorise};
use ringwall_store::StoreError;

/// Permits the action, or refuses it and writes that down.
///
/// The audit entry of a permit is to be written in the transaction of what it permits.
pub(super) async fn permit(
    server: &Server,
    caller: &Caller,
    action: &Change,
    reason: &str,
) -> Result<Permit<Change>, ApiError> {
    // The body of a request may come slowly, and whoever sends it be shut out meanwhile.
    caller.must_still_be_valid(server).await?;
    let access = server.engine.rules().access.clone();
    match authorise(&access, action, &caller.subject, reason, server.now()) {
        Decision::Permit(permit) => Ok(permit),
        Decision::Refuse(refusal) => {
            let entry = refusal.audit_entry().clone();
            server.engine.write(move |writing| writing.audit(&entry)).await?;
            Err(refusal.into())
        }
    }
}

/// Writes a permit's audit entry, in the transaction of what it permits.
pub(super) fn audit(
    permit: Permit<Change>,
) -> impl FnOnce(&mut Writing<'_>) -> Result<(), StoreError> + Send + 'static {
    move |writing| writing.audit(permit.audit_entry())
}
