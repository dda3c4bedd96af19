//! A host that has an enrolled agent takes no orders through the open door.

use super::fixture::{Fixture, HOST};
use ringwall_event::{CommandState, Source};
use ringwall_signing::SigningKey;

#[tokio::test]
async fn a_kill_goes_through_the_enrolled_agent_that_sees_the_process() {
    let fixture = Fixture::new();
    fixture.enrolled_agent_sees("MAC.local", 4242, "sleep").await;
    fixture.list_process("sleep").await;
    let before = fixture.commands().await.len();
    fixture.report(&[(4242, "sleep")]).await;
    assert!(fixture.poll().await.is_empty());
    let commands = fixture.commands().await;
    assert_eq!(commands.len(), before, "the agent has its order already");
    assert!(commands.iter().all(|one| &*one.source.dialect == Source::HOST_AGENT));
    assert!(commands[0].order.process().unwrap().start_time.is_some());
}

#[tokio::test]
async fn what_the_enrolled_agent_does_not_see_is_an_alert_only() {
    let fixture = Fixture::new();
    fixture.enrolled_agent_sees(HOST, 4242, "postgres").await;
    fixture.report(&[(4242, "evil.sh"), (4243, "evil.sh")]).await;
    assert!(fixture.poll().await.is_empty());
    assert!(fixture.commands().await.is_empty());
    assert_eq!(fixture.alerts().await.len(), 2);
}

#[tokio::test]
async fn enrolling_a_host_withdraws_what_waits_at_the_open_door() {
    let fixture = Fixture::new();
    fixture.report(&[(4242, "evil.sh")]).await;
    let server = fixture.server();
    server.identities.add(&server.engine, HOST, SigningKey::from_seed(&[1; 32]).public_key()).await;
    assert!(fixture.poll().await.is_empty());
    let command = &fixture.commands().await[0];
    assert_eq!(command.state, CommandState::Withdrawn);
    assert_eq!(fixture.stats().await["pending_command_hosts"], 0);
}
