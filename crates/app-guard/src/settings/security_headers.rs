use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Longest value of a header that may be set.
const VALUE_BYTES_MAX: usize = 8_192;

/// Which headers every answer carries, refusals and redirects included.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecurityHeaderSettings {
    /// Whether any are set.
    pub enabled: bool,
    /// `Strict-Transport-Security`.
    pub hsts: Option<Hsts>,
    /// `Content-Security-Policy`.
    pub content_security_policy: Option<String>,
    /// `X-Frame-Options`.
    pub frame_options: String,
    /// `Referrer-Policy`.
    pub referrer_policy: String,
    /// `Permissions-Policy`.
    pub permissions_policy: String,
    /// Headers of the application's own, or other values for ours; an empty value takes one away.
    pub custom: BTreeMap<String, String>,
}

impl Default for SecurityHeaderSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            hsts: Some(Hsts::default()),
            content_security_policy: None,
            frame_options: "SAMEORIGIN".to_owned(),
            referrer_policy: "strict-origin-when-cross-origin".to_owned(),
            permissions_policy: "geolocation=(), microphone=(), camera=()".to_owned(),
            custom: BTreeMap::new(),
        }
    }
}

/// `Strict-Transport-Security`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hsts {
    /// Seconds.
    pub max_age: u64,
    /// Whether subdomains are meant, too.
    pub include_subdomains: bool,
    /// Whether browsers may ship it.
    pub preload: bool,
}

impl Default for Hsts {
    fn default() -> Self {
        Self { max_age: 31_536_000, include_subdomains: true, preload: false }
    }
}

/// Why a header is not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Not a name of a header.
    #[error("`{0}` is not a header name")]
    Name(String),
    /// A line break, another control character, or too long.
    #[error(
        "the value of `{0}` holds a control character or is longer than {VALUE_BYTES_MAX} bytes"
    )]
    Value(String),
    /// Browsers ship nothing shorter than a year, and nothing without subdomains.
    #[error("`hsts.preload` needs `max_age` of at least 31536000 and `include_subdomains`")]
    Preload,
}

/// The checked headers: pairs of a lower-case name and its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SecurityHeaders {
    pairs: Vec<(Cow<'static, str>, Box<str>)>,
}

impl SecurityHeaders {
    /// Checks the settings.
    ///
    /// # Errors
    /// See [`HeaderError`].
    pub fn new(settings: &SecurityHeaderSettings) -> Result<Self, HeaderError> {
        if !settings.enabled {
            return Ok(Self::default());
        }
        let mut pairs: BTreeMap<Cow<'static, str>, Box<str>> = BTreeMap::new();
        for (name, value) in FIXED {
            pairs.insert(Cow::Borrowed(name), value.into());
        }
        pairs.insert("x-frame-options".into(), settings.frame_options.as_str().into());
        pairs.insert("referrer-policy".into(), settings.referrer_policy.as_str().into());
        pairs.insert("permissions-policy".into(), settings.permissions_policy.as_str().into());
        if let Some(hsts) = settings.hsts {
            pairs.insert("strict-transport-security".into(), hsts.value()?.into());
        }
        if let Some(policy) = &settings.content_security_policy {
            pairs.insert("content-security-policy".into(), policy.as_str().into());
        }
        for (name, value) in &settings.custom {
            pairs.insert(Cow::Owned(name.to_ascii_lowercase()), value.as_str().into());
        }
        pairs.retain(|_, value| !value.is_empty());
        for (name, value) in &pairs {
            check_header(name, value)?;
        }
        Ok(Self { pairs: pairs.into_iter().collect() })
    }

    /// Each header.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Whether there is one of this lower-case name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(own, _)| own == name)
    }
}

const FIXED: [(&str, &str); 7] = [
    ("x-content-type-options", "nosniff"),
    ("x-xss-protection", "1; mode=block"),
    ("x-permitted-cross-domain-policies", "none"),
    ("x-download-options", "noopen"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

impl Hsts {
    fn value(self) -> Result<String, HeaderError> {
        if self.preload && (self.max_age < 31_536_000 || !self.include_subdomains) {
            return Err(HeaderError::Preload);
        }
        let subdomains = if self.include_subdomains { "; includeSubDomains" } else { "" };
        let preload = if self.preload { "; preload" } else { "" };
        Ok(format!("max-age={}{subdomains}{preload}", self.max_age))
    }
}

/// Whether a header may be sent as it is.
pub(crate) fn check_header(name: &str, value: &str) -> Result<(), HeaderError> {
    let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(of_a_name) {
        return Err(HeaderError::Name(name.to_owned()));
    }
    let fine = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    if value.len() > VALUE_BYTES_MAX || !value.bytes().all(fine) {
        return Err(HeaderError::Value(name.to_owned()));
    }
    Ok(())
}
