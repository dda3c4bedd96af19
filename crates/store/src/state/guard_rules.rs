//! What the applications of a project are told: its edited rules with their history, and what was
//! composed of them last.

use crate::{Session, StoreError};
use ringwall_event::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

/// Rules of projects, in the same transaction as what changes them.
pub trait GuardRulesStore {
    /// What the applications of this project are told at present; none where nothing was composed
    /// yet.
    ///
    /// # Errors
    /// Where the database cannot be read; so for every verb that reads.
    fn published_rules(&self, project: &str) -> Result<Option<PublishedRules>, StoreError>;

    /// Has the applications of this project told this from now on.
    ///
    /// # Errors
    /// Where the database cannot be written, or where the version would not grow; so for every verb
    /// that changes something.
    fn publish_rules(&self, project: &str, rules: &PublishedRules) -> Result<(), StoreError>;

    /// The projects for which something was composed.
    fn projects_with_rules(&self) -> Result<Vec<String>, StoreError>;

    /// The edit that is in force: the newest.
    fn newest_rules_edit(&self, project: &str) -> Result<Option<RulesEdit>, StoreError>;

    /// The edit that was given this version.
    fn rules_edit(&self, project: &str, version: i64) -> Result<Option<RulesEdit>, StoreError>;

    /// Edits, newest first, those with a version below `before`.
    fn rules_edits(
        &self,
        project: &str,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<RulesEdit>, StoreError>;

    /// Adds an edit, and forgets the oldest beyond [`RULES_EDITS_MAX`].
    fn put_rules_edit(&self, project: &str, edit: &RulesEdit) -> Result<(), StoreError>;

    /// Forgets all of a project that is removed.
    fn forget_rules(&self, project: &str) -> Result<(), StoreError>;
}

/// How many edits of a project are kept.
pub const RULES_EDITS_MAX: usize = 1000;

/// What the applications of a project are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedRules {
    /// Names the rules of this project to its applications. They take a smaller version only under
    /// another name.
    pub rule_id: String,
    /// When the first version was given.
    pub began: Timestamp,
    /// The version; it only grows.
    pub version: i64,
    /// When this version was composed.
    pub published: Timestamp,
    /// The JSON text, byte for byte as it is sent.
    pub text: String,
    /// How many active bans did not find room in it.
    pub left_out: u64,
}

/// Rules as somebody wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesEdit {
    /// The version under which applications were first told of it.
    pub version: i64,
    /// When it was written.
    pub updated: Timestamp,
    /// By whom: `user:admin`.
    pub updated_by: String,
    /// Why, in the words of whoever wrote it.
    pub note: Option<String>,
    /// What changed, in one line.
    pub summary: String,
    /// The fields, as JSON.
    pub body: String,
}

impl GuardRulesStore for Session<'_> {
    fn published_rules(&self, project: &str) -> Result<Option<PublishedRules>, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT rule_id, began, version, published, text, left_out
                 FROM guard_rules WHERE project = ?",
            )?
            .query_row([project], |row| {
                Ok(PublishedRules {
                    rule_id: row.get(0)?,
                    began: Timestamp::from_micros(row.get(1)?),
                    version: row.get(2)?,
                    published: Timestamp::from_micros(row.get(3)?),
                    text: row.get(4)?,
                    left_out: row.get::<_, i64>(5)?.unsigned_abs(),
                })
            })
            .optional()?)
    }

    fn publish_rules(&self, project: &str, rules: &PublishedRules) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO guard_rules
                     (project, rule_id, began, version, published, text, left_out)
                 VALUES (?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (project) DO UPDATE SET version = excluded.version,
                     published = excluded.published, text = excluded.text,
                     left_out = excluded.left_out",
            )?
            .execute(params![
                project,
                rules.rule_id,
                rules.began.as_micros(),
                rules.version,
                rules.published.as_micros(),
                rules.text,
                i64::try_from(rules.left_out).unwrap_or(i64::MAX),
            ])?;
        Ok(())
    }

    fn projects_with_rules(&self) -> Result<Vec<String>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT project FROM guard_rules ORDER BY project")?;
        let projects = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(projects)
    }

    fn newest_rules_edit(&self, project: &str) -> Result<Option<RulesEdit>, StoreError> {
        Ok(self.rules_edits(project, None, 1)?.pop())
    }

    fn rules_edit(&self, project: &str, version: i64) -> Result<Option<RulesEdit>, StoreError> {
        let Some(before) = version.checked_add(1) else { return Ok(None) };
        let newest = self.rules_edits(project, Some(before), 1)?.pop();
        Ok(newest.filter(|edit| edit.version == version))
    }

    fn rules_edits(
        &self,
        project: &str,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<RulesEdit>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT version, updated, updated_by, note, summary, body FROM guard_rules_edit
             WHERE project = ?1 AND version < ?2 ORDER BY version DESC LIMIT ?3",
        )?;
        let edits = statement.query_map(
            params![project, before.unwrap_or(i64::MAX), i64::try_from(limit).unwrap_or(i64::MAX)],
            edit,
        )?;
        Ok(edits.collect::<Result<_, _>>()?)
    }

    fn put_rules_edit(&self, project: &str, edit: &RulesEdit) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO guard_rules_edit
                     (project, version, updated, updated_by, note, summary, body)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                project,
                edit.version,
                edit.updated.as_micros(),
                edit.updated_by,
                edit.note,
                edit.summary,
                edit.body,
            ])?;
        self.connection
            .prepare_cached(
                "DELETE FROM guard_rules_edit WHERE project = ?1 AND version <=
                     (SELECT version FROM guard_rules_edit WHERE project = ?1
                      ORDER BY version DESC LIMIT 1 OFFSET ?2)",
            )?
            .execute(params![project, i64::try_from(RULES_EDITS_MAX).unwrap_or(i64::MAX)])?;
        Ok(())
    }

    fn forget_rules(&self, project: &str) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM guard_rules WHERE project = ?",
            "DELETE FROM guard_rules_edit WHERE project = ?",
        ] {
            self.connection.prepare_cached(sql)?.execute([project])?;
        }
        Ok(())
    }
}

fn edit(row: &Row<'_>) -> rusqlite::Result<RulesEdit> {
    Ok(RulesEdit {
        version: row.get(0)?,
        updated: Timestamp::from_micros(row.get(1)?),
        updated_by: row.get(2)?,
        note: row.get(3)?,
        summary: row.get(4)?,
        body: row.get(5)?,
    })
}

#[cfg(test)]
mod tests;
