//! Real packets and the real packet filter, in a network namespace of their own.

use ringwall_event::Network;
use ringwall_host_probes::firewall::{Firewall, FirewallError, Unblocked};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

/// Starts the test below in a fresh network namespace: as root, or as root of a user namespace.
#[test]
fn who_is_blocked_cannot_be_talked_to() {
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(arguments);
        command
    };
    let works = |arguments: &[&str]| {
        let output = unshare(arguments).args(["ip", "link", "set", "lo", "up"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let Some(arguments) = [&["-n"][..], &["-rn"]].into_iter().find(|arguments| works(arguments))
    else {
        eprintln!("skipped: no network namespace can be made here");
        return;
    };
    if matches!(Firewall::of_this_host().check(), Err(FirewallError::NoProgram)) {
        eprintln!("skipped: nft is not installed");
        return;
    }
    let mut inside = unshare(arguments);
    inside.arg(std::env::current_exe().unwrap());
    let output =
        inside.args(["--ignored", "--exact", INSIDE, "--test-threads=1", "--nocapture"]).output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{complaint}");
}

const INSIDE: &str = "blocking::inside_a_network_namespace";

/// The other end: an address that only this namespace has.
const PEER: &str = "192.0.2.7";
const NEIGHBOUR: &str = "192.0.2.8";
const PEER_V6: &str = "2001:db8::7";

#[test]
#[ignore = "started by the test above, inside the namespace"]
fn inside_a_network_namespace() {
    let ip = |arguments: &str| {
        let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
        assert!(status.success(), "ip {arguments}");
    };
    ip("link set lo up");
    for address in [PEER, NEIGHBOUR] {
        ip(&format!("addr add {address}/32 dev lo"));
    }
    ip(&format!("-6 addr add {PEER_V6}/128 dev lo nodad"));
    let firewall = Firewall::of_this_host();
    let network = |text: &str| text.parse::<Network>().unwrap();
    for peer in [PEER, PEER_V6, NEIGHBOUR] {
        assert!(can_talk(peer), "{peer} before");
    }
    assert_eq!(firewall.unblock(network(PEER)).unwrap(), Unblocked::NotBlocked);

    let mut established = Talk::with(PEER);
    assert!(established.goes_on());
    firewall.block(network(PEER), 600).unwrap();
    assert!(!can_talk(PEER) && can_talk(NEIGHBOUR) && can_talk(PEER_V6));
    assert!(!established.goes_on(), "what is under way is cut as well");
    assert!(!datagram_arrives(PEER));
    firewall.block(network(PEER_V6), 600).unwrap();
    assert!(!can_talk(PEER_V6));

    assert_eq!(firewall.unblock(network(PEER)).unwrap(), Unblocked::Ended);
    assert_eq!(firewall.unblock(network(PEER)).unwrap(), Unblocked::NotBlocked);
    assert!(can_talk(PEER) && !can_talk(PEER_V6));

    // A network, with an address of it beside it; the overlap of two networks is told.
    firewall.block(network("192.0.2.0/24"), 600).unwrap();
    firewall.block(network(PEER), 600).unwrap();
    assert!(!can_talk(PEER) && !can_talk(NEIGHBOUR));
    let overlap = firewall.block(network("192.0.2.0/25"), 600);
    assert!(matches!(overlap, Err(FirewallError::Overlap(_))), "{overlap:?}");
    firewall.unblock(network("192.0.2.0/24")).unwrap();
    assert!(!can_talk(PEER) && can_talk(NEIGHBOUR));

    // The second block of the same replaces the time of the first one, and the kernel ends it.
    firewall.block(network(PEER), 1).unwrap();
    assert!(!can_talk(PEER));
    std::thread::sleep(Duration::from_millis(1500));
    assert!(can_talk(PEER) && !firewall.is_blocked(network(PEER)).unwrap());

    // The rules of others stay as they are.
    let nft = |arguments: &str| {
        let output = Command::new("nft").args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "nft {arguments}");
        String::from_utf8(output.stdout).unwrap()
    };
    nft("add table inet others");
    firewall.block(network(NEIGHBOUR), 600).unwrap();
    assert_eq!(firewall.unblock_all().unwrap(), Unblocked::Ended);
    assert_eq!(firewall.unblock_all().unwrap(), Unblocked::NotBlocked);
    assert!(can_talk(NEIGHBOUR) && can_talk(PEER_V6));
    assert_eq!(nft("list tables").trim(), "table inet others");
}

const PATIENCE: Duration = Duration::from_millis(300);

/// A connection from the namespace's loopback address to the peer, with both ends.
struct Talk {
    near: TcpStream,
    far: TcpStream,
}

impl Talk {
    fn with(peer: &str) -> Self {
        let peer: IpAddr = peer.parse().unwrap();
        let listener = TcpListener::bind((peer, 0)).unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        far.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { near, far }
    }

    fn goes_on(&mut self) -> bool {
        let sent = self.near.write_all(b"x").is_ok();
        sent && self.far.read_exact(&mut [0]).is_ok()
    }
}

fn can_talk(peer: &str) -> bool {
    let peer: IpAddr = peer.parse().unwrap();
    let listener = TcpListener::bind((peer, 0)).unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    TcpStream::connect_timeout(&address, PATIENCE).is_ok()
}

fn datagram_arrives(peer: &str) -> bool {
    let peer: IpAddr = peer.parse().unwrap();
    let receiver = UdpSocket::bind((peer, 0)).unwrap();
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    let sender = UdpSocket::bind("0.0.0.0:0").unwrap();
    let sent = sender.send_to(b"x", receiver.local_addr().unwrap()).is_ok();
    sent && receiver.recv(&mut [0; 8]).is_ok()
}
