use super::*;
use proptest::prelude::*;
use ringwall_store::BanOrigin;

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000_000);

fn ban(address: &str, seconds_left: i64) -> GuardBan {
    GuardBan {
        id: "ban_1".into(),
        address: address.parse().unwrap(),
        project: None,
        reason: "probes".into(),
        origin: BanOrigin::Person,
        hosts: false,
        created: NOW,
        created_by: "user:admin".into(),
        expires: NOW.plus_seconds(seconds_left),
        ended: None,
        ended_by: None,
        alert: None,
        country: None,
        caused_by: None,
    }
}

fn edited(json: &str) -> DynamicRules {
    DynamicRules::read_edited(json.as_bytes()).unwrap()
}

fn compose(edited: Option<&DynamicRules>, bans: &[GuardBan], ended: &[GuardBan]) -> Composed {
    Parts { edited, withdrawn: &[], bans, ended, now: NOW }.compose()
}

fn texts(list: &[Box<str>]) -> Vec<&str> {
    list.iter().map(|entry| &**entry).collect()
}

#[test]
fn without_edits_and_bans_nothing_is_asked_and_the_next_question_comes_soon() {
    let composed = compose(None, &[], &[]);
    let expected = DynamicRules { ttl: TTL_SECONDS, ..DynamicRules::default() };
    assert_eq!(composed, Composed { rules: expected, left_out: 0, bans_end: None });
}

#[test]
fn edits_and_bans_stand_side_by_side() {
    let edited = edited(
        r#"{"ip_blacklist":["198.51.100.0/24"],"ip_whitelist":["192.0.2.1","192.0.2.50"],
            "blocked_user_agents":["sqlmap"],"ttl":60,"ip_ban_duration":900}"#,
    );
    let bans = [ban("192.0.2.1", 600), ban("2001:db8::/64", 7200), ban("198.51.100.0/24", 60)];
    let composed = compose(Some(&edited), &bans, &[]);
    assert_eq!(
        texts(&composed.rules.ip_blacklist),
        ["198.51.100.0/24", "192.0.2.1", "2001:db8::/64"]
    );
    assert_eq!(
        texts(&composed.rules.ip_whitelist),
        ["192.0.2.50"],
        "who is banned is not unbanned"
    );
    assert_eq!(composed.rules.ip_ban_duration, 7200, "the longest of all");
    assert_eq!(
        (composed.rules.ttl, texts(&composed.rules.blocked_user_agents)),
        (60, vec!["sqlmap"])
    );
}

/// Flaw 22 and 30: what is taken off the list of banned ones is unbanned by nobody, unless it stands on
/// the list of those to unban.
#[test]
fn flaw_30_whoever_is_not_banned_any_more_is_unbanned_everywhere() {
    let ended = [ban("192.0.2.1", -5), ban("192.0.2.2", -9), ban("192.0.2.1", -50)];
    let composed = compose(None, &[ban("192.0.2.2", 60)], &ended);
    assert_eq!(texts(&composed.rules.ip_blacklist), ["192.0.2.2"]);
    assert_eq!(
        texts(&composed.rules.ip_whitelist),
        ["192.0.2.1"],
        "once, and not who is banned anew"
    );

    let before = edited(r#"{"ip_blacklist":["192.0.2.7","192.0.2.8"]}"#);
    let after = edited(r#"{"ip_blacklist":["192.0.2.8"]}"#);
    let at = |seconds: i64| NOW.plus_seconds(seconds);
    let edits = [(at(-10), after.clone()), (at(-20), before)];
    let withdrawn = |current| -> Vec<(Box<str>, Timestamp)> {
        withdrawn(&edits, current).into_iter().map(|it| (it.address, it.since)).collect()
    };
    let off = withdrawn(Some(&after));
    assert_eq!(off, [("192.0.2.7".into(), at(-10))]);
    let off = [off[0].0.clone()];
    let composed =
        Parts { edited: Some(&after), withdrawn: &off, bans: &[], ended: &[], now: NOW }.compose();
    assert_eq!(texts(&composed.rules.ip_whitelist), ["192.0.2.7"]);
    // Edited rules that ended ban nobody, and nobody decided that.
    let never = Timestamp::from_micros(i64::MIN);
    assert_eq!(withdrawn(None), [("192.0.2.8".into(), never), ("192.0.2.7".into(), at(-10))]);
}

#[test]
fn lists_are_bounded_and_what_is_left_out_is_counted() {
    let address = |number: u32| std::net::Ipv4Addr::from(0x0a00_0000 + number).to_string();
    let total = u32::try_from(BLACKLIST_MAX).unwrap() + 30;
    let bans: Vec<_> = (0..total).map(|number| ban(&address(number), 60)).collect();
    let ended: Vec<_> = (0..total).map(|n| ban(&address(1 << 20 | n), -60)).collect();
    let composed = compose(None, &bans, &ended);
    assert_eq!(composed.rules.ip_blacklist.len(), BLACKLIST_MAX);
    assert_eq!(composed.left_out, 30);
    assert_eq!(&*composed.rules.ip_blacklist[0], "10.0.0.0", "the weightiest come first");
    assert_eq!(composed.rules.ip_whitelist.len(), UNBANS_MAX);
    let text = composed.rules.write();
    assert!(text.len() < 400_000, "{}", text.len());
}

#[test]
fn how_long_a_ban_lasts_and_when_it_is_told_again() {
    // Seconds left of the bans, those of the edit where it bans; then what is told, and after how many
    // seconds it must be told again.
    check_times(&[60], None, 60, None);
    check_times(&[3600], None, 3600, None);
    check_times(&[3601], None, 3601, Some(2700));
    check_times(&[60, 86_400 * 30], None, 86_400, Some(2700));
    check_times(&[], Some(900), 900, Some(675));
    check_times(&[60], Some(900), 900, Some(675));
    check_times(&[7200], Some(900), 7200, Some(2700));
    // An edit may ban for a year: each time it is told, it is for a day.
    check_times(&[], Some(31_536_000), 86_400, Some(2700));
    check_times(&[60], Some(31_536_000), 86_400, Some(2700));
}

#[track_caller]
fn check_times(left: &[i64], own: Option<u32>, told: u32, again: Option<i64>) {
    let edit = own.map(|seconds| {
        edited(&format!(r#"{{"ip_blacklist":["192.0.2.99"],"ip_ban_duration":{seconds}}}"#))
    });
    let bans: Vec<_> = left
        .iter()
        .zip(1..)
        .map(|(left, number)| ban(&format!("192.0.2.{number}"), *left))
        .collect();
    let composed = compose(edit.as_ref(), &bans, &[]);
    assert_eq!(composed.rules.ip_ban_duration, told, "{left:?} {own:?}");
    let moment = composed.refresh(&composed.rules, NOW);
    assert_eq!(moment, again.map(|seconds| NOW.plus_seconds(seconds)), "{left:?} {own:?}");
}

/// A ban that is made longer changes no list: compared with what would be told now, it was never told,
/// and applications let the address in when the time was over that they knew.
#[test]
fn a_ban_that_is_made_longer_is_told_before_applications_end_it() {
    let told = compose(None, &[ban("192.0.2.1", 60)], &[]).rules;
    assert_eq!(told.ip_ban_duration, 60);
    for (left, again) in [(50, None), (60, None), (61, Some(45)), (3000, Some(45))] {
        let composed = compose(None, &[ban("192.0.2.1", left)], &[]);
        assert!(composed.says_the_same(&told));
        assert_eq!(
            composed.refresh(&told, NOW),
            again.map(|seconds| NOW.plus_seconds(seconds)),
            "{left} s"
        );
    }
}

#[test]
fn time_that_passes_and_another_order_are_no_news() {
    let bans = [ban("192.0.2.1", 600), ban("192.0.2.2", 600)];
    let told = DynamicRules {
        rule_id: "ringwall-shop-1".into(),
        version: 7,
        timestamp: Some(NOW),
        ..compose(None, &bans, &[]).rules
    };
    let later = [ban("192.0.2.2", 500), ban("192.0.2.1", 500)];
    assert!(compose(None, &later, &[]).says_the_same(&told));
    assert!(!compose(None, &later[..1], &[]).says_the_same(&told));
    assert!(!compose(None, &later, &[ban("192.0.2.3", -1)]).says_the_same(&told));
    let emergency = edited(r#"{"emergency_mode":true}"#);
    assert!(!compose(Some(&emergency), &later, &[]).says_the_same(&told));
}

/// Flaw 15: a smaller version of the same rules is never taken, so a version is never given twice: not
/// after an edit is restored, and not after the whole server is restored from a backup.
#[test]
fn flaw_15_versions_grow_also_over_a_backup() {
    assert_eq!(next_version(None, NOW, NOW), 1);
    assert_eq!(next_version(Some(1), NOW, NOW), 2);
    assert_eq!(next_version(Some(9), NOW, NOW.plus_seconds(3)), 10, "faster than the clock");
    // The backup knows version 5; until it was restored an hour later, more were given.
    let given = next_version(Some(40), NOW, NOW.plus_seconds(3500));
    assert!(next_version(Some(5), NOW, NOW.plus_seconds(3600)) > given);
    assert_eq!(next_version(Some(5), NOW, NOW.plus_seconds(-100)), 6, "a clock that was set back");
}

#[test]
fn one_address_has_one_spelling() {
    let mut list: Vec<Box<str>> =
        ["2001:DB8::0001", "::ffff:192.0.2.1", "2001:db8::1", "192.0.2.1"].map(Into::into).into();
    one_spelling(&mut list);
    assert_eq!(texts(&list), ["2001:db8::1", "192.0.2.1"]);
}

proptest! {
    /// Whatever is banned and unbanned, nobody is on both lists, each stands once, and everybody who is
    /// banned is told of.
    #[test]
    fn nobody_is_banned_and_unbanned_at_once(
        own in prop::collection::vec(0_u8..20, 0..6),
        allowed in prop::collection::vec(0_u8..20, 0..6),
        held in prop::collection::vec(0_u8..20, 0..12),
        ended in prop::collection::vec(0_u8..20, 0..12),
    ) {
        let text = |number: &u8| format!("192.0.2.{number}").into_boxed_str();
        let edited = DynamicRules {
            ip_blacklist: own.iter().map(text).collect(),
            ip_whitelist: allowed.iter().map(text).collect(),
            ..DynamicRules::default()
        };
        let bans: Vec<_> = held.iter().map(|number| ban(&text(number), 60)).collect();
        let ended: Vec<_> = ended.iter().map(|number| ban(&text(number), -60)).collect();
        let composed = compose(Some(&edited), &bans, &ended);
        let banned: BTreeSet<_> = composed.rules.ip_blacklist.iter().collect();
        let unbanned: BTreeSet<_> = composed.rules.ip_whitelist.iter().collect();
        prop_assert!(banned.is_disjoint(&unbanned));
        for number in own.iter().chain(&held) {
            prop_assert!(banned.contains(&text(number)));
        }
        for former in &ended {
            let address = former.address.to_string().into_boxed_str();
            prop_assert!(banned.contains(&address) || unbanned.contains(&address));
        }
    }
}
