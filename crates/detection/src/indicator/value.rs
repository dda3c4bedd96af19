use super::{AddressRange, IndicatorKind};
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

/// What is listed, in normal form: made by [`IndicatorValue::parse`] only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IndicatorValue(Parsed);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Parsed {
    Process(Box<str>),
    Path(Box<str>),
    Hash(Box<str>),
    Address(AddressRange),
    Domain(Box<str>),
}

/// Why a text is not an indicator of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IndicatorError {
    /// Nothing but blanks.
    #[error("the value is empty")]
    Empty,
    /// More bytes than any real value has.
    #[error("the value is longer than {0} bytes")]
    TooLong(usize),
    /// A character that does not print.
    #[error("the value holds a control character")]
    ControlCharacter,
    /// A process name with a folder in it.
    #[error("a process name has no folder: use the kind `path`")]
    NameWithFolder,
    /// A path that does not begin at the root.
    #[error("a path begins with `/`, or with a drive as in `C:\\`")]
    RelativePath,
    /// A path with `..` in it.
    #[error("a path holds no `..`")]
    ParentInPath,
    /// A path that every program is below.
    #[error("the root folder would match every program")]
    RootPath,
    /// Not 64 hexadecimal digits.
    #[error("a hash is a SHA-256: 64 hexadecimal digits")]
    NotSha256,
    /// Neither an address nor a network.
    #[error("not an IP address or a network as in `203.0.113.0/24`")]
    NotAnAddress,
    /// The network `0.0.0.0/0` or `::/0`.
    #[error("a network of all addresses would match every connection")]
    EveryAddress,
    /// Not a domain name.
    #[error("not a domain name as in `evil.example`; other alphabets as `xn--…`")]
    NotADomain,
    /// A name without a dot.
    #[error("a domain of one label would match too much")]
    OneLabel,
}

impl IndicatorValue {
    /// The longest process name in bytes.
    pub const NAME_BYTES_MAX: usize = 255;
    /// The longest path in bytes.
    pub const PATH_BYTES_MAX: usize = 4096;

    /// Reads a value of this kind into its normal form: names and domains in lower case, paths
    /// without doubled slashes, networks without host bits.
    ///
    /// # Errors
    /// Where it is not one, or would match everything.
    pub fn parse(kind: IndicatorKind, text: &str) -> Result<Self, IndicatorError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(IndicatorError::Empty);
        }
        if text.len() > Self::PATH_BYTES_MAX {
            return Err(IndicatorError::TooLong(Self::PATH_BYTES_MAX));
        }
        if text.chars().any(char::is_control) {
            return Err(IndicatorError::ControlCharacter);
        }
        Ok(Self(match kind {
            IndicatorKind::Process => Parsed::Process(name(text)?),
            IndicatorKind::Path => Parsed::Path(path(text)?),
            IndicatorKind::Hash => Parsed::Hash(sha256(text)?),
            IndicatorKind::Address => Parsed::Address(address(text)?),
            IndicatorKind::Domain => Parsed::Domain(domain(text)?),
        }))
    }

    /// What it is about.
    pub const fn kind(&self) -> IndicatorKind {
        match self.0 {
            Parsed::Process(_) => IndicatorKind::Process,
            Parsed::Path(_) => IndicatorKind::Path,
            Parsed::Hash(_) => IndicatorKind::Hash,
            Parsed::Address(_) => IndicatorKind::Address,
            Parsed::Domain(_) => IndicatorKind::Domain,
        }
    }

    pub(crate) const fn parsed(&self) -> &Parsed {
        &self.0
    }
}

impl fmt::Display for IndicatorValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Parsed::Process(text)
            | Parsed::Path(text)
            | Parsed::Hash(text)
            | Parsed::Domain(text) => f.pad(text),
            Parsed::Address(range) => fmt::Display::fmt(range, f),
        }
    }
}

fn name(text: &str) -> Result<Box<str>, IndicatorError> {
    if text.len() > IndicatorValue::NAME_BYTES_MAX {
        return Err(IndicatorError::TooLong(IndicatorValue::NAME_BYTES_MAX));
    }
    if text.contains(['/', '\\']) {
        return Err(IndicatorError::NameWithFolder);
    }
    Ok(text.to_lowercase().into())
}

fn path(text: &str) -> Result<Box<str>, IndicatorError> {
    if !text.starts_with('/') && !has_drive(text) {
        return Err(IndicatorError::RelativePath);
    }
    let normal = normal_path(text);
    if normal.split('/').any(|part| part == "..") {
        return Err(IndicatorError::ParentInPath);
    }
    if normal.is_empty() || (has_drive(text) && !normal.contains('/')) {
        return Err(IndicatorError::RootPath);
    }
    Ok(normal.into_owned().into())
}

/// The path without doubled and trailing slashes and `.` parts; one with a drive in lower case
/// with forward slashes, as Windows does not tell these apart. `/` becomes the empty text.
pub(crate) fn normal_path(text: &str) -> Cow<'_, str> {
    if has_drive(text) {
        let mut lower = text.to_lowercase().replace('\\', "/");
        if let Cow::Owned(normal) = without_empty_parts(&lower) {
            lower = normal;
        }
        Cow::Owned(lower)
    } else {
        without_empty_parts(text)
    }
}

fn without_empty_parts(text: &str) -> Cow<'_, str> {
    let dull = |part: &str| part.is_empty() || part == ".";
    if !text.split('/').skip(1).any(dull) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for (position, part) in text.split('/').enumerate() {
        if position == 0 {
            out.push_str(part);
        } else if !dull(part) {
            out.push('/');
            out.push_str(part);
        }
    }
    Cow::Owned(out)
}

fn has_drive(text: &str) -> bool {
    matches!(text.as_bytes(), [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic())
}

fn sha256(text: &str) -> Result<Box<str>, IndicatorError> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(IndicatorError::NotSha256);
    }
    Ok(text.to_ascii_lowercase().into())
}

fn address(text: &str) -> Result<AddressRange, IndicatorError> {
    let range = match text.split_once('/') {
        None => text.parse::<IpAddr>().ok().map(AddressRange::single),
        Some((address, prefix)) => {
            let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
            address
                .parse::<IpAddr>()
                .ok()
                .zip(prefix.parse::<u8>().ok().filter(|_| digits))
                .and_then(|(address, prefix)| AddressRange::new(address, prefix))
        }
    };
    match range {
        Some(range) if range.prefix() == 0 => Err(IndicatorError::EveryAddress),
        Some(range) => Ok(range),
        None => Err(IndicatorError::NotAnAddress),
    }
}

/// The address that a sender wrote; a zone (`fe80::1%eth0`) is left out, brackets too.
pub(crate) fn address_of_text(text: &str) -> Option<IpAddr> {
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let text = text.split_once('%').map_or(text, |(address, _)| address);
    text.parse().ok()
}

fn domain(text: &str) -> Result<Box<str>, IndicatorError> {
    let text = text.strip_prefix("*.").unwrap_or(text);
    let text = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if text.len() > 253 || !text.split('.').all(label) || text.parse::<IpAddr>().is_ok() {
        return Err(IndicatorError::NotADomain);
    }
    if !text.contains('.') {
        return Err(IndicatorError::OneLabel);
    }
    Ok(text.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use IndicatorKind::{Address, Domain, Hash, Path, Process};

    #[test]
    fn process_names() {
        check(Process, " Evil.SH ", Ok("evil.sh"));
        check(Process, "my tool", Ok("my tool"));
        check(Process, "", Err(IndicatorError::Empty));
        check(Process, " \t", Err(IndicatorError::Empty));
        check(Process, "/tmp/evil.sh", Err(IndicatorError::NameWithFolder));
        check(Process, "a\u{1b}[31m", Err(IndicatorError::ControlCharacter));
        check(Process, &"x".repeat(256), Err(IndicatorError::TooLong(255)));
        check(Process, &"x".repeat(5000), Err(IndicatorError::TooLong(4096)));
    }

    #[test]
    fn paths() {
        check(Path, "/usr/bin/nc", Ok("/usr/bin/nc"));
        check(Path, "//usr/./bin//nc/", Ok("/usr/bin/nc"));
        check(Path, r"C:\Temp\Evil.EXE", Ok("c:/temp/evil.exe"));
        check(Path, "usr/bin/nc", Err(IndicatorError::RelativePath));
        check(Path, "/tmp/../etc", Err(IndicatorError::ParentInPath));
        check(Path, "/", Err(IndicatorError::RootPath));
        check(Path, "//./", Err(IndicatorError::RootPath));
        check(Path, "c:\\", Err(IndicatorError::RootPath));
    }

    #[test]
    fn hashes() {
        check(Hash, &"AB".repeat(32), Ok(&"ab".repeat(32)));
        check(Hash, "d41d8cd98f00b204e9800998ecf8427e", Err(IndicatorError::NotSha256));
        check(Hash, &"zz".repeat(32), Err(IndicatorError::NotSha256));
    }

    #[test]
    fn addresses() {
        check(Address, "203.0.113.9", Ok("203.0.113.9"));
        check(Address, "203.0.113.9/32", Ok("203.0.113.9"));
        check(Address, "203.0.113.9/24", Ok("203.0.113.0/24"));
        check(Address, "2001:DB8::1/32", Ok("2001:db8::/32"));
        check(Address, "::ffff:203.0.113.9", Ok("203.0.113.9"));
        check(Address, "::ffff:203.0.113.9/120", Ok("203.0.113.0/24"));
        check(Address, "0.0.0.0/0", Err(IndicatorError::EveryAddress));
        check(Address, "::/0", Err(IndicatorError::EveryAddress));
        for text in ["203.0.113.9/33", "203.0.113", "203.0.113.9/+8", "::1/129", "x", "1.2.3.4:5"] {
            check(Address, text, Err(IndicatorError::NotAnAddress));
        }
    }

    #[test]
    fn domains() {
        check(Domain, "Evil.Example.", Ok("evil.example"));
        check(Domain, "*.evil.example", Ok("evil.example"));
        check(Domain, "_dmarc.xn--bcher-kva.example", Ok("_dmarc.xn--bcher-kva.example"));
        check(Domain, "com", Err(IndicatorError::OneLabel));
        for text in ["bücher.example", "a..b", "-a.b", "a b.c", "203.0.113.9", "http://a.b/"] {
            check(Domain, text, Err(IndicatorError::NotADomain));
        }
    }

    #[track_caller]
    fn check(kind: IndicatorKind, text: &str, expected: Result<&str, IndicatorError>) {
        let found = IndicatorValue::parse(kind, text).map(|value| value.to_string());
        assert_eq!(found, expected.map(str::to_owned), "{kind} {text:?}");
    }

    proptest::proptest! {
        #[test]
        fn the_normal_form_is_its_own_normal_form(kind in 0usize..5, text in ".{0,40}") {
            let kind = IndicatorKind::ALL[kind];
            if let Ok(value) = IndicatorValue::parse(kind, &text) {
                proptest::prop_assert_eq!(IndicatorValue::parse(kind, &value.to_string()), Ok(value));
            }
        }
    }
}
