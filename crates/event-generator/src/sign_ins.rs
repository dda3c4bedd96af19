//! Who signs in, and who tries to.

use crate::hosts::Role;
use crate::random::Random;
use crate::text::{PEOPLE, Peer};
use ringwall_event::SignIn;

/// What those who guess try first.
const GUESSED: [&str; 20] = [
    "root",
    "admin",
    "ubuntu",
    "test",
    "user",
    "postgres",
    "oracle",
    "git",
    "ftpuser",
    "debian",
    "deploy",
    "mysql",
    "pi",
    "guest",
    "hadoop",
    "es",
    "minecraft",
    "steam",
    "jenkins",
    "nagios",
];

/// A guess, as an address makes many.
pub(crate) fn guess(
    client: Peer,
    pid: u32,
    seed: u64,
    random: &mut Random,
    buffer: &mut String,
) -> SignIn {
    let user = random.pick_zipf(&GUESSED);
    let detail = if user == "root" || user == "postgres" || user == "git" {
        "failed password"
    } else {
        "failed password for invalid user"
    };
    SignIn {
        user: user.into(),
        success: false,
        service: Some("sshd".into()),
        protocol: Some("password".into()),
        client_address: Some(client.text(buffer, seed)),
        client_port: Some(1024 + random.below(64_000) as u16),
        pid: Some(pid.into()),
        detail: Some(detail.into()),
    }
}

/// What people do: they come by ssh, become root for a moment, sign in to the shop's back office, or
/// type the wrong password.
pub(crate) fn usual(
    role: Role,
    person: &'static str,
    client: Peer,
    pid: u32,
    seed: u64,
    random: &mut Random,
    buffer: &mut String,
) -> SignIn {
    let success = !random.chance(40);
    let by_ssh = match role {
        Role::Bastion => 800,
        Role::Workstation => 50,
        Role::Web | Role::Database | Role::Build => 500,
    };
    if random.chance(by_ssh) {
        let protocol = if success && !random.chance(50) { "publickey" } else { "password" };
        return SignIn {
            user: person.into(),
            success,
            service: Some("sshd".into()),
            protocol: Some(protocol.into()),
            client_address: Some(client.text(buffer, seed)),
            client_port: Some(1024 + random.below(64_000) as u16),
            pid: Some(pid.into()),
            detail: (!success).then(|| "failed password".into()),
        };
    }
    if role == Role::Web && random.chance(500) {
        return SignIn {
            user: random.pick_zipf(&PEOPLE).into(),
            success,
            service: Some("shop-admin".into()),
            protocol: Some(if random.chance(700) { "oidc" } else { "password" }.into()),
            client_address: Some(client.text(buffer, seed)),
            client_port: None,
            pid: None,
            detail: (!success).then(|| "wrong password".into()),
        };
    }
    let service = match role {
        Role::Workstation if random.chance(600) => "gdm-password",
        _ => "sudo",
    };
    SignIn {
        user: person.into(),
        success,
        service: Some(service.into()),
        protocol: Some("password".into()),
        client_address: None,
        client_port: None,
        pid: Some(pid.into()),
        detail: (!success).then(|| "authentication failure".into()),
    }
}
