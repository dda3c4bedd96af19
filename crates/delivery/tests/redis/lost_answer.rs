//! Calls that were done and whose answer was lost.

use crate::model::{Ledger, run};
use crate::spool::Redis;
use ringwall_delivery::{BatchBounds, RedisSettings, RedisSpool, Settlement, Spool};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};

#[test]
fn what_was_done_is_not_done_again() {
    let Some(redis) = Redis::start() else { return };
    run(async {
        drop(redis.open(20_000).await.unwrap());
        redis.end_lease();
        let socket = redis.socket();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}/", listener.local_addr().unwrap());
        let lose = Arc::new(AtomicBool::new(false));
        let losing = lose.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_redis, mut to_redis) =
                    UnixStream::connect(&socket).await.unwrap().into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_redis).await });
                let losing = losing.clone();
                tokio::spawn(async move {
                    let mut buffer = vec![0; 65_536];
                    while let Ok(count @ 1..) = from_redis.read(&mut buffer).await {
                        if losing.swap(false, Ordering::Relaxed) {
                            break;
                        }
                        to_client.write_all(&buffer[..count]).await.unwrap();
                    }
                });
            }
        });
        let spool = RedisSpool::open(RedisSettings::new(url, "agent-1", 20_000)).await.unwrap();
        let lose = || lose.store(true, Ordering::Relaxed);
        let bounds = BatchBounds { count_max: 2, bytes_max: 1 << 20 };
        lose();
        let appended = spool.append(Ledger::default().items(&[(20, false); 5])).await.unwrap();
        assert_eq!((appended.kept, appended.dropped), (5, 0));
        lose();
        spool.count_lost(3).await.unwrap();
        lose();
        let batch = spool.next_batch(&bounds, b"").await.unwrap().unwrap();
        lose();
        spool.settle(batch.id, Settlement::Delivered).await.unwrap();
        let counters = spool.status().counters;
        assert_eq!((counters.accepted, counters.delivered), (8, 2), "{counters:?}");
        assert_eq!((counters.dropped, counters.waiting), (3, 3), "{counters:?}");
    });
}
