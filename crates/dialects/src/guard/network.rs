use std::net::IpAddr;

/// Why a text names no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Not an address.
    #[error("neither an IP address nor a network like `192.0.2.0/24`")]
    NotAnAddress,
    /// The number behind the slash.
    #[error("the prefix is a number from 0 to {0}")]
    BadPrefix(u8),
    /// Bits are set behind the prefix, so it is unclear what was meant.
    #[error("bits are set behind the prefix: did you mean `{0}`")]
    HostBits(String),
}

/// Reads an IP address or a network in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3): the address,
/// and how many bits of it count.
///
/// # Errors
/// Where it is neither, or has bits set behind the prefix.
pub fn parse_network(text: &str) -> Result<(IpAddr, u8), NetworkError> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| NetworkError::NotAnAddress)?;
    let width: u8 = if address.is_ipv4() { 32 } else { 128 };
    let Some(prefix) = prefix else { return Ok((address, width)) };
    let is_plain = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    let bits = prefix.parse().ok().filter(|bits| is_plain && *bits <= width);
    let bits = bits.ok_or(NetworkError::BadPrefix(width))?;
    let network = masked(address, bits);
    if network == address {
        Ok((network, bits))
    } else {
        Err(NetworkError::HostBits(format!("{network}/{bits}")))
    }
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_read() {
        check("192.0.2.7", Ok(("192.0.2.7", 32)));
        check("192.0.2.0/24", Ok(("192.0.2.0", 24)));
        check("0.0.0.0/0", Ok(("0.0.0.0", 0)));
        check("2001:db8::/32", Ok(("2001:db8::", 32)));
        check("::1", Ok(("::1", 128)));
        check("::/0", Ok(("::", 0)));
        check("192.0.2.7/24", Err(NetworkError::HostBits("192.0.2.0/24".into())));
        check("2001:db8::1/64", Err(NetworkError::HostBits("2001:db8::/64".into())));
        check("192.0.2.0/33", Err(NetworkError::BadPrefix(32)));
        check("192.0.2.0/+24", Err(NetworkError::BadPrefix(32)));
        check("192.0.2.0/", Err(NetworkError::BadPrefix(32)));
        check("192.0.2", Err(NetworkError::NotAnAddress));
        check("example.org", Err(NetworkError::NotAnAddress));
        check("", Err(NetworkError::NotAnAddress));
    }

    #[track_caller]
    fn check(text: &str, expected: Result<(&str, u8), NetworkError>) {
        let expected = expected.map(|(address, bits)| (address.parse().unwrap(), bits));
        assert_eq!(parse_network(text), expected, "{text}");
    }
}
