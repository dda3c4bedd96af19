//! What applications ban by themselves outlasts what ends here.

use super::fixture::Fixture;
use super::guard_rules::{Guard, take, texts};
use axum::http::StatusCode;
use ringwall_event::{Activity, Event, EventId, Network, Severity, Source, Timestamp};
use ringwall_store::{GuardBanStore, OwnBan, OwnBanStore};
use serde_json::{Value, json};

fn own_ban(address: &str, seconds: u32) -> Value {
    json!({ "event_type": "ip_banned", "ip_address": address, "reason": "rate_limit_exceeded",
            "metadata": { "duration": seconds } })
}

/// The id of a ban in all projects.
async fn ban(fixture: &Fixture, address: &str) -> String {
    let body = json!({ "address": address, "seconds": 600, "reason": "probes" });
    let answer = fixture.post("/api/v1/guard/bans", body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// As if the time of all bans had come.
async fn end_all(fixture: &Fixture) {
    let ended = fixture.server.engine.write(|writing| {
        for mut ban in writing.session.bans(&Default::default(), None, 10)? {
            if ban.ended.is_none() {
                ban.expires = writing.now;
                writing.session.put_ban(&ban)?;
            }
        }
        writing.end_overdue_bans()
    });
    ended.await.unwrap();
}

async fn unbanned(guard: &Guard) -> Vec<String> {
    let rules = guard.poll().await;
    let mut addresses: Vec<String> =
        texts(&rules.ip_whitelist).into_iter().map(str::to_owned).collect();
    addresses.sort();
    addresses
}

#[tokio::test]
async fn an_address_is_not_unbanned_as_long_as_the_application_bans_it_itself() {
    let fixture = Fixture::new().await;
    let (shop, blog) = (Guard::new(&fixture).await, Guard::of(&fixture, "blog").await);
    take(&fixture, "shop", vec![own_ban("203.0.113.7", 7200)]).await;
    ban(&fixture, "203.0.113.7").await;
    ban(&fixture, "203.0.113.8").await;
    end_all(&fixture).await;
    assert_eq!(unbanned(&shop).await, ["203.0.113.8"]);
    assert_eq!(unbanned(&blog).await, ["203.0.113.7", "203.0.113.8"]);

    // When its own ban is over, it may still hold ours.
    let board = fixture.server.guard_rules();
    let is_due = |moment: Timestamp| board.due(moment).contains(&"shop".to_owned());
    let now = fixture.server.now();
    assert!(!is_due(now.plus_seconds(6000)) && is_due(now.plus_seconds(7300)));
    let address: Network = "203.0.113.7".parse().unwrap();
    let over = fixture.server.engine.write(move |writing| {
        let now = writing.now;
        writing.session.end_own_ban("shop", address, now)?;
        let over = OwnBan { address, began: now.plus_seconds(-60), until: now };
        writing.session.put_own_bans("shop", &[over], 10)?;
        writing.publish_guard_rules("shop")
    });
    over.await.unwrap();
    assert_eq!(unbanned(&shop).await, ["203.0.113.7", "203.0.113.8"]);
}

#[tokio::test]
async fn whoever_is_let_in_by_a_person_is_banned_again_by_a_new_offence_only() {
    let fixture = Fixture::new().await;
    let shop = Guard::new(&fixture).await;
    take(&fixture, "shop", vec![own_ban("203.0.113.9", 7200)]).await;
    let id = ban(&fixture, "203.0.113.9").await;
    let lift = format!("/api/v1/guard/bans/{id}/lift");
    let lifted = fixture.post(&lift, json!({ "reason": "a customer" })).await;
    assert_eq!(lifted.status, StatusCode::OK, "{}", lifted.text);
    assert_eq!(unbanned(&shop).await, ["203.0.113.9"]);
    // It is told at once, or an application that starts anew would let in whom another one has banned.
    let before = shop.poll().await.version;
    take(&fixture, "shop", vec![own_ban("203.0.113.9", 7200)]).await;
    assert!(unbanned(&shop).await.is_empty());
    assert!(shop.poll().await.version > before);
    // What the project itself says of its own bans is believed; of those of others it cannot say anything.
    let end = json!({ "event_type": "ip_unbanned", "ip_address": "203.0.113.9" });
    take(&fixture, "blog", vec![end.clone()]).await;
    assert!(unbanned(&shop).await.is_empty());
    // One that still obeys what was told before says nothing of what another one banned since.
    let mut obeyed = end.clone();
    obeyed["reason"] = json!("dynamic_rule_whitelist");
    take(&fixture, "shop", vec![obeyed]).await;
    assert!(unbanned(&shop).await.is_empty());
    let address: Network = "203.0.113.9".parse().unwrap();
    let own = fixture.server.engine.read(move |session| session.own_ban("shop", address)).await;
    assert!(own.unwrap().is_some());
    take(&fixture, "shop", vec![end]).await;
    assert_eq!(unbanned(&shop).await, ["203.0.113.9"]);
}

/// What is published reaches the board after the commit: within the write that published it, the board told
/// of the version before, and a new own ban was not told.
#[tokio::test]
async fn a_new_own_ban_counts_in_the_same_commit_as_the_end_of_ours() {
    let fixture = Fixture::new().await;
    let shop = Guard::new(&fixture).await;
    ban(&fixture, "203.0.113.9").await;
    assert!(unbanned(&shop).await.is_empty());
    let banned = own_ban("203.0.113.9", 7200).to_string();
    let both = fixture.server.engine.write(move |writing| {
        for mut ban in writing.session.bans(&Default::default(), None, 10)? {
            ban.ended = Some(writing.now);
            ban.ended_by = Some("user:ada".into());
            writing.session.put_ban(&ban)?;
        }
        writing.publish_guard_rules("shop")?;
        let later = writing.now.plus_seconds(1);
        let event = Event {
            id: EventId::default(),
            time: later,
            received: later,
            source: Source::new(Source::GUARD, "shop"),
            host: "shop".into(),
            severity: Severity::Low,
            activity: Activity::HttpRequest(Box::default()),
            original: Some(banned.into()),
        };
        writing.now = later;
        writing.note_own_bans(&Source::new(Source::GUARD, "shop"), &[event])
    });
    both.await.unwrap();
    assert!(unbanned(&shop).await.is_empty());
}
