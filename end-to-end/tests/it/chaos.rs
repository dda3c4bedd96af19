//! The network cut, the server killed, agents killed, their disks full, in random order: afterwards what
//! was sent is what is stored and what was counted as lost, exactly, and nothing is there twice.
//!
//! `RINGWALL_CHAOS_SECONDS` says for how long (12), `RINGWALL_SEED` repeats the choices of a run.

mod agent;

use crate::stored;
use agent::ChaosAgent;
use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::faulty_network::{Fault, FaultyNetwork};
use ringwall_end_to_end::host_agent::HostAgent;
use ringwall_end_to_end::random::Random;
use ringwall_end_to_end::relay;
use ringwall_end_to_end::server::{Server, Setup};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const AGENTS: [&str; 2] = ["chaos-1", "chaos-2"];

#[derive(Debug, Default)]
struct Tally {
    cuts: u32,
    server_kills: u32,
    agent_kills: u32,
    full_disks: u32,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_what_is_stored_and_what_was_counted_as_lost() -> Result<()> {
    let seconds: u64 = match std::env::var("RINGWALL_CHAOS_SECONDS") {
        Ok(seconds) => {
            seconds.parse().with_context(|| format!("RINGWALL_CHAOS_SECONDS `{seconds}`"))?
        }
        Err(_) => 12,
    };
    let (mut random, seed) = Random::from_environment()?;
    eprintln!("{seconds} seconds of chaos, RINGWALL_SEED={seed}");
    let mut server = Setup::new()?.start().await?;
    let network = FaultyNetwork::start(relay::address(&server.ready().main)?).await?;
    let mut agents = Vec::new();
    for name in AGENTS {
        let identity = HostAgent::enrol(&server, name).await?;
        agents.push(ChaosAgent::start(name, &identity, network.url())?);
    }

    let mut tally = Tally::default();
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        server = step(server, &network, &mut agents, &mut random, &mut tally).await?;
        sleep(Duration::from_millis(random.within(20..500))).await;
    }
    network.set_fault(Fault::None);
    let mut sent = 0;
    for agent in &mut agents {
        agent.make_room()?;
        let counts = agent.finish().await?;
        sent += counts.accepted;
        ensure!(counts.accepted == counts.delivered + counts.lost, "{}: {counts:?}", agent.name());
        let found = stored::query(
            &server,
            &format!(
                "SELECT count(*), count(DISTINCT time) FROM events \
                 WHERE metadata_log_name = '{}' AND kind <> 'events_lost'",
                agent.name()
            ),
        )
        .await?;
        let told = format!("{}: {counts:?}, stored and distinct {found:?}", agent.name());
        eprintln!("{told}");
        let number = |at: usize| found[0].get(at).and_then(Value::as_u64);
        ensure!(number(0) == Some(counts.delivered), "{told}");
        ensure!(number(1) == Some(counts.delivered), "some are there twice: {told}");
        ensure!(events_lost(&server, agent.name()).await? == counts.lost, "{told}");
    }
    eprintln!("{sent} events sent; {tally:?}");
    stored::is_sound(server.tool()).await?;
    // And again from nothing but the files.
    let server = server.kill().await?.start().await?;
    let lost: u64 =
        events_lost(&server, AGENTS[0]).await? + events_lost(&server, AGENTS[1]).await?;
    let told = "SELECT count(*) FROM events WHERE kind <> 'events_lost' \
                AND metadata_log_name LIKE 'chaos-%'";
    let stored = stored::query(&server, told).await?[0][0].as_u64();
    ensure!(stored == Some(sent - lost), "{sent} sent, {stored:?} stored, {lost} lost");
    server.stop().await?;
    Ok(())
}

/// One thing goes wrong, or comes right again.
async fn step(
    mut server: Server,
    network: &FaultyNetwork,
    agents: &mut [ChaosAgent],
    random: &mut Random,
    tally: &mut Tally,
) -> Result<Server> {
    let at = usize::try_from(random.within(0..agents.len() as u64))?;
    let agent = &mut agents[at];
    match random.within(0..10) {
        0..=3 => {
            let cut = usize::try_from(random.within(0..300))?;
            let faults =
                [Fault::None, Fault::None, Fault::Stall, Fault::Reset, Fault::CutAnswers(cut)];
            let fault = faults[usize::try_from(random.within(0..faults.len() as u64))?];
            tally.cuts += u32::from(fault != Fault::None);
            network.set_fault(fault);
        }
        4 | 5 => {
            tally.server_kills += 1;
            server = server.kill().await?.start().await?;
            network.set_server(relay::address(&server.ready().main)?);
        }
        6 | 7 => {
            tally.agent_kills += 1;
            agent.kill().await?;
            sleep(Duration::from_millis(random.within(0..200))).await;
            agent.start_again()?;
        }
        8 => {
            tally.full_disks += 1;
            agent.fill_disk()?;
        }
        _ => agent.make_room()?,
    }
    Ok(server)
}

/// What the server says that an agent lost.
async fn events_lost(server: &Server, name: &str) -> Result<u64> {
    let hosts = server.api().get_json("/api/v1/hosts?limit=100").await?;
    let rows = hosts.get("data").and_then(Value::as_array).context("no hosts")?;
    let row = rows.iter().find(|row| row["name"] == name).with_context(|| hosts.to_string())?;
    row["events_lost"].as_u64().with_context(|| row.to_string())
}
