//! What follows a command: arguments of a program, or words of prose.

use super::words::{WORD_MAX, skip_blanks};
use crate::payload::text::{at, contains, from, is_space, is_word, slice, trim};

/// How far the arguments of a command are read.
pub(super) const ARGUMENTS_MAX: usize = 160;

/// Whether the command ends there.
pub(super) fn is_end(arguments: &[u8]) -> bool {
    let rest = trim(arguments);
    let byte = at(rest, 0);
    rest.is_empty()
        || matches!(byte, b';' | b'|' | b'&' | b'#' | b'`' | b'>' | b'<')
        || byte == b')'
        || (matches!(byte, b'\'' | b'"') && rest.len() <= 4)
}

/// Whether what follows is an argument that prose does not have: an option, a path, a URL, an address.
pub(super) fn takes_argument(arguments: &[u8]) -> bool {
    let start = skip_blanks(arguments, 0);
    // Nobody else writes this for a space.
    if arguments.starts_with(b"$ifs") || arguments.starts_with(b"${ifs") {
        return true;
    }
    if start == 0 {
        return matches!(at(arguments, 0), b'<' | b'>') && !is_space(at(arguments, 1))
            || arguments.starts_with(b".exe")
            || arguments.starts_with(b"+")
            || arguments.starts_with(b"%20");
    }
    let argument = from(arguments, start);
    let end = argument.iter().position(|&byte| is_space(byte)).unwrap_or(argument.len());
    let argument = slice(argument, 0, end);
    let (first, second) = (at(argument, 0), at(argument, 1));
    let is_option = first == b'-'
        && (second.is_ascii_alphanumeric()
            || second == b'-' && at(argument, 2).is_ascii_alphabetic());
    let is_path = (first == b'/' && second != b' ' && !argument.is_empty() && argument.len() > 1)
        || first == b'.' && matches!(second, b'/' | b'.')
        || first == b'~'
        || contains(argument, b"://")
        || contains(argument, b":\\")
        || contains(argument, b"/") && argument.iter().any(|&byte| matches!(byte, b'?' | b'*'))
        || argument.len() > 3 && slice(argument, 0, argument.len() - 1).contains(&b'/');
    let is_drive = argument.len() == 2 && first.is_ascii_alphabetic() && second == b':';
    let is_slash_option = first == b'/' && second.is_ascii_alphabetic();
    let is_address = contains(argument, b".")
        && argument.iter().all(|&byte| byte.is_ascii_digit() || byte == b'.')
        && argument.len() >= 7;
    let is_number = argument.iter().all(u8::is_ascii_digit) && !argument.is_empty();
    let is_host = argument.iter().filter(|&&byte| byte == b'.').count() >= 1
        && argument.last().is_some_and(|byte| *byte != b'.')
        && !argument.contains(&b',');
    let is_shell = matches!(first, b'$' | b'`' | b'>' | b'<' | b'*')
        || first == b'|' && argument.len() > 1 && second != b'|'
        || matches!(first, b'\'' | b'"') && argument.len() > 1;
    let is_late_option = has_late_option(from(arguments, start + end));
    is_option
        || is_path
        || is_drive
        || is_slash_option
        || is_address
        || is_number
        || is_host
        || is_shell
        || is_late_option
}

/// `net user x pw /add`, `cp a b -r`: an option behind a few words.
fn has_late_option(arguments: &[u8]) -> bool {
    slice(arguments, 0, WORD_MAX).split(|&byte| byte == b' ').take(5).any(|word| {
        let letters = from(word, 1);
        matches!(at(word, 0), b'/' | b'-')
            && !letters.is_empty()
            && letters.len() <= 8
            && letters.iter().all(u8::is_ascii_alphanumeric)
    })
}

/// Whether the first argument is a number.
pub(super) fn is_number(arguments: &[u8]) -> bool {
    let first = trim(arguments).split(|&byte| is_space(byte)).next().unwrap_or_default();
    !first.is_empty() && first.iter().all(u8::is_ascii_digit)
}

/// `alias x=curl`
pub(super) fn names_alias(command: &[u8], arguments: &[u8]) -> bool {
    let name = trim(slice(arguments, 0, WORD_MAX));
    let length = name
        .iter()
        .take_while(|&&byte| is_word(byte) || matches!(byte, b'\'' | b'"' | b'+' | b'-'))
        .count();
    command == b"alias" && is_space(at(arguments, 0)) && length > 0 && at(name, length) == b'='
}

pub(super) fn strong_argument(arguments: &[u8]) -> bool {
    let argument = trim(arguments);
    argument.starts_with(b"-") && at(argument, 1).is_ascii_alphabetic()
        || argument.starts_with(b"/")
        || contains(slice(argument, 0, 64), b"://")
}

/// Whether one of the arguments is a path or an option.
pub(super) fn names_path(arguments: &[u8]) -> bool {
    arguments.split(|&byte| is_space(byte)).any(|word| {
        let (first, second) = (at(word, 0), at(word, 1));
        first == b'/' && word.len() > 1
            || first == b'-' && second.is_ascii_alphabetic()
            || matches!(first, b'.' | b'~') && second == b'/'
            || contains(word, b":\\")
    })
}

pub(super) fn words_are_few(arguments: &[u8]) -> bool {
    trim(arguments).iter().filter(|&&byte| byte == b' ').count() <= 2
}
