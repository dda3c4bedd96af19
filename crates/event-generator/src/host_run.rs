//! What happens on one host in one slot, event by event.

use crate::connections::{self, Link};
use crate::hosts::{Daemon, Role};
use crate::needles::{COMMAND, NeedleKind};
use crate::pending::{Act, Pending, Who};
use crate::programs::{self, RunsAs};
use crate::random::Random;
use crate::requests::requests_that_follow;
use crate::schedule::Report;
use crate::sign_ins;
use crate::text::{PEOPLE, Peer, digest};
use crate::world::{World, name_of};
use ringwall_event::{Activity, Event, EventId, Process, ProcessRef, Severity, Timestamp};

/// A host between two of its reports.
#[derive(Debug)]
pub(crate) struct HostRun {
    number: u32,
    slot_end: i64,
    random: Random,
    pending: Pending,
    /// How many events are left in the slot.
    left: u64,
    told: u64,
    /// How many events of each kind there were, by [`Kind`].
    kinds: [u64; KINDS],
    next_pid: u32,
    /// What started lately and may still run: place of the program, pid, start, end.
    recent: [Option<Live>; 6],
    /// How many needles are behind.
    needles: usize,
}

#[derive(Clone, Copy, Debug)]
struct Live {
    program: u16,
    pid: u32,
    started: i64,
    ends: i64,
}

/// The kinds of what happens by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Process,
    Connection,
    Request,
    SignIn,
    SystemCall,
}

const KINDS: usize = 5;
const ALL_KINDS: [Kind; KINDS] =
    [Kind::Process, Kind::Connection, Kind::Request, Kind::SignIn, Kind::SystemCall];

/// How many of a thousand events of a host are of each kind.
const fn shares(role: Role) -> [u64; KINDS] {
    match role {
        Role::Web => [350, 200, 355, 50, 45],
        Role::Database => [490, 340, 0, 50, 120],
        Role::Bastion => [300, 100, 0, 550, 50],
        Role::Workstation => [600, 240, 0, 40, 120],
        Role::Build => [790, 80, 0, 50, 80],
    }
}

const SYSTEM_CALLS: [&str; 20] = [
    "openat",
    "connect",
    "execve",
    "accept4",
    "unlink",
    "clone3",
    "chmod",
    "rename",
    "bind",
    "setuid",
    "mount",
    "ptrace",
    "kill",
    "chown",
    "socket",
    "mprotect",
    "bpf",
    "init_module",
    "capset",
    "umount2",
];
const PIDS: u32 = 4_194_304;
const FIRST_PID: u32 = 2600;
/// No more than so much lies ahead of a host.
const PENDING_MAX: usize = 96;
/// How many of a thousand of what is read from logs come minutes late: a hundredth of all.
const LATE_PER_MILLE: u64 = 29;

impl HostRun {
    pub(crate) fn new(world: &World, slot: u32, number: u32) -> Self {
        let quota = world.schedule.quota(slot, number);
        // Pids count on from slot to slot, about as fast as processes start.
        let first = u64::from(slot) * (quota / 3 + 1) + u64::from(number) * 7919;
        Self {
            number,
            slot_end: world.schedule.begins(slot + 1),
            random: Random::of(&[
                world.settings.seed,
                0x0068_6f73_7472_756e,
                slot.into(),
                number.into(),
            ]),
            pending: Pending::default(),
            left: quota,
            told: 0,
            kinds: [0; KINDS],
            next_pid: FIRST_PID + (first % u64::from(PIDS - FIRST_PID)) as u32,
            recent: [None; 6],
            needles: 0,
        }
    }

    /// The events of a report, in about the order in which they happened.
    pub(crate) fn report(
        &mut self,
        world: &World,
        slot: u32,
        report: &Report,
        first: EventId,
        buffer: &mut String,
    ) -> Vec<Event> {
        let needles = world.needles.of(slot, self.number);
        let mut events = Vec::with_capacity(report.events as usize);
        let until = (report.received - self.random.between(2000, 60_000)).max(report.since);
        let mut now = report.since;
        for position in 0..report.events {
            let wanted = u64::from(report.events - position);
            let needle = needles.get(self.needles).filter(|(at, _)| *at == self.told);
            let (time, severity, activity) = if let Some((_, kind)) = needle {
                self.needles += 1;
                self.needle(world, *kind, now, buffer)
            } else {
                let spare = self.left - (needles.len() - self.needles) as u64;
                self.next(world, Clock { now, until, wanted, spare }, buffer)
            };
            now = now.max(time);
            self.told += 1;
            self.left -= 1;
            let time = self.late(&activity, time);
            events.push(Event {
                id: first.at(position as u16),
                time: Timestamp::from_micros(time),
                received: Timestamp::from_micros(report.received),
                source: world.host(self.number).source.clone(),
                host: world.host(self.number).source.name.clone(),
                severity,
                activity,
                original: None,
            });
        }
        events
    }

    /// What happens next: what was to follow from earlier, or something new.
    fn next(&mut self, world: &World, clock: Clock, buffer: &mut String) -> Told {
        let Clock { now, until, wanted, spare } = clock;
        // What happened last may have taken a little longer than the report had time for.
        let until = until.max(now);
        if self.pending.ends() >= spare
            && let Some((time, act)) = self.pending.pop_end()
        {
            // The slot is about to end, and so does all that was begun in it.
            return self.act(world, time.clamp(now, until), act, buffer);
        }
        let follows = (self.pending.len() as u64).min(wanted * 3 / 4);
        let gap = (until - now) / (wanted - follows).max(1).cast_signed();
        let new = (now + self.random.between(0, gap * 2 + 1)).min(until);
        while let Some(due) = self.pending.next()
            && due <= new.max(now)
            && let Some((time, act)) = self.pending.pop()
        {
            // What begins must have room to end.
            let is_start = matches!(act, Act::Start { .. });
            if !is_start || self.pending.ends() + 2 <= spare {
                return self.act(world, time, act, buffer);
            }
        }
        self.begin(world, new, self.pending.ends() + 2 <= spare, buffer)
    }

    fn act(&mut self, world: &World, time: i64, act: Act, buffer: &mut String) -> Told {
        match act {
            Act::Start { program, parent, who, until } => {
                self.start(world, program, parent, who, time, until, buffer)
            }
            Act::End { pid, started, program } => self.end(world, time, pid, started, program),
            Act::Close(link) => {
                self.count(Kind::Connection);
                let status = if link.protocol == "tcp" { "CLOSE" } else { "ESTABLISHED" };
                let local = world.host(self.number).address;
                let connection = link.connection(local, status, world.settings.seed, buffer);
                (time, Severity::Informational, Activity::ConnectionClosed(connection))
            }
            Act::Visit(client) => self.visit(world, time, client, buffer),
            Act::Probe(client) => self.probe(world, time, client, buffer),
            Act::Guess(client) => self.guess(world, time, client, buffer),
        }
    }

    /// Something that follows from nothing: of the kind that there was too little of.
    fn begin(&mut self, world: &World, time: i64, has_room: bool, buffer: &mut String) -> Told {
        let role = world.host(self.number).role;
        let told = self.told + 12;
        let [_, connections, requests, sign_ins, calls] = self.kinds;
        let counts = [self.processes(), connections, requests, sign_ins, calls];
        let missing = shares(role).into_iter().zip(counts).map(|(share, count)| {
            // What never happens on such a host has no share.
            if share == 0 { 0 } else { (share * told / 1000).saturating_sub(count) + 1 }
        });
        let at = self.random.weighted(missing);
        let kind = ALL_KINDS.get(at).copied().unwrap_or(Kind::SystemCall);
        match kind {
            Kind::Process if has_room => self.begin_process(world, time, buffer),
            Kind::Connection if has_room => self.connect(world, time, buffer),
            Kind::Request if self.random.chance(12) => {
                let client = Peer::Outside(60_000 + self.random.zipf(8));
                for _ in 0..requests_that_follow(&mut self.random, true) {
                    let at = time + self.random.between(20_000, 9_000_000);
                    self.plan(at, Act::Probe(client));
                }
                self.probe(world, time, client, buffer)
            }
            Kind::Request => {
                let client = Peer::Outside(self.random.zipf(16));
                for _ in 0..requests_that_follow(&mut self.random, false) {
                    let at = time + self.random.between(5000, 20_000_000);
                    self.plan(at, Act::Visit(client));
                }
                self.visit(world, time, client, buffer)
            }
            Kind::SignIn => self.sign_in(world, time, buffer),
            Kind::SystemCall | Kind::Process | Kind::Connection => self.call(world, time),
        }
    }

    fn plan(&mut self, time: i64, act: Act) {
        if self.pending.len() < PENDING_MAX && time < self.slot_end {
            self.pending.push(time, act);
        }
    }

    fn begin_process(&mut self, world: &World, time: i64, buffer: &mut String) -> Told {
        let host = world.host(self.number);
        let beginnings = world.beginnings(self.number);
        let at = self.random.weighted(beginnings.iter().map(|one| one.weight));
        let (program, daemon) = match beginnings.get(at) {
            Some(beginning) => (beginning.program, host.daemon(beginning.daemon)),
            None => (0, host.daemon("cron")),
        };
        let person = self.person(host.role);
        let user = if host.role == Role::Workstation { name_of(person) } else { "root" };
        let who = Who { user, person };
        self.start(world, program, daemon.pid, who, time, self.slot_end, buffer)
    }

    #[expect(clippy::too_many_arguments, reason = "a start is told whole")]
    fn start(
        &mut self,
        world: &World,
        place: u16,
        parent: u32,
        by: Who,
        time: i64,
        until: i64,
        buffer: &mut String,
    ) -> Told {
        self.count(Kind::Process);
        let compiled = world.program(place);
        let program = &compiled.program;
        let user = match program.runs_as {
            RunsAs::Same => by.user,
            RunsAs::User(user) => user,
            RunsAs::Person => name_of(by.person),
        };
        let who = Who { user, ..by };
        let pid = self.pid();
        let (shortest, longest) = program.lifetime_ms;
        let lifetime = self.random.scale(shortest * 1000, longest * 1000).cast_signed();
        let ends = (time + lifetime).min(until - 200).max(time + 150);
        self.pending.push(ends, Act::End { pid, started: time, program: place });
        let (few, many, _) = program.starts;
        // Where there were too many processes already, this one starts the fewest it can.
        let allowed = shares(world.host(self.number).role)[0] * (self.told + 40) / 1000;
        let many = if self.processes() > allowed { few.min(1) } else { many };
        for _ in 0..few + self.random.below(many.saturating_sub(few) + 1) {
            let child = self.random.pick(&compiled.starts);
            let at = time + 300 + self.random.between(0, (ends - time) * 3 / 4);
            if at < ends - 1000 {
                self.plan(at, Act::Start { program: child, parent: pid, who, until: ends });
            }
        }
        self.remember(Live { program: place, pid, started: time, ends });

        buffer.clear();
        let line = self.random.pick_zipf_index(compiled.lines.len());
        if let Some(line) = compiled.lines.get(line) {
            line.push(buffer, &mut self.random, &world.filling(who.person, time));
        }
        let version = world.version(world.host(self.number), place, time);
        let process = Process {
            pid: pid.into(),
            start_time: Some(Timestamp::from_micros(time)),
            name: program.name.into(),
            parent_pid: Some(parent.into()),
            user: Some(user.into()),
            executable: Some(program.path.into()),
            command_line: Some(buffer.as_str().into()),
            executable_sha256: Some(digest(place.into(), version)),
            ..Process::default()
        };
        (time, Severity::Informational, Activity::ProcessStarted(process))
    }

    fn end(&mut self, world: &World, time: i64, pid: u32, started: i64, place: u16) -> Told {
        self.count(Kind::Process);
        for slot in &mut self.recent {
            if slot.is_some_and(|live| live.pid == pid) {
                *slot = None;
            }
        }
        let program = &world.program(place).program;
        let exit_code = if self.random.chance(program.fails_per_mille) {
            self.random.pick(&[1, 1, 1, 2, 127, 130, -15, -9, -11, 255])
        } else {
            0
        };
        let process = ProcessRef {
            pid: pid.into(),
            start_time: Some(Timestamp::from_micros(started)),
            name: program.name.into(),
        };
        let ended = Activity::ProcessEnded { process, exit_code: Some(exit_code) };
        (time, Severity::Informational, ended)
    }

    fn connect(&mut self, world: &World, time: i64, buffer: &mut String) -> Told {
        let host = world.host(self.number);
        let recent =
            self.alive(time).map(|live| (world.program(live.program).program.name, live.pid));
        let daemon = |name: &str| {
            let Daemon { name, pid, .. } = host.daemon(name);
            (name, pid)
        };
        let hosts = world.settings.hosts;
        let link = connections::made(host.role, hosts, &mut self.random, daemon, recent);
        self.open(world, time, link, buffer)
    }

    fn open(&mut self, world: &World, time: i64, link: Link, buffer: &mut String) -> Told {
        self.count(Kind::Connection);
        let lasts = link.lasts_ms.cast_signed() * 1000 + self.random.between(0, 1000);
        self.pending.push((time + lasts).min(self.slot_end - 150), Act::Close(link));
        let local = world.host(self.number).address;
        let connection = link.connection(local, "ESTABLISHED", world.settings.seed, buffer);
        (time, Severity::Informational, Activity::ConnectionOpened(connection))
    }

    fn visit(&mut self, world: &World, time: i64, client: Peer, buffer: &mut String) -> Told {
        self.count(Kind::Request);
        let filling = world.filling(0, time);
        let request = world.paths.visit(client, &mut self.random, &filling, buffer);
        (time, Severity::Informational, Activity::HttpRequest(Box::new(request)))
    }

    fn probe(&mut self, world: &World, time: i64, client: Peer, buffer: &mut String) -> Told {
        self.count(Kind::Request);
        let filling = world.filling(0, time);
        let request = world.paths.probe(client, &mut self.random, &filling, buffer);
        (time, Severity::Informational, Activity::HttpRequest(Box::new(request)))
    }

    fn guess(&mut self, world: &World, time: i64, client: Peer, buffer: &mut String) -> Told {
        self.count(Kind::SignIn);
        let pid = self.pid();
        let seed = world.settings.seed;
        let guess = sign_ins::guess(client, pid, seed, &mut self.random, buffer);
        (time, Severity::Low, Activity::SignIn(Box::new(guess)))
    }

    fn sign_in(&mut self, world: &World, time: i64, buffer: &mut String) -> Told {
        let role = world.host(self.number).role;
        // Only bastions stand in the open.
        if role == Role::Bastion && self.random.chance(300) {
            let client = Peer::Outside(62_000 + self.random.zipf(10));
            for _ in 0..self.random.below(40) {
                let at = time + self.random.between(400_000, 90_000_000);
                self.plan(at, Act::Guess(client));
            }
            return self.guess(world, time, client, buffer);
        }
        self.count(Kind::SignIn);
        let client = match role {
            Role::Bastion | Role::Web => Peer::Outside(30_000 + self.random.zipf(8)),
            Role::Database | Role::Workstation | Role::Build => {
                Peer::Host(self.random.zipf(4) % world.settings.hosts)
            }
        };
        let person = self.person(role);
        let pid = self.pid();
        let seed = world.settings.seed;
        let name = name_of(person);
        let sign_in = sign_ins::usual(role, name, client, pid, seed, &mut self.random, buffer);
        if sign_in.success
            && sign_in.service.as_deref() == Some("sshd")
            && let Some(program) = programs::place("sshd-session")
        {
            let parent = world.host(self.number).daemon("sshd").pid;
            let who = Who { user: "root", person };
            let at = time + self.random.between(4000, 90_000);
            self.plan(at, Act::Start { program, parent, who, until: self.slot_end });
        }
        let severity = if sign_in.success { Severity::Informational } else { Severity::Low };
        (time, severity, Activity::SignIn(Box::new(sign_in)))
    }

    fn call(&mut self, world: &World, time: i64) -> Told {
        self.count(Kind::SystemCall);
        let process = match self.alive(time) {
            Some(live) => ProcessRef {
                pid: live.pid.into(),
                start_time: Some(Timestamp::from_micros(live.started)),
                name: world.program(live.program).program.name.into(),
            },
            None => {
                let daemons = &world.host(self.number).daemons;
                let at = self.random.below(daemons.len() as u64) as usize;
                daemons.get(at).map_or_else(ProcessRef::default, |daemon| ProcessRef {
                    pid: daemon.pid.into(),
                    start_time: Some(daemon.started),
                    name: daemon.name.into(),
                })
            }
        };
        let name = self.random.pick_zipf(&SYSTEM_CALLS);
        let is_odd = matches!(name, "ptrace" | "bpf" | "init_module" | "mount");
        let risk_score = is_odd.then(|| self.random.between(20, 90) as f64);
        let severity = if is_odd { Severity::Low } else { Severity::Informational };
        let call =
            Activity::SystemCall { process, name: name.into(), risk_score, anomaly_score: None };
        (time, severity, call)
    }

    fn needle(&mut self, world: &World, kind: NeedleKind, time: i64, buffer: &mut String) -> Told {
        let time = time + 1;
        if kind == NeedleKind::Address {
            let daemon = world.host(self.number).daemon("sshd");
            let link = Link {
                protocol: "tcp",
                local_port: 32_768 + self.random.below(28_232) as u16,
                peer: Peer::Needle,
                remote_port: 4444,
                pid: daemon.pid,
                name: daemon.name,
                lasts_ms: 60_000,
            };
            // It is never closed: so that its address is in one event alone.
            self.count(Kind::Connection);
            let local = world.host(self.number).address;
            let connection = link.connection(local, "ESTABLISHED", world.settings.seed, buffer);
            return (time, Severity::Informational, Activity::ConnectionOpened(connection));
        }
        self.count(Kind::Process);
        let (name, executable, line) = match kind {
            NeedleKind::CommandLine => {
                ("bash", "/usr/bin/bash", format!("bash -c chmod +x {COMMAND} && {COMMAND} -d"))
            }
            _ => ("kworkerd", "/usr/lib/systemd/kworkerd", "/usr/lib/systemd/kworkerd".to_owned()),
        };
        let sha256 = match kind {
            NeedleKind::Sha256 => world.needles.digest.clone(),
            _ => digest(0x6261_7368, 1),
        };
        let process = Process {
            pid: self.pid().into(),
            start_time: Some(Timestamp::from_micros(time)),
            name: name.into(),
            parent_pid: Some(1),
            user: Some("www-data".into()),
            executable: Some(executable.into()),
            command_line: Some(line.into()),
            executable_sha256: Some(sha256),
            ..Process::default()
        };
        (time, Severity::Informational, Activity::ProcessStarted(process))
    }

    /// What is read from logs may come minutes late.
    fn late(&mut self, activity: &Activity, time: i64) -> i64 {
        let is_of_log = matches!(
            activity,
            Activity::HttpRequest(_) | Activity::SignIn(_) | Activity::SystemCall { .. }
        );
        if is_of_log && self.random.chance(LATE_PER_MILLE) {
            time - self.random.between(60_000_000, 900_000_000)
        } else {
            time
        }
    }

    fn person(&mut self, role: Role) -> u8 {
        // A workstation is mostly one person's.
        let bits = if role == Role::Workstation { 1 } else { 3 };
        ((self.number * 7 + self.random.zipf(bits)) as usize % PEOPLE.len()) as u8
    }

    fn pid(&mut self) -> u32 {
        let pid = self.next_pid;
        self.next_pid += 1 + self.random.below(3) as u32;
        if self.next_pid >= PIDS {
            self.next_pid = FIRST_PID;
        }
        pid
    }

    fn remember(&mut self, live: Live) {
        let at = self.random.below(self.recent.len() as u64) as usize;
        if let Some(slot) = self.recent.get_mut(at) {
            *slot = Some(live);
        }
    }

    fn alive(&mut self, time: i64) -> Option<Live> {
        let live = self.random.pick(&self.recent)?;
        (live.started <= time && time < live.ends).then_some(live)
    }

    /// How many starts and ends there were, and will be of what runs.
    fn processes(&self) -> u64 {
        self.kinds[0] + self.pending.ends()
    }

    fn count(&mut self, kind: Kind) {
        if let Some(count) = self.kinds.get_mut(kind as usize) {
            *count += 1;
        }
    }
}

/// When it happened, how bad it is, and what it is.
type Told = (i64, Severity, Activity);

/// How much of a report is behind, and how much is left.
#[derive(Clone, Copy)]
struct Clock {
    now: i64,
    until: i64,
    /// How many events the report still wants.
    wanted: u64,
    /// How many events are left in the slot for what is no needle.
    spare: u64,
}
