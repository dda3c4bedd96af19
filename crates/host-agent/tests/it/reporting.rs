//! Against a Ringwall server.

use crate::agent::{Agent, command, output};
use crate::ringwall_server::{RingwallServer, activities, kill, signed};
use crate::suspect::Suspect;
use axum::http::StatusCode;
use ringwall_event::{Activity, Order, ProcessTarget, Timestamp};
use ringwall_server_api::{AgentReport, CommandOutcome};
use ringwall_server_client::{AgentClient, ClientError};
use ringwall_signing::SigningKey;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

fn start(server: &RingwallServer, more: &[&str]) -> Agent {
    let state_dir = server.state_dir();
    let mut arguments = vec!["--server", &server.url, "--state-dir", state_dir.to_str().unwrap()];
    arguments.extend(more);
    Agent::start(&arguments)
}

async fn first_picture(server: &RingwallServer) {
    server
        .until("a picture", |seen| {
            activities(&seen.reports).find(|activity| activity.kind() == "inventory").map(|_| ())
        })
        .await;
}

#[tokio::test]
async fn changes_are_reported_as_they_happen() {
    let server = RingwallServer::start().await;
    let agent = start(&server, &[]);
    first_picture(&server).await;
    let began = Instant::now();
    let mut suspect = Suspect::named("reported");
    let target = server.until_started(suspect.pid(), "reported").await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());

    let ordered = Instant::now();
    server.order(signed(&kill("cmd_1", target)));
    let result = server.until_result("cmd_1").await;
    assert!(ordered.elapsed() < Duration::from_secs(2), "{:?}", ordered.elapsed());
    assert_eq!(result.state, CommandOutcome::Succeeded, "{}", result.result);
    assert!(result.result.starts_with("ended by SIGTERM"), "{}", result.result);
    suspect.ends_within(Duration::from_secs(1)).await;
    server
        .until("its end", |seen| {
            activities(&seen.reports).find_map(|activity| match activity {
                Activity::ProcessEnded { process, .. }
                    if process.pid == i64::from(suspect.pid()) =>
                {
                    Some(())
                }
                _ => None,
            })
        })
        .await;
    assert!(agent.stop().await.success());
    assert_eq!(server.seen(|seen| seen.bad_signatures), 0);
}

#[tokio::test]
async fn the_agent_limits_itself_and_tells_how_it_is_doing() {
    let server = RingwallServer::start().await;
    let agent = start(&server, &["--nice", "7", "--memory-max", "200", "--cpu-max", "12.5"]);
    first_picture(&server).await;
    let file =
        |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", agent.pid())).unwrap();
    let stat = file("stat");
    let after_name = stat.rsplit_once(')').unwrap().1;
    assert_eq!(after_name.split_whitespace().nth(16), Some("7"), "{stat}");
    let limits = file("limits");
    let soft = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(soft("Max data size"), 200 << 20);
    assert!(soft("Max open files") <= 1024);

    let health = server
        .until("its health", |seen| {
            activities(&seen.reports).find_map(|activity| match activity {
                Activity::AgentHealth(health) => Some(health.clone()),
                _ => None,
            })
        })
        .await;
    assert!(health.rss_bytes > 1 << 20, "{health:?}");
    assert_eq!((health.cpu_percent_max, health.dropped), (Some(12.5), 0));
    assert!(health.started.is_some() && health.spool_bytes_max > 0, "{health:?}");
    assert_eq!(&*health.connections, "sock_diag");
    assert!(["process_connector", "scan"].contains(&&*health.process_changes));
}

#[tokio::test]
async fn a_command_is_carried_out_once_however_often_it_comes() {
    let server = RingwallServer::start().await;
    let _agent = start(&server, &[]);
    first_picture(&server).await;
    let suspect = Suspect::named("repeated");
    let target = server.until_started(suspect.pid(), "repeated").await;
    let command = signed(&kill("cmd_once", target));
    for _ in 0..3 {
        server.order(command.clone());
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    server.until("its repetition", |seen| (seen.results.len() >= 2).then_some(())).await;
    server.seen(|seen| {
        // Carried out again, it would have failed: the process is gone.
        for (id, result, _) in &seen.results {
            assert_eq!((id.as_str(), result.state), ("cmd_once", CommandOutcome::Succeeded));
        }
    });
}

#[tokio::test]
async fn who_repeats_a_command_without_end_is_not_asked_without_end() {
    let server = RingwallServer::start().await;
    let _agent = start(&server, &[]);
    first_picture(&server).await;
    let target = ProcessTarget {
        pid: i64::from(i32::MAX),
        start_time: Some(Timestamp::from_micros(1)),
        name: "x".into(),
    };
    server.seen(|seen| seen.repeats_commands = true);
    server.order(signed(&kill("cmd_again", target)));
    server.until_result("cmd_again").await;
    let before = server.seen(|seen| seen.polls);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let polls = server.seen(|seen| seen.polls) - before;
    assert!((1..=4).contains(&polls), "{polls} polls");
}

#[tokio::test]
async fn an_answer_that_is_far_too_large_is_not_read() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(async || vec![b' '; (4 << 20) + 1]);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let client = AgentClient::new(&url, "web-1", SigningKey::from_seed(&[1; 32])).unwrap();
    let error = client.commands(Duration::ZERO, None).await.unwrap_err();
    assert!(matches!(error, ClientError::AnswerTooLarge { bytes_max } if bytes_max == 4 << 20));
}

#[tokio::test]
async fn commands_that_are_not_right_are_not_carried_out() {
    let server = RingwallServer::start().await;
    let _agent = start(&server, &["--protect", "guarded"]);
    first_picture(&server).await;
    let mut suspect = Suspect::named("innocent");
    let target = server.until_started(suspect.pid(), "innocent").await;
    let mut guarded = Suspect::named("guarded");
    let shielded = server.until_started(guarded.pid(), "guarded").await;

    let good = kill("cmd_x", target.clone());
    // Not believed at all: another signer, another host.
    let mut forged = signed(&good);
    forged.signature = SigningKey::from_seed(&[1; 32]).sign_command(b"{}");
    server.order(forged);
    let mut elsewhere = good.clone();
    elsewhere.host = "web-2".to_owned();
    server.order(signed(&elsewhere));
    // Believed, and refused.
    let mut late = good.clone();
    late.id = "cmd_late".to_owned();
    late.expires = Timestamp::from_micros(1);
    server.order(signed(&late));
    let mut loose = good.clone();
    loose.id = "cmd_loose".to_owned();
    loose.order = Order::KillProcess(ProcessTarget { start_time: None, ..target.clone() });
    server.order(signed(&loose));
    let mut other = good.clone();
    other.id = "cmd_other".to_owned();
    let later = target.start_time.map(|time| time.plus_micros(10_000));
    other.order = Order::KillProcess(ProcessTarget { start_time: later, ..target.clone() });
    server.order(signed(&other));
    server.order(signed(&kill("cmd_guarded", shielded)));

    for (id, words) in [
        ("cmd_late", "expired"),
        ("cmd_loose", "does not say when"),
        ("cmd_other", "another one"),
        ("cmd_guarded", "protected"),
    ] {
        let result = server.until_result(id).await;
        assert_eq!(result.state, CommandOutcome::Failed, "{id}");
        assert!(result.result.contains(words), "{id}: {}", result.result);
    }
    assert!(!suspect.has_ended() && !guarded.has_ended());
    assert!(server.seen(|seen| seen.results.iter().all(|(id, _, _)| id != "cmd_x")));

    // Pid and start time are of the process that is meant: that it bears another name saves it not.
    let mut named = good;
    named.id = "cmd_named".to_owned();
    let name = "evil.sh".into();
    named.order = Order::KillProcess(ProcessTarget { name, ..target });
    server.order(signed(&named));
    let result = server.until_result("cmd_named").await;
    assert_eq!(result.state, CommandOutcome::Succeeded, "{}", result.result);
    assert!(result.result.contains("was named `innocent` by then"), "{}", result.result);
    assert!(suspect.has_ended());
}

#[tokio::test]
async fn a_report_that_was_not_taken_is_repeated_as_it_was() {
    let server = RingwallServer::start().await;
    server.seen(|seen| {
        seen.refusals.push_back((StatusCode::SERVICE_UNAVAILABLE, "1"));
        seen.refusals.push_back((StatusCode::INTERNAL_SERVER_ERROR, ""));
    });
    let _agent = start(&server, &[]);
    let began = Instant::now();
    first_picture(&server).await;
    assert!(began.elapsed() >= Duration::from_secs(1), "Retry-After was not heeded");
    server.seen(|seen| {
        assert_eq!(seen.bodies[0], seen.bodies[1]);
        assert_eq!(seen.bodies[0], seen.bodies[2]);
        assert_eq!(seen.reports[0].sequence, 1);
    });
}

#[tokio::test]
async fn what_is_too_large_comes_in_halves_and_what_is_refused_is_counted() {
    let server = RingwallServer::start().await;
    let agent = start(&server, &[]);
    first_picture(&server).await;
    // While this report is put off, others gather behind it.
    server.seen(|seen| seen.refusals.push_back((StatusCode::SERVICE_UNAVAILABLE, "1")));
    let suspects: Vec<_> = (0..8).map(|number| Suspect::named(&format!("half-{number}"))).collect();
    let before = server.seen(|seen| seen.bodies.len());
    server
        .until("a report that is put off", |seen| (seen.bodies.len() > before).then_some(()))
        .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.seen(|seen| seen.refusals.push_back((StatusCode::PAYLOAD_TOO_LARGE, "")));
    drop(suspects);
    server
        .until("the ends", |seen| {
            let ends = activities(&seen.reports).filter(|activity| match activity {
                Activity::ProcessEnded { process, .. } => process.name.starts_with("half-"),
                _ => false,
            });
            (ends.count() == 8).then_some(())
        })
        .await;

    server.seen(|seen| seen.refusals.push_back((StatusCode::BAD_REQUEST, "")));
    let lost = Suspect::named("lost");
    server.until("the refusal", |seen| seen.refusals.is_empty().then_some(())).await;
    drop(lost);
    server
        .until("a count", |seen| {
            seen.reports.iter().find(|report| report.dropped_total > 0).map(|_| ())
        })
        .await;
    assert!(agent.stop().await.success());
}

#[tokio::test]
async fn nothing_is_lost_while_the_server_is_away() {
    // An address where nobody listens yet.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let away = RingwallServer::start().await;
    let state_dir = away.state_dir();
    let url = format!("http://{address}");
    let arguments = ["--server", &url, "--state-dir", state_dir.to_str().unwrap()];
    let _agent = Agent::start(&arguments);
    // The connector is on before the first picture is taken, and that takes a moment.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let suspect = Suspect::named("in-between");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let server = RingwallServer::start_on(TcpListener::bind(address).await.unwrap());
    server.until_started(suspect.pid(), "in-between").await;
    server.seen(|seen| {
        let sequences: Vec<_> = seen.reports.iter().map(|report| report.sequence).collect();
        assert!(sequences.windows(2).all(|pair| pair[1] == pair[0] + 1), "{sequences:?}");
        assert_eq!(seen.reports.iter().map(|report| report.dropped_total).sum::<u64>(), 0);
    });
}

#[tokio::test]
async fn what_was_seen_before_a_kill_is_sent_after_it_and_once() {
    // An address where nobody listens yet.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let away = RingwallServer::start().await;
    let url = format!("http://{address}");
    let state_dir = away.state_dir();
    let arguments = ["--server", &url, "--state-dir", state_dir.to_str().unwrap()];
    let agent = Agent::start(&arguments);
    let spooled = || {
        let files = std::fs::read_dir(state_dir.join("spool")).into_iter().flatten();
        let all: Vec<u8> = files
            .filter_map(|file| std::fs::read(file.unwrap().path()).ok())
            .collect::<Vec<_>>()
            .concat();
        String::from_utf8_lossy(&all).into_owned()
    };
    // Seen in the first picture, its start would not be told.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let suspect = Suspect::named("before-kill");
    let pid = suspect.pid();
    let deadline = Instant::now() + Duration::from_secs(15);
    while !spooled().contains("before-kill") {
        assert!(Instant::now() < deadline, "it was not seen, or not written down");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    agent.kill().await;
    drop(suspect);

    let server = RingwallServer::start_on(TcpListener::bind(address).await.unwrap());
    // Taken, and the answer is lost: the next agent must bring the same report.
    server.seen(|seen| seen.refusals.push_back((StatusCode::SERVICE_UNAVAILABLE, "30")));
    let agent = Agent::start(&arguments);
    server.until("a report", |seen| seen.bodies.first().map(|_| ())).await;
    agent.kill().await;
    let _agent = Agent::start(&arguments);
    server.until_started(pid, "before-kill").await;
    server.seen(|seen| {
        assert_eq!(seen.bodies[0], seen.bodies[1]);
        let starts = activities(&seen.reports).filter(|activity| {
            matches!(activity, Activity::ProcessStarted(process) if &*process.name == "before-kill")
        });
        assert_eq!(starts.count(), 1);
        assert!(seen.reports.windows(2).all(|pair| pair[0].spool_id == pair[1].spool_id));
    });
}

#[tokio::test]
async fn pictures_come_at_the_interval_and_secrets_stay_here() {
    let server = RingwallServer::start().await;
    let mut child = command();
    child.env_clear();
    let _agent = start(&server, &["--collection-interval", "1"]);
    let mut teller = tokio::process::Command::new("/usr/bin/tail")
        .args(["-f", "/dev/null", "--pid=1", "PASSWORD=hunter2-secret"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    server
        .until("three pictures", |seen| {
            let pictures = activities(&seen.reports).filter(|it| it.kind() == "inventory");
            (pictures.count() >= 3).then_some(())
        })
        .await;
    teller.kill().await.unwrap();
    server.seen(|seen| {
        let all = serde_json::to_string(&seen.reports).unwrap();
        assert!(all.contains("PASSWORD=***"));
        assert!(!all.contains("hunter2-secret"));
        let reports: &Vec<AgentReport> = &seen.reports;
        assert!(reports.windows(2).all(|pair| pair[0].spool_id == pair[1].spool_id));
    });
}

#[tokio::test]
async fn it_ends_with_its_parent() {
    let server = RingwallServer::start().await;
    let state_dir = server.state_dir();
    let script = format!(
        "{} --server {} --state-dir {} --exit-with-parent & echo $!; sleep 1000",
        env!("CARGO_BIN_EXE_ringwall-host-agent"),
        server.url,
        state_dir.display()
    );
    let mut shell = tokio::process::Command::new("/bin/sh")
        .args(["-c", &script])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut pid = String::new();
    let stdout = shell.stdout.as_mut().unwrap();
    let mut lines = tokio::io::BufReader::new(stdout);
    tokio::io::AsyncBufReadExt::read_line(&mut lines, &mut pid).await.unwrap();
    first_picture(&server).await;
    let folder = format!("/proc/{}/exe", pid.trim());
    assert!(std::fs::read_link(&folder).is_ok());
    shell.kill().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::fs::read_link(&folder).is_ok() {
        assert!(Instant::now() < deadline, "the agent outlives its parent");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_cannot_be_is_told_with_a_way_out() {
    let sysscore = ["--dialect", "sysscore", "--server", "https://x", "--key-file", "/nowhere"];
    let (code, _, words) = output(&sysscore).await;
    assert_eq!(code, Some(2));
    assert!(words.contains("error: /nowhere: "), "{words}");
    let (code, _, words) = output(&[]).await;
    assert_eq!(code, Some(2));
    assert!(words.contains("hint: ") && words.contains("ringwall hosts enrol"), "{words}");
    let server = RingwallServer::start().await;
    let state_dir = server.state_dir();
    let arguments = ["--server", "https://x", "--state-dir", state_dir.to_str().unwrap()];
    let (code, _, words) = output(&arguments).await;
    assert_eq!(code, Some(2));
    assert!(words.contains("https needs the certificate of the authority to trust"), "{words}");
}
