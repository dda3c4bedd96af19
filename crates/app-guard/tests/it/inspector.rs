//! The guard where an inspector is taken.

use crate::application::{peer, texts, wide};
use ringwall_app_guard::inspection::{
    BodySize, Headers, Inspector, Peer, RequestHead, ResponseHead, Verdict,
};
use ringwall_app_guard::{
    BehaviourAction, Guard, GuardInspector, GuardSettings, LocalState, Moment, RouteEntry,
    RouteRules,
};
use std::sync::Arc;
use std::time::Instant;

fn now() -> Moment {
    Moment::new(Instant::now(), 1_700_000_000_000)
}

fn inspector(settings: GuardSettings, state: &Arc<LocalState>) -> GuardInspector {
    GuardInspector::new(Guard::new(settings).unwrap(), Arc::clone(state))
}

fn state() -> Arc<LocalState> {
    Arc::new(LocalState::new(wide().limits, now()))
}

fn head(peer: Peer) -> RequestHead<'static> {
    RequestHead { peer, ..RequestHead::get("/upload") }
}

#[test]
fn redirects_and_refusals_are_told_apart() {
    let settings = GuardSettings { enforce_https: true, ..wide() };
    let pairs = [("host", b"shop.example".as_slice())];
    let from = head(peer("192.0.2.1"));
    let from = RequestHead { headers: Headers::new(&pairs), ..from };
    let verdict = inspector(settings, &state()).request_head(&from, now());
    assert!(matches!(verdict, Verdict::Redirect(reply) if reply.status == 301));
    let settings = GuardSettings { blacklist: texts(&["192.0.2.1"]), ..wide() };
    let mut inspector = inspector(settings, &state());
    let verdict = inspector.request_head(&from, now());
    assert!(matches!(verdict, Verdict::Refuse(reply) if reply.status == 403));
    let findings = inspector.end(now());
    assert_eq!(findings.first().unwrap().rule, "ip_blocked");
    assert_eq!(inspector.events().first().unwrap().status_code, Some(403));
}

#[test]
fn a_body_is_judged_while_it_comes() {
    let entry = RouteEntry {
        path: "/upload".to_owned(),
        method: None,
        rules: RouteRules::new().max_request_size(10),
    };
    let settings = GuardSettings { routes: vec![entry], ..wide() };
    let mut inspector = inspector(settings, &state());
    let head = RequestHead { body: BodySize::Unknown, ..head(peer("192.0.2.1")) };
    assert_eq!(inspector.request_head(&head, now()), Verdict::Allow);
    assert_eq!(inspector.request_body(b"12345", now()), Verdict::Allow);
    assert_eq!(inspector.request_body(b"67890", now()), Verdict::Allow);
    let verdict = inspector.request_body(b"1", now());
    assert!(matches!(verdict, Verdict::Refuse(reply) if reply.status == 413));
}

#[test]
fn answers_count_for_the_next_exchange() {
    let entry = RouteEntry {
        path: "/upload".to_owned(),
        method: None,
        rules: RouteRules::new().return_monitor("status:404", 1, 60, BehaviourAction::Ban),
    };
    let settings = GuardSettings { routes: vec![entry], ..wide() };
    let guard = Guard::new(settings).unwrap();
    let state = state();
    let mut refused = Vec::new();
    for _ in 0..3 {
        let mut inspector = GuardInspector::new(guard.clone(), Arc::clone(&state));
        let verdict = inspector.request_head(&head(peer("192.0.2.1")), now());
        refused.push(verdict != Verdict::Allow);
        let answer = ResponseHead { status: 404, headers: Headers::new(&[]) };
        assert_eq!(inspector.response_head(&answer, now()), Verdict::Allow);
        inspector.end(now());
    }
    assert_eq!(refused, [false, false, true]);
}
