use super::pinned::PinnedProcess;
use super::{KillError, KillOrder, Patience, Protected};
use crate::procfs::{ProcReader, ProcessStat};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// What became of a process and all that descend from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KilledTree {
    /// The name that the first one bore, where that was another than the order says.
    pub renamed: Option<Box<str>>,
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
/// Who waits in the kernel for so long waits for its child.
const STUCK_FOR: Duration = Duration::from_millis(200);

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
    let renamed = root.must_be(order)?;
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
    Ok(KilledTree { renamed, ended, spared: tree.spared })
}

/// The members of a tree that are held, by their pids.
///
/// A pid names a member only as long as that lives: once it was reaped the kernel gives the number to
/// somebody else. So a member that has ended is let go before its number is asked about.
struct Tree {
    members: HashMap<u32, PinnedProcess>,
    /// Members that ended before all were frozen.
    gone: usize,
    /// Members that wait in the kernel while a child of theirs is halted, and since when.
    stuck: HashMap<u32, Instant>,
    spared: Vec<Spared>,
    spared_pids: HashSet<u32>,
}

impl Tree {
    fn of(root: PinnedProcess) -> Self {
        Self {
            members: HashMap::from([(root.pid, root)]),
            gone: 0,
            stuck: HashMap::new(),
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
            // Under the number of one that ended meanwhile a new one may have been passed over.
            let any_gone = self.let_go();
            if all_halted && !found_new && !any_gone {
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
    ///
    /// Whoever starts a child by vfork(2) waits in the kernel until the child runs a program of its own, and
    /// a halted child never does: its parent cannot become halted, and needs not, as it starts nothing
    /// meanwhile. It cannot be told from one that waits for memory in the middle of a fork, except that
    /// this one is soon done.
    fn all_halted(&mut self) -> bool {
        // One reader for all: each has buffers of its own, and there may be thousands to ask.
        let Ok(mut reader) = ProcReader::open() else { return false };
        let (mut moving, mut parents) = (Vec::new(), HashSet::new());
        for (pid, member) in &self.members {
            match member.state(&mut reader) {
                Ok(None | Some(b'T' | b't' | b'Z' | b'X' | b'x')) => {
                    parents.insert(member.parent_pid);
                }
                Ok(Some(b'D')) => moving.push((*pid, true)),
                _ => moving.push((*pid, false)),
            }
        }
        let now = Instant::now();
        let before = std::mem::take(&mut self.stuck);
        let mut all = true;
        for (pid, waits) in moving {
            let is_stuck = waits && parents.contains(&pid);
            let since = before.get(&pid).copied().unwrap_or(now);
            if is_stuck {
                self.stuck.insert(pid, since);
            }
            all &= is_stuck && now.duration_since(since) >= STUCK_FOR;
        }
        all
    }

    /// Lets go of members that have ended; whether there were any. What they started before is somebody
    /// else's child by now.
    fn let_go(&mut self) -> bool {
        let before = self.members.len();
        self.members.retain(|_, member| member.lives());
        let gone = before - self.members.len();
        self.gone += gone;
        gone > 0
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
        // Looked at after the child was: where the member lives now, the number was its own then. Where it
        // has ended, the parent may be a stranger that was given its number.
        if child.start_time < parent.start_time || !parent.lives() {
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
        (self.gone + self.members.len() - running, running)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};

    /// A shell with a child of its own, both ended with the test.
    struct Family {
        shell: Child,
        child: u32,
    }

    impl Family {
        fn start() -> Self {
            let mut command = Command::new("sh");
            command.args(["-c", "sleep 1000 & echo $!; wait"]).stdout(Stdio::piped());
            let mut shell = command.spawn().unwrap();
            let mut line = String::new();
            let mut output = std::io::BufReader::new(shell.stdout.take().unwrap());
            std::io::BufRead::read_line(&mut output, &mut line).unwrap();
            let child = line.trim().parse().unwrap();
            Self { shell, child }
        }

        fn pid(&self) -> u32 {
            self.shell.id()
        }
    }

    impl Drop for Family {
        fn drop(&mut self) {
            for pid in [self.child, self.pid()] {
                if let Ok(process) = PinnedProcess::pin(i64::from(pid)) {
                    drop(process.signal(Signal::KILL));
                }
            }
            drop(self.shell.wait());
        }
    }

    fn pin(pid: u32) -> PinnedProcess {
        PinnedProcess::pin(i64::from(pid)).unwrap()
    }

    fn halted(pid: u32) -> PinnedProcess {
        let root = pin(pid);
        root.signal(Signal::STOP).unwrap();
        root
    }

    /// A process that was held and has been reaped since.
    fn reaped() -> PinnedProcess {
        let mut short = Command::new("sleep").arg("1000").spawn().unwrap();
        let held = pin(short.id());
        short.kill().unwrap();
        short.wait().unwrap();
        held
    }

    #[test]
    fn the_children_of_who_got_a_members_number_are_left_alone() {
        let gone = reaped();
        let (ours, strangers) = (Family::start(), Family::start());
        let mut tree = Tree::of(halted(ours.pid()));
        // As if the kernel had given the number of a member that ended to a stranger.
        tree.members.insert(strangers.pid(), gone);
        tree.take_child(strangers.child, &Protected::default());
        assert!(!tree.members.contains_key(&strangers.child));
        assert!(tree.freeze(&Protected::default()));
        let members: HashSet<u32> = tree.members.keys().copied().collect();
        assert_eq!(members, HashSet::from([ours.pid(), ours.child]));
        assert_eq!(tree.end(Duration::from_secs(5)), (3, 0));
        let mut reader = ProcReader::open().unwrap();
        for pid in [strangers.child, strangers.pid()] {
            assert_eq!(pin(pid).state(&mut reader), Ok(Some(b'S')));
        }
    }

    #[test]
    fn a_child_that_got_the_number_of_a_member_is_not_passed_over() {
        let ours = Family::start();
        let mut tree = Tree::of(halted(ours.pid()));
        tree.members.insert(ours.child, reaped());
        assert!(tree.freeze(&Protected::default()));
        assert_eq!(tree.end(Duration::from_secs(5)), (3, 0));
        assert!(PinnedProcess::pin(i64::from(ours.child)).is_err());
    }
}
