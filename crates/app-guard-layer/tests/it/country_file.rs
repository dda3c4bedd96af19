//! Writes the smallest country database that a reader takes: MaxMind's format, version 2.

use std::net::IpAddr;

/// A database of these networks and their countries.
pub(crate) fn country_file(networks: &[(&str, &str)]) -> Vec<u8> {
    let mut tree = vec![[Record::Nothing; 2]];
    let mut data = Vec::new();
    for (network, country) in networks {
        let offset = data.len();
        map(&mut data, 1);
        text(&mut data, "country");
        map(&mut data, 1);
        text(&mut data, "iso_code");
        text(&mut data, country);
        insert(&mut tree, network, offset);
    }
    let mut file = Vec::new();
    for record in tree.iter().flatten() {
        let value = match record {
            Record::Nothing => tree.len(),
            Record::Node(number) => *number,
            Record::Data(offset) => tree.len() + 16 + offset,
        };
        file.extend_from_slice(&u32::try_from(value).unwrap().to_be_bytes()[1..]);
    }
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(&data);
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    metadata(&mut file, tree.len());
    file
}

#[derive(Clone, Copy)]
enum Record {
    Nothing,
    Node(usize),
    Data(usize),
}

/// All networks lie in an IPv6 tree, IPv4 ones below `::/96`.
fn insert(tree: &mut Vec<[Record; 2]>, network: &str, offset: usize) {
    let (address, bits) = network.split_once('/').unwrap();
    let bits: usize = bits.parse().unwrap();
    let (number, bits) = match address.parse().unwrap() {
        IpAddr::V4(address) => (u128::from(address.to_bits()), bits + 96),
        IpAddr::V6(address) => (address.to_bits(), bits),
    };
    let mut node = 0;
    for place in 0..bits {
        let side = usize::from(number >> (127 - place) & 1 == 1);
        if place + 1 == bits {
            tree[node][side] = Record::Data(offset);
            return;
        }
        node = match tree[node][side] {
            Record::Node(next) => next,
            _ => {
                tree.push([Record::Nothing; 2]);
                let next = tree.len() - 1;
                tree[node][side] = Record::Node(next);
                next
            }
        };
    }
}

fn metadata(file: &mut Vec<u8>, nodes: usize) {
    map(file, 9);
    text(file, "node_count");
    file.push(6 << 5 | 4);
    file.extend_from_slice(&u32::try_from(nodes).unwrap().to_be_bytes());
    for (name, value) in [
        ("record_size", 24_u16),
        ("ip_version", 6),
        ("binary_format_major_version", 2),
        ("binary_format_minor_version", 0),
    ] {
        text(file, name);
        file.push(5 << 5 | 2);
        file.extend_from_slice(&value.to_be_bytes());
    }
    text(file, "database_type");
    text(file, "Test-Country");
    text(file, "languages");
    // An array is type 11: the second byte says by how much it is more than 7.
    file.extend_from_slice(&[0, 4]);
    text(file, "build_epoch");
    file.extend_from_slice(&[8, 2]);
    file.extend_from_slice(&1_700_000_000_u64.to_be_bytes());
    text(file, "description");
    map(file, 0);
}

fn map(file: &mut Vec<u8>, entries: u8) {
    file.push(7 << 5 | entries);
}

fn text(file: &mut Vec<u8>, text: &str) {
    file.push(2 << 5 | u8::try_from(text.len()).unwrap());
    file.extend_from_slice(text.as_bytes());
}
