use super::pinned::PinnedProcess;
use super::{KillError, KillOrder, Patience, Protected};
use crate::procfs::{ProcReader, ProcessStat};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// What became of a process and all that descend from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KilledTree {
    /// How many were ended, the first one included.
    pub ended: usize,
    /// Those that were left alone, at most twenty; what descends from them was, too.
    pub spared: Vec<Spared>,
}

/// A process of a tree that was left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spared {
    /// Which.
    pub pid: u32,
    /// The short name of its program.
    pub name: Box<str>,
    /// Why.
    pub why: KillError,
}

/// Why a tree was not ended, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The first process was not ended, nor any other.
    #[error(transparent)]
    Root(#[from] KillError),
    /// There were always new ones: those that could be frozen were ended.
    #[error("the tree grew faster than it could be frozen: {ended} processes were ended")]
    Growing {
        /// How many were ended.
        ended: usize,
    },
    /// All were sent SIGKILL, and some still run.
    #[error("{running} processes still run after SIGKILL, {ended} were ended")]
    StillRunning {
        /// How many were ended.
        ended: usize,
        /// How many were not.
        running: usize,
    },
}

/// So many spared processes are told of.
const SPARED_MAX: usize = 20;
/// More are not frozen: each takes a descriptor.
const MEMBERS_MAX: usize = 4096;
/// Freezing takes a few rounds through all processes, each of milliseconds.
const FREEZE_PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Ends a process and all that descend from it by SIGKILL.
///
/// All are halted first, from the first one downwards, until a look through all processes finds no child
/// that is not halted: so none starts another one while they are ended one by one, however fast it does.
/// What detached itself from the tree before (its parent has ended) is not part of it any more.
///
/// # Errors
/// Where the first process is not running, protected or another one than was meant; and where not all
/// could be ended.
pub fn kill_tree(
    order: &KillOrder,
    protected: &Protected,
    patience: Patience,
) -> Result<KilledTree, TreeError> {
    let root = PinnedProcess::pin(order.pid)?;
    root.must_be(order)?;
    root.must_not_be_protected(protected)?;
    make_room_for_descriptors();
    root.signal(Signal::STOP)?;
    let mut tree = Tree::of(root);
    let is_frozen = tree.freeze(protected);
    let (ended, running) = tree.end(patience.after_kill);
    if !is_frozen {
        return Err(TreeError::Growing { ended });
    }
    if running > 0 {
        return Err(TreeError::StillRunning { ended, running });
    }
    Ok(KilledTree { ended, spared: tree.spared })
}

/// The members of a tree that are held, by their pids.
struct Tree {
    members: HashMap<u32, PinnedProcess>,
    spared: Vec<Spared>,
    spared_pids: HashSet<u32>,
}

impl Tree {
    fn of(root: PinnedProcess) -> Self {
        Self {
            members: HashMap::from([(root.pid, root)]),
            spared: Vec::new(),
            spared_pids: HashSet::new(),
        }
    }

    /// Halts all members until there is no new one; false where that comes to no end.
    fn freeze(&mut self, protected: &Protected) -> bool {
        let deadline = Instant::now() + FREEZE_PATIENCE;
        let mut pids = Vec::new();
        loop {
            // A signal takes effect when its process next returns from the kernel: until then it may
            // still start another one. So first all are halted, then the look counts.
            let all_halted = self.all_halted();
            let Ok(found_new) = self.take_children(&mut pids, protected) else { return false };
            if all_halted && !found_new {
                return true;
            }
            if Instant::now() >= deadline || self.members.len() >= MEMBERS_MAX {
                return false;
            }
            if !found_new {
                std::thread::sleep(LOOK_EVERY);
            }
        }
    }

    /// Whether every member is halted or has ended.
    fn all_halted(&self) -> bool {
        self.members.values().all(|member| {
            let state = member.state();
            matches!(state, Ok(None | Some(b'T' | b't' | b'Z' | b'X' | b'x')))
        })
    }

    /// Halts the children that no round before saw; whether there were any.
    fn take_children(
        &mut self,
        pids: &mut Vec<u32>,
        protected: &Protected,
    ) -> Result<bool, rustix::io::Errno> {
        let mut reader = ProcReader::open()?;
        reader.pids(pids)?;
        let mut found_new = false;
        for pid in pids.iter().copied() {
            if self.members.contains_key(&pid) || self.spared_pids.contains(&pid) {
                continue;
            }
            if self.members.len() >= MEMBERS_MAX {
                return Ok(true);
            }
            let is_child = reader.read_of(pid, "stat", 4096).ok().is_some_and(|text| {
                ProcessStat::parse(text)
                    .is_ok_and(|stat| self.members.contains_key(&stat.parent_pid))
            });
            if is_child {
                found_new |= self.take_child(pid, protected);
            }
        }
        Ok(found_new)
    }

    /// Halts a child, or spares it; whether it is a new member.
    fn take_child(&mut self, pid: u32, protected: &Protected) -> bool {
        let child = match PinnedProcess::pin(i64::from(pid)) {
            Ok(child) => child,
            // Ended in between, or ended and not reaped: it starts nothing any more.
            Err(KillError::NotRunning(_)) => return false,
            Err(why) => {
                self.spare(pid, "".into(), why);
                return false;
            }
        };
        // What was looked at a moment ago may have borne this number before.
        let Some(parent) = self.members.get(&child.parent_pid) else { return false };
        if child.start_time < parent.start_time {
            return false;
        }
        let halted =
            child.must_not_be_protected(protected).and_then(|()| child.signal(Signal::STOP));
        match halted {
            Ok(()) => {
                self.members.insert(pid, child);
                true
            }
            Err(KillError::NotRunning(_)) => false,
            Err(why) => {
                self.spare(pid, child.name, why);
                false
            }
        }
    }

    fn spare(&mut self, pid: u32, name: Box<str>, why: KillError) {
        self.spared_pids.insert(pid);
        if self.spared.len() < SPARED_MAX {
            self.spared.push(Spared { pid, name, why });
        }
    }

    /// Ends all members; how many have ended within this time, and how many have not.
    fn end(&self, wait: Duration) -> (usize, usize) {
        // One that was not held against the signal is seen by the wait.
        let sent = self.members.values().filter(|member| member.signal(Signal::KILL).is_ok());
        let sent = sent.count();
        let deadline = Instant::now() + wait;
        let running = self
            .members
            .values()
            .filter(|member| {
                let left = deadline.saturating_duration_since(Instant::now());
                !matches!(member.ends_within(left), Ok(true))
            })
            .count();
        tracing::debug!(members = self.members.len(), sent, running, "a tree was ended");
        (self.members.len() - running, running)
    }
}

/// Each member of a tree takes a descriptor, and what a service is given at first is often 1024.
fn make_room_for_descriptors() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = u64::try_from(MEMBERS_MAX).unwrap_or(u64::MAX).saturating_add(1024);
    let reachable = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if current.is_some_and(|current| current < reachable)
        && let Err(error) =
            setrlimit(Resource::Nofile, Rlimit { current: Some(reachable), maximum })
    {
        tracing::debug!(%error, "no more descriptors");
    }
}
