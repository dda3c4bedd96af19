use crate::programs::{Program, folder, wait_for};
use ringwall_event::{Activity, Inventory, Process};
use ringwall_host_probes::hands::{KillOrder, Patience, Protected, identity, kill_process};
use ringwall_host_probes::{Batch, LinuxProbe, Observation, Probe, ProbeSettings, ProcessChanges};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// A started probe, and what it saw so far.
struct Watch {
    probe: LinuxProbe,
    seen: Vec<Observation>,
}

impl Watch {
    fn start(settings: ProbeSettings) -> Self {
        let mut probe = LinuxProbe::new(settings).unwrap();
        probe.start().unwrap();
        Self { probe, seen: Vec::new() }
    }

    /// Watches until something is seen that `wanted` picks.
    #[track_caller]
    fn until<T>(&mut self, what: &str, wanted: impl Fn(&Observation) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            if let Some(found) = self.seen.iter().find_map(&wanted) {
                return found;
            }
            assert!(Instant::now() < deadline, "never seen: {what} in {}", summary(&self.seen));
            let mut batch = Batch::default();
            self.probe.next_batch(Duration::from_millis(200), &mut batch).unwrap();
            self.seen.append(&mut batch.observations);
        }
    }

    fn until_started(&mut self, pid: u32, name: &str) -> Process {
        self.until(name, |seen| match &seen.activity {
            Activity::ProcessStarted(process)
                if process.pid == i64::from(pid) && &*process.name == name =>
            {
                Some(process.clone())
            }
            _ => None,
        })
    }

    fn until_ended(&mut self, pid: u32) -> Option<i32> {
        self.until("its end", |seen| match &seen.activity {
            Activity::ProcessEnded { process, exit_code } if process.pid == i64::from(pid) => {
                Some(*exit_code)
            }
            _ => None,
        })
    }

    fn until_picture(&mut self) -> Box<Inventory> {
        self.seen.clear();
        self.until("a picture", |seen| match &seen.activity {
            Activity::Inventory(inventory) => Some(inventory.clone()),
            _ => None,
        })
    }
}

/// One line for each of the latest observations.
fn summary(seen: &[Observation]) -> String {
    let line = |seen: &Observation| {
        let what = match &seen.activity {
            Activity::ProcessStarted(process) => format!("{:?}", process.name),
            Activity::ProcessEnded { process, exit_code } => {
                format!("{:?} {exit_code:?}", process.name)
            }
            Activity::ConnectionOpened(it) | Activity::ConnectionClosed(it) => {
                format!("{}:{} {:?} {:?}", it.local_address, it.local_port, it.remote_port, it.pid)
            }
            _ => String::new(),
        };
        format!("\n{} {} {:?} {what}", seen.time, seen.activity.kind(), seen.activity.pid())
    };
    seen.iter().rev().take(60).rev().map(line).collect()
}

fn with_connector() -> Option<Watch> {
    let watch = Watch::start(ProbeSettings::default());
    match &watch.probe.capabilities().process_changes {
        ProcessChanges::ProcessConnector => Some(watch),
        other => {
            eprintln!("skipped: {other:?}");
            None
        }
    }
}

fn by_scanning() -> Watch {
    let settings = ProbeSettings { process_connector: false, ..ProbeSettings::default() };
    Watch::start(settings)
}

fn with_pictures(interval: Duration) -> Watch {
    Watch::start(ProbeSettings { collection_interval: interval, ..ProbeSettings::default() })
}

#[test]
fn a_start_and_an_end_are_told_at_once() {
    let Some(mut watch) = with_connector() else { return };
    let began = Instant::now();
    let program =
        Program::copy_of("/usr/bin/tail", "swift", &["-f", "/dev/null", "PASSWORD=hunter2"]);
    let process = watch.until_started(program.pid(), "swift");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(process.parent_pid, Some(i64::from(std::process::id())));
    assert!(process.executable.unwrap().ends_with("/swift"));
    assert!(process.command_line.unwrap().ends_with("/swift -f /dev/null PASSWORD=***"));
    // Where others on this machine start new programs meanwhile, the reading may be used up.
    assert!(process.executable_sha256.is_none_or(|digest| digest.len() == 64));
    assert!(process.user.is_some());
}

#[test]
fn the_identity_of_a_report_serves_to_kill_and_the_end_is_told_with_its_signal() {
    let Some(mut watch) = with_connector() else { return };
    let program = Program::sleep_named("marked-for-death");
    let process = watch.until_started(program.pid(), "marked-for-death");
    assert_eq!(process.start_time, identity(program.pid()).map(|found| found.0));
    let order =
        KillOrder { pid: process.pid, start_time: process.start_time, name: Some(process.name) };
    kill_process(&order, &Protected::default(), Patience::default()).unwrap();
    assert_eq!(watch.until_ended(program.pid()), Some(-15));
}

#[test]
fn a_process_too_short_to_be_looked_at_is_told_all_the_same() {
    let Some(mut watch) = with_connector() else { return };
    for code in [0, 3] {
        let mut child =
            Command::new("/bin/sh").args(["-c", &format!("exit {code}")]).spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        watch.until("its start", |seen| match &seen.activity {
            Activity::ProcessStarted(process) if process.pid == i64::from(pid) => Some(()),
            _ => None,
        });
        let exit_code = watch.until_ended(pid);
        assert!(exit_code.is_none_or(|found| found == code), "{exit_code:?}");
    }
}

#[test]
fn another_program_in_the_same_process_is_told() {
    let Some(mut watch) = with_connector() else { return };
    exec_is_told(&mut watch);
}

#[test]
fn scanning_tells_starts_programs_and_ends_as_well() {
    let mut watch = by_scanning();
    exec_is_told(&mut watch);
    let program = Program::sleep_named("scanned");
    let pid = program.pid();
    let process = watch.until_started(pid, "scanned");
    assert_eq!(process.start_time, identity(pid).map(|found| found.0));
    drop(program);
    watch.until_ended(pid);
}

#[track_caller]
fn exec_is_told(watch: &mut Watch) {
    let folder = folder();
    let go = folder.join("go");
    let script =
        format!("while [ ! -e {} ]; do /bin/sleep 0.02; done; exec sleep 1000", go.display());
    let mut child = Command::new("/bin/sh").args(["-c", &script]).spawn().unwrap();
    let pid = child.id();
    let shell = watch.until_started(pid, "sh");
    std::fs::write(&go, "").unwrap();
    let sleep = watch.until_started(pid, "sleep");
    assert_eq!(sleep.start_time, shell.start_time);
    child.kill().unwrap();
    child.wait().unwrap();
    watch.until_ended(pid);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_connection_is_told_with_its_process() {
    let mut watch = with_pictures(Duration::from_secs(15));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let opened = watch.until("the connection", |seen| match &seen.activity {
        Activity::ConnectionOpened(connection) if connection.remote_port == Some(port) => {
            Some((connection.clone(), seen.system_call))
        }
        _ => None,
    });
    assert_eq!(opened.0.status.as_ref(), "ESTABLISHED");
    assert_eq!(opened.0.pid, Some(i64::from(std::process::id())));
    assert_eq!(opened.1, Some("connect"));
    drop((client, listener));
    watch.until("its end", |seen| match &seen.activity {
        Activity::ConnectionClosed(connection) if connection.remote_port == Some(port) => Some(()),
        _ => None,
    });
}

#[test]
fn pictures_show_load_memory_and_the_system() {
    let mut watch = with_pictures(Duration::from_millis(300));
    let mut busy = Command::new("/bin/sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
    let pid = i64::from(busy.id());
    let mut load = None;
    wait_for("a load", || {
        let picture = watch.until_picture();
        let process = picture.processes.iter().find(|process| process.pid == pid).cloned();
        load = process.and_then(|process| process.cpu_percent);
        load.is_some_and(|load| load > 20.0)
    });
    assert!(load.unwrap() < 150.0, "{load:?}");
    let picture = watch.until_picture();
    busy.kill().unwrap();
    busy.wait().unwrap();
    let own = i64::from(std::process::id());
    let own = picture.processes.iter().find(|process| process.pid == own).unwrap();
    assert!(own.memory_percent.unwrap() > 0.0);
    assert!(picture.processes.windows(2).all(|pair| pair[0].start_time <= pair[1].start_time));
    let system = picture.system;
    assert_eq!(system.platform.as_deref(), Some("Linux"));
    assert!(system.cpu_count.unwrap() > 0);
    assert!(system.memory_total.unwrap() > system.memory_available.unwrap());
    assert!(system.boot_time.is_some() && system.kernel.is_some());
}

#[test]
fn what_is_dead_but_not_reaped_is_not_in_the_picture() {
    let mut watch = with_pictures(Duration::from_millis(200));
    let mut child = Command::new("/bin/true").spawn().unwrap();
    let pid = i64::from(child.id());
    wait_for("its end", || identity(child.id()).is_none());
    let picture = watch.until_picture();
    child.wait().unwrap();
    assert!(picture.processes.iter().all(|process| process.pid != pid));
}

#[test]
fn names_and_arguments_may_be_hostile() {
    let mut watch = with_pictures(Duration::from_millis(300));
    let name = "x) R 1 (\u{1b}[31m\n<b>";
    let arguments = ["-f", "/dev/null", "\u{1b}]0;title\u{7}", "<script>"];
    let program = Program::copy_of("/usr/bin/tail", name, &arguments);
    let process = watch.until_started(program.pid(), name);
    assert!(process.command_line.unwrap().contains("<script>"));
}

#[test]
fn a_burst_of_processes_is_told_whole() {
    let Some(mut watch) = with_connector() else { return };
    let mut pids: Vec<u32> = Vec::new();
    for _ in 0..200 {
        let mut child = Command::new("/bin/true").spawn().unwrap();
        pids.push(child.id());
        child.wait().unwrap();
    }
    for pid in pids {
        watch.until_ended(pid);
    }
}

#[test]
fn the_digest_of_a_large_program_follows_its_start() {
    const LARGE: u64 = 20 << 20;
    let mut watch = Watch::start(ProbeSettings {
        // No picture comes meanwhile.
        collection_interval: Duration::from_secs(600),
        ..ProbeSettings::default()
    });
    let program = Program::grown("grown", LARGE);
    let first = watch.until_started(program.pid(), "grown");
    assert_eq!(first.executable_sha256, None);
    let (digest, call) = watch.until("its digest", |seen| match &seen.activity {
        Activity::ProcessStarted(process) if process.pid == i64::from(program.pid()) => {
            Some((process.executable_sha256.clone()?, seen.system_call))
        }
        _ => None,
    });
    assert_eq!((digest.len(), call), (64, None));
}

#[test]
fn over_its_budget_the_probe_still_tells_of_starts() {
    let mut watch = Watch::start(ProbeSettings {
        collection_interval: Duration::from_secs(1),
        cpu_percent_max: Some(0.1),
        ..ProbeSettings::default()
    });
    // More than twenty seconds at that rate.
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(200) {
        std::hint::black_box(identity(std::process::id()));
    }
    let mut batch = Batch::default();
    wait_for("the probe slows itself", || {
        watch.probe.next_batch(Duration::from_millis(50), &mut batch).unwrap();
        batch.throttled
    });
    let program = Program::sleep_named("unhindered");
    watch.until_started(program.pid(), "unhindered");
}
