//! The client of the SysScore integration guide, unchanged, against us.

use anyhow::Result;
use ringwall_end_to_end::environment;
use ringwall_end_to_end::guide_client::GuideClient;
use ringwall_end_to_end::relay::{Network, Relay, address};
use ringwall_end_to_end::server::Setup;
use ringwall_end_to_end::tour::{self, GUIDE_AGENT};
use std::path::PathBuf;

const SKIPPED: &str = "skipped: RINGWALL_SHARED is not set, and the guide lies there";

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_events_under_keys_of_one_second_are_all_stored() -> Result<()> {
    let Some(guide) = guide()? else { return Ok(()) };
    let server = Setup::new()?.sysscore_agent(GUIDE_AGENT.0, GUIDE_AGENT.1).start().await?;
    tour::guide_client(&server, &guide).await
}

/// The platform's own way to hold secrets, as the guide's step 4 has it: a `.env` file.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_come_from_an_env_file() -> Result<()> {
    let Some(guide) = guide()? else { return Ok(()) };
    let setup = Setup::new()?;
    let file = setup.folder().join("platform.env");
    std::fs::write(&file, "# platform/.env\nAGENT_KEYS={\"agent-1\": \"secret-key-1\"}\n")?;
    let server = setup.argument("--env-file").argument(file).start().await?;
    tour::guide_client(&server, &guide).await
}

/// The server is killed and comes back on the same data while the client goes on queueing.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_queued_during_an_outage_arrives_once() -> Result<()> {
    let Some(guide) = guide()? else { return Ok(()) };
    let (agent, secret) = GUIDE_AGENT;
    let server = Setup::new()?.sysscore_agent(agent, secret).start().await?;
    let relay = Relay::start(Network::Through(address(server.dialect("sysscore")?)?)).await?;
    let mut client = GuideClient::start(&guide, relay.url(), agent, secret)?;

    assert_eq!(client.queue(60).await?.sent, 50);
    relay.set(Network::Down);
    let server = server.kill().await?;
    // 10 + 70 are below the 100 that the client can hold.
    let progress = client.queue(70).await?;
    assert_eq!((progress.sent, progress.left), (50, 80), "{progress:?}");

    let server = server.start().await?;
    relay.set(Network::Through(address(server.dialect("sysscore")?)?));
    let progress = client.queue(20).await?;
    assert_eq!((progress.sent, progress.left), (131, 19), "{progress:?}");
    let progress = client.queue(31).await?;
    assert_eq!((progress.sent, progress.left), (181, 0), "{progress:?}");
    assert_eq!(tour::guide_numbers(&server, agent).await?, (1..=181).collect::<Vec<_>>());
    Ok(())
}

/// The server stores a batch and its answer is lost: the client sends the same items again under a
/// new key, mixed with new ones.
#[tokio::test(flavor = "multi_thread")]
async fn items_sent_again_under_a_new_key_are_recognised() -> Result<()> {
    let Some(guide) = guide()? else { return Ok(()) };
    let (agent, secret) = GUIDE_AGENT;
    let server = Setup::new()?.sysscore_agent(agent, secret).start().await?;
    let through = address(server.dialect("sysscore")?)?;
    let relay = Relay::start(Network::AnswersLost(through)).await?;
    let mut client = GuideClient::start(&guide, relay.url(), agent, secret)?;

    let progress = client.queue(52).await?;
    assert_eq!((progress.sent, progress.failures), (0, 3), "{progress:?}");
    relay.set(Network::Through(through));
    client.wait_for_next_key().await?;
    let progress = client.queue(3).await?;
    assert_eq!((progress.sent, progress.left), (53, 2), "{progress:?}");
    assert_eq!(tour::guide_numbers(&server, agent).await?, (1..=53).collect::<Vec<_>>());
    Ok(())
}

fn guide() -> Result<Option<PathBuf>> {
    let guide = environment::integration_guide()?;
    if guide.is_none() {
        eprintln!("{SKIPPED}");
    }
    Ok(guide)
}
