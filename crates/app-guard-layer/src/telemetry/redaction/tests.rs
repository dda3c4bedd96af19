use super::*;
use proptest::prelude::*;
use serde_json::json;

fn redaction() -> Redaction {
    Redaction::new(&["X-Tenant-Key".to_owned()], 1024)
}

/// Flaw 11: user agent, reason, query, header lists, `set-cookie`, `x-auth-token` and free text left in
/// clear.
#[test]
fn flaw_11_secrets_in_free_text_are_redacted() {
    check("Authorization: Bearer abc.def-123", "Authorization:[REDACTED]");
    check("refused Bearer abc.def-1234 here", "refused Bearer [REDACTED] here");
    check("Basic dXNlcjpwYXNz", "Basic [REDACTED]");
    check("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl end", "jwt [REDACTED] end");
    check("card 4111 1111 1111 1111 given", "card [REDACTED] given");
    check("card 4111-1111-1111-1111", "card [REDACTED]");
    check("/login?user=a&password=hunter2&next=/", "/login?user=a&password=[REDACTED]&next=/");
    check("/x?access_token=abc", "/x?access_token=[REDACTED]");
    check("/x?q=password%3Dhunter2", "/x?q=password%3D[REDACTED]");
    check("Cookie: a=1; b=2\nHost: h", "Cookie:[REDACTED]\nHost: h");
    check("Set-Cookie: sid=abc; Path=/", "Set-Cookie:[REDACTED]");
    check("body {\"password\": \"a b\"}", "body {\"password\":\"[REDACTED]\"}");
    check("postgres://app:hunter2@db/shop", "postgres://[REDACTED]@db/shop");
    check("x_tenant_key=abc", "x_tenant_key=[REDACTED]");
    check("key AKIAIOSFODNN7EXAMPLE", "key [REDACTED]");
    check("ghp_0123456789abcdefghijABCD", "[REDACTED]");
    check("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[REDACTED]");
}

/// What an attack in a password field is, its excerpt shows in full.
#[test]
fn what_was_found_in_a_secret_field_stays_here() {
    let secret = "hunter2' or '1'='1";
    for (context, is_secret) in [
        ("request_body:password", true),
        ("request_body:user.password", true),
        ("request_body:accounts[0].api_key", true),
        ("header:x-api-key", true),
        ("header:cookie", true),
        ("header:X-Tenant-Key", true),
        ("query_param:token", true),
        ("request_body:comment", false),
        ("header:user-agent", false),
    ] {
        let mut event = Event {
            reason: format!("sqli in {context}: {secret}").into(),
            pattern_matched: Some(secret.into()),
            ..Event::default()
        };
        let members = [("context", context), ("content_preview", secret), ("note", secret)];
        event.metadata =
            members.map(|(name, text)| (name.to_owned(), json!(text))).into_iter().collect();
        redaction().event(&mut event);
        let text = format!("{event:?}");
        assert_eq!(text.contains("hunter2"), !is_secret, "{text}");
        assert_eq!(event.metadata["context"], context);
        if is_secret {
            assert_eq!(event.metadata["content_preview"], REDACTED);
            assert!(event.reason.starts_with("sqli in ") && event.reason.ends_with(REDACTED));
        }
    }
}

#[test]
fn ordinary_text_stays() {
    for text in [
        "the token expired",
        "Basic authentication failed",
        "order 1234567890123456 shipped",
        "2026-11-20 20:16:39.561480",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0",
        "/items?id=1&sort=price",
        "http://example.org:8080/path",
        "SQL injection: ' OR 1=1 --",
        "4111 1111 1111 1112",
        "",
    ] {
        check(text, text);
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(redaction().contents.redact(text), expected, "{text}");
}

#[test]
fn flaw_11_every_shape_of_headers_is_redacted() {
    check_metadata(json!({"Authorization": "x"}), json!({"Authorization": "[REDACTED]"}));
    check_metadata(
        json!({"headers": {"X-Auth-Token": "x", "set-cookie": ["a", "b"], "accept": "*/*"}}),
        json!({"headers": {"X-Auth-Token": "[REDACTED]", "set-cookie": "[REDACTED]", "accept": "*/*"}}),
    );
    check_metadata(
        json!({"headers": [["Cookie", "x"], ["Host", "h"]]}),
        json!({"headers": [["Cookie", "[REDACTED]"], ["Host", "h"]]}),
    );
    check_metadata(
        json!({"headers": [{"name": "cookie", "value": "x"}, {"name": "host", "value": "h"}]}),
        json!({"headers": [{"name": "cookie", "value": "[REDACTED]"}, {"name": "host", "value": "h"}]}),
    );
    check_metadata(
        json!({"body": "{\"user\":\"a\",\"password\":\"x\"}"}),
        json!({"body": "{\"password\":\"[REDACTED]\",\"user\":\"a\"}"}),
    );
    check_metadata(json!({"token": null, "note": "ok"}), json!({"token": null, "note": "ok"}));
    check_metadata(
        json!({"nested": [[["x-tenant-key", {"a": 1}]]]}),
        json!({"nested": [[["x-tenant-key", "[REDACTED]"]]]}),
    );
}

#[test]
fn what_is_too_deep_or_too_long_is_redacted_whole() {
    let mut deep = json!({"secretless": 1});
    for _ in 0..30 {
        deep = json!([deep]);
    }
    let mut event = Event::default();
    event.metadata.insert("deep".into(), deep);
    event.metadata.insert("long".into(), format!("{{\"a\":\"{}\"}}", "x".repeat(9000)).into());
    redaction().event(&mut event);
    let text = Value::Object(event.metadata).to_string();
    assert!(text.contains("[[\"[REDACTED]\"]]"), "{text}");
    assert!(text.contains("\"long\":\"[REDACTED]\""), "{text}");
    assert!(!text.contains("secretless"));
}

#[track_caller]
fn check_metadata(metadata: Value, expected: Value) {
    let Value::Object(metadata) = metadata else { panic!("an object") };
    let mut event = Event { metadata, ..Event::default() };
    redaction().event(&mut event);
    assert_eq!(Value::Object(event.metadata), expected);
}

/// Flaw 11: `max_payload_size` was read by nobody; a value of 20 kB left whole.
#[test]
fn flaw_11_no_text_is_longer_than_the_setting() {
    let long = "é".repeat(10_000);
    let mut event = Event {
        reason: long.as_str().into(),
        user_agent: Some(long.as_str().into()),
        endpoint: Some(format!("/?token={long}").into()),
        ..Event::default()
    };
    for number in 0..40 {
        event.metadata.insert(format!("m{number:02}"), long.as_str().into());
    }
    redaction().event(&mut event);
    assert!(event.reason.len() <= 1024 && event.reason.ends_with(TRUNCATED));
    assert!(event.user_agent.unwrap().len() <= 1024);
    assert_eq!(event.endpoint.as_deref(), Some("/?token=[REDACTED]"));
    assert_eq!(event.metadata["truncated"], true);
    assert!(Value::Object(event.metadata).to_string().len() < 20 * 1024);
}

proptest! {
    #[test]
    fn redacting_twice_changes_nothing_and_no_text_panics(
        text in "([ -~é]|password=|Bearer |\\{|\"|:|eyJ|4111111111111111|://a:b@){0,40}",
    ) {
        let redaction = redaction();
        let mut event = Event { reason: text.as_str().into(), ..Event::default() };
        event.metadata.insert("a".into(), text.into());
        redaction.event(&mut event);
        let once = event.clone();
        redaction.event(&mut event);
        prop_assert_eq!(event, once);
    }

    #[test]
    fn a_secret_behind_a_sensitive_name_never_leaves(
        before in "[ a-z/?&]{0,10}",
        name in "(password|X-Api-Key|set_cookie|Authorization|x-tenant-key)",
        secret in "[a-z]{4}QZJ7[a-z]{4}",
    ) {
        let redaction = redaction();
        let mut event = Event {
            reason: format!("{before} {name}={secret}").into(),
            endpoint: Some(format!("/a?{name}={secret}&b=1").into()),
            ..Event::default()
        };
        event.metadata.insert(name.clone(), json!([secret]));
        event.metadata.insert("pairs".into(), json!([[name, secret]]));
        redaction.event(&mut event);
        prop_assert!(!format!("{event:?}").contains(&secret), "{event:?}");
    }
}
