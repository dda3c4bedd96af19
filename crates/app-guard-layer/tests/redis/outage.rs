//! Redis away and back in the middle of traffic, with the guard around an application.

use crate::server::Redis;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use futures_util::FutureExt;
use http::Request;
use ringwall_app_guard::GuardSettings;
use ringwall_app_guard_layer::state::{WhenAway, WhenAwayPolicy};
use ringwall_app_guard_layer::{GuardHandle, GuardLayer, PeerAddress};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tower::ServiceExt;

const CLIENT: &str = "203.0.113.9";

struct Worker {
    app: Router,
    handle: GuardHandle,
}

fn worker(redis: &Redis, settings: GuardSettings, when_away: WhenAway) -> Worker {
    let policy = WhenAwayPolicy { bans: when_away, rates: when_away, behaviour: when_away };
    let guard = GuardLayer::builder(settings).redis(redis.settings(), policy).build().unwrap();
    let handle = guard.handle();
    let app = Router::new().route("/", get(|| async { "home" })).layer(guard);
    Worker { app, handle }
}

impl Worker {
    async fn status(&self, client: &str) -> u16 {
        self.answer(client).await.status().as_u16()
    }

    async fn answer(&self, client: &str) -> http::Response<Body> {
        let address: IpAddr = client.parse().unwrap();
        let request = Request::get("/")
            .extension(PeerAddress::from(SocketAddr::from((address, 4711))))
            .body(Body::empty())
            .unwrap();
        self.app.clone().oneshot(request).await.unwrap()
    }
}

fn limited(rate_limit: u32) -> GuardSettings {
    GuardSettings { rate_limit, rate_limit_window: 600, ..GuardSettings::default() }
}

#[tokio::test]
async fn workers_share_limits_and_bans() {
    let Some(redis) = Redis::start() else { return };
    let one = worker(&redis, limited(3), WhenAway::Local);
    let other = worker(&redis, limited(3), WhenAway::Local);
    assert_eq!(one.status(CLIENT).await, 200);
    assert_eq!(other.status(CLIENT).await, 200);
    assert_eq!(one.status(CLIENT).await, 200);
    assert_eq!(other.status(CLIENT).await, 429);
    let banned = "198.51.100.0/24";
    one.handle.ban(banned, Duration::from_secs(600), "by hand").await.unwrap();
    assert_eq!(other.status("198.51.100.7").await, 403);
    assert!(other.handle.unban(banned).await.unwrap());
    let deadline = Instant::now() + Duration::from_secs(60);
    while one.status("198.51.100.8").await == 403 {
        assert!(Instant::now() < deadline, "the other worker goes on banning");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn by_default_each_worker_goes_on_by_itself() {
    let Some(mut redis) = Redis::start() else { return };
    let worker = worker(&redis, limited(2), WhenAway::Local);
    assert_eq!(worker.status(CLIENT).await, 200);
    redis.kill();
    assert_eq!(worker.status(CLIENT).await, 200);
    assert_eq!(worker.status(CLIENT).await, 200);
    assert_eq!(worker.status(CLIENT).await, 429, "it counts by itself");
    // A ban made meanwhile holds here at once, and is handed in when Redis is back.
    let shared = worker.handle.ban("198.51.100.7", Duration::from_secs(600), "by hand").await;
    shared.unwrap_err();
    assert_eq!(worker.status("198.51.100.7").await, 403);
    redis.restart();
    let deadline = Instant::now() + Duration::from_secs(60);
    while redis.say::<u32>(&["EXISTS", "guard_core:banned_ips:198.51.100.7"]) == 0 {
        assert!(Instant::now() < deadline, "the ban is not handed in");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(worker.status("198.51.100.7").await, 403);
    // Then the shared windows count again: one request was in.
    assert_eq!(worker.status(CLIENT).await, 200);
    assert_eq!(worker.status(CLIENT).await, 429);
}

#[tokio::test]
async fn closed_means_503_and_open_means_through() {
    let Some(mut redis) = Redis::start() else { return };
    let closed = worker(&redis, limited(1), WhenAway::Closed);
    let open = worker(&redis, limited(1), WhenAway::Open);
    redis.kill();
    let answer = closed.answer(CLIENT).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "5");
    assert!(answer.headers().contains_key("x-content-type-options"));
    for _ in 0..3 {
        assert_eq!(open.status(CLIENT).await, 200);
    }
    redis.restart();
    let deadline = Instant::now() + Duration::from_secs(60);
    while closed.status(CLIENT).await == 503 {
        assert!(Instant::now() < deadline, "it stays closed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn traffic_goes_on_while_redis_comes_and_goes() {
    let Some(mut redis) = Redis::start() else { return };
    let worker = worker(&redis, limited(1_000_000), WhenAway::Local);
    let app = worker.app.clone();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let traffic: Vec<_> = (0..4_u8)
        .map(|number| {
            let (app, stopped) = (app.clone(), stopped.clone());
            tokio::spawn(async move {
                let mut count = 0_u32;
                while !*stopped.borrow() {
                    let peer = SocketAddr::from(([203, 0, 113, number], 4711));
                    let request = Request::get("/")
                        .extension(PeerAddress::from(peer))
                        .body(Body::empty())
                        .unwrap();
                    let answer = app.clone().oneshot(request).await.unwrap();
                    assert_eq!(answer.status(), 200);
                    count += 1;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                count
            })
        })
        .collect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        redis.kill();
        tokio::time::sleep(Duration::from_millis(200)).await;
        redis.restart();
    }
    stop.send(true).unwrap();
    for worker in traffic {
        assert!(worker.await.unwrap() > 0);
    }
}

#[tokio::test]
async fn patterns_of_other_workers_are_taken_over() {
    let Some(redis) = Redis::start() else { return };
    let one = worker(&redis, limited(100_000), WhenAway::Local);
    let patterns = std::collections::BTreeSet::from(["zz{2,3}top".to_owned()]);
    one.handle.share_patterns(&patterns).await.unwrap();
    let stored: String = redis.say(&["GET", "guard_core:patterns:custom_json"]);
    assert_eq!(stored, r#"["zz{2,3}top"]"#);
}

/// One pattern that the detection refuses disabled all others, and every reload of settings after it.
#[tokio::test]
async fn a_bad_pattern_of_another_worker_harms_nobody() {
    let Some(redis) = Redis::start() else { return };
    let one = worker(&redis, limited(100_000), WhenAway::Local);
    let other = worker(&redis, limited(100_000), WhenAway::Local);
    let refused = std::collections::BTreeSet::from(["a*".to_owned(), "zz{2,3}top".to_owned()]);
    one.handle.share_patterns(&refused).await.unwrap_err();
    redis.say::<()>(&["SET", "guard_core:patterns:custom_json", r#"["a*", "zz{2,3}top"]"#]);
    let found = |worker: &Worker| {
        let app = worker.app.clone();
        async move {
            let request = Request::get("/?q=zzztop")
                .extension(PeerAddress::from(SocketAddr::from(([203, 0, 113, 9], 4711))))
                .body(Body::empty())
                .unwrap();
            app.oneshot(request).await.unwrap().status() != 200
        }
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while !found(&other).await {
        assert!(Instant::now() < deadline, "the good pattern is not taken over");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    other.handle.reload(limited(100_000)).unwrap();
    assert!(found(&other).await);
}

/// It was tried once, and then every worker banned the address for as long as the ban lasted.
#[tokio::test]
async fn a_ban_that_is_lifted_while_redis_is_away_is_lifted_when_it_is_back() {
    let Some(mut redis) = Redis::start() else { return };
    let worker = worker(&redis, limited(1_000_000), WhenAway::Local);
    for address in ["198.51.100.7", "198.51.100.8"] {
        worker.handle.ban(address, Duration::from_secs(600), "by hand").await.unwrap();
    }
    // What is under this key can be neither lifted nor banned over; the others do not wait for it.
    redis.say::<()>(&["SET", "guard_core:banned_along:198.51.100.9/32", "of another kind"]);
    redis.kill();
    for address in ["198.51.100.9", "198.51.100.7", "198.51.100.8"] {
        worker.handle.unban(address).await.unwrap_err();
    }
    // Banned anew meanwhile, which counts more.
    let anew = worker.handle.ban("198.51.100.8", Duration::from_secs(600), "by hand").await;
    anew.unwrap_err();
    redis.restart();
    let deadline = Instant::now() + Duration::from_secs(60);
    while redis.say::<u32>(&["EXISTS", "guard_core:banned_ips:198.51.100.7"]) == 1 {
        assert!(Instant::now() < deadline, "it is still banned");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    while worker.status("198.51.100.7").await == 403 {
        assert!(Instant::now() < deadline, "it is still banned here");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(redis.say::<u32>(&["EXISTS", "guard_core:banned_ips:198.51.100.8"]), 1);
    assert_eq!(worker.status("198.51.100.8").await, 403);
}

/// A Redis that answers some questions and refuses others was away and back with every request, and that was
/// told each time.
#[tokio::test]
async fn a_redis_that_refuses_every_other_question_is_told_of_once() {
    let Some(redis) = Redis::start() else { return };
    let worker = worker(&redis, limited(1_000), WhenAway::Local);
    redis.say::<()>(&["SET", "guard_core:rate_limit:rate:203.0.113.9", "no sorted set"]);
    let mut events = worker.handle.subscribe(1_000);
    for _ in 0..20 {
        assert_eq!(worker.status(CLIENT).await, 200);
    }
    let told = std::iter::from_fn(|| events.try_next());
    let told = told.filter(|event| event.event_type == "redis_error").count();
    assert!((1..=5).contains(&told), "{told}");
}

/// More bans than were once kept, made while Redis was away; none is forgotten, here or there, and lifting one
/// right when Redis is back frees the address everywhere.
#[tokio::test]
async fn all_bans_made_while_redis_is_away_hold_and_are_handed_in() {
    const BANS: u32 = 1_500;
    let Some(mut redis) = Redis::start() else { return };
    let worker = worker(&redis, limited(1_000_000), WhenAway::Local);
    assert_eq!(worker.status(CLIENT).await, 200);
    redis.kill();
    let address = |number: u32| IpAddr::from((0xc612_0000_u32 + number).to_be_bytes()).to_string();
    for number in 0..BANS {
        let banned = worker.handle.ban(&address(number), Duration::from_secs(600), "by hand").await;
        banned.unwrap_err();
    }
    redis.restart();
    let key = |number| format!("guard_core:banned_ips:{}", address(number));
    let deadline = Instant::now() + Duration::from_secs(60);
    while redis.say::<u32>(&["EXISTS", &key(0)]) == 0 {
        assert!(Instant::now() < deadline, "nothing is handed in");
        // Whoever is not handed in yet is banned all the same.
        assert_eq!(worker.status(&address(0)).await, 403);
        assert_eq!(worker.status(&address(BANS - 1)).await, 403);
        // Both are answered without waiting for anything.
        tokio::task::yield_now().await;
    }
    let last = address(BANS - 1);
    while worker.handle.unban(&last).await.is_err() {
        assert!(Instant::now() < deadline, "it cannot be lifted");
    }
    while redis.say::<u32>(&["EXISTS", &key(BANS - 2)]) == 0 {
        assert!(Instant::now() < deadline, "the others are not handed in");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // It may have been under way when it was lifted; then it is lifted once more.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    while redis.say::<u32>(&["EXISTS", &key(BANS - 1)]) == 1 {
        assert!(Instant::now() < deadline, "it is still banned");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    while worker.status(&last).await == 403 {
        assert!(Instant::now() < deadline, "it is still banned here");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(worker.status(&address(7)).await, 403);
}

async fn until_gone(redis: &Redis, key: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while redis.say::<u32>(&["EXISTS", key]) == 1 {
        assert!(Instant::now() < deadline, "it is still banned: {key}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The address failed first, and its network, on which the ban stood, was not tried at all.
#[tokio::test]
async fn the_ban_of_an_ipv6_network_is_lifted_while_redis_is_away() {
    let Some(mut redis) = Redis::start() else { return };
    let worker = worker(&redis, limited(1_000_000), WhenAway::Local);
    let (network, address) = ("2001:db8:1:2::/64", "2001:db8:1:2::9");
    worker.handle.ban(network, Duration::from_secs(600), "by hand").await.unwrap();
    let mut events = worker.handle.subscribe(100);
    redis.kill();
    worker.handle.unban(address).await.unwrap_err();
    assert_eq!(worker.handle.bans().len(), 0, "it is lifted here");
    assert_eq!(worker.status(address).await, 200);
    let told = std::iter::from_fn(|| events.try_next());
    assert_eq!(told.filter(|event| event.event_type == "ip_unbanned").count(), 1);
    redis.restart();
    until_gone(&redis, "guard_core:banned_networks:2001:db8:1:2::/64").await;
}

/// A lift that had to wait took away what another worker banned since.
#[tokio::test]
async fn a_lift_that_had_to_wait_spares_later_bans() {
    let Some(redis) = Redis::start() else { return };
    let one = worker(&redis, limited(1_000_000), WhenAway::Local);
    let other = worker(&redis, limited(1_000_000), WhenAway::Local);
    let key = |address| format!("guard_core:banned_ips:{address}");
    let obstacle = |address| format!("guard_core:banned_along:{address}/32");
    let (banned_anew, lifted) = ("198.51.100.7", "198.51.100.8");
    for address in [banned_anew, lifted] {
        one.handle.ban(address, Duration::from_secs(600), "by hand").await.unwrap();
        redis.say::<()>(&["SET", &obstacle(address), "of another kind"]);
        one.handle.unban(address).await.unwrap_err();
        assert_eq!(redis.say::<u32>(&["EXISTS", &key(address)]), 1, "all or nothing");
    }
    // Longer than a question takes to reach Redis: by so much the age of the wish is wrong there.
    tokio::time::sleep(Duration::from_secs(1)).await;
    other.handle.ban(banned_anew, Duration::from_secs(900), "anew").await.unwrap();
    for address in [banned_anew, lifted] {
        redis.say::<()>(&["DEL", &obstacle(address)]);
    }
    until_gone(&redis, &key(lifted)).await;
    // The other one was tried in the same round, or is in the next.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(redis.say::<u32>(&["EXISTS", &key(banned_anew)]), 1, "the later ban stands");
    assert!(other.handle.unban(banned_anew).await.unwrap(), "who asks now lifts it");
    assert_eq!(redis.say::<u32>(&["EXISTS", &key(banned_anew)]), 0);
}

/// Whoever stopped waiting for it had banned here only, and lifted nowhere else.
#[tokio::test]
async fn a_change_that_nobody_waits_for_reaches_redis_all_the_same() {
    let Some(redis) = Redis::start() else { return };
    let worker = worker(&redis, limited(1_000_000), WhenAway::Local);
    let (address, key) = ("198.51.100.7", "guard_core:banned_ips:198.51.100.7");
    // Polled once: it has to connect first.
    let ban = worker.handle.ban(address, Duration::from_secs(600), "by hand");
    assert!(ban.now_or_never().is_none());
    let deadline = Instant::now() + Duration::from_secs(60);
    while redis.say::<u32>(&["EXISTS", key]) == 0 {
        assert!(Instant::now() < deadline, "the ban is not handed in");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(worker.handle.unban(address).now_or_never().is_none());
    until_gone(&redis, key).await;
}
