//! Roles and permissions, between the engine's types and the API's names.

use super::problem::ApiError;
use ringwall_access::{Permission, PermissionSet, Role};
use ringwall_lifecycle::nearest;
use ringwall_server_api::{self as wire, Problem};

/// The role as the API names it.
pub(super) const fn wire_role(role: Role) -> wire::Role {
    match role {
        Role::Admin => wire::Role::Admin,
        Role::Responder => wire::Role::Responder,
        Role::Analyst => wire::Role::Analyst,
        Role::ReadOnly => wire::Role::ReadOnly,
    }
}

/// The role that a request names.
pub(super) const fn our_role(role: wire::Role) -> Role {
    match role {
        wire::Role::Admin => Role::Admin,
        wire::Role::Responder => Role::Responder,
        wire::Role::Analyst => Role::Analyst,
        wire::Role::ReadOnly => Role::ReadOnly,
    }
}

/// The permissions as the API names them.
pub(super) fn permission_names(permissions: PermissionSet) -> Vec<String> {
    permissions.iter().map(|permission| permission.name().to_owned()).collect()
}

/// The permissions that a request narrows a role to.
///
/// One that the role does not include is refused: it would be left out in silence, and whoever
/// asked would believe that they have it.
pub(super) fn scopes(names: &[String], role: Role) -> Result<PermissionSet, ApiError> {
    let bad = |detail: String| Problem::invalid_field("scopes", detail);
    if names.is_empty() {
        return Err(bad("must name at least one permission".to_owned()).into());
    }
    let known = Permission::ALL.iter().map(|permission| permission.name());
    names
        .iter()
        .map(|name| {
            let Some(permission) = Permission::from_name(name) else {
                let shown: String = name.chars().take(64).collect();
                let problem = bad(format!("unknown permission `{shown}`"));
                return Err(match nearest(name, known.clone()) {
                    Some(meant) => problem.with_hint(format!("did you mean `{meant}`?")),
                    None => {
                        let all: Vec<_> = known.clone().collect();
                        problem.with_hint(format!("one of {}", all.join(", ")))
                    }
                }
                .into());
            };
            if !role.allows(permission) {
                return Err(bad(format!("the role {role} does not include `{permission}`")).into());
            }
            Ok(permission)
        })
        .collect()
}
