//! Sentences that name a command: what stands behind its first argument are words, and nothing that a program would take.

use crate::payload::text::{at, is_space, slice, trim};

/// Whether people write of the command with an argument, and little comes of it if it runs with that argument and words:
/// it asks the network or is a tool that wants more. Interpreters, and what copies, deletes or reads files, are none.
pub(super) fn is_talked_about(name: &[u8]) -> bool {
    matches!(
        name,
        b"ping"
            | b"ping6"
            | b"traceroute"
            | b"tracert"
            | b"dig"
            | b"nslookup"
            | b"whois"
            | b"curl"
            | b"wget"
            | b"telnet"
            | b"ssh"
            | b"git"
            | b"gem"
            | b"ansible"
            | b"puppet"
            | b"docker"
            | b"kubectl"
            | b"make"
            | b"systemctl"
            | b"service"
            | b"apt"
            | b"apt-get"
            | b"yum"
            | b"pip"
            | b"gcc"
            | b"host"
    )
}

/// Whether a first argument follows, which may be a name of a host or an address, and then words to the end of the
/// sentence. Behind the name of what a tool is to do, `docker compose up -d should do`, options are names as well: two
/// words have to follow the last of them.
pub(super) fn goes_on_as_prose(arguments: &[u8], is_tool: bool) -> bool {
    const WORDS_BEHIND_OPTION: usize = 2;
    let is_blank = |byte: &u8| matches!(*byte, b' ' | b'\t');
    let sentence =
        trim(arguments).split(|byte| is_space(*byte) && !is_blank(byte)).next().unwrap_or_default();
    let mut words = sentence.split(is_blank).filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default();
    let is_plain = first.iter().all(|&byte| is_letter(byte));
    let is_host = first
        .iter()
        .all(|&byte| is_letter(byte) || byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    if first.is_empty() || !is_host || at(first, 0) == b'-' {
        return false;
    }
    let mut behind = 0;
    let mut needed = 1;
    for word in words {
        if is_tool && is_plain && is_option(word) {
            behind = 0;
            needed = WORDS_BEHIND_OPTION;
            continue;
        }
        let stem = word.strip_suffix(b".").unwrap_or(word);
        let ends = word.len() > stem.len() || matches!(word.last(), Some(b'!' | b'?' | b';'));
        if !is_word_of_prose(word) {
            return false;
        }
        behind += 1;
        if ends {
            break;
        }
    }
    behind >= needed
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80
}

/// `-d`, `--force`
fn is_option(word: &[u8]) -> bool {
    let letters = word.iter().skip_while(|&&byte| byte == b'-').count();
    let is_named = slice(word, word.len() - letters, word.len())
        .iter()
        .all(|&byte| byte.is_ascii_lowercase() || byte == b'-');
    matches!(word.len() - letters, 1 | 2) && letters > 0 && is_named
}

/// Letters, with the marks of a sentence around them: at least two, unless it is the article or the pronoun.
fn is_word_of_prose(word: &[u8]) -> bool {
    let is_mark = |byte: &u8| matches!(*byte, b',' | b'.' | b'!' | b'?' | b':' | b';');
    let marks = word.iter().rev().take_while(|byte| is_mark(byte)).count();
    let word = slice(word, 0, word.len() - marks);
    let is_joined = word
        .iter()
        .enumerate()
        .all(|(index, &byte)| is_letter(byte) || index > 0 && matches!(byte, b'\'' | b'-'));
    is_joined && (word.len() >= 2 || matches!(word, b"a" | b"i"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_has_nothing_for_a_program_behind_the_first_argument() {
        for words in [
            " 10.0.0.2 does not",
            " google.com fails.",
            " google.com fails, doesn't it? See 10.0.0.3",
            " example.com works\nsee above",
        ] {
            assert!(goes_on_as_prose(words.as_bytes(), false), "{words}");
        }
        for words in [
            " 10.0.0.1 4444 -e sh",
            " evil.example/x works",
            " x.sh y",
            " static x.txt",
            " evil.example",
            " -c evil works",
            " evil.example works > x",
            " evil.example says $x",
            " evil.example\nworks",
            " compose up -d should do",
            "",
        ] {
            assert!(!goes_on_as_prose(words.as_bytes(), false), "{words}");
        }
        assert!(goes_on_as_prose(b" compose up -d should do", true));
        assert!(!goes_on_as_prose(b" compose up -d should", true));
        assert!(!goes_on_as_prose(b" evil.example up -d should do", true));
    }
}
