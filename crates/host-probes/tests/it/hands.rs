use crate::programs::{Program, wait_for};
use ringwall_event::Timestamp;
use ringwall_host_probes::hands::{
    EndedBy, Halt, KillError, KillOrder, Patience, Protected, TreeError, continue_process,
    identity, kill_process, kill_tree, stop_process,
};
use std::process::Command;
use std::time::Duration;

const HASTE: Patience =
    Patience { grace: Duration::from_millis(300), after_kill: Duration::from_secs(5) };

fn order(pid: u32) -> KillOrder {
    let (start_time, name) = identity(pid).unwrap();
    KillOrder { pid: i64::from(pid), start_time: Some(start_time), name: Some(name) }
}

#[test]
fn a_process_that_obeys_ends_at_sigterm_and_counts_as_ended_before_it_is_reaped() {
    let mut program = Program::sleep_named("obeys");
    let killed = kill_process(&order(program.pid()), &Protected::default(), HASTE).unwrap();
    assert_eq!(killed.by, EndedBy::Term);
    assert!(killed.after < HASTE.grace);
    // Not reaped until here, and yet the second order finds nothing to do.
    let again = KillOrder { pid: i64::from(program.pid()), start_time: None, name: None };
    let result = kill_process(&again, &Protected::default(), HASTE);
    assert_eq!(result, Err(KillError::NotRunning(again.pid)));
    assert!(program.has_ended());
}

#[test]
fn a_process_that_ignores_sigterm_is_forced_after_the_grace() {
    let mut program = Program::deaf("deaf.sh");
    let killed = kill_process(&order(program.pid()), &Protected::default(), HASTE).unwrap();
    assert_eq!(killed.by, EndedBy::Kill);
    assert!(killed.after >= HASTE.grace);
    assert!(program.has_ended());
}

#[test]
fn a_stopped_process_is_forced_as_well() {
    let mut program = Program::sleep_named("stopped");
    let pid = program.pid().to_string();
    assert!(Command::new("kill").args(["-STOP", &pid]).status().unwrap().success());
    let stat = format!("/proc/{pid}/stat");
    wait_for("it is stopped", || std::fs::read_to_string(&stat).unwrap().contains(") T "));
    let killed = kill_process(&order(program.pid()), &Protected::default(), HASTE).unwrap();
    assert_eq!(killed.by, EndedBy::Kill);
    assert!(program.has_ended());
}

#[test]
fn another_process_under_the_number_is_left_alone() {
    let mut program = Program::sleep_named("innocent");
    let right = order(program.pid());

    let ordered = right.start_time.unwrap().plus_micros(10_000);
    let later = KillOrder { start_time: Some(ordered), ..right.clone() };
    let found = right.start_time.unwrap();
    assert_eq!(
        kill_process(&later, &Protected::default(), HASTE),
        Err(KillError::OtherStart { pid: right.pid, found, ordered })
    );
    // Without a start time the name is all there is to know it by.
    let named = KillOrder { name: Some("evil.sh".into()), start_time: None, ..right.clone() };
    assert_eq!(
        kill_process(&named, &Protected::default(), HASTE),
        Err(KillError::OtherName {
            pid: right.pid,
            found: "innocent".into(),
            ordered: "evil.sh".into()
        })
    );
    assert!(!program.has_ended());
}

#[test]
fn who_renames_itself_does_not_escape() {
    let mut program = Program::sleep_named("renamed");
    let before = KillOrder { name: Some("evil.sh".into()), ..order(program.pid()) };
    let none = Protected::default();
    let halted = stop_process(&before, &none).unwrap();
    assert_eq!((halted.halt, halted.renamed.as_deref()), (Halt::Changed, Some("renamed")));
    let halted = continue_process(&before).unwrap();
    assert_eq!((halted.halt, halted.renamed.as_deref()), (Halt::Changed, Some("renamed")));
    let killed = kill_process(&before, &none, HASTE).unwrap();
    assert_eq!(killed.renamed.as_deref(), Some("renamed"));
    assert!(program.has_ended());

    let mut program = Program::sleep_named("renamed-tree");
    let before = KillOrder { name: Some("evil.sh".into()), ..order(program.pid()) };
    // What it is called now decides what it is protected by.
    let names = Protected { names: vec!["renamed-tree".into()], ..Protected::default() };
    let refused = kill_process(&before, &names, HASTE);
    assert!(matches!(refused, Err(KillError::Protected { .. })), "{refused:?}");
    assert_eq!(kill_tree(&before, &none, HASTE).unwrap().renamed.as_deref(), Some("renamed-tree"));
    assert!(program.has_ended());
}

/// The real file, which belongs to root, run by somebody else: with a library of theirs in it, for all
/// that can be known.
#[test]
fn an_ordinary_user_who_runs_a_program_of_the_system_is_not_protected() {
    if !is_root() {
        return eprintln!("skipped: the program file must belong to root, and its user must not");
    }
    let folder = crate::programs::folder();
    std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let file = folder.join("sshd");
    std::fs::copy("/bin/sleep", &file).unwrap();
    let system = Protected { system_programs: vec!["sshd".into()], ..Protected::default() };
    for (user, is_protected) in [(0, true), (1000, false), (33, false)] {
        let mut command = Command::new(&file);
        std::os::unix::process::CommandExt::uid(command.arg("1000"), user);
        let mut child = command.spawn().unwrap();
        wait_for("it runs", || identity(child.id()).is_some_and(|(_, name)| &*name == "sshd"));
        let result = kill_process(&order(child.id()), &system, HASTE);
        let is_refused = matches!(result, Err(KillError::Protected { .. }));
        assert_eq!(is_refused, is_protected, "user {user}: {result:?}");
        let at = format!("sshd@{user}");
        let named = Protected { names: vec![at.as_str().into()], ..Protected::default() };
        let other = Protected { names: vec!["sshd@4711".into()], ..Protected::default() };
        if is_protected {
            assert!(stop_process(&order(child.id()), &named).is_err());
            kill_process(&order(child.id()), &other, HASTE).unwrap();
        }
        child.wait().unwrap();
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_protected_is_refused() {
    let mut program = Program::sleep_named("guarded");
    let own = std::process::id();
    let parent = std::os::unix::process::parent_id();
    check(own, &Protected::default(), "itself");
    check(parent, &Protected::default(), "parent");
    check(1, &Protected::default(), "first process");
    let names = Protected { names: vec!["guarded".into()], ..Protected::default() };
    check(program.pid(), &names, "name");
    let system = Protected { system_programs: vec!["guarded".into()], ..Protected::default() };
    if is_root() {
        check(program.pid(), &system, "cannot do without");
    } else {
        eprintln!("skipped: the program file must belong to root");
    }
    let pids = Protected { pids: vec![program.pid()], ..Protected::default() };
    check(program.pid(), &pids, "number");
    if identity(2).is_some_and(|(_, name)| &*name == "kthreadd") {
        check(2, &Protected::default(), "kernel");
    } else {
        eprintln!("skipped: the threads of the kernel are not visible here");
    }
    assert!(!program.has_ended());
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

#[test]
fn a_name_of_the_system_is_no_shield_for_a_file_that_others_can_write() {
    let mut program = Program::sleep_named("sshd");
    let file = std::fs::read_link(format!("/proc/{}/exe", program.pid())).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(file, mode).unwrap();
    let system = Protected { system_programs: vec!["sshd".into()], ..Protected::default() };
    kill_process(&order(program.pid()), &system, HASTE).unwrap();
    assert!(program.has_ended());
}

/// In a fresh pid namespace this program is the first process, and `/proc` still tells of another one
/// under that number.
#[test]
fn in_another_pid_namespace_nobody_is_taken_for_somebody_else() {
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork"]);
        command
    };
    if !unshare().arg("true").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no pid namespace can be made here");
        return;
    }
    let mut inside = unshare();
    inside.arg(std::env::current_exe().unwrap());
    let output =
        inside.args(["--ignored", "--exact", INSIDE, "--test-threads=1"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

const INSIDE: &str = "hands::inside_another_pid_namespace";

#[test]
#[ignore = "started by the test above, inside the namespace"]
fn inside_another_pid_namespace() {
    assert_eq!(std::process::id(), 1);
    let order = KillOrder { pid: 1, start_time: None, name: None };
    let result = kill_process(&order, &Protected::default(), HASTE);
    assert_eq!(result, Err(KillError::OtherNamespace(1)));
    assert_eq!(identity(1), None);
}

#[track_caller]
fn check(pid: u32, protected: &Protected, reason: &str) {
    match kill_process(&order(pid), protected, HASTE) {
        Err(KillError::Protected { reason: found, .. }) => {
            assert!(found.contains(reason), "pid {pid}: {found:?}");
        }
        other => panic!("pid {pid}: {other:?}"),
    }
}

#[test]
fn groups_and_impossible_numbers_are_nobody() {
    for pid in [0, -1, i64::MIN, i64::from(i32::MAX), i64::from(u32::MAX), i64::MAX] {
        let order = KillOrder { pid, start_time: None, name: None };
        let result = kill_process(&order, &Protected::default(), HASTE);
        assert_eq!(result, Err(KillError::NotRunning(pid)));
    }
}

#[test]
fn a_start_time_is_the_same_at_every_look() {
    let program = Program::sleep_named("steady");
    let first: (Timestamp, _) = identity(program.pid()).unwrap();
    for _ in 0..50 {
        assert_eq!(identity(program.pid()).as_ref(), Some(&first));
    }
}

fn state_of(pid: u32) -> char {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    text.rsplit_once(") ").unwrap().1.chars().next().unwrap()
}

#[test]
fn a_process_is_halted_and_goes_on() {
    let mut program = Program::sleep_named("halted");
    let order = order(program.pid());
    let none = Protected::default();
    let go_on = || continue_process(&order).map(|halted| halted.halt);
    let stop = || stop_process(&order, &none).map(|halted| halted.halt);
    assert_eq!(go_on(), Ok(Halt::Already));
    assert_eq!(stop(), Ok(Halt::Changed));
    assert_eq!(state_of(program.pid()), 'T');
    assert_eq!(stop(), Ok(Halt::Already));
    assert_eq!(go_on(), Ok(Halt::Changed));
    assert_ne!(state_of(program.pid()), 'T');

    let named = KillOrder { name: Some("evil.sh".into()), start_time: None, ..order.clone() };
    assert!(matches!(stop_process(&named, &none), Err(KillError::OtherName { .. })));
    let names = Protected { names: vec!["halted".into()], ..Protected::default() };
    assert!(matches!(stop_process(&order, &names), Err(KillError::Protected { .. })));
    assert_ne!(state_of(program.pid()), 'T');
    assert!(!program.has_ended());
    kill_process(&order, &none, HASTE).unwrap();
    assert_eq!(stop(), Err(KillError::NotRunning(order.pid)));
    assert_eq!(go_on(), Err(KillError::NotRunning(order.pid)));
}

/// The pids of the processes whose arguments hold this word.
fn running_with(word: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        // What has ended and waits to be reaped has no arguments.
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if arguments.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes()) {
            found.push(pid);
        }
    }
    found
}

#[test]
fn a_tree_is_ended_whole() {
    let word = format!("tree-{}", std::process::id());
    let script = format!(
        "(trap '' TERM; (sh -c 'sleep 1000; :' {word}) & sleep 1000; :) & sh -c 'sleep 1000; :' {word}; :"
    );
    let mut program = Program::copy_of("/bin/sh", "trunk", &["-c", &script, &word]);
    wait_for("the tree stands", || running_with(&word).len() >= 4);
    let other = Program::sleep_named("neighbour");
    let killed = kill_tree(&order(program.pid()), &Protected::default(), HASTE).unwrap();
    // Three shells of ours, one between them, and what each waits for.
    assert!(killed.ended >= 6, "{killed:?}");
    assert_eq!(killed.spared, []);
    assert!(running_with(&word).is_empty());
    assert!(program.has_ended());
    assert_eq!(state_of(other.pid()), 'S');
}

#[test]
fn a_protected_process_within_a_tree_is_spared() {
    let word = format!("spared-{}", std::process::id());
    let folder = std::env::temp_dir().join(&word);
    std::fs::create_dir_all(&folder).unwrap();
    let guarded = folder.join("guarded");
    std::fs::copy("/bin/sleep", &guarded).unwrap();
    let script = format!("{} 1000 & sleep 1000 & wait", guarded.display());
    let mut program = Program::copy_of("/bin/sh", "trunk2", &["-c", &script, &word]);
    let guarded = guarded.to_str().unwrap();
    wait_for("both run", || running_with(guarded).len() == 1);
    let protected = Protected { names: vec!["guarded".into()], ..Protected::default() };
    let killed = kill_tree(&order(program.pid()), &protected, HASTE).unwrap();
    let spared: Vec<&str> = killed.spared.iter().map(|spared| &*spared.name).collect();
    assert_eq!(spared, ["guarded"]);
    assert!(killed.spared[0].why.to_string().contains("protected list"));
    assert!(program.has_ended());
    let pid = killed.spared[0].pid;
    assert_eq!(state_of(pid), 'S');
    kill_process(&order(pid), &Protected::default(), HASTE).unwrap();
    let own = KillOrder { pid: i64::from(std::process::id()), start_time: None, name: None };
    let refused = kill_tree(&own, &Protected::default(), HASTE);
    assert!(matches!(refused, Err(TreeError::Root(KillError::Protected { .. }))), "{refused:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Bounded to a few hundred, so that this machine survives it should it not be caught.
#[test]
fn what_forks_all_the_time_does_not_outrun_its_end() {
    let word = format!("bomb-{}", std::process::id());
    let script = r#"n=0; while [ $n -lt 300 ]; do sh -c 'while :; do sleep 0.01; sleep 0.01 & done' "$0" & n=$((n+1)); sleep 0.02; done; wait"#;
    let mut program = Program::copy_of("/bin/sh", "bomb", &["-c", script, &word]);
    wait_for("it grows", || running_with(&word).len() >= 10);
    let killed = kill_tree(&order(program.pid()), &Protected::default(), HASTE).unwrap();
    assert!(killed.ended >= 10, "{killed:?}");
    assert!(program.has_ended());
    // SIGKILL to the last is sent; on a busy machine its memory may take a moment to go.
    wait_for("all are gone", || running_with(&word).is_empty());
}
