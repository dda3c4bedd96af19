//! Filters of LDAP (RFC 4515): parentheses that close the one which the value stands in and open another.

use super::category::Category::Ldap;
use super::scan::{Scan, View};
use super::text::{at, from, is_space, skip, skip_spaces, slice, trim};

/// The longest name of an attribute that is read.
const ATTRIBUTE_MAX: usize = 64;

/// Looks for pieces of filters, as they are written and behind their own escapes.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    look(scan, view, view.lower);
    if let Some(text) = without_escapes(view.lower) {
        look(scan, view, &text);
    }
}

/// The text with `\2a`, `\28` and the like as the characters they stand for (RFC 4515 §3); nothing without any.
fn without_escapes(text: &[u8]) -> Option<Vec<u8>> {
    let unescaped = |at_backslash: usize| {
        Some(match slice(text, at_backslash + 1, at_backslash + 3) {
            b"21" => b'!',
            b"26" => b'&',
            b"28" => b'(',
            b"29" => b')',
            b"2a" => b'*',
            b"3d" => b'=',
            b"7c" => b'|',
            _ => return None,
        })
    };
    memchr::memchr_iter(b'\\', text).find(|&start| unescaped(start).is_some())?;
    let mut out = Vec::with_capacity(text.len());
    let mut index = 0;
    while let Some(&byte) = text.get(index) {
        match if byte == b'\\' { unescaped(index) } else { None } {
            Some(character) => {
                out.push(character);
                index += 3;
            }
            None => {
                out.push(byte);
                index += 1;
            }
        }
    }
    Some(out)
}

fn look(scan: &mut Scan<'_>, view: &View<'_>, text: &[u8]) {
    scan.walked(text.len().saturating_mul(2));
    // How many are open: a value that closes more than it opened breaks out of the filter around it.
    let mut depth = 0i64;
    let mut broke_out = false;
    for (index, &byte) in text.iter().enumerate() {
        match byte {
            b'(' => {
                depth += 1;
                let (condition, operators) = condition_after(text, index);
                if condition && operators > 0 && opens_inside(text, index) {
                    hit(scan, view, index, "ldap_filter", "a filter with an operator");
                }
                let known = [
                    &b"(objectclass=*)"[..],
                    b"(uid=*)",
                    b"(cn=*)",
                    b"(mail=*)",
                    b"(userpassword=*)",
                    b"(samaccountname=*)",
                ];
                if known.iter().any(|filter| from(text, index).starts_with(filter))
                    && is_filter_like(text)
                {
                    hit(scan, view, index, "ldap_filter", "a filter that matches everything");
                }
                let joined = index > 0 && matches!(at(text, index - 1), b'|' | b'&');
                if joined
                    && condition
                    && starts_with_star(text)
                    && has_star(text, index)
                    && is_filter_like(text)
                {
                    hit(scan, view, index, "ldap_filter", "a filter with an operator");
                }
                let behind = trim(slice(text, 0, index));
                // `)(cn=…`, `x)(memberof=cn=…`
                let is_next = behind.len() + 1 >= index
                    && behind.ends_with(b")")
                    && is_filter_like(text)
                    && has_name(text, index);
                if broke_out
                    && condition
                    && (operators > 0
                        || has_star(text, index)
                        || starts_with_star(text)
                        || has_order(text, index)
                        || is_next)
                {
                    hit(
                        scan,
                        view,
                        index,
                        "ldap_break_out",
                        "a filter behind a closed parenthesis",
                    );
                }
            }
            b')' => {
                depth -= 1;
                if depth < 0 {
                    broke_out = true;
                }
                let next = skip_spaces(slice(text, 0, index + 8), index + 1);
                let star = index > 0 && at(text, index - 1) == b'*';
                let rest = slice(text, next, next + 3);
                // `*)(…`, `)(&)`, `)(|`
                if broke_out
                    && (rest.starts_with(b"(&")
                        || rest.starts_with(b"(|")
                        || rest.starts_with(b"(!(")
                        || rest.starts_with(b"(!") && star)
                    && is_filter_like(text)
                {
                    hit(
                        scan,
                        view,
                        index,
                        "ldap_break_out",
                        "a filter behind a closed parenthesis",
                    );
                }
                if star
                    && broke_out
                    && (rest.is_empty() || at(rest, 0) == b')' || at(rest, 0) == 0)
                    && is_short(text)
                {
                    hit(scan, view, index, "ldap_wildcard", "a wildcard that closes the filter");
                }
            }
            b'|' | b'&' | b'!' if broke_out => {
                // `admin)|(uid=*`
                let next = skip_spaces(slice(text, 0, index + 8), index + 1);
                if at(text, next) == b'(' && condition_after(text, next).0 {
                    hit(
                        scan,
                        view,
                        index,
                        "ldap_break_out",
                        "a filter behind a closed parenthesis",
                    );
                }
            }
            _ => {}
        }
    }
}

fn hit(scan: &mut Scan<'_>, view: &View<'_>, at: usize, name: &'static str, words: &'static str) {
    scan.hit(view, at, (Ldap, 1.0), name, words);
}

/// Whether `attribute=` stands behind the parenthesis, and how many operators and parentheses before it.
fn condition_after(text: &[u8], open: usize) -> (bool, usize) {
    let window = slice(text, 0, open + 16);
    let start =
        skip(window, open + 1, |byte| is_space(byte) || matches!(byte, b'(' | b'&' | b'|' | b'!'));
    let operators = slice(text, open + 1, start)
        .iter()
        .filter(|byte| matches!(byte, b'&' | b'|' | b'!'))
        .count();
    let end = skip(slice(text, 0, start + ATTRIBUTE_MAX), start, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b';' | b'.' | b':')
    });
    if end == start || !at(text, start).is_ascii_alphanumeric() {
        return (false, operators);
    }
    let operator = slice(text, end, end + 2);
    let compares = at(operator, 0) == b'=' && at(operator, 1) != b'=' && at(operator, 1) != b'>'
        || operator == b"~="
        || operator == b">="
        || operator == b"<=";
    (compares, operators)
}

/// `(&(` or `(|(`: the operator belongs to parentheses inside, as it does nowhere but in a filter.
fn opens_inside(text: &[u8], open: usize) -> bool {
    let operator = skip_spaces(slice(text, 0, open + 8), open + 1);
    if !matches!(at(text, operator), b'&' | b'|' | b'!')
        || at(text, operator + 1) == at(text, operator)
    {
        return false;
    }
    let inside = skip_spaces(slice(text, 0, operator + 8), operator + 1);
    at(text, inside) == b'('
}

/// `(memberof=`, not `(b=`: formulas have letters.
fn has_name(text: &[u8], open: usize) -> bool {
    let end = skip(slice(text, 0, open + 1 + ATTRIBUTE_MAX), open + 1, |byte| {
        byte.is_ascii_alphanumeric() || byte == b'-'
    });
    end > open + 2 && at(text, end) == b'='
}

fn has_star(text: &[u8], open: usize) -> bool {
    slice(text, open, open + ATTRIBUTE_MAX * 2).contains(&b'*')
}

/// `gidNumber<=100`: a comparison as no other language writes it behind a parenthesis without spaces.
fn has_order(text: &[u8], open: usize) -> bool {
    let end = skip(slice(text, 0, open + ATTRIBUTE_MAX), open + 1, |byte| {
        byte.is_ascii_alphanumeric() || byte == b'-'
    });
    matches!(slice(text, end, end + 2), b"<=" | b">=" | b"~=") && is_filter_like(text)
}

fn starts_with_star(text: &[u8]) -> bool {
    at(trim(text), 0) == b'*'
}

/// No prose around it.
fn is_filter_like(text: &[u8]) -> bool {
    !slice(text, 0, ATTRIBUTE_MAX).contains(&b' ')
}

fn is_short(text: &[u8]) -> bool {
    text.len() <= ATTRIBUTE_MAX && is_filter_like(text)
}
