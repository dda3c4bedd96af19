//! What is taken out of memory for another spool.

use ringwall_delivery::{BatchBounds, Item, MemorySpool, Settlement, Spool};

const BOUNDS: BatchBounds = BatchBounds { count_max: 2, bytes_max: 1 << 20 };

async fn filled() -> MemorySpool {
    let spool = MemorySpool::new(1 << 20).unwrap();
    let items = ["one", "two", "three", "four"].map(Item::new);
    spool.append(items.into()).await.unwrap();
    spool
}

fn payloads(items: &[Item]) -> Vec<&[u8]> {
    items.iter().map(|item| &item.payload[..]).collect()
}

#[tokio::test]
async fn what_a_batch_has_begun_with_is_not_taken_out() {
    let spool = filled().await;
    let batch = spool.next_batch(&BOUNDS, b"").await.unwrap().unwrap();
    let taken = spool.take_out(10, u64::MAX, 64).unwrap();
    assert_eq!(payloads(&taken.items()), [b"three".as_slice(), b"four"]);
    assert!(spool.take_out(10, u64::MAX, 64).is_none(), "nobody else takes them");
    assert_eq!(spool.status().counters.waiting, 4, "they are here until they are there");
    taken.moved();
    let counters = spool.status().counters;
    assert_eq!((counters.accepted, counters.waiting), (2, 2));
    assert!(spool.has_begun());
    spool.settle(batch.id, Settlement::Delivered).await.unwrap();
    assert!(!spool.has_begun());
    let status = spool.status();
    assert_eq!((status.counters.delivered, status.counters.waiting, status.bytes), (2, 0, 0));
}

#[tokio::test]
async fn what_is_not_moved_is_put_back_in_its_place() {
    let spool = filled().await;
    drop(spool.take_out(3, u64::MAX, 64).unwrap());
    let room = (3 + 64) + (3 + 64) + (5 + 63);
    assert_eq!(payloads(&spool.take_out(10, room, 64).unwrap().items()), [b"one", b"two"]);
    assert!(spool.take_out(10, 66, 64).is_none());
    let batch = spool.next_batch(&BOUNDS, b"").await.unwrap().unwrap();
    assert_eq!(batch.items, ["one", "two"]);
    spool.put_off();
    assert_eq!(spool.take_out(10, u64::MAX, 64).unwrap().items().len(), 4);
    spool.settle(batch.id, Settlement::Delivered).await.unwrap_err();
    assert_eq!(spool.status().counters.waiting, 4);
}
