//! What the application does with its guard while it runs.

use crate::application::{Application, settings};
use ringwall_app_guard::{GuardSettings, RouteEntry, RouteRules, RuleSet};
use ringwall_app_guard_layer::{BanError, BuildError, GuardLayer};
use std::time::Duration;

const CLIENT: &str = "203.0.113.9";
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn bans_are_made_and_lifted() {
    let application = Application::start(settings()).await;
    let handle = &application.handle;
    for (network, address) in [
        (CLIENT, CLIENT),
        ("198.51.100.0/24", "198.51.100.7"),
        ("2001:db8:1::/48", "2001:db8:1:2::3"),
    ] {
        handle.ban(network, HOUR, "by hand").await.unwrap();
        assert!(handle.is_banned(address.parse().unwrap()).await);
        let answer = application.get(address, "/").await;
        assert_eq!((answer.status, answer.body.as_str()), (403, "IP address banned"), "{network}");
        assert!(handle.unban(network).await.unwrap());
        assert_eq!(application.get(address, "/").await.status, 200, "{network}");
        assert!(!handle.unban(network).await.unwrap(), "nothing is left to lift");
    }
    let types = application.event_types();
    assert!(types.contains(&"ip_banned".to_owned()), "{types:?}");
    assert!(types.contains(&"ip_unbanned".to_owned()), "{types:?}");

    // Nobody shuts themselves out.
    for network in ["127.0.0.1", "::1", "127.0.0.0/8", "0.0.0.0/0"] {
        let refused = handle.ban(network, HOUR, "by hand").await;
        assert!(matches!(refused, Err(BanError::Protected(_))), "{network}: {refused:?}");
    }
    assert!(matches!(handle.ban("nonsense", HOUR, "").await, Err(BanError::Network(_))));
}

/// Flaw 22 of the original: bans of more than an hour are cut to an hour without Redis.
#[tokio::test]
async fn a_ban_lasts_as_long_as_it_was_made_for() {
    let application = Application::start(settings()).await;
    application.handle.ban(CLIENT, 48 * HOUR, "by hand").await.unwrap();
    let bans = application.handle.bans();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let left = Duration::from_millis(bans[0].expires_unix_ms) - now;
    assert!(left > 47 * HOUR, "{left:?}");
}

/// Flaw 30 of the original: addresses taken off the list stay banned, patterns stay for ever.
#[tokio::test]
async fn rules_come_and_go() {
    let application = Application::start(settings()).await;
    let handle = &application.handle;
    let rules = RuleSet {
        rule_id: "r".to_owned(),
        ip_blacklist: vec![CLIENT.to_owned(), "nonsense".to_owned()],
        blocked_user_agents: vec!["badbot".to_owned()],
        ..RuleSet::default()
    };
    let applied = handle.apply_rules(&rules).await.unwrap();
    assert_eq!(applied.left_out.len(), 1, "{applied:?}");
    assert_eq!(application.get(CLIENT, "/").await.status, 403);
    assert_eq!(handle.rules(), Some(("r".to_owned(), 1)));
    assert!(handle.apply_rules(&rules).await.is_err(), "the same version again");

    let without = RuleSet { version: 2, rule_id: "r".to_owned(), ..RuleSet::default() };
    handle.apply_rules(&without).await.unwrap();
    assert_eq!(application.get(CLIENT, "/").await.status, 200);

    // In an emergency only those on the list are served; when it is over, everybody is.
    let emergency = RuleSet {
        version: 3,
        rule_id: "r".to_owned(),
        emergency_mode: true,
        emergency_whitelist: vec!["203.0.113.10".to_owned()],
        ..RuleSet::default()
    };
    handle.apply_rules(&emergency).await.unwrap();
    assert_eq!(application.get(CLIENT, "/").await.status, 503);
    assert_eq!(application.get("203.0.113.10", "/").await.status, 200);
    handle.apply_rules(&RuleSet { version: 4, ..without }).await.unwrap();
    assert_eq!(application.get(CLIENT, "/").await.status, 200);
}

#[tokio::test]
async fn rules_end_when_their_time_is_over() {
    let application = Application::start(settings()).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let ends = u64::try_from(now.as_millis()).unwrap() + 1_500;
    let rules = RuleSet { emergency_mode: true, expires_unix_ms: Some(ends), ..RuleSet::default() };
    application.handle.apply_rules(&rules).await.unwrap();
    assert_eq!(application.get(CLIENT, "/").await.status, 503);
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while application.get(CLIENT, "/").await.status == 503 {
        assert!(std::time::Instant::now() < deadline, "they hold for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn settings_are_replaced_or_refused_whole() {
    let application = Application::start(settings()).await;
    let blacklist = vec![CLIENT.to_owned()];
    application.handle.reload(GuardSettings { blacklist, ..settings() }).unwrap();
    assert_eq!(application.get(CLIENT, "/").await.status, 403);
    let blacklist = vec!["nonsense".to_owned()];
    application.handle.reload(GuardSettings { blacklist, ..settings() }).unwrap_err();
    assert_eq!(application.get(CLIENT, "/").await.status, 403);
    application.handle.reload(settings()).unwrap();
    assert_eq!(application.get(CLIENT, "/").await.status, 200);
}

#[tokio::test]
async fn a_subscription_drops_and_counts_what_nobody_takes() {
    let blacklist = vec![CLIENT.to_owned()];
    let application = Application::start(GuardSettings { blacklist, ..settings() }).await;
    let mut subscription = application.handle.subscribe(2);
    for _ in 0..5 {
        application.get(CLIENT, "/").await;
    }
    let event = subscription.next().await.unwrap();
    assert_eq!((&*event.event_type, &*event.ip_address), ("ip_blocked", CLIENT));
    assert!(subscription.try_next().is_some());
    assert!(subscription.try_next().is_none());
    assert!(subscription.dropped() >= 3, "{}", subscription.dropped());
    application.handle.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_guard_that_lacks_something_is_not_built() {
    let with = |rules| GuardSettings {
        routes: vec![RouteEntry { path: "/".to_owned(), method: None, rules }],
        ..settings()
    };
    let unknown = GuardLayer::new(with(RouteRules::new().require_auth("bearer", "nobody")));
    assert!(matches!(unknown, Err(BuildError::UnknownName(name)) if name == "nobody"));
    // Nor is it given such rules later: every request there would be refused.
    let guard = GuardLayer::new(settings()).unwrap();
    let rules = || RouteRules::new().require_auth("bearer", "nobody");
    guard.handle().reload(with(rules())).unwrap_err();
    let error = guard.route("/", rules()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`routes`: no verifier or check is registered under the name `nobody`"
    );
    let blocked_countries = vec!["DE".to_owned()];
    let unknown = GuardLayer::new(GuardSettings { blocked_countries, ..settings() });
    assert!(matches!(unknown, Err(BuildError::NoCountries)));
    let blacklist = vec!["nonsense".to_owned()];
    let wrong = GuardLayer::new(GuardSettings { blacklist, ..settings() });
    assert!(matches!(wrong, Err(BuildError::Settings(_))));
}
