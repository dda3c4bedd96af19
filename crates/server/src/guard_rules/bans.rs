//! Bans, from the order to their end.

use super::told::BY_ITSELF;
use crate::engine::{NewCommand, OrderError, Writing};
use crate::secrets::random_bytes;
use ringwall_access::{AuditEntry, BanAddress, Decision, Outcome, Permit, Subject, authorise};
use ringwall_event::{
    BlockTarget, Command, CommandState, EventId, Network, Order, Source, Timestamp, UnblockTarget,
};
use ringwall_store::{
    AuditRecord, BanFilter, BanOrigin, CommandFilter, GuardBan, GuardBanStore, StateStore,
    StoreError,
};
use std::collections::HashMap;

/// How many bans may be active at once: more than applications are told of.
pub(crate) const ACTIVE_BANS_MAX: u64 = 20_000;
/// How many of them rules may make; the rest is for people.
pub(crate) const RULE_BANS_MAX: u64 = 15_000;
/// How many of them the events of one source may lead to: others must find room.
pub(crate) const SOURCE_BANS_MAX: u64 = 5_000;
/// How many bans are ended in one transaction.
const ENDED_AT_ONCE: usize = 500;
/// A ban that ended is remembered for this long, in seconds: ninety days.
const REMEMBERED_SECONDS: i64 = 90 * 86_400;
/// A host that is away for longer is not told of a ban any more, in seconds.
const HOST_ORDER_SECONDS_MAX: i64 = 3600;
/// How many of a host's latest commands are looked through for one that blocks an address.
const COMMANDS_LOOKED_AT: usize = 200;

/// A wish to have an address banned.
#[derive(Clone, Debug)]
pub(crate) struct NewBan {
    /// Who shall not be let in.
    pub(crate) address: Network,
    /// Where; none for everywhere.
    pub(crate) project: Option<String>,
    /// For how long.
    pub(crate) seconds: u32,
    /// Why, one line.
    pub(crate) reason: String,
    /// What led to it.
    pub(crate) origin: BanOrigin,
    /// Whether hosts shall block the address, too.
    pub(crate) hosts: bool,
    /// The alert that led to it.
    pub(crate) alert: Option<EventId>,
    /// The country of the address, where somebody told.
    pub(crate) country: Option<String>,
    /// Whose events led to it.
    pub(crate) caused_by: Option<Source>,
}

/// Why an address was not banned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BanError {
    /// The policy says no.
    #[error("{0}")]
    Refused(String),
    /// There are as many as there may be.
    #[error("{ACTIVE_BANS_MAX} bans are active already; lift some")]
    TooMany,
    /// There are as many as rules may make.
    #[error("{RULE_BANS_MAX} bans are active already, the rest is for people; lift some")]
    TooManyOfRules,
    /// There are as many as events of one source may lead to.
    #[error("{SOURCE_BANS_MAX} bans are active that follow from events of {0}")]
    TooManyOfSource(Source),
}

impl Writing<'_> {
    /// Bans an address if the policy permits it and there is room; either way one audit entry is left, for
    /// want of room one an hour for each source. One that is banned in the same project already is banned
    /// for longer instead.
    pub(crate) fn ban_address(
        &mut self,
        subject: &Subject,
        new: NewBan,
    ) -> Result<Result<GuardBan, BanError>, StoreError> {
        let action = BanAddress {
            address: new.address,
            project: new.project.clone(),
            seconds: u64::from(new.seconds),
            hosts: new.hosts,
        };
        let decision = authorise(&self.rules.access, &action, subject, &new.reason, self.now);
        let permit = match decision {
            Decision::Permit(permit) => permit,
            Decision::Refuse(refusal) => {
                self.audit(refusal.audit_entry())?;
                return Ok(Err(BanError::Refused(refusal.why().to_string())));
            }
        };
        let active = self.session.active_ban(new.address, new.project.as_deref())?;
        if active.is_none()
            && let Some(error) = self.no_room_for(&new)?
        {
            self.tell_of_no_room(permit.audit_entry(), &new, &error)?;
            return Ok(Err(error));
        }
        self.audit(permit.audit_entry())?;
        let mut ban = match active {
            Some(active) => active,
            None => self.new_ban(permit, &new)?,
        };
        ban.expires = ban.expires.max(self.now.plus_seconds(i64::from(new.seconds)));
        ban.hosts |= new.hosts;
        ban.country = ban.country.or(new.country);
        self.session.put_ban(&ban)?;
        if new.hosts {
            self.block_on_hosts(subject, &ban)?;
        }
        self.bans_changed(&[ban.project.as_deref()])?;
        Ok(Ok(ban))
    }

    /// Whether a ban of this address by a rule would change much: it is not banned already for half as
    /// long. Whoever goes on and on is banned anew now and then, not with each event.
    pub(crate) fn is_ban_worthwhile(
        &self,
        address: Network,
        project: Option<&str>,
        seconds: u32,
    ) -> Result<bool, StoreError> {
        let wanted = self.now.plus_seconds(i64::from(seconds) / 2);
        for scope in [None, project] {
            let active = self.session.active_ban(address, scope)?;
            if active.is_some_and(|ban| ban.expires >= wanted) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Ends a ban before its time; the audit entry of the permit is the caller's. None where there is no
    /// such ban; the ban as it is where it has ended already.
    pub(crate) fn lift_ban(
        &mut self,
        id: &str,
        subject: &Subject,
        reason: &str,
    ) -> Result<Option<Result<GuardBan, GuardBan>>, StoreError> {
        let Some(mut ban) = self.session.ban(id)? else { return Ok(None) };
        if ban.ended.is_some() {
            return Ok(Some(Err(ban)));
        }
        ban.ended = Some(self.now);
        ban.ended_by = Some(subject.to_string());
        self.session.put_ban(&ban)?;
        self.derived.ban_windows.forget(ban.address);
        self.unblock_on_hosts(subject, &ban, reason)?;
        self.bans_changed(&[ban.project.as_deref()])?;
        Ok(Some(Ok(ban)))
    }

    /// Ends the bans whose time is over; returns how many.
    pub(crate) fn end_overdue_bans(&mut self) -> Result<usize, StoreError> {
        let overdue = self.session.overdue_bans(self.now, ENDED_AT_ONCE)?;
        let mut projects = Vec::new();
        for ban in &overdue {
            self.end_ban(ban.clone(), "its time is over")?;
            projects.push(ban.project.as_deref());
        }
        self.session.forget_bans(self.now.plus_seconds(-REMEMBERED_SECONDS), ENDED_AT_ONCE)?;
        self.bans_changed(&projects)?;
        Ok(overdue.len())
    }

    /// Ends the bans of a project that is removed. What hosts block for it ends by itself.
    pub(super) fn end_bans_of(&mut self, project: &str) -> Result<(), StoreError> {
        let filter = BanFilter { active: Some(true), project: Some(project.to_owned()) };
        let limit = usize::try_from(ACTIVE_BANS_MAX).unwrap_or(usize::MAX);
        for ban in self.session.bans(&filter, None, limit)? {
            if ban.project.is_some() {
                self.end_ban(ban, "the project was removed")?;
            }
        }
        self.note_next_ban_end()
    }

    /// A host's own block ends at the same moment.
    fn end_ban(&mut self, mut ban: GuardBan, why: &str) -> Result<(), StoreError> {
        ban.ended = Some(self.now);
        ban.ended_by = Some(BY_ITSELF.to_owned());
        self.session.put_ban(&ban)?;
        self.derived.ban_windows.forget(ban.address);
        self.session.append_audit(&AuditRecord {
            time: self.now,
            actor: "server".to_owned(),
            action: "unban_address".to_owned(),
            subject: done_to(&ban),
            outcome: CommandState::Succeeded.name().to_owned(),
            reason: why.to_owned(),
        })?;
        Ok(())
    }

    /// Why there is no room for one more ban, where there is none.
    fn no_room_for(&self, new: &NewBan) -> Result<Option<BanError>, StoreError> {
        let source = new.caused_by.as_ref();
        let name = source.map(Source::to_string);
        let active = self.session.active_ban_counts(name.as_deref())?;
        if active.of_people + active.of_rules >= ACTIVE_BANS_MAX {
            return Ok(Some(BanError::TooMany));
        }
        let Some(source) = source else { return Ok(None) };
        if active.of_rules >= RULE_BANS_MAX {
            return Ok(Some(BanError::TooManyOfRules));
        }
        let is_crowded = active.of_source >= SOURCE_BANS_MAX;
        Ok(is_crowded.then(|| BanError::TooManyOfSource(source.clone())))
    }

    /// Writes down that there was no room for what was permitted. Events that run into a bound have no end:
    /// what they lead to is told once an hour for each source.
    fn tell_of_no_room(
        &mut self,
        permitted: &AuditEntry,
        new: &NewBan,
        error: &BanError,
    ) -> Result<(), StoreError> {
        if let Some(source) = &new.caused_by {
            let what = format!("room {source}");
            if !self.derived.ban_windows.may_tell_of_refusal(&what, self.now) {
                return Ok(());
            }
            tracing::error!(address = %new.address, by = permitted.actor, %source, %error, "an address was not banned, nor are further ones for now");
        }
        let AuditEntry { actor, action, subject, .. } = permitted;
        let reason = error.to_string();
        let refused = AuditEntry::new(self.now, actor, action, subject, Outcome::Refused, &reason);
        self.audit(&refused)
    }

    fn new_ban(
        &mut self,
        permit: Permit<BanAddress>,
        new: &NewBan,
    ) -> Result<GuardBan, StoreError> {
        let entry = permit.audit_entry();
        Ok(GuardBan {
            id: ban_id(self.now)?,
            address: permit.action().address,
            project: permit.action().project.clone(),
            reason: entry.reason.clone(),
            origin: new.origin,
            hosts: new.hosts,
            created: self.now,
            created_by: entry.actor.clone(),
            expires: self.now.plus_seconds(i64::from(new.seconds)),
            ended: None,
            ended_by: None,
            alert: new.alert,
            country: new.country.clone(),
            caused_by: new.caused_by.as_ref().map(Source::to_string),
        })
    }

    /// Has applications told, and notes when the next ban ends.
    fn bans_changed(&mut self, projects: &[Option<&str>]) -> Result<(), StoreError> {
        self.note_next_ban_end()?;
        for project in projects {
            self.guard_rules_changed(*project);
        }
        Ok(())
    }

    fn note_next_ban_end(&mut self) -> Result<(), StoreError> {
        let end = self.session.next_ban_end()?;
        let board = self.rules.guard_rules.clone();
        self.after_commit(move || board.set_next_ban_end(end));
        Ok(())
    }

    /// Orders every enrolled host to let no traffic with the address pass for as long as the ban lasts.
    fn block_on_hosts(&mut self, subject: &Subject, ban: &GuardBan) -> Result<(), StoreError> {
        let left = ban.expires.micros_since(self.now).max(0) / 1_000_000;
        let seconds =
            u64::try_from(left).unwrap_or(0).clamp(1, self.rules.access.block_seconds_max());
        let order = || Order::BlockAddress(BlockTarget { address: ban.address, seconds });
        let told: HashMap<Source, String> =
            self.session.ban_commands(&ban.id)?.into_iter().collect();
        for name in self.rules.enrolled.names() {
            let source = Source::new(Source::HOST_AGENT, &name);
            let new = NewCommand {
                source: source.clone(),
                order: order(),
                reason: format!("{}: {}", ban.id, ban.reason),
                alert: ban.alert,
                // Carried out later, the block would outlast the ban.
                seconds: Some(left.clamp(1, HOST_ORDER_SECONDS_MAX)),
            };
            match self.order_command(subject, new)? {
                Ok(command) => {
                    self.session.put_ban_command(&ban.id, &source, &command.id)?;
                    // What still waits is for a shorter time.
                    if let Some(earlier) = told.get(&source) {
                        let why = format!("{} orders the same for longer", command.id);
                        self.withdraw_queued(&source, earlier, &why, &subject.to_string())?;
                    }
                }
                Err(OrderError::AlreadyOrdered(id)) => {
                    self.session.put_ban_command(&ban.id, &source, &id)?;
                }
                Err(OrderError::Refused(why)) => {
                    tracing::warn!(ban = ban.id, %source, why, "a host does not block a banned address");
                }
            }
        }
        Ok(())
    }

    /// Takes back what hosts were told of a ban, unless another one of the same address still wants it.
    fn unblock_on_hosts(
        &mut self,
        subject: &Subject,
        ban: &GuardBan,
        reason: &str,
    ) -> Result<(), StoreError> {
        let others = self.session.active_bans_of(ban.address)?;
        if others.iter().any(|other| other.hosts) {
            return Ok(());
        }
        let actor = subject.to_string();
        for (source, id) in self.session.ban_commands(&ban.id)? {
            let why = format!("{} was lifted by {actor}", ban.id);
            if self.withdraw_queued(&source, &id, &why, &actor)?
                && !self.may_still_block(&source, ban.address)?
            {
                continue;
            }
            let new = NewCommand {
                source: source.clone(),
                order: Order::UnblockAddress(UnblockTarget { address: ban.address }),
                reason: format!("{} lifted: {reason}", ban.id),
                alert: ban.alert,
                seconds: Some(HOST_ORDER_SECONDS_MAX),
            };
            match self.order_command(subject, new)? {
                Ok(_) | Err(OrderError::AlreadyOrdered(_)) => {}
                Err(OrderError::Refused(why)) => {
                    tracing::warn!(ban = ban.id, %source, why, "a host still blocks an address whose ban was lifted");
                }
            }
        }
        Ok(())
    }
}

impl Writing<'_> {
    /// Takes back a command that its host did not fetch yet; whether it was one.
    fn withdraw_queued(
        &mut self,
        source: &Source,
        id: &str,
        why: &str,
        actor: &str,
    ) -> Result<bool, StoreError> {
        let is_queued =
            self.session.command(id)?.is_some_and(|command| command.state == CommandState::Queued);
        if is_queued {
            self.finish_command(Some(source), id, CommandState::Withdrawn, why, actor)?;
        }
        Ok(is_queued)
    }

    /// Whether this host may have been told before to block the address: by an earlier order of the
    /// same ban, or by another ban that has ended since.
    fn may_still_block(&self, source: &Source, address: Network) -> Result<bool, StoreError> {
        let filter = CommandFilter { source: Some(source.to_string()), ..CommandFilter::default() };
        let latest = self.session.commands(&filter, None, COMMANDS_LOOKED_AT)?;
        let blocks = |command: &Command| match &command.order {
            Order::BlockAddress(target) => target.address == address && command.delivered.is_some(),
            _ => false,
        };
        // What is older than these is not known: one order too many does no harm.
        Ok(latest.len() >= COMMANDS_LOOKED_AT || latest.iter().any(blocks))
    }
}

/// What a ban is done to, one line for people.
pub(crate) fn done_to(ban: &GuardBan) -> String {
    match &ban.project {
        Some(project) => format!("{} {} in guard project {project}", ban.id, ban.address),
        None => format!("{} {} in all guard projects", ban.id, ban.address),
    }
}

/// `ban_`, the time, and forty-eight random bits.
fn ban_id(now: Timestamp) -> Result<String, StoreError> {
    let random = random_bytes::<6>()
        .map_err(|error| StoreError::Unreadable { what: "randomness", why: error.to_string() })?;
    let mut bytes = [0; 8];
    bytes[2..].copy_from_slice(&random);
    let micros = now.as_micros().unsigned_abs() & 0xff_ffff_ffff_ffff;
    Ok(format!("ban_{micros:014x}{:012x}", u64::from_be_bytes(bytes)))
}
