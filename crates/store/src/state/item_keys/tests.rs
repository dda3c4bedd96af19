use super::*;
use crate::Database;

#[test]
fn keys_are_bounded_in_number_and_in_time() {
    let folder = std::env::temp_dir().join(format!("ringwall-item-keys-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let database = Database::open(&folder.join("ringwall.db")).unwrap();
    let key = |number: u8| [number; 16];
    let at = |second: i64| Timestamp::from_millis(1_700_000_000_000).plus_seconds(second);
    database
        .write_now(|session| {
            for number in 0..10 {
                let event = EventId::from_u128(u128::from(number) + 1);
                session.put_item_key(&key(number), event, at(i64::from(number)))?;
            }
            Ok(())
        })
        .unwrap();
    let there = || -> Vec<u8> {
        (0..10)
            .filter(|number| {
                database.read(|session| session.item_key(&key(*number))).unwrap().is_some()
            })
            .collect()
    };
    let forget = |before: i64, kept: u64, limit: usize| {
        database.write_now(|session| session.forget_item_keys(at(before), kept, limit)).unwrap()
    };
    assert_eq!(
        database.read(|session| session.item_key(&key(3))).unwrap(),
        Some(EventId::from_u128(4))
    );
    assert_eq!(forget(0, 100, 100), 0);
    assert_eq!(forget(3, 100, 2), 2, "as many as asked for, the oldest first");
    assert_eq!(there(), [2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(forget(3, 100, 100), 1);
    assert_eq!(forget(0, 4, 100), 3);
    assert_eq!(there(), [6, 7, 8, 9]);
    let again = database
        .write_now(|session| session.put_item_key(&key(7), EventId::default(), at(11)))
        .unwrap_err();
    assert!(again.to_string().to_lowercase().contains("unique"), "{again}");
    drop(database);
    std::fs::remove_dir_all(&folder).unwrap();
}
