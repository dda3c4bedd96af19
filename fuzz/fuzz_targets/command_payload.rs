//! What a host agent reads of a command, and a server of an order: nothing in it leads elsewhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_event::{Network, Order};
use ringwall_server_api::{CommandPayload, CommandRequest};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(payload) = serde_json::from_slice::<CommandPayload>(bytes) {
        check(&payload.order);
        let again = serde_json::to_vec(&payload).unwrap();
        assert_eq!(serde_json::from_slice::<CommandPayload>(&again).unwrap(), payload);
    }
    if let Ok(request) = serde_json::from_slice::<CommandRequest>(bytes) {
        check(&request.order);
        let again = serde_json::to_vec(&request).unwrap();
        assert_eq!(serde_json::from_slice::<CommandRequest>(&again).unwrap(), request);
    }
});

fn check(order: &Order) {
    if let Some(path) = order.path() {
        let text = path.as_str();
        assert!(text.starts_with('/') && !text.contains('\0'));
        assert!(text.split('/').skip(1).all(|part| !matches!(part, "" | "." | "..")));
    }
    let network = |network: Network| {
        // It becomes part of what is written to `nft`.
        let text = network.to_string();
        assert!(text.bytes().all(|byte| byte.is_ascii_hexdigit() || b".:/".contains(&byte)));
        assert_eq!(text.parse::<Network>().unwrap(), network);
    };
    match order {
        Order::BlockAddress(target) => network(target.address),
        Order::UnblockAddress(target) => network(target.address),
        Order::RestoreFile(target) => {
            let id = target.quarantine_id.as_str();
            assert!(!id.is_empty() && !id.contains(['/', '.']));
        }
        _ => {}
    }
}
