//! The projects in force, in memory: what the dialect, the API and the writer share.

use super::project::{OpenedKeys, PROJECTS, StoredProject, key_digest};
use super::project_share::ProjectShare;
use crate::engine::Writing;
use crate::secrets::Secrets;
use parking_lot::RwLock;
use ringwall_event::{Source, Timestamp};
use ringwall_signing::Secret;
use ringwall_store::{Database, StateStore, StoreError};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A guarded application with its secrets open.
pub(crate) struct Project {
    /// Its name, as guards send it.
    pub(crate) name: Box<str>,
    /// As it is kept.
    pub(crate) stored: StoredProject,
    /// None where its secrets cannot be opened: it is known, and nothing can be taken for it.
    keys: Option<(OpenedKeys, Option<OpenedKeys>)>,
    share: Arc<ProjectShare>,
}

impl Project {
    /// Opens a project's secrets. Where that fails, the project is kept and not ready.
    pub(crate) fn open(secrets: &Secrets, name: &str, stored: StoredProject) -> Self {
        let keys = stored.open(secrets).inspect_err(|error| {
            tracing::error!(project = name, %error, "a guard project's secrets cannot be opened; nothing is taken for it");
        });
        let previous = stored.open_previous(secrets).unwrap_or_else(|error| {
            tracing::warn!(project = name, %error, "a guard project's secrets of before its rotation cannot be opened; guards that still have them are not understood");
            None
        });
        let keys = keys.ok().map(|keys| (keys, previous));
        Self { name: name.into(), stored, keys, share: Arc::default() }
    }

    /// What this project's guards may take of what all share.
    pub(crate) fn share(&self) -> &ProjectShare {
        &self.share
    }

    /// Whether its secrets could be opened.
    pub(crate) const fn is_ready(&self) -> bool {
        self.keys.is_some()
    }

    /// The sender of its events.
    pub(crate) fn source(&self) -> Source {
        Source::new(Source::GUARD, &self.name)
    }

    /// The secret that was given out with this key, the present one or the one before.
    pub(crate) fn signing_secret_of(&self, key: &[u8]) -> Option<&Secret> {
        let (current, previous) = self.keys.as_ref()?;
        let digest = key_digest(key);
        let keys = previous.as_ref().filter(|keys| keys.key_sha256 == digest).unwrap_or(current);
        keys.signing.as_ref()
    }

    /// The secrets that may sign what its guards send, the present one first.
    pub(crate) fn signing_secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        self.good_keys(now).filter_map(|keys| keys.signing.as_ref())
    }

    /// The keys that may encrypt what its guards send, the present one first.
    pub(crate) fn encryption_keys(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        self.good_keys(now).filter_map(|keys| keys.encryption.as_ref())
    }

    fn good_keys(&self, now: Timestamp) -> impl Iterator<Item = &OpenedKeys> {
        let is_good = self.stored.previous_until().is_some_and(|until| now < until);
        let (current, previous) = match &self.keys {
            Some((current, previous)) => (Some(current), previous.as_ref().filter(|_| is_good)),
            None => (None, None),
        };
        current.into_iter().chain(previous)
    }
}

/// All projects in force. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct GuardProjects(Arc<RwLock<Table>>);

#[derive(Default)]
struct Table {
    by_name: BTreeMap<Box<str>, Arc<Project>>,
    /// By the hash of a key: its name, and until when the key is good where it is not for ever. What
    /// is compared on the way are hashes, so how long it takes tells nothing of any key.
    by_key: HashMap<[u8; 32], (Arc<Project>, Option<Timestamp>)>,
}

impl GuardProjects {
    /// Opens the stored projects.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub(crate) fn load(database: &Database, secrets: &Secrets) -> Result<Self, StoreError> {
        let projects = Self::default();
        let stored: Vec<(String, StoredProject)> =
            database.read(|session| session.documents(PROJECTS))?;
        let mut table = projects.0.write();
        for (name, stored) in stored {
            table.put(Project::open(secrets, &name, stored));
        }
        drop(table);
        Ok(projects)
    }

    /// The project that guards with this key report for.
    pub(crate) fn of_key(&self, key: &[u8], now: Timestamp) -> Option<Arc<Project>> {
        let digest = key_digest(key);
        let table = self.0.read();
        let (project, until) = table.by_key.get(&digest)?;
        until.is_none_or(|until| now < until).then(|| Arc::clone(project))
    }

    /// The project of this name.
    pub(crate) fn project(&self, name: &str) -> Option<Arc<Project>> {
        self.0.read().by_name.get(name).map(Arc::clone)
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Project>> {
        self.0.read().by_name.values().cloned().collect()
    }
}

impl Table {
    /// Puts a project into force. One that was changed keeps its share, or whoever hangs on to the requests
    /// of before would have two.
    fn put(&mut self, mut project: Project) {
        if let Some(before) = self.by_name.get(&project.name)
            && before.stored.id == project.stored.id
        {
            project.share = Arc::clone(&before.share);
        }
        let project = Arc::new(project);
        self.remove(&project.name);
        for (digest, until) in project.stored.key_digests() {
            self.by_key.insert(digest, (Arc::clone(&project), until));
        }
        self.by_name.insert(project.name.clone(), project);
    }

    fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
        self.by_key.retain(|_, (project, _)| *project.name != *name);
    }
}

impl Writing<'_> {
    /// Writes a project down, and puts it into force with the commit.
    pub(crate) fn put_guard_project(&mut self, project: Project) -> Result<(), StoreError> {
        self.session.put_document(PROJECTS, &project.name, &project.stored)?;
        let projects = self.rules.guard_projects.clone();
        self.after_commit(move || projects.0.write().put(project));
        Ok(())
    }

    /// Removes a project: its key is refused from the commit on. False where there is none.
    pub(crate) fn remove_guard_project(&mut self, name: &str) -> Result<bool, StoreError> {
        if !self.session.delete_document(PROJECTS, name)? {
            return Ok(false);
        }
        self.forget_guard(name)?;
        let projects = self.rules.guard_projects.clone();
        let name = name.to_owned();
        self.after_commit(move || projects.0.write().remove(&name));
        Ok(true)
    }

    /// The stored project of this name.
    pub(crate) fn stored_guard_project(
        &self,
        name: &str,
    ) -> Result<Option<StoredProject>, StoreError> {
        self.session.document(PROJECTS, name)
    }

    /// How many projects there are.
    pub(crate) fn guard_project_count(&self) -> usize {
        self.rules.guard_projects.0.read().by_name.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::project::ProjectWanted;

    /// Where the master key is lost, what was sealed under it is, too. A rotation seals new secrets under the
    /// present one, and must be enough.
    #[test]
    fn a_rotation_heals_a_project_whose_secrets_cannot_be_opened() {
        let name = format!("ringwall-guard-projects-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let lost = Secrets::load(&folder.join("lost")).unwrap();
        let present = Secrets::load(&folder.join("present")).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let now = Timestamp::from_millis(1_700_000_000_000);
        let wanted = ProjectWanted {
            encryption: true,
            signing: true,
            require_signature: true,
            created: now,
            created_by: "user:ada".into(),
        };
        let (mut stored, _) = StoredProject::new(&lost, wanted).unwrap();
        assert!(Project::open(&lost, "shop", stored.clone()).is_ready());
        assert!(!Project::open(&present, "shop", stored.clone()).is_ready());
        let keys = stored.rotate(&present, now, now.plus_seconds(3600)).unwrap();
        let healed = Project::open(&present, "shop", stored);
        assert!(healed.is_ready());
        assert_eq!(healed.signing_secrets(now).count(), 1);
        assert_eq!(
            healed.signing_secret_of(keys.key.expose()).map(Secret::expose),
            keys.signing_secret.as_ref().map(Secret::expose)
        );
    }
}
