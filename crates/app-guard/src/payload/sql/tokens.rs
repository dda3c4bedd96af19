//! The tokens of SQL, read as leniently as the most lenient database.

use crate::payload::text::{at, find, from, is_space, is_word, skip, slice};

/// Where a value stands in its statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Context {
    /// Not in quotes, as a number.
    #[default]
    Bare,
    /// Behind `'`.
    Single,
    /// Behind `"`.
    Double,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, keyword or function.
    Word,
    /// A number.
    Number,
    /// A string in quotes.
    Text,
    /// `@x`, `@@x`.
    Variable,
    /// `and`, `or`, `xor`, `||`, `&&`.
    Logic,
    /// `=`, `<`, `like`, …
    Compare,
    /// Any other operator.
    Arithmetic,
    /// `,`
    Comma,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `;`
    Semicolon,
    /// `--`, `#`, or `/*` without an end. What follows is read on, as databases differ.
    Comment,
    /// Anything else.
    Other,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The tokens of a value in one context; the room is used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    list: Vec<Token>,
    context: Context,
    /// Where the open quote ends.
    broken_at: usize,
    /// Where something is cast as PostgreSQL does it.
    cast_at: Option<usize>,
}

/// Tokens together with their text.
#[derive(Clone, Copy)]
pub(crate) struct Sentence<'a> {
    pub(crate) text: &'a [u8],
    list: &'a [Token],
    pub(crate) context: Context,
    /// Where the open quote ends; 0 without one.
    pub(crate) broken_at: usize,
    /// Where a value, and not a name alone, is cast as PostgreSQL does it: `(…)::int`.
    pub(crate) cast_at: Option<usize>,
}

impl Tokens {
    /// Reads lower case text. Where backslashes escape, as in MySQL, the quote behind one stays inside.
    pub(crate) fn read(&mut self, text: &[u8], context: Context, escapes: bool) {
        self.list.clear();
        self.context = context;
        self.cast_at = None;
        let quote = match context {
            Context::Bare => None,
            Context::Single => Some(b'\''),
            Context::Double => Some(b'"'),
        };
        let mut index = 0;
        if let Some(quote) = quote {
            // A doubled quote stays inside.
            while let Some(&byte) = text.get(index) {
                index += 1;
                if escapes && byte == b'\\' {
                    index += 1;
                } else if byte == quote {
                    if at(text, index) != quote || index + 1 >= text.len() {
                        break;
                    }
                    index += 1;
                }
            }
        }
        index = index.min(text.len());
        self.broken_at = index;
        if context == Context::Bare && text.starts_with(b"\\n") {
            // `\N` is what MySQL writes for null.
            self.list.push(Token { kind: Kind::Number, start: 0, end: 2 });
            index = 2;
        }
        // Known beforehand, so that unclosed comments are not searched for their end again and again.
        let comments_end = memchr::memmem::rfind(text, b"*/").unwrap_or(0);
        while index < text.len() {
            let last = self.list.last().map(|token| token.kind);
            if let Some(end) = cast_end(text, index, last) {
                if is_cast_of_value(last, slice(text, index + 2, end)) {
                    self.cast_at.get_or_insert(index);
                }
                index = end;
                continue;
            }
            let (kind, end) = match json_operator(text, index, last) {
                Some(end) => (Some(Kind::Compare), end),
                None => token(text, index, comments_end),
            };
            if let Some(kind) = kind {
                self.list.push(Token { kind, start: index, end });
            }
            // Each token has at least one byte.
            index = end.max(index + 1);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn over<'a>(&'a self, text: &'a [u8]) -> Sentence<'a> {
        Sentence {
            text,
            list: &self.list,
            context: self.context,
            broken_at: self.broken_at,
            cast_at: self.cast_at,
        }
    }
}

impl<'a> Sentence<'a> {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn kind(&self, index: usize) -> Option<Kind> {
        self.list.get(index).map(|token| token.kind)
    }

    pub(crate) fn is(&self, index: usize, kind: Kind) -> bool {
        self.kind(index) == Some(kind)
    }

    /// The text of the token there; empty behind the end.
    pub(crate) fn text(&self, index: usize) -> &'a [u8] {
        self.list.get(index).map_or(&[], |token| slice(self.text, token.start, token.end))
    }

    /// The same for words; empty for all else.
    pub(crate) fn word(&self, index: usize) -> &'a [u8] {
        match self.kind(index) {
            Some(Kind::Word | Kind::Logic | Kind::Compare) => self.text(index),
            _ => &[],
        }
    }

    pub(crate) fn start(&self, index: usize) -> usize {
        self.list.get(index).map_or(self.text.len(), |token| token.start)
    }

    /// What stands behind the token, up to the end of the value.
    pub(crate) fn rest(&self, index: usize) -> &'a [u8] {
        self.list.get(index).map_or(&[], |token| from(self.text, token.end))
    }
}

fn token(text: &[u8], index: usize, comments_end: usize) -> (Option<Kind>, usize) {
    let byte = at(text, index);
    let next = at(text, index + 1);
    match byte {
        _ if is_space(byte) || byte == 0 => (None, skip(text, index, is_space)),
        b'-' if next == b'-' => (Some(Kind::Comment), skip(text, index, |byte| byte == b'-')),
        b'#' => (Some(Kind::Comment), index + 1),
        b'/' if next == b'*' => comment(text, index, comments_end),
        b'*' if next == b'/' => (None, index + 2),
        b'\'' | b'"' => (Some(Kind::Text), string_end(text, index, byte)),
        b'`' => match from(text, index + 1).iter().take(64).position(|&byte| byte == b'`') {
            Some(length) => (Some(Kind::Word), index + length + 2),
            None => (Some(Kind::Other), index + 1),
        },
        b'0'..=b'9' => (Some(Kind::Number), number_end(text, index)),
        b'.' if next.is_ascii_digit() => (Some(Kind::Number), number_end(text, index)),
        b'@' => (Some(Kind::Variable), skip(text, skip(text, index, |byte| byte == b'@'), is_word)),
        b'(' | b'{' => (Some(Kind::Open), index + 1),
        b')' | b'}' => (Some(Kind::Close), index + 1),
        b',' => (Some(Kind::Comma), index + 1),
        b';' => (Some(Kind::Semicolon), index + 1),
        b'|' if next == b'|' => (Some(Kind::Logic), index + 2),
        b'&' if next == b'&' => (Some(Kind::Logic), index + 2),
        b'=' | b'<' | b'>' => {
            (Some(Kind::Compare), skip(text, index, |byte| matches!(byte, b'=' | b'<' | b'>')))
        }
        b'!' if next == b'=' => (Some(Kind::Compare), index + 2),
        b':' if next == b'=' => (Some(Kind::Compare), index + 2),
        // Where nothing decodes it, as in a path, it stands between words for a space.
        b'+' if stands_for_space(text, index) => (None, index + 1),
        // A space that does not break, in Latin 1; in UTF-8 this byte is part of a character.
        0xa0 if is_latin_space(text, index) => (None, index + 1),
        b'+' | b'-' | b'*' | b'/' | b'%' | b'^' | b'~' | b'!' | b'|' | b'&' => {
            (Some(Kind::Arithmetic), index + 1)
        }
        _ if is_name(byte) => {
            let end = name_end(text, index);
            (Some(word_kind(slice(text, index, end))), end)
        }
        _ => (Some(Kind::Other), index + 1),
    }
}

/// Where a cast ends that begins there: `::int`. It changes nothing about what is cast.
fn cast_end(text: &[u8], index: usize, last: Option<Kind>) -> Option<usize> {
    if at(text, index) != b':' || at(text, index + 1) != b':' || !is_name(at(text, index + 2)) {
        return None;
    }
    matches!(last, Some(Kind::Text | Kind::Close | Kind::Number | Kind::Word))
        .then(|| skip(text, index + 2, is_word))
}

/// Names have `::` behind them in other languages, too; values have not, and no type of SQL.
fn is_cast_of_value(last: Option<Kind>, name: &[u8]) -> bool {
    last != Some(Kind::Word)
        && matches!(
            name,
            b"int"
                | b"int4"
                | b"int8"
                | b"integer"
                | b"bigint"
                | b"smallint"
                | b"numeric"
                | b"decimal"
                | b"real"
                | b"float"
                | b"double"
                | b"bool"
                | b"boolean"
                | b"text"
                | b"varchar"
                | b"char"
                | b"json"
                | b"jsonb"
                | b"bytea"
                | b"xml"
                | b"uuid"
                | b"oid"
                | b"regclass"
                | b"date"
                | b"timestamp"
        )
}

/// Where an operator on JSON ends that begins there: `<@`, `->>`. They stand behind a string or a cast of one.
fn json_operator(text: &[u8], index: usize, last: Option<Kind>) -> Option<usize> {
    if !matches!(last, Some(Kind::Text | Kind::Close)) {
        return None;
    }
    let rest = slice(text, index, index + 4);
    let operators =
        [&b"->>"[..], b"#>>", b"->", b"#>", b"<@", b"@>", b"@?", b"@@", b"?|", b"?&", b"?"];
    let operator = operators.into_iter().find(|operator| rest.starts_with(operator))?;
    let next = at(text, index + operator.len());
    (is_space(next) || matches!(next, b'\'' | b'"' | b'$' | b'0'..=b'9'))
        .then_some(index + operator.len())
}

fn word_kind(word: &[u8]) -> Kind {
    match word {
        b"and" | b"or" | b"xor" => Kind::Logic,
        b"like" | b"rlike" | b"regexp" | b"glob" | b"in" | b"between" | b"is" | b"ilike"
        | b"similar" | b"sounds" => Kind::Compare,
        b"div" | b"mod" => Kind::Arithmetic,
        _ => Kind::Word,
    }
}

fn is_name(byte: u8) -> bool {
    is_word(byte) || byte == b'$' || byte >= 0x80
}

fn stands_for_space(text: &[u8], index: usize) -> bool {
    let before = index.checked_sub(1).map_or(0, |before| at(text, before));
    let next = at(text, index + 1);
    is_word(before) && is_word(next) && (before.is_ascii_alphabetic() || next.is_ascii_alphabetic())
}

fn is_latin_space(text: &[u8], index: usize) -> bool {
    at(text, index) == 0xa0 && index.checked_sub(1).is_none_or(|before| at(text, before) < 0x80)
}

fn name_end(text: &[u8], index: usize) -> usize {
    let mut end = index;
    loop {
        end += from(text, end)
            .iter()
            .enumerate()
            .position(|(length, &byte)| !is_name(byte) || is_latin_space(text, end + length))
            .unwrap_or(text.len() - end.min(text.len()));
        // `master..xp_cmdshell`, `a.b`
        let dots = skip(text, end, |byte| byte == b'.');
        if dots == end || dots > end + 2 || !is_name(at(text, dots)) {
            return end;
        }
        end = dots;
    }
}

fn number_end(text: &[u8], index: usize) -> usize {
    if at(text, index) == b'0'
        && at(text, index + 1) == b'x'
        && at(text, index + 2).is_ascii_hexdigit()
    {
        return skip(text, index + 2, |byte| byte.is_ascii_hexdigit());
    }
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let mut end = skip(text, index, is_digit);
    if at(text, end) == b'.' {
        end = skip(text, end + 1, is_digit);
    }
    if at(text, end) == b'e' {
        let sign = end + 1 + usize::from(matches!(at(text, end + 1), b'+' | b'-'));
        if at(text, sign).is_ascii_digit() {
            end = skip(text, sign, is_digit);
        } else if !at(text, end + 1).is_ascii_alphabetic() {
            // `1e(`: MySQL takes it for a number.
            end += 1;
        }
    }
    end
}

fn string_end(text: &[u8], index: usize, quote: u8) -> usize {
    let mut end = index + 1;
    while let Some(&byte) = text.get(end) {
        end += 1;
        match byte {
            b'\\' => end += 1,
            _ if byte == quote => {
                if at(text, end) != quote {
                    return end;
                }
                end += 1;
            }
            _ => {}
        }
    }
    text.len()
}

/// A comment of C is white space, but what MySQL reads in one is text.
fn comment(text: &[u8], index: usize, comments_end: usize) -> (Option<Kind>, usize) {
    if at(text, index + 2) == b'!' {
        return (None, skip(text, index + 3, |byte| byte.is_ascii_digit()));
    }
    if index + 2 > comments_end {
        return (Some(Kind::Comment), index + 2);
    }
    match find(from(text, index + 2), b"*/") {
        Some(length) => (None, index + length + 4),
        None => (Some(Kind::Comment), index + 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, context: Context, expected: &[Kind]) {
        check_bytes(text.as_bytes(), context, expected);
    }

    #[track_caller]
    fn check_bytes(text: &[u8], context: Context, expected: &[Kind]) {
        let mut tokens = Tokens::default();
        tokens.read(text, context, false);
        let kinds: Vec<Kind> = tokens.list.iter().map(|token| token.kind).collect();
        assert_eq!(kinds, expected, "text {:?}", String::from_utf8_lossy(text));
    }

    #[test]
    fn tokens_are_read_as_a_lenient_database_does() {
        use Kind::{Close, Comment, Compare, Logic, Number, Open, Text, Variable, Word};
        check("1 or 1=1", Context::Bare, &[Number, Logic, Number, Compare, Number]);
        check("x' or '1'='1", Context::Single, &[Logic, Text, Compare, Text]);
        check(
            "1union(select@@version)",
            Context::Bare,
            &[Number, Word, Open, Word, Variable, Close],
        );
        check("1/**/or/*!50000 1*/=1", Context::Bare, &[Number, Logic, Number, Compare, Number]);
        check("a'--", Context::Single, &[Comment]);
        check("o''brien", Context::Single, &[]);
        check("0x61 1e5 1.5", Context::Bare, &[Number, Number, Number]);
        check("1+or+1", Context::Bare, &[Number, Logic, Number]);
        check("'a'::jsonb <@ 'b'", Context::Bare, &[Text, Compare, Text]);
        check_bytes(b"1\xa0or\xa01", Context::Bare, &[Number, Logic, Number]);
        check("\u{e0}or", Context::Bare, &[Word]);
        check("\\nunion", Context::Bare, &[Number, Word]);
    }
}
