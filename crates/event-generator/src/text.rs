//! Texts in one buffer that is used again: an event keeps a copy of the length that it needs.

use crate::hosts::internal_address;
use crate::random::{Random, mix};

/// Adds a number in decimal digits.
pub(crate) fn push_number(out: &mut String, number: u64) {
    if number >= 10 {
        push_number(out, number / 10);
    }
    out.push(char::from(b'0' + (number % 10) as u8));
}

/// Adds the lowest digits of a number in hexadecimal.
pub(crate) fn push_hex(out: &mut String, number: u64, digits: u32) {
    for digit in (0..digits).rev() {
        let value = (number >> (digit * 4)) & 0xf;
        out.push(char::from_digit(value as u32, 16).unwrap_or('0'));
    }
}

/// An address on the other side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A host of ours.
    Host(u32),
    /// One of the outside, by its rank among them.
    Outside(u32),
    /// The one that is looked for.
    Needle,
}

/// The address that only needles have: of TEST-NET-3 (RFC 5737), where nobody else is.
pub(crate) const NEEDLE_ADDRESS: &str = "203.0.113.66";

/// The first bytes of addresses of the outside.
const NETWORKS: [u8; 48] = [
    3, 13, 18, 20, 23, 31, 34, 35, 40, 45, 46, 52, 54, 62, 66, 77, 80, 81, 82, 83, 85, 89, 91, 93,
    94, 95, 103, 104, 109, 118, 119, 121, 134, 138, 139, 142, 151, 157, 159, 162, 165, 167, 176,
    178, 185, 188, 194, 195,
];

impl Peer {
    pub(crate) fn push(self, out: &mut String, seed: u64) {
        match self {
            Self::Host(number) => push_ipv4(out, internal_address(number)),
            Self::Outside(rank) => push_outside(out, mix(seed ^ u64::from(rank) << 8)),
            Self::Needle => out.push_str(NEEDLE_ADDRESS),
        }
    }

    pub(crate) fn text(self, buffer: &mut String, seed: u64) -> Box<str> {
        buffer.clear();
        self.push(buffer, seed);
        buffer.as_str().into()
    }
}

pub(crate) fn push_ipv4(out: &mut String, address: u32) {
    for (at, byte) in address.to_be_bytes().into_iter().enumerate() {
        if at > 0 {
            out.push('.');
        }
        push_number(out, byte.into());
    }
}

fn push_outside(out: &mut String, drawn: u64) {
    if drawn.is_multiple_of(16) {
        out.push_str("2a0");
        push_hex(out, drawn >> 4, 1);
        for group in 1..4 {
            out.push(':');
            push_hex(out, (drawn >> (group * 14)) & 0xfff | 0x1000, 4);
        }
        out.push_str("::");
        push_hex(out, drawn >> 60 | 1, 1);
        return;
    }
    let network = NETWORKS.get((drawn >> 32) as usize % NETWORKS.len()).copied().unwrap_or(3);
    push_ipv4(out, (drawn as u32 & 0x00ff_ffff) | u32::from(network) << 24);
}

/// SHA-256 of a file that does not exist, in hexadecimal: as good as random, the same for the same
/// program and version.
pub(crate) fn digest(program: u64, version: u64) -> Box<str> {
    let mut random = Random::of(&[0x7368_6132_3536, program, version]);
    let mut bytes = [0u8; 64];
    for eight in bytes.chunks_exact_mut(16) {
        let drawn = random.next();
        for (at, byte) in eight.iter_mut().enumerate() {
            let digit = (drawn >> (at * 4)) as u8 & 0xf;
            *byte = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        }
    }
    String::from_utf8_lossy(&bytes).into()
}

/// A text with places to fill, taken apart beforehand.
#[derive(Clone, Debug)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Clone, Copy, Debug)]
enum Piece {
    Text(&'static str),
    /// `{n}`: a number, small ones often.
    Small,
    /// `{id}`: one of a hundred thousand numbers, small ones often.
    Id,
    /// `{hex}`: eight digits that hardly ever come again.
    Hex,
    /// `{rev}`: seven digits of one of a few thousand revisions.
    Revision,
    /// `{user}`: somebody.
    User,
    /// `{host}`: an address of ours.
    Host,
    /// `{out}`: an address of the outside.
    Outside,
    /// `{word}`: a word as files are named.
    Word,
    /// `{dir}`: a folder.
    Folder,
    /// `{day}`: a day of the month.
    Day,
}

pub(crate) const PEOPLE: [&str; 24] = [
    "ada",
    "grace",
    "linus",
    "margaret",
    "dennis",
    "barbara",
    "ken",
    "radia",
    "edsger",
    "frances",
    "alan",
    "hedy",
    "donald",
    "katherine",
    "john",
    "joan",
    "tony",
    "sophie",
    "leslie",
    "annie",
    "bjarne",
    "karen",
    "niklaus",
    "evelyn",
];

const WORDS: [&str; 64] = [
    "main", "config", "index", "server", "client", "users", "orders", "report", "invoice", "cache",
    "session", "parser", "router", "schema", "worker", "queue", "events", "metrics", "search",
    "billing", "catalog", "export", "import", "upload", "login", "profile", "image", "thumb",
    "backup", "archive", "notes", "readme", "test", "utils", "crypto", "network", "socket",
    "buffer", "stream", "format", "render", "layout", "theme", "button", "form", "table", "model",
    "view", "store", "reducer", "lexer", "token", "syntax", "graph", "matrix", "vector", "tensor",
    "kernel", "driver", "sched", "timer", "signal", "pipe", "mutex",
];

const FOLDERS: [&str; 16] = [
    "/var/www/shop",
    "/srv/app/current",
    "/home/deploy/releases",
    "/var/lib/app",
    "/opt/tools",
    "/srv/data",
    "/home/ada/src/shop",
    "/var/log",
    "/tmp/work",
    "/home/grace/ringwall",
    "/etc/nginx",
    "/srv/git",
    "/var/backups",
    "/usr/share/app",
    "/home/linus/linux",
    "/var/spool/jobs",
];

impl Template {
    pub(crate) fn new(text: &'static str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                pieces.push(Piece::Text(before));
            }
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            pieces.push(Piece::named(name));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest));
        }
        Self(pieces)
    }

    pub(crate) fn push(&self, out: &mut String, random: &mut Random, filling: &Filling<'_>) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Small => push_number(out, random.zipf(8).into()),
                Piece::Id => push_number(out, 1000 + u64::from(random.zipf(17))),
                Piece::Hex => push_hex(out, random.next(), 8),
                Piece::Revision => push_hex(out, mix(random.zipf(12).into()), 7),
                Piece::User => out.push_str(filling.user),
                Piece::Host => {
                    let host = random.below(filling.hosts.into()) as u32;
                    Peer::Host(host).push(out, filling.seed);
                }
                Piece::Outside => Peer::Outside(random.zipf(15)).push(out, filling.seed),
                Piece::Word => out.push_str(random.pick_zipf(&WORDS)),
                Piece::Folder => out.push_str(random.pick_zipf(&FOLDERS)),
                Piece::Day => push_number(out, filling.day),
            }
        }
    }
}

impl Piece {
    fn named(name: &'static str) -> Self {
        match name {
            "n" => Self::Small,
            "id" => Self::Id,
            "hex" => Self::Hex,
            "rev" => Self::Revision,
            "user" => Self::User,
            "host" => Self::Host,
            "out" => Self::Outside,
            "word" => Self::Word,
            "dir" => Self::Folder,
            "day" => Self::Day,
            // The tests look through all texts for such.
            unknown => Self::Text(unknown),
        }
    }

    #[cfg(test)]
    const fn is_text(self) -> bool {
        matches!(self, Self::Text(_))
    }
}

/// What the places of a template are filled with.
pub(crate) struct Filling<'w> {
    pub(crate) seed: u64,
    pub(crate) hosts: u32,
    pub(crate) user: &'w str,
    pub(crate) day: u64,
}

#[cfg(test)]
pub(crate) fn check_template(text: &'static str) {
    let places = text.matches('{').count();
    let pieces = Template::new(text).0;
    let known = pieces.iter().filter(|piece| !piece.is_text()).count();
    assert_eq!(known, places, "a place of `{text}` is not known");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_look_like_sha_256() {
        let one = digest(1, 1);
        assert_eq!(one.len(), 64);
        assert!(one.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{one}");
        assert_eq!(one, digest(1, 1));
        assert_ne!(one, digest(1, 2));
        assert_ne!(one, digest(2, 1));
    }

    #[test]
    fn addresses_can_be_parsed() {
        let mut buffer = String::new();
        for rank in 0..5000 {
            let text = Peer::Outside(rank).text(&mut buffer, 7);
            let address: std::net::IpAddr = text.parse().unwrap_or_else(|_| panic!("{text}"));
            assert!(!address.is_loopback() && *text != *NEEDLE_ADDRESS, "{text}");
        }
        assert_eq!(&*Peer::Host(0).text(&mut buffer, 7), "10.20.0.10");
        assert_eq!(&*Peer::Host(201).text(&mut buffer, 7), "10.20.1.11");
    }

    #[test]
    fn places_are_filled() {
        let filling = Filling { seed: 1, hosts: 3, user: "ada", day: 9 };
        let mut out = String::new();
        let template = Template::new("su {user} -c 'ls /{day}'{n}");
        template.push(&mut out, &mut Random::of(&[1]), &filling);
        assert!(out.starts_with("su ada -c 'ls /9'"), "{out}");
        assert!(out.len() > "su ada -c 'ls /9'".len(), "{out}");
    }
}
