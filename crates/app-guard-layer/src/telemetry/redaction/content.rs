//! Secrets that are known by their looks, wherever they stand.

use super::REDACTED;
use regex_automata::meta::Regex;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Finds secrets in free text, in time linear in its length.
#[derive(Debug)]
pub(super) struct Contents(Option<Regex>);

/// What follows a scheme of `Authorization` (RFC 9110 §11.4). Ordinary prose has no words like these:
/// a digit or a sign is among them, or they are long.
const SCHEME: &str = r"(?i)\b(?:bearer|basic|digest|negotiate|token)[ \t]+[a-z0-9._~+/=-]{8,}";

/// A JSON Web Token (RFC 7519): two or three parts in base64, the first an object.
const JWT: &str = r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)?";

/// A number that begins like that of a payment card and is as long, in groups or not; its check digit
/// decides.
const CARD: &str = r"\b[3-6](?:[ -]?[0-9]){13,18}\b";

/// A user and a password within an address (RFC 3986 §3.2.1).
const USER_INFO: &str = r"://[^/\s:@?#]*:[^/\s@?#]+@";

/// Keys that say themselves whose they are.
const KEYS: &str = r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}|rw[a-z]_[A-Za-z0-9_-]{16,})";

/// Private keys in PEM form.
const PEM: &str = r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*-----)?";

#[derive(Clone, Copy)]
enum Kind {
    Named,
    Scheme,
    Card,
    UserInfo,
    Whole,
}

const KINDS: [Kind; 7] =
    [Kind::Named, Kind::Scheme, Kind::Whole, Kind::Card, Kind::UserInfo, Kind::Whole, Kind::Whole];

impl Contents {
    /// `names` are those of fields whose values are secret in free text as well, as in `password=…`.
    pub(super) fn new(names: &BTreeSet<String>) -> Self {
        let named = named(names);
        let patterns = [named.as_str(), SCHEME, JWT, CARD, USER_INFO, KEYS, PEM];
        match Regex::new_many(&patterns) {
            Ok(regex) => Self(Some(regex)),
            Err(error) => {
                // Names are escaped and bounded, so this does not happen; if it does, nothing leaves.
                tracing::error!(%error, "the patterns of secrets cannot be compiled: all text is redacted");
                Self(None)
            }
        }
    }

    /// The text without the secrets in it.
    pub(super) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(regex) = &self.0 else { return Cow::Owned(REDACTED.to_owned()) };
        let mut out = String::new();
        let mut copied = 0;
        for found in regex.find_iter(text) {
            let matched = text.get(found.range()).unwrap_or_default();
            let kind = KINDS.get(found.pattern().as_usize()).copied().unwrap_or(Kind::Whole);
            let Some(clean) = replacement(kind, matched) else { continue };
            out.push_str(text.get(copied..found.start()).unwrap_or_default());
            out.push_str(&clean);
            copied = found.end();
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        Cow::Owned(out)
    }
}

/// A name, `=` or `:` (percent-encoded or not, the name in quotes or not), and what follows up to where
/// a value ends in a query, a cookie, JSON or a line of headers.
fn named(names: &BTreeSet<String>) -> String {
    let names: Vec<String> = names
        .iter()
        .filter(|name| name.len() <= 64)
        .take(200)
        .map(|name| {
            let escaped = name.chars().map(|character| match character {
                '-' => "[-_. ]?".to_owned(),
                'a'..='z' | '0'..='9' => character.to_string(),
                other => format!("\\x{{{:x}}}", u32::from(other)),
            });
            escaped.collect()
        })
        .collect();
    let headers = "(?:set-)?cookie|(?:proxy-)?authorization";
    format!(
        r#"(?i)(?:\b|_)(?:(?:{headers})["']?[ \t]*:[ \t]*["']?[^\r\n"']+|(?:{})["']?[ \t]*(?:=|:|%3d|%3a)[ \t]*(?:"[^"]*"|'[^']*'|[^\s&;,"'<>{{}}]+))"#,
        names.join("|")
    )
}

fn replacement(kind: Kind, matched: &str) -> Option<String> {
    match kind {
        Kind::Whole => Some(REDACTED.to_owned()),
        Kind::UserInfo => Some(format!("://{REDACTED}@")),
        Kind::Scheme => {
            let (scheme, value) = matched.split_once([' ', '\t'])?;
            looks_secret(value.trim_start()).then(|| format!("{scheme} {REDACTED}"))
        }
        Kind::Named => {
            let lower = matched.to_ascii_lowercase();
            let encoded = [lower.find("%3d"), lower.find("%3a")].into_iter().flatten().min();
            let plain = matched.find(['=', ':']);
            let end = match (plain, encoded) {
                (Some(plain), Some(encoded)) if encoded < plain => encoded + 3,
                (Some(plain), _) => plain + 1,
                (None, Some(encoded)) => encoded + 3,
                (None, None) => return Some(REDACTED.to_owned()),
            };
            let (name, value) = matched.split_at_checked(end)?;
            let quote =
                value.trim_start().chars().next().filter(|quote| matches!(quote, '"' | '\''));
            let quote = quote.map(String::from).unwrap_or_default();
            Some(format!("{name}{quote}{REDACTED}{quote}"))
        }
        Kind::Card => is_card(matched).then(|| REDACTED.to_owned()),
    }
}

/// Whether it is no word of prose: "token expired" is one, "token 7f3a…" is not.
fn looks_secret(value: &str) -> bool {
    value.len() >= 20
        || value.bytes().any(|byte| !byte.is_ascii_alphabetic() && byte != b'.')
        || (value.bytes().any(|byte| byte.is_ascii_uppercase())
            && value.bytes().skip(1).any(|byte| byte.is_ascii_uppercase()))
}

/// 14 to 19 digits whose last one is their check digit (ISO/IEC 7812-1 annex B).
fn is_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(10)).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => *digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    (14..=19).contains(&digits.len())
        && sum.is_multiple_of(10)
        && digits.iter().any(|digit| *digit != 0)
}
