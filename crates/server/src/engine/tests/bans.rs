//! Bans that follow from events: in their transaction, once, and the same after a kill.

use super::*;
use crate::guard_rules::bans::{NewBan, RULE_BANS_MAX, SOURCE_BANS_MAX};
use crate::guard_rules::publishing::Edited;
use ringwall_access::Subject;
use ringwall_dialects::guard::DynamicRules;
use ringwall_server_api::{GuardAutomatic, GuardAutomaticRule, GuardAutomaticWhen};
use ringwall_store::{BanOrigin, GuardBan, GuardBanStore, GuardRulesStore};

const ADDRESS: &str = "203.0.113.7";

fn guard() -> Source {
    Source::new(Source::GUARD, "shop")
}

fn attempt(address: &str) -> Event {
    let original =
        format!(r#"{{"event_type":"penetration_attempt","ip_address":"{address}","reason":"x"}}"#);
    let activity = Activity::HttpRequest(Box::default());
    Event { original: Some(original.into()), ..event(&guard(), activity) }
}

fn batch(mark: u8, addresses: &[&str]) -> IntakeBatch {
    IntakeBatch {
        source: Some(guard()),
        mark: Some([mark; 32]),
        events: addresses.iter().map(|address| attempt(address)).collect(),
        ..IntakeBatch::default()
    }
}

fn three_in_an_hour() -> GuardAutomatic {
    GuardAutomatic {
        rules: vec![GuardAutomaticRule {
            name: "probes".into(),
            enabled: true,
            when: GuardAutomaticWhen {
                findings: vec!["indicator_match".into()],
                event_types: vec!["penetration_attempt".into()],
                min_severity: Some(Severity::High),
                threshold: 3,
                window_seconds: 3600,
            },
            ban_seconds: 600,
            projects: None,
            hosts: true,
        }],
        ..GuardAutomatic::default()
    }
}

impl Fixture {
    async fn automatic(&self, settings: GuardAutomatic) {
        self.engine().write(move |writing| writing.put_automatic(&settings)).await.unwrap();
    }

    async fn bans(&self) -> Vec<GuardBan> {
        self.engine().read(|s| s.bans(&Default::default(), None, 100)).await.unwrap()
    }

    async fn publish(&self) {
        self.engine().write(|writing| writing.publish_guard_rules("shop")).await.unwrap();
    }

    /// What guards are told, as the disk and the memory have it.
    async fn told(&self) -> DynamicRules {
        let stored = self.engine().read(|s| s.published_rules("shop")).await.unwrap().unwrap();
        let shown = self.engine().rules().guard_rules.published("shop").unwrap();
        assert_eq!(stored.version, shown.version);
        DynamicRules::read(stored.text.as_bytes()).unwrap()
    }
}

#[tokio::test]
async fn counts_go_on_after_a_kill_and_a_batch_that_comes_again_bans_nobody_twice() {
    let mut fixture = Fixture::new();
    fixture.automatic(three_in_an_hour()).await;
    fixture.publish().await;
    let before = fixture.told().await;
    fixture.engine().take(batch(1, &[ADDRESS, ADDRESS])).await.unwrap();
    fixture.start();
    assert_eq!(fixture.bans().await, []);
    fixture.engine().take(batch(2, &[ADDRESS])).await.unwrap();
    assert_eq!(fixture.bans().await.len(), 1);
    let commands = fixture.commands().await;
    assert_eq!(commands.len(), 1, "the one enrolled host is told: {commands:?}");
    assert_eq!(commands[0].ordered_by, "rule:ban/probes");

    // A kill between the change and the next poll: what was told stays told.
    fixture.start();
    let after = fixture.told().await;
    assert!(after.version > before.version && after.rule_id == before.rule_id);
    assert_eq!(after.ip_blacklist, [ADDRESS.into()]);
    assert!(fixture.engine().take(batch(2, &[ADDRESS])).await.unwrap().replayed);
    fixture.engine().take(batch(3, &[ADDRESS; 7])).await.unwrap();
    assert_eq!(fixture.bans().await.len(), 1);
    assert_eq!(fixture.commands().await.len(), 1);
    fixture.publish().await;
    assert_eq!(fixture.told().await.version, after.version, "nothing changed, nothing is told");
}

#[tokio::test]
async fn what_led_to_a_ban_does_not_lead_to_the_next_one_when_it_is_lifted() {
    let mut fixture = Fixture::new();
    fixture.automatic(three_in_an_hour()).await;
    fixture.publish().await;
    fixture.engine().take(batch(1, &[ADDRESS; 5])).await.unwrap();
    let id = fixture.bans().await[0].id.clone();
    let person = Subject::User { name: "ada".into(), role: ringwall_access::Role::Responder };
    let lifted = fixture
        .engine()
        .write(move |writing| writing.lift_ban(&id, &person, "a customer"))
        .await
        .unwrap();
    assert!(lifted.unwrap().is_ok());
    for (mark, expected) in [(2, 1), (3, 1), (4, 2)] {
        fixture.start();
        fixture.engine().take(batch(mark, &[ADDRESS])).await.unwrap();
        assert_eq!(fixture.bans().await.len(), expected, "batch {mark}");
    }
}

#[tokio::test]
async fn a_known_bad_address_that_a_host_talks_to_is_banned_from_applications() {
    let fixture = Fixture::new();
    let mut settings = three_in_an_hour();
    settings.rules[0].when.threshold = 1;
    settings.rules[0].when.min_severity = None;
    fixture.automatic(settings).await;
    fixture.publish().await;
    let value = IndicatorValue::parse(IndicatorKind::Address, ADDRESS).unwrap();
    let listed = Indicator::new(value, IndicatorOrigin::User, now());
    indicators::add(fixture.engine(), vec![listed], |_| Ok(())).await.unwrap();
    let connection = ringwall_event::Connection {
        remote_address: Some(ADDRESS.into()),
        ..ringwall_event::Connection::default()
    };
    fixture.take(&host_agent("web-1"), vec![Activity::ConnectionOpened(connection)]).await;
    let bans = fixture.bans().await;
    assert_eq!(bans.len(), 1, "{:?}", fixture.alerts().await);
    assert_eq!(bans[0].alert, Some(fixture.alerts().await[0].id));
    assert_eq!(bans[0].caused_by.as_deref(), Some("host-agent:web-1"));
    assert_eq!(fixture.told().await.ip_blacklist, [ADDRESS.into()]);
}

#[tokio::test]
async fn an_edit_and_its_version_survive_a_kill() {
    let mut fixture = Fixture::new();
    let edit = |agents: &str| {
        let rules = format!(r#"{{"blocked_user_agents":["{agents}"]}}"#);
        Edited {
            rules: DynamicRules::read_edited(rules.as_bytes()).unwrap(),
            updated_by: "user:ada".into(),
            note: None,
            summary: String::new(),
        }
    };
    let mut versions = Vec::new();
    for agents in ["a", "b", "c"] {
        let edited = edit(agents);
        let put = fixture.engine().write(move |writing| writing.edit_guard_rules("shop", edited));
        versions.push(put.await.unwrap().version);
        fixture.start();
        assert_eq!(fixture.told().await.blocked_user_agents, [agents.into()]);
    }
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
}

/// Above so many new alerts a minute they are counted under one, which names whoever came first.
#[tokio::test]
async fn in_a_flood_of_alerts_the_address_that_was_seen_is_banned() {
    let fixture = Fixture::new();
    fixture.publish().await;
    let addresses: Vec<String> = (1..=130).map(|last| format!("203.0.113.{last}")).collect();
    let listed = addresses.iter().map(|address| {
        let value = IndicatorValue::parse(IndicatorKind::Address, address).unwrap();
        Indicator::new(value, IndicatorOrigin::User, now())
    });
    indicators::add(fixture.engine(), listed.collect(), |_| Ok(())).await.unwrap();
    let talk = |address: &String| {
        Activity::ConnectionOpened(ringwall_event::Connection {
            remote_address: Some(address.as_str().into()),
            ..ringwall_event::Connection::default()
        })
    };
    let (flooding, last) = addresses.split_at(125);
    fixture.take(&host_agent("web-1"), flooding.iter().map(talk).collect()).await;
    let mut settings = three_in_an_hour();
    settings.rules[0].when.threshold = 1;
    settings.rules[0].when.min_severity = None;
    fixture.automatic(settings).await;
    fixture.take(&host_agent("web-1"), last.iter().map(talk).collect()).await;
    let mut banned: Vec<String> =
        fixture.bans().await.iter().map(|ban| ban.address.to_string()).collect();
    banned.sort();
    assert_eq!(banned, last);
}

/// Where a ban was made longer, the host has fetched the first order and not the second: taking back the
/// second alone left the address blocked.
#[tokio::test]
async fn lifting_a_ban_that_was_made_longer_unblocks_where_it_was_blocked() {
    let fixture = Fixture::new();
    fixture.automatic(three_in_an_hour()).await;
    check_lift(&fixture, "203.0.113.1", &[600], false, &["withdrawn block"]).await;
    check_lift(
        &fixture,
        "203.0.113.2",
        &[600, 1200, 2400],
        false,
        &["withdrawn block", "withdrawn block", "withdrawn block"],
    )
    .await;
    check_lift(
        &fixture,
        "203.0.113.3",
        &[600, 1200, 2400],
        true,
        &["delivered block", "queued unblock", "withdrawn block", "withdrawn block"],
    )
    .await;
}

/// Bans an address again and again for longer, the host fetching its first order only, and lifts that.
async fn check_lift(
    fixture: &Fixture,
    address: &str,
    seconds: &[u32],
    is_fetched: bool,
    expected: &[&str],
) {
    let subject = || Subject::Rule { name: "ban/probes".into() };
    let network: ringwall_event::Network = address.parse().unwrap();
    let mut id = String::new();
    for (round, seconds) in seconds.iter().enumerate() {
        let new = crate::guard_rules::bans::NewBan {
            address: network,
            project: None,
            seconds: *seconds,
            reason: "x".into(),
            origin: ringwall_store::BanOrigin::Alert,
            hosts: true,
            alert: None,
            country: None,
            caused_by: None,
        };
        let banned = fixture.engine().write(move |writing| {
            let ban = writing.ban_address(&subject(), new)?.unwrap();
            if round == 0 && is_fetched {
                writing.deliver(&host_agent("web-1"), 30)?;
            }
            Ok(ban.id)
        });
        id = banned.await.unwrap();
    }
    let person = Subject::User { name: "ada".into(), role: ringwall_access::Role::Admin };
    let lifted =
        fixture.engine().write(move |writing| writing.lift_ban(&id, &person, "a customer"));
    assert!(lifted.await.unwrap().unwrap().is_ok());
    let mut found: Vec<String> = fixture
        .commands()
        .await
        .iter()
        .filter_map(|command| {
            let what = match &command.order {
                ringwall_event::Order::BlockAddress(it) if it.address == network => "block",
                ringwall_event::Order::UnblockAddress(it) if it.address == network => "unblock",
                _ => return None,
            };
            Some(format!("{} {what}", command.state.name()))
        })
        .collect();
    found.sort();
    assert_eq!(found, expected, "{address}");
}

/// Whoever has a key must not be able to have bans made longer, and told anew, without end.
#[tokio::test]
async fn bans_that_are_made_longer_count_for_the_quota_and_a_write_tells_once() {
    let mut fixture = Fixture::new();
    let rule = |seconds: u32| {
        let mut settings = three_in_an_hour();
        settings.rules[0].when.threshold = 1;
        settings.rules[0].ban_seconds = seconds;
        settings.rules[0].hosts = false;
        settings
    };
    let addresses: Vec<String> = (1..=60).map(|last| format!("203.0.113.{last}")).collect();
    let attack = |mark| batch(mark, &addresses.iter().map(String::as_str).collect::<Vec<_>>());
    fixture.automatic(rule(3600)).await;
    fixture.publish().await;
    let began = now();
    let before = fixture.told().await.version;
    fixture.engine().take(attack(1)).await.unwrap();
    let told = fixture.told().await;
    assert_eq!(told.ip_blacklist.len(), 60);
    // Beside one for each change, versions keep up with the clock.
    let seconds = now().micros_since(began) / 1_000_000;
    assert!(told.version < before + 30 + seconds, "{before} {}", told.version);

    let lasts = |ban: &GuardBan| ban.expires.micros_since(ban.created) / 1_000_000;
    let longer_than = async |fixture: &Fixture, seconds: i64| {
        fixture.bans().await.iter().filter(|ban| lasts(ban) > seconds).count()
    };
    // Not worth it: more than half is left.
    fixture.automatic(rule(4000)).await;
    fixture.engine().take(attack(2)).await.unwrap();
    assert_eq!(longer_than(&fixture, 3600).await, 0);
    fixture.automatic(rule(80_000)).await;
    fixture.engine().take(attack(3)).await.unwrap();
    assert_eq!(longer_than(&fixture, 3600).await, 40);
    assert_eq!(fixture.told().await.ip_blacklist.len(), 60);

    // Once, a restart forgot those that were made longer, and there were forty more.
    fixture.start();
    fixture.engine().take(attack(4)).await.unwrap();
    assert_eq!(longer_than(&fixture, 3600).await, 40);
}

/// Ever new addresses that are never banned once filled the audit log.
#[tokio::test]
async fn refusals_for_addresses_that_are_never_banned_are_bounded_by_source() {
    let fixture = Fixture::new();
    let mut settings = three_in_an_hour();
    settings.rules[0].when.threshold = 1;
    settings.never_ban = vec!["10.0.0.0/8".parse().unwrap()];
    fixture.automatic(settings).await;
    let addresses: Vec<String> = (1..=130).map(|last| format!("10.0.0.{last}")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    fixture.engine().take(batch(1, &addresses)).await.unwrap();
    fixture.engine().take(batch(2, &addresses)).await.unwrap();
    assert_eq!(fixture.bans().await, []);
    let audit = fixture.engine().read(|s| s.audit(None, 1000)).await.unwrap();
    let refused = audit.iter().filter(|(_, record)| record.outcome == "refused").count();
    assert_eq!(refused, 100);
}

impl Fixture {
    /// As if this source's events, or a person, had led to so many bans.
    async fn banned(&self, first: u32, count: u64, caused_by: Option<&'static str>) {
        let put = self.engine().write(move |writing| {
            for number in (first..).zip(0..count).map(|(number, _)| number) {
                let address = std::net::Ipv4Addr::from(0x0a00_0000 + number).to_string();
                writing.session.put_ban(&GuardBan {
                    id: format!("ban_{number:08}"),
                    address: address.parse().unwrap(),
                    project: None,
                    reason: "x".into(),
                    origin: BanOrigin::Alert,
                    hosts: false,
                    created: writing.now,
                    created_by: "rule:ban/probes".into(),
                    expires: writing.now.plus_seconds(86_400),
                    ended: None,
                    ended_by: None,
                    alert: None,
                    country: None,
                    caused_by: caused_by.map(str::to_owned),
                })?;
            }
            Ok(())
        });
        put.await.unwrap();
    }

    /// The outcomes and reasons of all tries to ban.
    async fn tries(&self) -> Vec<(String, String)> {
        let audit = self.engine().read(|s| s.audit(None, 1000)).await.unwrap();
        let tries = audit.into_iter().map(|(_, record)| record);
        let tries = tries.filter(|record| record.action == "ban_address");
        tries.map(|record| (record.outcome, record.reason)).collect()
    }
}

fn at_once() -> GuardAutomatic {
    let mut settings = three_in_an_hour();
    settings.rules[0].when.threshold = 1;
    settings.rules[0].hosts = false;
    settings
}

/// Once, each event beyond the bound left an entry in the audit log which said that the ban was permitted.
#[tokio::test]
async fn events_beyond_a_bound_of_bans_leave_one_entry_an_hour() {
    for (causes, expected) in [
        (vec![(SOURCE_BANS_MAX, Some("guard:shop"))], "follow from events of guard:shop"),
        (
            vec![
                (SOURCE_BANS_MAX, Some("guard:blog")),
                (RULE_BANS_MAX - SOURCE_BANS_MAX, Some("guard:pay")),
            ],
            "the rest is for people",
        ),
    ] {
        let fixture = Fixture::new();
        fixture.automatic(at_once()).await;
        let mut first = 0;
        for (count, caused_by) in causes {
            fixture.banned(first, count, caused_by).await;
            first += u32::try_from(count).unwrap();
        }
        let addresses: Vec<String> = (1..=60).map(|last| format!("203.0.113.{last}")).collect();
        for mark in 1..=3 {
            let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
            fixture.engine().take(batch(mark, &addresses)).await.unwrap();
        }
        let tries = fixture.tries().await;
        assert_eq!(tries.len(), 1, "{tries:?}");
        assert_eq!(tries[0].0, "refused");
        assert!(tries[0].1.contains(expected), "{tries:?}");
        let banned = fixture.engine().read(|s| s.active_ban_counts(None)).await.unwrap();
        assert_eq!(banned.of_rules, u64::from(first));
    }
}

/// What people banned takes nothing of what rules may ban; and they find room where rules find none.
#[tokio::test]
async fn bans_of_people_and_those_of_rules_have_room_of_their_own() {
    let fixture = Fixture::new();
    fixture.automatic(at_once()).await;
    fixture.banned(0, RULE_BANS_MAX, None).await;
    fixture.engine().take(batch(1, &[ADDRESS])).await.unwrap();
    assert_eq!(fixture.tries().await[0].0, "permitted");
    fixture.banned(100_000, SOURCE_BANS_MAX - 1, Some("guard:shop")).await;
    let new = NewBan {
        address: "198.51.100.1".parse().unwrap(),
        project: None,
        seconds: 600,
        reason: "x".into(),
        origin: BanOrigin::Person,
        hosts: false,
        alert: None,
        country: None,
        caused_by: None,
    };
    let person = || Subject::User { name: "ada".into(), role: ringwall_access::Role::Admin };
    // All are taken now, and that is told a person each time.
    for _ in 0..2 {
        let new = new.clone();
        let banned = fixture.engine().write(move |writing| writing.ban_address(&person(), new));
        let error = banned.await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "20000 bans are active already; lift some");
    }
    let refused = fixture.tries().await;
    assert_eq!(refused.iter().filter(|(outcome, _)| outcome == "refused").count(), 2);
}
