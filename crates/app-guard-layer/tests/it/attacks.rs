//! Attacks: refused before the handler is called, or when they show in what streams.

use crate::application::{Application, chunked, settings};
use crate::bodies::{head, holding};
use crate::statuses::check;
use ringwall_app_guard::GuardSettings;

const CLIENT: &str = "203.0.113.9";
const ATTACK: &[u8] = b" ' OR 1=1 UNION SELECT password FROM users -- ";

#[tokio::test]
async fn attacks_and_the_ban_they_lead_to() {
    let application =
        Application::start(GuardSettings { auto_ban_threshold: 3, ..settings() }).await;
    let attack = "/items/1?q=%3Cscript%3Ealert(document.cookie)%3C/script%3E";
    check(&application.get(CLIENT, attack).await, 400, "Suspicious activity detected");
    let body = br#"{"user": "' OR 1=1 UNION SELECT password FROM users --"}"#;
    let answer = application.post(CLIENT, "application/json", body).await;
    check(&answer, 400, "Suspicious activity detected");
    check(&application.get(CLIENT, attack).await, 403, "IP has been banned");
    check(&application.get(CLIENT, "/").await, 403, "IP address banned");
    assert_eq!(application.served(), 0);
    let types = application.event_types();
    assert!(types.iter().any(|name| name == "ip_banned"), "{types:?}");
    assert!(types.iter().any(|name| name == "penetration_attempt"), "{types:?}");
}

#[tokio::test]
async fn a_body_within_the_bound_is_searched_before_the_handler_is_called() {
    let application = Application::start(holding(1024)).await;
    let answer = application.post(CLIENT, "text/plain", ATTACK).await;
    assert_eq!((answer.status, application.served()), (400, 0));
    let body = chunked(&[b"it is", &ATTACK[..20], &ATTACK[20..]]);
    let answer = application.ask(&head("transfer-encoding: chunked"), &body).await;
    assert_eq!((answer.status, application.served()), (400, 0), "in several chunks");
    let answer = application.post(CLIENT, "text/plain", b"quite harmless").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "14 bytes"));
}

/// Flaw 29 of the original: an attack behind the inspected bytes is not seen.
#[tokio::test]
async fn an_attack_behind_the_bound_ends_the_body_and_is_refused() {
    let application = Application::start(holding(1024)).await;
    let mut body = b"plain words of no interest. ".repeat(4000);
    let harmless = body.len();
    let answer = application.post(CLIENT, "text/plain", &body).await;
    assert_eq!((answer.status, answer.body), (200, format!("{harmless} bytes")));
    body.extend_from_slice(ATTACK);
    body.extend_from_slice(&b"and on it goes ".repeat(1000));
    let answer = application.post(CLIENT, "text/plain", &body).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(answer.body, "Suspicious activity detected");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}
