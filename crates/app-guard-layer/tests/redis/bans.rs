//! Bans that workers share.

use crate::server::Redis;
use ringwall_app_guard::BanOrder;
use ringwall_app_guard::Network;
use ringwall_app_guard_layer::state::redis::{RedisSettings, RedisState, RedisStateError};
use std::net::IpAddr;
use std::time::{Duration, Instant};

fn order(network: &str, address: &str, seconds: u64) -> BanOrder {
    BanOrder {
        network: network.parse().unwrap(),
        address: address.parse().unwrap(),
        time: Duration::from_secs(seconds),
        reason: "penetration_attempt".into(),
    }
}

async fn banned_by(state: &RedisState, address: &str) -> Option<String> {
    let address: IpAddr = address.parse().unwrap();
    state.banned(address).await.unwrap().map(|ban| ban.network.to_string())
}

/// Flaw 20 of the original: networks are written and never read.
#[tokio::test]
async fn a_ban_of_an_address_or_a_network_holds_at_every_worker() {
    let Some(redis) = Redis::start() else { return };
    let (one, other) = (redis.state(), redis.state());
    assert!(one.ban(&order("192.0.2.1", "192.0.2.1", 7200)).await.unwrap());
    assert!(one.ban(&order("198.51.100.0/24", "198.51.100.9", 600)).await.unwrap());
    assert!(one.ban(&order("2001:db8:1::/48", "2001:db8:1::9", 600)).await.unwrap());
    for (address, expected) in [
        ("192.0.2.1", Some("192.0.2.1")),
        ("::ffff:192.0.2.1", Some("192.0.2.1")),
        ("192.0.2.2", None),
        ("198.51.100.0", Some("198.51.100.0/24")),
        ("198.51.100.255", Some("198.51.100.0/24")),
        ("198.51.101.0", None),
        ("2001:db8:1:ffff::1", Some("2001:db8:1::/48")),
        ("2001:db8:2::1", None),
    ] {
        assert_eq!(banned_by(&other, address).await.as_deref(), expected, "{address}");
    }
    let ban = other.banned("192.0.2.1".parse().unwrap()).await.unwrap().unwrap();
    assert!(ban.remaining > Duration::from_secs(7000), "longer than an hour is kept: {ban:?}");
}

#[tokio::test]
async fn bans_are_laid_out_as_python_workers_have_them() {
    let Some(redis) = Redis::start() else { return };
    let state = redis.state();
    state.ban(&order("192.0.2.1", "192.0.2.1", 7200)).await.unwrap();
    let ends: f64 = redis.say(&["GET", "guard_core:banned_ips:192.0.2.1"]);
    let now: Vec<f64> = redis.say(&["TIME"]);
    assert!((7190.0..7201.0).contains(&(ends - now[0])), "{ends}");
    let ttl: u32 = redis.say(&["TTL", "guard_core:banned_ips:192.0.2.1"]);
    assert!((7190..=7200).contains(&ttl), "{ttl}");

    // As Python workers write them.
    let ends = (now[0] + 100.25).to_string();
    redis.say::<()>(&["SET", "guard_core:banned_ips:192.0.2.9", &ends, "EX", "100"]);
    redis.say::<()>(&["SET", "guard_core:banned_networks:10.1.0.0/16", &ends, "EX", "100"]);
    redis.say::<()>(&["SET", "guard_core:banned_networks:192.0.2.33/32", &ends, "EX", "100"]);
    redis.say::<()>(&["SET", "guard_core:banned_ips:192.0.2.10", "1.5", "EX", "100"]);
    redis.say::<()>(&["SET", "guard_core:banned_ips:192.0.2.11", "nonsense", "EX", "100"]);
    for (address, is_banned) in [
        ("192.0.2.9", true),
        ("10.1.255.1", true),
        ("192.0.2.33", true),
        ("192.0.2.10", false),
        ("192.0.2.11", false),
    ] {
        assert_eq!(banned_by(&state, address).await.is_some(), is_banned, "{address}");
    }
}

/// Flaw 22 of the original: other workers go on banning from memory for up to an hour.
#[tokio::test]
async fn lifting_a_ban_reaches_every_worker_within_a_second() {
    let Some(redis) = Redis::start() else { return };
    let (one, other) = (redis.state(), redis.state());
    for network in ["192.0.2.1", "198.51.100.0/24", "2001:db8:0:1::/64"] {
        let network: Network = network.parse().unwrap();
        let address = network.address().to_string();
        one.ban(&order(&network.to_string(), &address, 7200)).await.unwrap();
        assert!(banned_by(&other, &address).await.is_some());
        assert!(one.unban(network).await.unwrap());
        let lifted = Instant::now();
        assert_eq!(banned_by(&one, &address).await, None, "{network}");
        while banned_by(&other, &address).await.is_some() {
            assert!(lifted.elapsed() < Duration::from_secs(60), "{network} is still banned");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(!one.unban(network).await.unwrap(), "nothing is left to lift");
    }
    let keys: Vec<String> = redis.say(&["KEYS", "*"]);
    assert!(keys.is_empty(), "{keys:?}");
}

#[tokio::test]
async fn of_two_bans_the_longer_counts_and_counters_are_forgotten() {
    let Some(redis) = Redis::start() else { return };
    let state = redis.state();
    redis.say::<()>(&["ZADD", "guard_core:detection:count:192.0.2.1:all", "1", "a"]);
    assert!(state.ban(&order("192.0.2.1", "192.0.2.1", 600)).await.unwrap());
    assert!(!state.ban(&order("192.0.2.1", "192.0.2.1", 60)).await.unwrap());
    let ban = state.banned("192.0.2.1".parse().unwrap()).await.unwrap().unwrap();
    assert!(ban.remaining > Duration::from_secs(500));
    assert!(state.ban(&order("192.0.2.1", "192.0.2.1", 6000)).await.unwrap());
    let left: u32 = redis.say(&["EXISTS", "guard_core:detection:count:192.0.2.1:all"]);
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_redis_that_is_killed_answers_again_after_its_restart() {
    let Some(mut redis) = Redis::start() else { return };
    let state = redis.state();
    state.ban(&order("192.0.2.1", "192.0.2.1", 600)).await.unwrap();
    redis.kill();
    let error = state.banned("192.0.2.2".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, RedisStateError::Broken(_)), "{error:?}");
    until_left_alone(&state).await;
    assert!(!state.is_believed_well());
    redis.restart();
    let deadline = Instant::now() + Duration::from_secs(60);
    while state.banned("192.0.2.1".parse().unwrap()).await.is_err() {
        assert!(Instant::now() < deadline, "it is not asked again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(banned_by(&state, "192.0.2.1").await.is_some(), "its files outlive it");
}

/// Until nobody waits for Redis any more: a question is answered without asking it. Whoever comes when its time
/// is over asks it again, so this is not always the next one.
async fn until_left_alone(state: &RedisState) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while state.banned("192.0.2.2".parse().unwrap()).await.unwrap_err() != RedisStateError::Away {
        assert!(Instant::now() < deadline, "it is asked again and again");
    }
}

/// A peer that takes connections and says nothing.
#[tokio::test]
async fn a_redis_that_stalls_is_not_waited_for() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let settings = RedisSettings { timeout: Duration::from_millis(100), ..RedisSettings::new(url) };
    let state = RedisState::new(settings).unwrap();
    for _ in 0..3 {
        let begun = Instant::now();
        let error = state.banned("192.0.2.1".parse().unwrap()).await.unwrap_err();
        assert_ne!(error, RedisStateError::Away);
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    until_left_alone(&state).await;
    drop(listener);
}

#[test]
fn a_password_is_never_shown() {
    let settings = RedisSettings::new("redis://:hunter2@127.0.0.1:1");
    assert!(!format!("{settings:?}").contains("hunter2"));
    assert!(!format!("{:?}", RedisState::new(settings).unwrap()).contains("hunter2"));
    let error = RedisState::new(RedisSettings::new("nonsense://:hunter2@x")).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}
