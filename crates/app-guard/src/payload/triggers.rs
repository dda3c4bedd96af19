//! The prefilter: one pass over a view says which checks could find anything in it.
//!
//! A table gives each byte the classes it belongs to, and one automaton looks for all words of all checks at
//! once. Both run in the same loop, a few instructions a byte.

mod words;

use super::settings::DetectorError;
use aho_corasick::Anchored;
use aho_corasick::automaton::Automaton;
use aho_corasick::dfa::DFA;
use words::WORDS;

/// What was seen in a view: a set of bits.
pub(crate) type Seen = u32;

/// A quote.
pub(crate) const QUOTE: Seen = 1;
/// A character that is an operator somewhere.
pub(crate) const OPERATOR: Seen = 1 << 1;
/// A character that separates commands of a shell.
pub(crate) const SEPARATOR: Seen = 1 << 2;
/// A carriage return or a line feed.
pub(crate) const LINE_BREAK: Seen = 1 << 3;
/// `<`.
pub(crate) const ANGLE: Seen = 1 << 4;
/// A byte with which an encoding begins.
pub(crate) const ENCODED: Seen = 1 << 5;
/// `+`.
pub(crate) const PLUS: Seen = 1 << 6;
/// A word that SQL has for what prose has, too.
pub(crate) const SQL_WORD: Seen = 1 << 7;
/// A word of SQL that needs no quote before it.
pub(crate) const SQL: Seen = 1 << 8;
/// What markup does harm with.
pub(crate) const MARKUP: Seen = 1 << 9;
/// Substitutions and programs of a shell.
pub(crate) const SHELL: Seen = 1 << 10;
/// Parts of paths.
pub(crate) const PATH: Seen = 1 << 11;
/// `://` and what else makes a URL.
pub(crate) const URL: Seen = 1 << 12;
/// Operators of document stores.
pub(crate) const NOSQL: Seen = 1 << 13;
/// Parentheses as in filters of LDAP.
pub(crate) const LDAP: Seen = 1 << 14;
/// Declarations of XML.
pub(crate) const XML: Seen = 1 << 15;
/// Delimiters of templates.
pub(crate) const TEMPLATE: Seen = 1 << 16;
/// Names of prototypes.
pub(crate) const PROTOTYPE: Seen = 1 << 17;
/// Functions that run code.
pub(crate) const CODE: Seen = 1 << 18;
/// Marks of serialized objects.
pub(crate) const SERIALIZED: Seen = 1 << 19;
/// Names of files that are executed.
pub(crate) const UPLOAD: Seen = 1 << 20;
/// Names of files and paths that are probed for.
pub(crate) const PROBE: Seen = 1 << 21;
/// `${`.
pub(crate) const LOOKUP: Seen = 1 << 22;
/// `/*`.
pub(crate) const COMMENT: Seen = 1 << 23;
/// `$`.
pub(crate) const VARIABLE: Seen = 1 << 24;
/// Programs that look for holes, by name.
pub(crate) const SCANNER: Seen = 1 << 25;

/// The prefilter, built once.
#[derive(Debug)]
pub(crate) struct Triggers {
    automaton: DFA,
    /// What each pattern of the automaton means.
    meanings: Vec<Seen>,
    classes: [u8; 256],
}

impl Triggers {
    pub(crate) fn new() -> Result<Self, DetectorError> {
        let mut meanings: Vec<Seen> = Vec::new();
        let mut words: Vec<Vec<u8>> = Vec::new();
        for (meaning, list) in WORDS {
            for word in *list {
                // The table writes bytes above ASCII as the character of that number.
                let word: Vec<u8> =
                    word.chars().map(|character| u8::try_from(character).unwrap_or(b'?')).collect();
                match words.iter().position(|known| *known == word) {
                    Some(known) => {
                        if let Some(all) = meanings.get_mut(known) {
                            *all |= meaning;
                        }
                    }
                    None => {
                        words.push(word);
                        meanings.push(*meaning);
                    }
                }
            }
        }
        let automaton = DFA::builder()
            .ascii_case_insensitive(true)
            .build(&words)
            .map_err(|error| DetectorError::Prefilter(error.to_string()))?;
        Ok(Self { automaton, meanings, classes: classes() })
    }

    /// What is in this view.
    pub(crate) fn look(&self, view: &[u8]) -> Seen {
        let mut classes = 0u8;
        let mut seen = 0;
        let Ok(mut state) = self.automaton.start_state(Anchored::No) else { return Seen::MAX };
        for &byte in view {
            classes |= self.classes.get(usize::from(byte)).copied().unwrap_or(0);
            state = self.automaton.next_state(Anchored::No, state, byte);
            if self.automaton.is_match(state) {
                for index in 0..self.automaton.match_len(state) {
                    let pattern = self.automaton.match_pattern(state, index).as_usize();
                    seen |= self.meanings.get(pattern).copied().unwrap_or(0);
                }
            }
        }
        seen | Seen::from(classes)
    }
}

fn classes() -> [u8; 256] {
    // The first seven meanings are classes of bytes.
    let class = |meaning: Seen| u8::try_from(meaning).unwrap_or(0);
    let mut table = [0u8; 256];
    for (byte, entry) in (0..=255u8).zip(table.iter_mut()) {
        *entry = match byte {
            b'\'' | b'"' => class(QUOTE),
            b'`' => class(QUOTE | SEPARATOR),
            b'=' | b'^' | b'*' | b'#' | b'!' | b'~' | b'/' | b'-' => class(OPERATOR),
            b'>' => class(OPERATOR),
            b'<' => class(OPERATOR | ANGLE),
            b'+' => class(OPERATOR | PLUS),
            b'|' | b';' => class(OPERATOR | SEPARATOR),
            b'&' => class(OPERATOR | SEPARATOR | ENCODED),
            b'\n' => class(SEPARATOR | LINE_BREAK),
            b'\r' => class(SEPARATOR | LINE_BREAK),
            b'%' | b'\\' | 0 | 0x80.. => class(ENCODED),
            _ => 0,
        };
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_seen_without_regard_to_case() {
        let triggers = Triggers::new().unwrap();
        assert_ne!(triggers.look(b"1 UnIoN x") & SQL, 0);
        assert_eq!(triggers.look(b"hello kitty") & (SQL | SHELL | MARKUP | PATH | CODE), 0);
        assert_ne!(triggers.look(b"\xac\xed") & SERIALIZED, 0);
        assert_ne!(triggers.look(b"a'b") & QUOTE, 0);
    }
}
