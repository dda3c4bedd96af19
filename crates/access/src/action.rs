use crate::{Permission, PermissionSet, RefusalReason, Rules};
use ringwall_event::EventId;

/// Something that [`authorise`](crate::authorise) decides about.
pub trait Action: Clone {
    /// The lower-case name: `kill_process`.
    fn name(&self) -> &'static str;

    /// What a person or program must be allowed to do.
    fn permission(&self) -> Permission;

    /// What it gives to somebody else, who could then do it: nobody gives what they do not have.
    fn grants(&self) -> PermissionSet {
        PermissionSet::default()
    }

    /// To what it is done, one line for people: `host-agent:web-1 pid 42 evil.sh`.
    fn done_to(&self) -> String;

    /// What stands against it, whoever wants it.
    ///
    /// # Errors
    /// Where the rules refuse it to everybody.
    fn check(&self, rules: &Rules) -> Result<(), RefusalReason>;
}

/// A change of what the server keeps, with what it is done to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Take a command back before it is carried out.
    WithdrawCommand {
        /// The command's id.
        command: String,
    },
    /// Read a file that a host brought.
    FetchFile {
        /// The id of the command that collected it.
        command: String,
    },
    /// Say that somebody deals with an alert.
    AcknowledgeAlert {
        /// The alert's id.
        alert: EventId,
    },
    /// Say that an alert is dealt with.
    ResolveAlert {
        /// The alert's id.
        alert: EventId,
    },
    /// Put something on the list of known bad things.
    AddIndicator {
        /// `process`, `path`, `hash`, `address` or `domain`.
        kind: String,
        /// What is listed.
        value: String,
        /// Whether a match orders the kill.
        kills: bool,
    },
    /// Put many things on the list at once.
    ImportIndicators {
        /// How many.
        count: usize,
        /// Whether a match of one of them orders the kill.
        kills: bool,
    },
    /// Take something off the list.
    RemoveIndicator {
        /// The indicator's id.
        indicator: String,
    },
    /// Give an agent a key.
    CreateKey {
        /// `sysscore` or `host-agent`.
        kind: String,
        /// The agent's name.
        name: String,
    },
    /// Take an agent's key away.
    DeleteKey {
        /// `sysscore` or `host-agent`.
        kind: String,
        /// The agent's name.
        name: String,
    },
    /// Give leave to enrol.
    CreateEnrolment {
        /// For whom, in words.
        whom: String,
    },
    /// Take leave to enrol back.
    WithdrawEnrolment {
        /// The enrolment's id.
        enrolment: String,
    },
    /// Shut a host agent out.
    RevokeIdentity {
        /// The agent's name.
        name: String,
    },
    /// Let a host agent in again.
    ReinstateIdentity {
        /// The agent's name.
        name: String,
    },
    /// Forget a host agent: its name is free.
    ForgetIdentity {
        /// The agent's name.
        name: String,
    },
    /// Give a program a token.
    CreateToken {
        /// The token's name.
        name: String,
        /// What its holder may do.
        grants: PermissionSet,
    },
    /// Take a token away.
    DeleteToken {
        /// The token's id.
        token: String,
    },
    /// Let somebody sign in.
    CreateUser {
        /// Their name.
        name: String,
        /// What they may do.
        grants: PermissionSet,
    },
    /// Change somebody's role, or whether they may sign in.
    ChangeUser {
        /// Their name.
        name: String,
        /// What they may do then.
        grants: PermissionSet,
    },
    /// Let somebody sign in no more.
    DeleteUser {
        /// Their name.
        name: String,
    },
    /// Give somebody else another password: whoever does could sign in as them.
    SetPassword {
        /// Their name.
        name: String,
        /// What they may do.
        grants: PermissionSet,
    },
    /// End sessions of somebody else.
    EndSessions {
        /// Their name.
        user: String,
    },
    /// Have something kept, whatever its age.
    AddHold {
        /// The hold's name.
        name: String,
    },
    /// Let what was held be given up.
    RemoveHold {
        /// The hold's name.
        name: String,
    },
    /// Have alerts told to somebody.
    AddWebhook {
        /// The webhook's name.
        name: String,
    },
    /// Change what a webhook is told, where it leads, or whether it is.
    ChangeWebhook {
        /// The webhook's id.
        webhook: String,
    },
    /// Give a webhook a new secret.
    RotateWebhookSecret {
        /// The webhook's id.
        webhook: String,
    },
    /// Send something to a webhook to see whether it works.
    TestWebhook {
        /// The webhook's id.
        webhook: String,
    },
    /// Tell somebody nothing any more.
    RemoveWebhook {
        /// The webhook's id.
        webhook: String,
    },
    /// Let an application's guards report.
    AddGuardProject {
        /// The project's name.
        project: String,
    },
    /// Change what is demanded of a project's guards.
    ChangeGuardProject {
        /// The project's name.
        project: String,
    },
    /// Give a project's guards another key and other secrets.
    RotateGuardProject {
        /// The project's name.
        project: String,
    },
    /// Let a project's guards report no more.
    RemoveGuardProject {
        /// The project's name.
        project: String,
    },
    /// Let a banned address in again.
    LiftBan {
        /// The ban, with its address.
        ban: String,
    },
    /// Change what the applications of a project are told.
    ChangeGuardRules {
        /// The project's name.
        project: String,
    },
    /// Change when addresses are banned without anybody asking.
    ChangeAutomaticBans {
        /// How many rules are in force then.
        enabled: usize,
        /// What these rules do then, in the name of whoever wrote them.
        grants: PermissionSet,
    },
    /// Have one delivery sent again.
    ReplayDelivery {
        /// The delivery's id.
        delivery: String,
    },
    /// Have all of a webhook's dead letters sent again.
    ReplayDeadLetters {
        /// The webhook's id.
        webhook: String,
    },
}

impl Action for Change {
    fn name(&self) -> &'static str {
        match self {
            Self::WithdrawCommand { .. } => "withdraw_command",
            Self::FetchFile { .. } => "fetch_file",
            Self::AcknowledgeAlert { .. } => "acknowledge_alert",
            Self::ResolveAlert { .. } => "resolve_alert",
            Self::AddIndicator { .. } => "add_indicator",
            Self::ImportIndicators { .. } => "import_indicators",
            Self::RemoveIndicator { .. } => "remove_indicator",
            Self::CreateKey { .. } => "create_key",
            Self::DeleteKey { .. } => "delete_key",
            Self::CreateEnrolment { .. } => "create_enrolment",
            Self::WithdrawEnrolment { .. } => "withdraw_enrolment",
            Self::RevokeIdentity { .. } => "revoke_identity",
            Self::ReinstateIdentity { .. } => "reinstate_identity",
            Self::ForgetIdentity { .. } => "forget_identity",
            Self::CreateToken { .. } => "create_token",
            Self::DeleteToken { .. } => "delete_token",
            Self::CreateUser { .. } => "create_user",
            Self::ChangeUser { .. } => "change_user",
            Self::DeleteUser { .. } => "delete_user",
            Self::SetPassword { .. } => "set_password",
            Self::EndSessions { .. } => "end_sessions",
            Self::AddHold { .. } => "add_hold",
            Self::RemoveHold { .. } => "remove_hold",
            Self::AddWebhook { .. } => "add_webhook",
            Self::ChangeWebhook { .. } => "change_webhook",
            Self::RotateWebhookSecret { .. } => "rotate_webhook_secret",
            Self::TestWebhook { .. } => "test_webhook",
            Self::RemoveWebhook { .. } => "remove_webhook",
            Self::AddGuardProject { .. } => "add_guard_project",
            Self::ChangeGuardProject { .. } => "change_guard_project",
            Self::RotateGuardProject { .. } => "rotate_guard_project",
            Self::RemoveGuardProject { .. } => "remove_guard_project",
            Self::LiftBan { .. } => "unban_address",
            Self::ChangeGuardRules { .. } => "change_guard_rules",
            Self::ChangeAutomaticBans { .. } => "change_automatic_bans",
            Self::ReplayDelivery { .. } => "replay_delivery",
            Self::ReplayDeadLetters { .. } => "replay_dead_letters",
        }
    }

    fn permission(&self) -> Permission {
        match self {
            Self::WithdrawCommand { .. } => Permission::OrderCommands,
            Self::FetchFile { .. } => Permission::CollectFiles,
            Self::AcknowledgeAlert { .. } | Self::ResolveAlert { .. } => Permission::HandleAlerts,
            Self::AddIndicator { .. }
            | Self::ImportIndicators { .. }
            | Self::RemoveIndicator { .. } => Permission::ChangeIndicators,
            Self::CreateKey { .. }
            | Self::DeleteKey { .. }
            | Self::CreateEnrolment { .. }
            | Self::WithdrawEnrolment { .. }
            | Self::RevokeIdentity { .. }
            | Self::ReinstateIdentity { .. }
            | Self::ForgetIdentity { .. } => Permission::ChangeKeys,
            Self::CreateToken { .. } | Self::DeleteToken { .. } => Permission::ChangeTokens,
            Self::CreateUser { .. }
            | Self::ChangeUser { .. }
            | Self::DeleteUser { .. }
            | Self::SetPassword { .. }
            | Self::EndSessions { .. } => Permission::ChangeUsers,
            Self::AddHold { .. } | Self::RemoveHold { .. } => Permission::ChangeHolds,
            Self::AddWebhook { .. }
            | Self::ChangeWebhook { .. }
            | Self::RotateWebhookSecret { .. }
            | Self::TestWebhook { .. }
            | Self::RemoveWebhook { .. } => Permission::ChangeWebhooks,
            Self::AddGuardProject { .. }
            | Self::ChangeGuardProject { .. }
            | Self::RotateGuardProject { .. }
            | Self::RemoveGuardProject { .. } => Permission::ChangeGuard,
            Self::LiftBan { .. } => Permission::BanAddresses,
            Self::ChangeGuardRules { .. } | Self::ChangeAutomaticBans { .. } => {
                Permission::ChangeGuard
            }
            Self::ReplayDelivery { .. } | Self::ReplayDeadLetters { .. } => {
                Permission::ReplayDeliveries
            }
        }
    }

    fn grants(&self) -> PermissionSet {
        match self {
            // A rule of ours orders it then, in the name of whoever listed the thing.
            Self::AddIndicator { kills: true, .. } | Self::ImportIndicators { kills: true, .. } => {
                [Permission::OrderCommands].into_iter().collect()
            }
            Self::ChangeAutomaticBans { grants, .. }
            | Self::CreateToken { grants, .. }
            | Self::CreateUser { grants, .. }
            | Self::ChangeUser { grants, .. }
            | Self::SetPassword { grants, .. } => *grants,
            _ => PermissionSet::default(),
        }
    }

    fn done_to(&self) -> String {
        match self {
            Self::WithdrawCommand { command } | Self::FetchFile { command } => command.clone(),
            Self::AcknowledgeAlert { alert } | Self::ResolveAlert { alert } => {
                format!("alert {alert}")
            }
            Self::AddIndicator { kind, value, .. } => format!("{kind} {value}"),
            Self::ImportIndicators { count, .. } => format!("{count} indicators"),
            Self::RemoveIndicator { indicator } => format!("indicator {indicator}"),
            Self::CreateKey { kind, name } | Self::DeleteKey { kind, name } => {
                format!("{kind} {name}")
            }
            Self::CreateEnrolment { whom } => whom.clone(),
            Self::WithdrawEnrolment { enrolment } => format!("enrolment {enrolment}"),
            Self::RevokeIdentity { name }
            | Self::ReinstateIdentity { name }
            | Self::ForgetIdentity { name } => format!("host-agent:{name}"),
            Self::CreateToken { name, .. } => format!("token {name}"),
            Self::DeleteToken { token } => format!("token {token}"),
            Self::CreateUser { name, .. }
            | Self::ChangeUser { name, .. }
            | Self::DeleteUser { name }
            | Self::SetPassword { name, .. }
            | Self::EndSessions { user: name } => format!("user {name}"),
            Self::AddHold { name } | Self::RemoveHold { name } => format!("hold {name}"),
            Self::AddWebhook { name } => format!("webhook {name}"),
            Self::ChangeWebhook { webhook }
            | Self::RotateWebhookSecret { webhook }
            | Self::TestWebhook { webhook }
            | Self::RemoveWebhook { webhook }
            | Self::ReplayDeadLetters { webhook } => format!("webhook {webhook}"),
            Self::AddGuardProject { project }
            | Self::ChangeGuardProject { project }
            | Self::RotateGuardProject { project }
            | Self::RemoveGuardProject { project } => format!("guard project {project}"),
            Self::LiftBan { ban } => ban.clone(),
            Self::ChangeGuardRules { project } => format!("guard project {project}"),
            Self::ChangeAutomaticBans { enabled, .. } => format!("{enabled} rules in force"),
            Self::ReplayDelivery { delivery } => format!("delivery {delivery}"),
        }
    }

    fn check(&self, _rules: &Rules) -> Result<(), RefusalReason> {
        Ok(())
    }
}
