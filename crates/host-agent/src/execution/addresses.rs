use super::{Failure, unfinished};
use crate::kill::Place;
use http::Uri;
use ringwall_event::{BlockTarget, Network, UnblockTarget};
use ringwall_host_probes::firewall::{Firewall, Unblocked};
use ringwall_lifecycle::local_addresses;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The name of the server is looked up for no longer than this.
const LOOK_UP: Duration = Duration::from_secs(5);

pub(super) async fn block(
    firewall: &Arc<Firewall>,
    server_url: &str,
    target: &BlockTarget,
    place: Place,
) -> Result<String, Failure> {
    let BlockTarget { address, seconds } = *target;
    must_not_be_needed(address, server_url).await?;
    let firewall = Arc::clone(firewall);
    match place.run(move |_, _| firewall.block(address, seconds)).await {
        Some(Ok(())) => Ok(format!("{address} is blocked for {seconds} s")),
        Some(Err(error)) => Err(error.to_string()),
        None => Err(unfinished()),
    }
}

pub(super) async fn unblock(
    firewall: &Arc<Firewall>,
    target: &UnblockTarget,
    place: Place,
) -> Result<String, Failure> {
    let (firewall, address) = (Arc::clone(firewall), target.address);
    match place.run(move |_, _| firewall.unblock(address)).await {
        Some(Ok(Unblocked::Ended)) => Ok(format!("{address} is not blocked any more")),
        Some(Ok(_)) => Ok(format!("{address} was not blocked")),
        Some(Err(error)) => Err(error.to_string()),
        None => Err(unfinished()),
    }
}

/// What only the host knows: which addresses it has itself, and where it reaches its server. A host that
/// cannot hear its server any more cannot be told to end the block.
async fn must_not_be_needed(network: Network, server_url: &str) -> Result<(), Failure> {
    if let Some(own) = local_addresses().into_iter().find(|own| network.contains(*own)) {
        return Err(format!("{network} is never blocked: {own} is an address of this host"));
    }
    let server = server_addresses(server_url).await?;
    if let Some(server) = server.into_iter().find(|server| network.contains(*server)) {
        return Err(format!("{network} is never blocked: {server} is the server of this agent"));
    }
    Ok(())
}

async fn server_addresses(url: &str) -> Result<Vec<IpAddr>, Failure> {
    let unknown = || format!("where the server is cannot be told: {url}");
    let uri: Uri = url.parse().map_err(|_| unknown())?;
    let host = uri.host().ok_or_else(unknown)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let found = tokio::time::timeout(LOOK_UP, tokio::net::lookup_host((host, 0))).await;
    match found {
        Ok(Ok(addresses)) => Ok(addresses.map(|address| address.ip()).collect()),
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_host_needs_is_not_blocked() {
        check("127.0.0.1", "http://198.51.100.7:7400", Some("an address of this host")).await;
        check("198.51.100.7", "http://198.51.100.7:7400", Some("the server of this agent")).await;
        check("198.51.100.0/24", "http://198.51.100.7:7400", Some("the server of this agent"))
            .await;
        check("2001:db8::/48", "http://[2001:db8::7]:7400", Some("the server of this agent")).await;
        check("203.0.113.9", "http://198.51.100.7:7400", None).await;
        check("203.0.113.9", "http://localhost:7400", None).await;
        check("203.0.113.9", "http://no-such-host.invalid:7400", Some("cannot be told")).await;
    }

    async fn check(network: &str, server: &str, expected: Option<&str>) {
        let found = must_not_be_needed(network.parse().unwrap(), server).await;
        match (found, expected) {
            (Ok(()), None) => {}
            (Err(why), Some(expected)) => assert!(why.contains(expected), "{why}"),
            (found, _) => panic!("{network} with {server}: {found:?}"),
        }
    }
}
