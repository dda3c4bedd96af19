//! Requests of anybody, through every check of the guard: path, query, forwarding headers, bodies.
//!
//! The first six lines are method, path, query, `X-Forwarded-For`, `Content-Type` and one more header's
//! value; what follows is the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_app_guard::inspection::{BodySize, Headers, Peer, ResponseHead};
use ringwall_app_guard::{
    Answer, BehaviourAction, BodyFlow, Guard, GuardSettings, LocalState, Moment, Question,
    RequestHead, RouteEntry, RouteRules, Step,
};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

static GUARD: LazyLock<Guard> = LazyLock::new(|| {
    let rules = RouteRules::new()
        .rate_limit(1000, 1)
        .require_referrer(["shop.example"])
        .content_type_filter(["application/json", "multipart/form-data"])
        .max_request_size(1_000_000)
        .honeypot_detection(["website"])
        .return_monitor("json:a.b==c", 1, 60, BehaviourAction::Throttle);
    let entry = |path: &str, rules| RouteEntry { path: path.to_owned(), method: None, rules };
    let settings = GuardSettings {
        trusted_proxies: vec!["10.0.0.0/8".to_owned()],
        trusted_proxy_depth: 2,
        blacklist: vec!["192.0.2.0/24".to_owned(), "2001:db8::/32".to_owned()],
        blocked_user_agents: vec!["bad.*bot".to_owned()],
        inspect_response_bodies: true,
        routes: vec![
            entry("/orders/{id}", rules.clone()),
            entry("/files/{*rest}", RouteRules::new().honeypot_detection(["website"])),
        ],
        ..GuardSettings::default()
    };
    Guard::new(settings).unwrap()
});

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(7, |byte| *byte == b'\n');
    let mut next = || parts.next().unwrap_or_default();
    let text = |part| std::str::from_utf8(part).unwrap_or("/");
    let (method, path, query) = (text(next()), text(next()), text(next()));
    let (forwarded, content_type, more, body) = (next(), next(), next(), next());
    let pairs = [
        ("x-forwarded-for", forwarded),
        ("content-type", content_type),
        ("referer", more),
        ("user-agent", more),
        ("origin", more),
        ("host", more),
    ];
    let head = RequestHead {
        method,
        query: Some(query),
        peer: Peer::Address("10.0.0.1:80".parse().unwrap()),
        headers: Headers::new(&pairs),
        body: BodySize::Unknown,
        ..RequestHead::get(path)
    };
    let began = Instant::now();
    let now = Moment::new(began, 1_700_000_000_000);
    let state = LocalState::new(GuardSettings::default().limits, now);
    let mut exchange = GUARD.exchange(&head, None, now);
    let mut chunks = body.chunks(7);
    let mut answered = false;
    // Every exchange ends after a bounded number of steps.
    for _ in 0..1000 {
        match exchange.run(&state, now) {
            Step::Ask(Question::Country { .. }) => exchange.answer(Answer::Country(None)),
            Step::Ask(_) => exchange.answer(Answer::Done),
            Step::NeedBody => {
                for chunk in chunks.by_ref() {
                    if exchange.body_chunk(chunk, now) != BodyFlow::More {
                        break;
                    }
                }
                if chunks.len() == 0 {
                    let _flow = exchange.body_end(now);
                }
            }
            Step::Continue => {
                let headers = Headers::new(&[]);
                exchange.response_head(&ResponseHead { status: 200, headers }, now);
                exchange.response_chunk(body);
                exchange.response_end();
                answered = true;
            }
            Step::Reply(reply) => {
                assert!(!answered && (200..600).contains(&reply.status));
                let finished = exchange.finish(now.after(Duration::from_millis(1)));
                assert!(finished.events.len() <= 16);
                return;
            }
            Step::Done => return,
        }
    }
    panic!("the exchange does not end");
});
