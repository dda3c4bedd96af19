//! Laws, on inputs made up.

use crate::application::{Application, Request, texts, wide};
use proptest::prelude::*;
use ringwall_app_guard::{
    Answer, CounterKey, CounterKind, ExcludedPaths, GuardLimits, GuardSettings, Hit, LocalState,
    Moment, Network, NetworkMap, Question, RouteRules, plain_path,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

fn start() -> Moment {
    Moment::new(Instant::now(), 1_700_000_000_000)
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        // Few addresses, so that networks nest and meet.
        (0_u32..64).prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits << 26))),
        any::<u32>().prop_map(|bits| { IpAddr::V6(Ipv4Addr::from_bits(bits).to_ipv6_mapped()) }),
    ]
}

fn network() -> impl Strategy<Value = Network> {
    (address(), 0_u8..=128).prop_filter_map("the family has no such prefix", |(address, prefix)| {
        Network::new(address, prefix)
    })
}

/// Many at once are no more than one after the other.
#[test]
fn requests_at_the_same_time_share_a_limit() {
    let now = start();
    let state = LocalState::new(GuardLimits::default(), now);
    for limit in [10, 1000] {
        let hit = || {
            let key = CounterKey {
                kind: CounterKind::Rate,
                client: "192.0.2.1".parse().unwrap(),
                endpoint: Some("/x".into()),
                detail: Some(limit.to_string().into()),
                window_seconds: None,
            };
            let window = Duration::from_secs(60);
            let question = Question::Hit(Hit { key, limit, window });
            matches!(state.answer(&question, now), Some(Answer::Hit(hit)) if hit.within)
        };
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..500).filter(|_| hit()).count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, limit as usize);
    }
}

proptest! {
    #[test]
    fn networks_survive_being_written_and_read(network in network()) {
        prop_assert_eq!(network.to_string().parse::<Network>().unwrap(), network);
        let json = serde_json::to_string(&network).unwrap();
        prop_assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), network);
        prop_assert!(network.contains(network.address()));
    }

    #[test]
    fn the_map_agrees_with_the_plain_search(
        networks in prop::collection::vec(network(), 0..40),
        addresses in prop::collection::vec(address(), 1..20),
    ) {
        let map = NetworkMap::new(networks.iter().copied().enumerate().map(|(n, net)| (net, n)));
        let inside = networks.iter().map(|network| network.address());
        for address in addresses.into_iter().chain(inside) {
            let mut found: Vec<usize> = map.matches(address).map(|(_, number)| *number).collect();
            let prefixes: Vec<u8> = map.matches(address).map(|(net, _)| net.prefix()).collect();
            prop_assert!(prefixes.is_sorted_by(|a, b| a >= b), "narrowest first");
            found.sort_unstable();
            let plain: Vec<usize> = (0..networks.len())
                .filter(|number| networks[*number].contains(address))
                .collect();
            prop_assert_eq!(found, plain);
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text in ".*") {
        let _network: Result<Network, _> = text.parse();
        let _plain = plain_path(&text);
        let _excluded = ExcludedPaths::new(["/static"]).find(&text);
    }

    /// Never more than the limit in any window; and who waits a window gets the whole limit.
    #[test]
    fn no_window_holds_more_than_the_limit(
        limit in prop_oneof![1_u32..30, 1_u32..200],
        window_ms in 1_u64..100_000,
        steps in prop::collection::vec((0_u64..20_000, 1_usize..60), 1..60),
        crowded: bool,
    ) {
        let began = start();
        let counters = if crowded { 64 } else { 10_000 };
        let limits = GuardLimits { counters, ..GuardLimits::default() };
        let state = LocalState::new(limits, began);
        let window = Duration::from_millis(window_ms);
        let hit = |client: IpAddr, at: u64| {
            let key = CounterKey {
                kind: CounterKind::Rate,
                client: Network::host(client),
                endpoint: None,
                detail: None,
                window_seconds: None,
            };
            let question = Question::Hit(Hit { key, limit, window });
            match state.answer(&question, began.after(Duration::from_millis(at))) {
                Some(Answer::Hit(hit)) => hit,
                other => panic!("{other:?}"),
            }
        };
        let client: IpAddr = "192.0.2.1".parse().unwrap();
        let mut passed: Vec<u64> = Vec::new();
        let mut at = 0;
        for (number, (pause, tries)) in steps.into_iter().enumerate() {
            at += pause;
            if crowded {
                // Others take the room, so that the client is counted in shared counters.
                for other in 0..4 {
                    let bits = 0x0a00_0000 + u32::try_from(number).unwrap() * 4 + other;
                    hit(IpAddr::V4(Ipv4Addr::from_bits(bits)), at);
                }
            }
            for _ in 0..tries {
                let result = hit(client, at);
                prop_assert!(result.retry_after <= window);
                if result.within {
                    passed.push(at);
                }
            }
        }
        for (index, first) in passed.iter().enumerate() {
            let within = passed[index..].iter().take_while(|time| *time - first < window_ms).count();
            prop_assert!(within <= limit as usize, "{within} within {window_ms} ms");
        }
        if !crowded {
            // A slice more than the window, because of the last slice of it.
            let later = at + window_ms + window_ms / 32 + 1;
            let passed = (0..limit + 5).filter(|_| hit(client, later).within).count();
            prop_assert_eq!(passed, limit as usize);
        }
    }

    /// Whatever is asked, the exchange comes to an end; a refusal is told, and what passes in passive mode
    /// reaches the application whole.
    #[test]
    fn every_exchange_ends_and_every_refusal_is_told(
        path in "/[a-z%./;2fe]{0,30}",
        query in "[a-z0-9%&=+'<>(){}$.]{0,60}",
        forwarded in "[0-9a-f.:, \\[\\]]{0,40}",
        content_type in prop::sample::select(vec![
            "application/json", "multipart/form-data; boundary=b", "text/plain", "",
            "application/x-www-form-urlencoded",
        ]),
        body in prop::collection::vec(any::<u8>(), 0..3000),
        chunked: bool,
        passive_mode: bool,
    ) {
        let rules = RouteRules::new()
            .max_request_size(2000)
            .honeypot_detection(["website"])
            .content_type_filter(["application/json", "text/plain", "multipart/form-data"])
            .block_user_agents(["^$"]);
        let settings = GuardSettings {
            passive_mode,
            trusted_proxies: texts(&["192.0.2.0/24"]),
            blacklist: texts(&["0.0.0.0/2"]),
            ..wide()
        };
        let mut application = Application::new(settings).at(&rules);
        let mut request = Request::get()
            .path(&path)
            .query(&query)
            .header("x-forwarded-for", &forwarded)
            .post(content_type, &body);
        request.chunked = chunked;
        let outcome = application.send(&request);
        if let Some(reply) = &outcome.reply {
            prop_assert!(!passive_mode && outcome.finished.figures.refused);
            let told = outcome.events().into_iter().filter(|event| event.status_code.is_some());
            let statuses: Vec<_> = told.map(|event| event.status_code).collect();
            prop_assert_eq!(statuses, [Some(reply.status)], "one event tells a refusal");
            prop_assert!(outcome.passed <= 2000);
        } else {
            prop_assert_eq!(outcome.passed, body.len());
        }
    }

    /// However an excluded path is written, what is excluded lies in the subtree when it is decoded and
    /// folded as far as possible.
    #[test]
    fn what_is_excluded_lies_in_the_subtree(
        parts in prop::collection::vec(prop::sample::select(vec![
            "static", "admin", "..", ".", "%2e%2e", "%2e", "%252e%252e", "%2f", "/", "\\", "%5c",
            "%255c", ";", "..;", "%73tatic", "a", "%", "%00", "",
        ]), 0..8),
        slashes: bool,
    ) {
        let path = format!("/{}", parts.join(if slashes { "/" } else { "" }));
        if ExcludedPaths::new(["/static"]).find(&path).is_some() {
            prop_assert!(path == "/static" || path.starts_with("/static/"), "{}", path);
            let plain = plain_path(&path).unwrap().into_owned();
            prop_assert!(plain == "/static" || plain.starts_with("/static/"), "{} {}", path, plain);
        }
    }
}
