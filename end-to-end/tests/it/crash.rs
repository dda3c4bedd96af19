//! Nothing lost, nothing twice: clients of all kinds send while the server is killed by SIGKILL at
//! random moments and started again. Meanwhile it moves what it took into files and merges those, many
//! times a second.
//!
//! `RINGWALL_KILLS` says how many times (10), `RINGWALL_SEED` repeats the choices of a run.

mod clients;
mod ledger;
mod retention;

use crate::stored;
use anyhow::{Context, Result, ensure};
use clients::Target;
use ledger::Ledger;
use ringwall_end_to_end::host_agent::HostAgent;
use ringwall_end_to_end::random::Random;
use ringwall_end_to_end::server::{Ready, Server, Setup, Stopped};
use ringwall_end_to_end::sysscore::Agent;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// How long the server is up between two kills, at most.
const UP_MS: u64 = 900;

/// Files of a few batches, merged as soon as there are a few of them.
const HASTY: &str = "\
[archive]
after_seconds = 0
intake_events_min = 1
file_events_max = 5000
";

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_event_is_there_exactly_once() -> Result<()> {
    let kills: u32 = match std::env::var("RINGWALL_KILLS") {
        Ok(kills) => kills.parse().with_context(|| format!("RINGWALL_KILLS `{kills}`"))?,
        Err(_) => 10,
    };
    let (mut random, seed) = Random::from_environment()?;
    eprintln!("{kills} kills, RINGWALL_SEED={seed}");

    let mut setup = Setup::new()?.config(HASTY)?;
    for client in clients::SYSSCORE {
        setup = setup.sysscore_agent(client.name, clients::SECRET);
    }
    let server = setup.start().await?;
    let host_agent = HostAgent::enrol(&server, clients::HOST_AGENT).await?;

    let ledger = Arc::new(Ledger::default());
    let (up, ready) = watch::channel(server.ready().clone());
    let (stop, stopped) = watch::channel(false);
    let target = Target { ready, stopped, ledger: Arc::clone(&ledger) };
    let mut tasks = Vec::new();
    for client in clients::SYSSCORE {
        let agent = Agent::new(client.name, clients::SECRET);
        tasks.push(tokio::spawn(clients::sysscore(target.clone(), *client, agent, random.fork())));
    }
    tasks.push(tokio::spawn(clients::host_agent(target.clone(), host_agent, random.fork())));
    tasks.push(tokio::spawn(clients::watcher(target.clone(), random.fork())));

    let server = kill_again_and_again(server, kills, &mut random, &up).await?;
    stop.send(true)?;
    for task in tasks {
        task.await??;
    }

    // Once as the server left it, and once from nothing but the files.
    ledger.check(&server).await?;
    let server = server.kill().await?.start().await?;
    ledger.check(&server).await?;
    ensure!(stored::archived(&server).await? > 0, "nothing was moved into files");
    stored::is_sound(server.tool()).await?;
    eprintln!("{}", ledger.summary());
    let log = server.log();
    assert!(!log.contains("panicked"), "the server panicked: see its log\n{log}");
    server.stop().await?;
    Ok(())
}

async fn kill_again_and_again(
    mut server: Server,
    kills: u32,
    random: &mut Random,
    up: &watch::Sender<Ready>,
) -> Result<Server> {
    for _ in 0..kills {
        sleep(Duration::from_millis(random.within(20..UP_MS))).await;
        let mut stopped: Stopped = server.kill().await?;
        // Now and then it does not even get to its feet.
        if random.once_in(4) {
            let after = Duration::from_millis(random.within(1..150));
            stopped = stopped.start_and_kill(after).await?;
        }
        server = stopped.start().await?;
        up.send(server.ready().clone())?;
    }
    // The last batches find a server that stays.
    sleep(Duration::from_millis(200)).await;
    Ok(server)
}
