//! From a change to what applications are told: composed, given a version and kept in the transaction
//! of the change, and put onto the board once that is committed.

use super::board::Published;
use super::composition::{
    BAN_SECONDS_MAX, BLACKLIST_MAX, Composed, Parts, UNBAN_SECONDS, UNBANS_MAX, Withdrawn,
    next_version, one_spelling, withdrawn,
};
use super::told::Told;
use super::{GuardRules, automatic};
use crate::engine::Writing;
use crate::secrets::random_bytes;
use ringwall_dialects::guard::DynamicRules;
use ringwall_event::{Network, Timestamp};
use ringwall_store::{
    Database, GuardBanStore, GuardRulesStore, OwnBan, OwnBanStore, PublishedRules, RulesEdit,
    Session, StateStore, StoreError,
};
use std::collections::BTreeSet;

/// How many of the latest edits are looked through for addresses that are not banned any more.
const EDITS_LOOKED_AT: usize = 50;
/// The kind of document that it is kept as what a project was told of late.
const TOLD: &str = "guard_told";

/// Rules as somebody wrote them, and why.
pub(crate) struct Edited {
    /// The rules, checked.
    pub(crate) rules: DynamicRules,
    /// By whom.
    pub(crate) updated_by: String,
    /// Why, in their words.
    pub(crate) note: Option<String>,
    /// What changed, in one line.
    pub(crate) summary: String,
}

/// The projects whose applications must be told something at the end of a write.
#[derive(Debug)]
pub(crate) enum ChangedRules {
    /// These.
    Of(BTreeSet<String>),
    /// All: a ban of all began or ended.
    All,
}

impl Default for ChangedRules {
    fn default() -> Self {
        Self::Of(BTreeSet::new())
    }
}

impl ChangedRules {
    /// Adds a project, or without one all.
    pub(crate) fn add(&mut self, project: Option<&str>) {
        match (&mut *self, project) {
            (Self::All, _) => {}
            (Self::Of(projects), Some(project)) => drop(projects.insert(project.to_owned())),
            (Self::Of(_), None) => *self = Self::All,
        }
    }
}

/// What a project's rules come to now.
struct Present {
    composed: Composed,
    /// When the edited rules end by themselves, or the first own ban of an application that keeps an
    /// address from being unbanned.
    ends: Option<Timestamp>,
}

impl GuardRules {
    /// What was published before the start, and the automatic rules. Streams take no more than half of
    /// a listener's connections.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub(crate) fn load(database: &Database, connections_max: usize) -> Result<Self, StoreError> {
        let board = Self::within(connections_max);
        database.read(|session| {
            for project in session.projects_with_rules()? {
                if let Some(published) = session.published_rules(&project)? {
                    // Due at once: what ended while the server was down is found by the first sweep.
                    board.put(&project, Published::new(published, Some(Timestamp::default())));
                }
            }
            board.set_next_ban_end(session.next_ban_end()?);
            board.put_automatic(automatic::stored(session)?);
            Ok(())
        })?;
        Ok(board)
    }
}

impl Writing<'_> {
    /// Has the applications of this project told what holds now, under a new version if it differs
    /// from what they were told before, or if they are about to forget it.
    pub(crate) fn publish_guard_rules(&mut self, project: &str) -> Result<(), StoreError> {
        let before = self.session.published_rules(project)?;
        let present = compose(self.session, project, before.as_ref(), self.now)?;
        let told = before.as_ref().and_then(|before| {
            // What cannot be read any more is published anew.
            DynamicRules::read(before.text.as_bytes()).ok().map(|rules| (before, rules))
        });
        if let Some((before, told)) = told {
            let refresh = present.composed.refresh(&told, before.published);
            if present.composed.says_the_same(&told)
                && before.left_out == count(present.composed.left_out)
                && refresh.is_none_or(|moment| moment > self.now)
            {
                let due = refresh.into_iter().chain(present.ends).min();
                let before = before.clone();
                self.onto_board(project, before, due);
                return Ok(());
            }
        }
        self.publish_version(project, before, present)
    }

    /// The same for those whose bans changed in this write: once, however many did.
    pub(crate) fn publish_changed_guard_rules(
        &mut self,
        changed: ChangedRules,
    ) -> Result<(), StoreError> {
        let projects = match changed {
            ChangedRules::Of(projects) if projects.is_empty() => return Ok(()),
            ChangedRules::Of(projects) => projects.into_iter().collect(),
            ChangedRules::All => self.session.projects_with_rules()?,
        };
        for project in projects {
            self.publish_guard_rules(&project)?;
        }
        Ok(())
    }

    /// Puts edited rules into force; returns the edit with its version.
    pub(crate) fn edit_guard_rules(
        &mut self,
        project: &str,
        edited: Edited,
    ) -> Result<RulesEdit, StoreError> {
        let before = self.session.published_rules(project)?;
        let mut rules = edited.rules;
        one_spelling_each(&mut rules);
        let edit = RulesEdit {
            version: version_after(before.as_ref(), self.now),
            updated: self.now,
            updated_by: edited.updated_by,
            note: edited.note,
            summary: edited.summary,
            body: rules.write_editable(),
        };
        self.session.put_rules_edit(project, &edit)?;
        let present = compose(self.session, project, before.as_ref(), self.now)?;
        self.publish_version(project, before, present)?;
        Ok(edit)
    }

    /// Forgets the rules of a project that is removed, and ends its bans.
    pub(crate) fn forget_guard_rules(&mut self, project: &str) -> Result<(), StoreError> {
        self.session.forget_rules(project)?;
        self.session.delete_document(TOLD, project)?;
        self.session.remove_own_bans(project)?;
        self.end_bans_of(project)?;
        let board = self.rules.guard_rules.clone();
        let project = project.to_owned();
        self.after_commit(move || board.remove(&project));
        Ok(())
    }

    fn publish_version(
        &mut self,
        project: &str,
        before: Option<PublishedRules>,
        present: Present,
    ) -> Result<(), StoreError> {
        let told = told_by_now(self.session, project, before.as_ref(), self.now)?;
        self.session.put_document(TOLD, project, &told)?;
        let version = version_after(before.as_ref(), self.now);
        let (rule_id, began) = match before {
            Some(before) => (before.rule_id, before.began),
            None => (rule_id(project)?, self.now),
        };
        let Present { mut composed, ends } = present;
        let rules = DynamicRules {
            rule_id: rule_id.as_str().into(),
            version,
            timestamp: Some(self.now),
            ..std::mem::take(&mut composed.rules)
        };
        let published = PublishedRules {
            rule_id,
            began,
            version,
            published: self.now,
            text: rules.write(),
            left_out: count(composed.left_out),
        };
        self.session.publish_rules(project, &published)?;
        let refresh = composed.refresh(&rules, self.now);
        if composed.left_out > 0 {
            tracing::warn!(
                project,
                left_out = composed.left_out,
                "more addresses are banned than applications are told of"
            );
        }
        self.onto_board(project, published, refresh.into_iter().chain(ends).min());
        Ok(())
    }

    fn onto_board(&mut self, project: &str, rules: PublishedRules, due: Option<Timestamp>) {
        let board = self.rules.guard_rules.clone();
        let project = project.to_owned();
        self.after_commit(move || board.put(&project, Published::new(rules, due)));
    }
}

/// What a project's applications were told up to now, the version still in force included.
fn told_by_now(
    session: &Session<'_>,
    project: &str,
    before: Option<&PublishedRules>,
    now: Timestamp,
) -> Result<Told, StoreError> {
    let Some(before) = before else { return Ok(Told::default()) };
    let stored: Option<Told> = session.document(TOLD, project)?;
    // An earlier release wrote nothing down; and what cannot be read may have told anything.
    let unknown = || Told::unknown(now, BAN_SECONDS_MAX);
    let mut told = stored.unwrap_or_else(unknown);
    match DynamicRules::read(before.text.as_bytes()) {
        Ok(rules) => told.add(&rules, before.published, now),
        Err(_) => told = unknown(),
    }
    Ok(told)
}

fn compose(
    session: &Session<'_>,
    project: &str,
    before: Option<&PublishedRules>,
    now: Timestamp,
) -> Result<Present, StoreError> {
    let told = told_by_now(session, project, before, now)?;
    let since = now.plus_seconds(-UNBAN_SECONDS);
    let mut edits = Vec::new();
    for edit in session.rules_edits(project, None, EDITS_LOOKED_AT)? {
        edits.push((edit.updated, read_edit(&edit)?));
        // This one held when the time began that still matters.
        if edit.updated < since {
            break;
        }
    }
    let mut own = OwnBans { session, project, now, first_end: None };
    let mut ended = Vec::new();
    for ban in session.bans_ended_in(project, since, UNBANS_MAX)? {
        let its_own = own.of(ban.address)?;
        if told.must_unban(project, &ban, its_own.as_ref(), now) {
            ended.push(ban);
        }
    }
    let edited = edits.first().map(|(_, rules)| rules).filter(|rules| !rules.has_expired(now));
    let mut to_unban = Vec::new();
    for Withdrawn { address, since } in withdrawn(&edits, edited) {
        let its_own = match address.parse() {
            Ok(network) => own.of(network)?,
            Err(_) => None,
        };
        if !its_own.is_some_and(|own| own.stands_against(since, now)) {
            to_unban.push(address);
        }
    }
    let composed = Parts {
        edited,
        withdrawn: &to_unban,
        // One more than there is room for would not say how many are left out.
        bans: &session.bans_holding_in(project, 2 * BLACKLIST_MAX)?,
        ended: &ended,
        now,
    }
    .compose();
    let ends = edited.and_then(|rules| rules.expires_at).into_iter().chain(own.first_end).min();
    Ok(Present { composed, ends })
}

/// What the applications of a project ban by themselves.
struct OwnBans<'a> {
    session: &'a Session<'a>,
    project: &'a str,
    now: Timestamp,
    /// When the first of those that were asked for and still run is over.
    first_end: Option<Timestamp>,
}

impl OwnBans<'_> {
    fn of(&mut self, address: Network) -> Result<Option<OwnBan>, StoreError> {
        let own = self.session.own_ban(self.project, address)?;
        let end = own.map(|own| own.until).filter(|end| *end > self.now);
        self.first_end = self.first_end.into_iter().chain(end).min();
        Ok(own)
    }
}

/// The rules of an edit. One that would not be taken any more stays in force as it is: what an earlier
/// release took must not keep every later change from being told.
pub(crate) fn read_edit(edit: &RulesEdit) -> Result<DynamicRules, StoreError> {
    DynamicRules::read_edited(edit.body.as_bytes()).or_else(|faults| {
        let fault = faults.first().map_or_else(String::new, ToString::to_string);
        tracing::warn!(version = edit.version, fault, "edited rules in force have a fault");
        read_leniently(&edit.body)
            .map_err(|why| StoreError::Unreadable { what: "edited rules", why })
    })
}

/// Edited rules as a guard would read them: of the right types.
fn read_leniently(body: &str) -> Result<DynamicRules, String> {
    let mut members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(body).map_err(|error| error.to_string())?;
    members.insert("rule_id".to_owned(), "".into());
    members.insert("version".to_owned(), 1.into());
    let whole = serde_json::Value::Object(members).to_string();
    let mut rules = DynamicRules::read(whole.as_bytes()).map_err(|error| error.to_string())?;
    one_spelling_each(&mut rules);
    Ok(DynamicRules { rule_id: DynamicRules::default().rule_id, ..rules })
}

fn one_spelling_each(rules: &mut DynamicRules) {
    for list in [&mut rules.ip_blacklist, &mut rules.ip_whitelist, &mut rules.emergency_whitelist] {
        one_spelling(list);
    }
}

fn version_after(before: Option<&PublishedRules>, now: Timestamp) -> i64 {
    let began = before.map_or(now, |before| before.began);
    next_version(before.map(|before| before.version), began, now)
}

/// The name of a project's rules for its applications: another one where a project of the same name is
/// made anew, as they would not take smaller versions of the old one.
fn rule_id(project: &str) -> Result<String, StoreError> {
    let random = random_bytes::<4>()
        .map_err(|error| StoreError::Unreadable { what: "randomness", why: error.to_string() })?;
    Ok(format!("ringwall-{project}-{:08x}", u32::from_be_bytes(random)))
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Once, what somebody had put into force could make every later change of its project fail.
    #[test]
    fn an_edit_with_a_fault_is_still_read() {
        let body =
            r#"{"ip_blacklist":["2001:DB8::1","2001:db8::1"],"ip_whitelist":["2001:db8::1"]}"#;
        let edit = RulesEdit {
            version: 3,
            updated: Timestamp::default(),
            updated_by: "user:ada".into(),
            note: None,
            summary: String::new(),
            body: body.into(),
        };
        assert!(DynamicRules::read_edited(body.as_bytes()).is_err());
        let rules = read_edit(&edit).unwrap();
        assert_eq!(rules.ip_blacklist, ["2001:db8::1".into()]);
        assert!(read_edit(&RulesEdit { body: "[]".into(), ..edit }).is_err());
    }
}
