//! Bans: addresses that no application of ours lets in, each until its end.

use super::alerts::blob;
use crate::events::unreadable;
use crate::{Session, StoreError};
use ringwall_event::{EventId, Network, Source, Timestamp};
use rusqlite::{OptionalExtension, Params, Row, params};

/// Bans, in the same transaction as what caused them.
pub trait GuardBanStore {
    /// Adds a ban or replaces the one with its id.
    ///
    /// # Errors
    /// Where the database cannot be written, or where another ban of the same address and project is
    /// active; so for every verb that changes something.
    fn put_ban(&self, ban: &GuardBan) -> Result<(), StoreError>;

    /// The ban with this id.
    ///
    /// # Errors
    /// Where the database cannot be read; so for every verb that reads.
    fn ban(&self, id: &str) -> Result<Option<GuardBan>, StoreError>;

    /// The active ban of exactly this address in this project; without one, in all projects.
    fn active_ban(
        &self,
        address: Network,
        project: Option<&str>,
    ) -> Result<Option<GuardBan>, StoreError>;

    /// The active bans of exactly this address, in whichever project.
    fn active_bans_of(&self, address: Network) -> Result<Vec<GuardBan>, StoreError>;

    /// Bans that fit, newest first, those with an id below `before`.
    fn bans(
        &self,
        filter: &BanFilter,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<GuardBan>, StoreError>;

    /// The active bans that hold in this project, those of all projects included: what people ordered
    /// first, then the newest.
    fn bans_holding_in(&self, project: &str, limit: usize) -> Result<Vec<GuardBan>, StoreError>;

    /// How many active bans hold in this project.
    fn count_bans_holding_in(&self, project: &str) -> Result<u64, StoreError>;

    /// How many bans are active, those that this source caused for themselves.
    fn active_ban_counts(&self, caused_by: Option<&str>) -> Result<ActiveBans, StoreError>;

    /// The bans that held in this project and ended at or after `since`, those that ended last first.
    fn bans_ended_in(
        &self,
        project: &str,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<GuardBan>, StoreError>;

    /// Active bans whose time has come, the oldest end first.
    fn overdue_bans(&self, now: Timestamp, limit: usize) -> Result<Vec<GuardBan>, StoreError>;

    /// When the next active ban ends.
    fn next_ban_end(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Notes that this source caused a ban, or a longer one. It counts each time, also where one batch, and
    /// so one moment, makes a ban longer again and again.
    fn put_ban_cause(&self, source: &str, ban: &str, moment: Timestamp) -> Result<(), StoreError>;

    /// How many bans this source caused or made longer at or after `since`.
    fn bans_caused_since(&self, source: &str, since: Timestamp) -> Result<u64, StoreError>;

    /// Forgets up to `limit` causes from before `before`; returns how many.
    fn forget_ban_causes(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// The latest moment at which a ban of this address began or ended by itself or by somebody.
    fn last_ban_change(&self, address: Network) -> Result<Option<Timestamp>, StoreError>;

    /// Remembers by which command a host was told of a ban.
    fn put_ban_command(&self, ban: &str, host: &Source, command: &str) -> Result<(), StoreError>;

    /// Which hosts were told of a ban last by which command.
    fn ban_commands(&self, ban: &str) -> Result<Vec<(Source, String)>, StoreError>;

    /// Forgets up to `limit` bans that ended before `before`; returns how many.
    fn forget_bans(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;
}

/// An address that is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardBan {
    /// Its id, which sorts by time.
    pub id: String,
    /// Who is not let in.
    pub address: Network,
    /// Where; none for everywhere.
    pub project: Option<String>,
    /// Why, one line.
    pub reason: String,
    /// What led to it.
    pub origin: BanOrigin,
    /// Whether hosts were told to block the address, too.
    pub hosts: bool,
    /// When it began.
    pub created: Timestamp,
    /// Who ordered it: `user:admin`, `rule:ban/flood`.
    pub created_by: String,
    /// When it ends by itself.
    pub expires: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Who or what ended it.
    pub ended_by: Option<String>,
    /// The alert that led to it.
    pub alert: Option<EventId>,
    /// The country of the address, as far as the application knew it.
    pub country: Option<String>,
    /// Whose events led to it (`dialect:name`); none where a person ordered it.
    pub caused_by: Option<String>,
}

/// How many bans are active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActiveBans {
    /// Those that people ordered.
    pub of_people: u64,
    /// Those that follow from events, whosesoever.
    pub of_rules: u64,
    /// Those of them that follow from the events of one source.
    pub of_source: u64,
}

/// What led to a ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BanOrigin {
    /// A person, or a program with a token.
    Person,
    /// An automatic rule, by an alert or by events.
    Alert,
    /// An application that banned the address itself.
    App,
}

impl BanOrigin {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Alert => "alert",
            Self::App => "app",
        }
    }

    /// The origin of this lower-case name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Person, Self::Alert, Self::App].into_iter().find(|origin| origin.name() == name)
    }
}

/// Which bans; every field that is set must fit.
#[derive(Clone, Debug, Default)]
pub struct BanFilter {
    /// Active ones, or ended ones.
    pub active: Option<bool>,
    /// Those that hold in this project, those of all projects included.
    pub project: Option<String>,
}

const COLUMNS: &str = "id, address, project, reason, origin, hosts, created, created_by, expires, \
                       ended, ended_by, alert, country, caused_by";

impl GuardBanStore for Session<'_> {
    fn put_ban(&self, ban: &GuardBan) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO guard_ban (id, address, project, reason, origin, hosts, created,
                     created_by, expires, ended, ended_by, alert, country, caused_by)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, hosts = excluded.hosts,
                     expires = excluded.expires, ended = excluded.ended,
                     ended_by = excluded.ended_by, alert = excluded.alert,
                     country = excluded.country",
            )?
            .execute(params![
                ban.id,
                ban.address.to_string(),
                ban.project.as_deref().unwrap_or_default(),
                ban.reason,
                ban.origin.name(),
                ban.hosts,
                ban.created.as_micros(),
                ban.created_by,
                ban.expires.as_micros(),
                ban.ended.map(Timestamp::as_micros),
                ban.ended_by,
                ban.alert.map(|id| blob(id).to_vec()),
                ban.country,
                ban.caused_by,
            ])?;
        Ok(())
    }

    fn ban(&self, id: &str) -> Result<Option<GuardBan>, StoreError> {
        Ok(self.list_bans("WHERE id = ?", [id])?.pop())
    }

    fn active_ban(
        &self,
        address: Network,
        project: Option<&str>,
    ) -> Result<Option<GuardBan>, StoreError> {
        let values = [address.to_string(), project.unwrap_or_default().to_owned()];
        let found =
            self.list_bans("WHERE address = ? AND project = ? AND ended IS NULL", values)?;
        Ok(found.into_iter().next())
    }

    fn active_bans_of(&self, address: Network) -> Result<Vec<GuardBan>, StoreError> {
        self.list_bans("WHERE address = ? AND ended IS NULL ORDER BY id", [address.to_string()])
    }

    fn bans(
        &self,
        filter: &BanFilter,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<GuardBan>, StoreError> {
        let state = match filter.active {
            None => "",
            Some(true) => "AND ended IS NULL",
            Some(false) => "AND ended IS NOT NULL",
        };
        self.list_bans(
            &format!(
                "WHERE id < ?1 {state} AND (?2 IS NULL OR project IN ('', ?2))
                 ORDER BY id DESC LIMIT ?3"
            ),
            // No id begins with a tilde, which sorts behind all letters.
            params![before.unwrap_or("~"), filter.project, sql_limit(limit)],
        )
    }

    fn bans_holding_in(&self, project: &str, limit: usize) -> Result<Vec<GuardBan>, StoreError> {
        self.list_bans(
            "WHERE ended IS NULL AND project IN ('', ?)
             ORDER BY origin = 'person' DESC, id DESC LIMIT ?",
            params![project, sql_limit(limit)],
        )
    }

    fn count_bans_holding_in(&self, project: &str) -> Result<u64, StoreError> {
        let count: i64 = self
            .connection
            .prepare_cached(
                "SELECT count(*) FROM guard_ban WHERE ended IS NULL AND project IN ('', ?)",
            )?
            .query_row([project], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    fn active_ban_counts(&self, caused_by: Option<&str>) -> Result<ActiveBans, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT active FROM guard_ban_count WHERE cause = ?")?;
        let mut count = |cause: &str| -> Result<u64, StoreError> {
            let found: Option<i64> = statement.query_row([cause], |row| row.get(0)).optional()?;
            Ok(found.unwrap_or(0).unsigned_abs())
        };
        Ok(ActiveBans {
            of_people: count("")?,
            of_rules: count("rules")?,
            of_source: caused_by.map_or(Ok(0), &mut count)?,
        })
    }

    fn bans_ended_in(
        &self,
        project: &str,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<GuardBan>, StoreError> {
        self.list_bans(
            "WHERE ended >= ? AND project IN ('', ?) ORDER BY ended DESC, id DESC LIMIT ?",
            params![since.as_micros(), project, sql_limit(limit)],
        )
    }

    fn overdue_bans(&self, now: Timestamp, limit: usize) -> Result<Vec<GuardBan>, StoreError> {
        self.list_bans(
            "WHERE ended IS NULL AND expires <= ? ORDER BY expires, id LIMIT ?",
            params![now.as_micros(), sql_limit(limit)],
        )
    }

    fn next_ban_end(&self) -> Result<Option<Timestamp>, StoreError> {
        let end: Option<i64> = self
            .connection
            .prepare_cached("SELECT min(expires) FROM guard_ban WHERE ended IS NULL")?
            .query_row([], |row| row.get(0))?;
        Ok(end.map(Timestamp::from_micros))
    }

    fn put_ban_cause(&self, source: &str, ban: &str, moment: Timestamp) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO guard_ban_cause (source, moment, ban)
                     SELECT ?1, ifnull(max(moment) + 1, ?2), ?3 FROM guard_ban_cause
                     WHERE source = ?1 AND moment >= ?2 AND ban = ?3",
            )?
            .execute(params![source, moment.as_micros(), ban])?;
        Ok(())
    }

    fn bans_caused_since(&self, source: &str, since: Timestamp) -> Result<u64, StoreError> {
        let count: i64 = self
            .connection
            .prepare_cached(
                "SELECT count(*) FROM guard_ban_cause WHERE source = ? AND moment >= ?",
            )?
            .query_row(params![source, since.as_micros()], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    fn forget_ban_causes(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "DELETE FROM guard_ban_cause WHERE (source, moment, ban) IN
                     (SELECT source, moment, ban FROM guard_ban_cause WHERE moment < ? LIMIT ?)",
            )?
            .execute(params![before.as_micros(), sql_limit(limit)])?)
    }

    fn last_ban_change(&self, address: Network) -> Result<Option<Timestamp>, StoreError> {
        let moment: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT max(max(created, ifnull(ended, created))) FROM guard_ban WHERE address = ?",
            )?
            .query_row([address.to_string()], |row| row.get(0))?;
        Ok(moment.map(Timestamp::from_micros))
    }

    fn put_ban_command(&self, ban: &str, host: &Source, command: &str) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO guard_ban_command (ban, host, command) VALUES (?, ?, ?)
                 ON CONFLICT (ban, host) DO UPDATE SET command = excluded.command",
            )?
            .execute(params![ban, host.to_string(), command])?;
        Ok(())
    }

    fn ban_commands(&self, ban: &str) -> Result<Vec<(Source, String)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT host, command FROM guard_ban_command WHERE ban = ? ORDER BY host",
        )?;
        let rows = statement
            .query_map([ban], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?
            .collect::<Result<Vec<_>, _>>()?;
        rows.into_iter()
            .map(|(host, command)| {
                let source = Source::parse(&host).ok_or_else(|| StoreError::Unreadable {
                    what: "ban",
                    why: format!("`{host}` is no source"),
                })?;
                Ok((source, command))
            })
            .collect()
    }

    fn forget_bans(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.connection
            .prepare_cached(
                "DELETE FROM guard_ban_command WHERE ban IN
                     (SELECT id FROM guard_ban WHERE ended < ?1 ORDER BY ended, id LIMIT ?2)",
            )?
            .execute(params![before.as_micros(), sql_limit(limit)])?;
        Ok(self
            .connection
            .prepare_cached(
                "DELETE FROM guard_ban WHERE id IN
                     (SELECT id FROM guard_ban WHERE ended < ?1 ORDER BY ended, id LIMIT ?2)",
            )?
            .execute(params![before.as_micros(), sql_limit(limit)])?)
    }
}

impl Session<'_> {
    fn list_bans(&self, clause: &str, params: impl Params) -> Result<Vec<GuardBan>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM guard_ban {clause}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params)?;
        let mut bans = Vec::new();
        while let Some(row) = rows.next()? {
            bans.push(read(row)?);
        }
        Ok(bans)
    }
}

fn read(row: &Row<'_>) -> Result<GuardBan, StoreError> {
    let address: String = row.get(1)?;
    let project: String = row.get(2)?;
    let origin: String = row.get(4)?;
    let alert: Option<Vec<u8>> = row.get(11)?;
    let alert = alert
        .map(|bytes| <[u8; 16]>::try_from(bytes).map_err(|_| "an id has 16 bytes"))
        .transpose()
        .map_err(unreadable("ban"))?
        .map(|bytes| EventId::from_u128(u128::from_be_bytes(bytes)));
    Ok(GuardBan {
        id: row.get(0)?,
        address: address.parse().map_err(unreadable("ban"))?,
        project: Some(project).filter(|project| !project.is_empty()),
        reason: row.get(3)?,
        origin: BanOrigin::from_name(&origin).ok_or_else(|| StoreError::Unreadable {
            what: "ban",
            why: format!("unknown origin `{origin}`"),
        })?,
        hosts: row.get(5)?,
        created: Timestamp::from_micros(row.get(6)?),
        created_by: row.get(7)?,
        expires: Timestamp::from_micros(row.get(8)?),
        ended: row.get::<_, Option<i64>>(9)?.map(Timestamp::from_micros),
        ended_by: row.get(10)?,
        alert,
        country: row.get(12)?,
        caused_by: row.get(13)?,
    })
}

fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
