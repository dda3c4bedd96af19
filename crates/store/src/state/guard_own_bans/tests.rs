use super::*;
use crate::Database;

const MOST: usize = 100;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn address(number: u32) -> Network {
    Network::single(std::net::Ipv4Addr::from(0xc000_0200 + number).into())
}

fn own(number: u32, began: i64, until: i64) -> OwnBan {
    OwnBan { address: address(number), began: at(began), until: at(until) }
}

#[test]
fn own_bans_last_as_long_as_any_of_them_and_stay_bounded() {
    let name = format!("ringwall-guard-own-bans-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let database = Database::open(&folder.join("ringwall.db")).unwrap();
    let put = |project: &'static str, bans: Vec<OwnBan>| {
        database.write_now(move |session| session.put_own_bans(project, &bans, MOST)).unwrap();
    };
    let found = |project: &'static str, number: u32| {
        database.read(move |session| session.own_ban(project, address(number))).unwrap()
    };

    put("shop", vec![own(1, 10, 100), own(1, 20, 50)]);
    assert_eq!(found("shop", 1), Some(own(1, 20, 100)));
    assert_eq!(found("blog", 1), None);

    // What tells of an end before the ban began is older news.
    let end = |ended: i64| {
        database.write_now(|session| session.end_own_ban("shop", address(1), at(ended))).unwrap();
    };
    end(19);
    assert_eq!(found("shop", 1), Some(own(1, 20, 100)));
    end(20);
    assert_eq!(found("shop", 1), None);

    // Whoever bans ever new addresses pushes out their own, those that end first.
    put("blog", vec![own(1, 0, 1)]);
    put("shop", (0..250).map(|number| own(number, 0, 1000 + i64::from(number / 2))).collect());
    put("shop", vec![own(7, 0, 5000)]);
    assert!(found("blog", 1).is_some());
    let kept: Vec<u32> = (0..250).filter(|number| found("shop", *number).is_some()).collect();
    assert_eq!(kept.len(), MOST, "{kept:?}");
    assert_eq!((kept[0], kept[1], kept[99]), (7, 151, 249));

    let forget = |before: i64, limit: usize| {
        database.write_now(|session| session.forget_own_bans(at(before), limit)).unwrap()
    };
    assert_eq!((forget(1100, 10), forget(1100, 100)), (10, 40));
    database.write_now(|session| session.remove_own_bans("shop")).unwrap();
    assert_eq!(found("shop", 249), None);
    drop(database);
    std::fs::remove_dir_all(&folder).unwrap();
}
