//! Calls of functions and procedures that leak, wait or execute.

use super::{Judge, shape};
use crate::payload::sql::tokens::Kind;
use crate::payload::sql::words::is_attack_function;

/// How many parentheses are followed inwards, with the names before them.
const NESTED_MAX: usize = 8;

impl Judge<'_, '_> {
    pub(super) fn call(&mut self, index: usize) {
        let sentence = self.sentence;
        let word = sentence.word(index);
        let has_arguments = !sentence.is(index + 2, Kind::Close);
        if is_attack_function(word) && has_arguments {
            // `wait, then call sleep(5)` is prose: there a word stands before it.
            let begins = match index.checked_sub(1) {
                None => true,
                Some(before) => {
                    !sentence.is(before, Kind::Word)
                        || matches!(
                            sentence.word(before),
                            b"select"
                                | b"set"
                                | b"when"
                                | b"then"
                                | b"by"
                                | b"having"
                                | b"begin"
                                | b"else"
                                | b"where"
                        )
                }
            };
            // Elsewhere `sleep` is a function of everybody's language.
            let is_ordinary = word == b"sleep";
            // `sleep (5 hours)`
            let is_prose =
                sentence.is(index + 2, Kind::Number) && sentence.is(index + 3, Kind::Word);
            let is_statement =
                !is_ordinary || !matches!(sentence.kind(index.wrapping_sub(1)), Some(Kind::Other));
            if begins && is_statement && !is_prose {
                self.hit(index, shape::FUNCTION);
            }
        }
        // `if(1=1,…`, `iif(…`
        if matches!(word, b"if" | b"iif") && (self.breaks_out || index <= 2) {
            let compares = (index + 2..index + 10).any(|next| sentence.is(next, Kind::Compare));
            let commas =
                (index + 3..index + 24).filter(|&next| sentence.is(next, Kind::Comma)).count();
            let quick = (index + 3..index + 24).any(|next| is_attack_function(sentence.word(next)));
            // `=IF(A1>5,"yes","no")` is a formula of a spreadsheet.
            let constants = matches!(sentence.kind(index + 2), Some(Kind::Number | Kind::Text));
            if compares && (quick || commas >= 2 && (constants || self.breaks_out)) {
                self.hit(index, shape::FUNCTION);
            }
        }
        // `ascii(mid(user(),1,1))`: functions in each other, and what the database knows inside.
        let is_outer =
            matches!(word, b"ascii" | b"ord" | b"hex" | b"mid" | b"substr" | b"substring");
        let innermost = (index + 2..index + 2 + NESTED_MAX).find(|&next| {
            !(sentence.is(next, Kind::Open) || sentence.is(next + 1, Kind::Open))
                || is_knowledge(sentence.word(next))
        });
        if is_outer && innermost.is_some_and(|inner| is_knowledge(sentence.word(inner))) {
            self.hit(index, shape::FUNCTION);
        }
        // `concat(0x7e,…`, `char(97,98)`
        if matches!(word, b"concat" | b"concat_ws" | b"group_concat")
            && sentence.text(index + 2).starts_with(b"0x")
        {
            self.hit(index, shape::FUNCTION);
        }
        if word == b"analyse" && sentence.word(index.wrapping_sub(1)) == b"procedure" {
            self.hit(index, shape::FUNCTION);
        }
    }
}

/// What a database tells about itself, and queries.
fn is_knowledge(word: &[u8]) -> bool {
    matches!(
        word,
        b"user" | b"current_user" | b"database" | b"current_database" | b"version" | b"select"
    )
}
