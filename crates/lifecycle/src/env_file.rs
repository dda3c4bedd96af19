//! `.env` files: `NAME=value` lines, as the documents of existing software show them.
//!
//! Read as python-dotenv reads them, which is what the original SysScore platform uses, but strictly
//! (a line that is neither is an error, not a silent nothing) and without `${…}` being replaced.
//! A value that begins with `{` or `[` is JSON: a ` #` inside its quotes is no comment.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// How long a file can be, in bytes.
pub const BYTES_MAX: u64 = 1 << 20;
/// How many variables it can set.
pub const VARIABLES_MAX: usize = 10_000;
/// How long a name can be.
pub const NAME_BYTES_MAX: usize = 256;

/// Why a text was refused. Values are never repeated: they are secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {kind}")]
pub struct EnvFileError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub kind: EnvFileErrorKind,
}

/// What can be wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvFileErrorKind {
    /// No `=`.
    #[error("expected NAME=value")]
    NoEquals,
    /// Not letters, digits and underscores, or it begins with a digit.
    #[error("a name has letters, digits and underscores and does not begin with a digit")]
    BadName,
    /// The closing quote is missing.
    #[error("the quote is not closed")]
    OpenQuote,
    /// Something stands behind the closing quote.
    #[error("unexpected text behind the closing quote")]
    BehindQuote,
    /// A byte that no variable can hold.
    #[error("a value cannot hold a zero byte")]
    ZeroByte,
    /// More than [`VARIABLES_MAX`].
    #[error("more than {VARIABLES_MAX} variables")]
    TooMany,
}

/// Why a file was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvFileReadError {
    /// The system refuses.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Longer than [`BYTES_MAX`].
    #[error("{}: more than {BYTES_MAX} bytes", .0.display())]
    TooLong(PathBuf),
    /// Not UTF-8.
    #[error("{}: not UTF-8", .0.display())]
    NotText(PathBuf),
    /// A line is wrong.
    #[error("{}:{error}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, and why.
        error: EnvFileError,
    },
}

/// Reads a file.
///
/// # Errors
/// Where it cannot be read, is too long, or a line is wrong.
pub fn read(path: &Path) -> Result<BTreeMap<String, String>, EnvFileReadError> {
    let io = |error| EnvFileReadError::Io { path: path.to_owned(), error };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(io)?;
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(EnvFileReadError::TooLong(path.to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| EnvFileReadError::NotText(path.to_owned()))?;
    parse(&text).map_err(|error| EnvFileReadError::Line { path: path.to_owned(), error })
}

/// Reads a text; the last of several lines with one name counts.
///
/// # Errors
/// Where a line is neither empty nor a comment nor `NAME=value`.
pub fn parse(text: &str) -> Result<BTreeMap<String, String>, EnvFileError> {
    let mut reader = Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let mut variables = BTreeMap::new();
    while !reader.rest.is_empty() {
        let line = reader.line;
        let at = |kind| EnvFileError { line, kind };
        reader.skip_blanks();
        if matches!(reader.peek(), None | Some('\n' | '\r' | '#')) {
            reader.skip_line();
            continue;
        }
        let (name, value) = reader.assignment().map_err(at)?;
        if value.contains('\0') {
            return Err(at(EnvFileErrorKind::ZeroByte));
        }
        variables.insert(name, value);
        if variables.len() > VARIABLES_MAX {
            return Err(at(EnvFileErrorKind::TooMany));
        }
    }
    Ok(variables)
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    fn assignment(&mut self) -> Result<(String, String), EnvFileErrorKind> {
        let line = self.rest.split('\n').next().unwrap_or_default();
        let (name, _) = line.split_once('=').ok_or(EnvFileErrorKind::NoEquals)?;
        self.rest = self.rest.get(name.len() + 1..).unwrap_or_default();
        let name = name.trim();
        let name = match name.strip_prefix("export") {
            Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
            _ => name,
        };
        if !is_name(name) {
            return Err(EnvFileErrorKind::BadName);
        }
        self.skip_blanks();
        let value = match self.peek() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
            Some('{' | '[') => self.json(),
            _ => self.bare(),
        };
        Ok((name.to_owned(), value))
    }

    /// Up to the closing quote, which may stand on a later line.
    fn quoted(&mut self, quote: char) -> Result<String, EnvFileErrorKind> {
        let mut value = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        let mut escaped = false;
        let end = loop {
            let (position, character) = characters.next().ok_or(EnvFileErrorKind::OpenQuote)?;
            if escaped {
                escaped = false;
                push_escape(&mut value, character, quote);
            } else if character == '\\' {
                escaped = true;
            } else if character == quote {
                break position + 1;
            } else {
                value.push(character);
            }
        };
        let (consumed, rest) = self.rest.split_at(end);
        self.line += consumed.matches('\n').count();
        self.rest = rest;
        self.skip_blanks();
        if !matches!(self.peek(), None | Some('\n' | '\r' | '#')) {
            return Err(EnvFileErrorKind::BehindQuote);
        }
        self.skip_line();
        Ok(value)
    }

    /// One line of JSON, up to a comment outside its quotes.
    fn json(&mut self) -> String {
        let line = self.take_line();
        let (mut inside, mut escaped, mut blank) = (false, false, false);
        for (position, character) in line.char_indices() {
            if character == '#' && blank && !inside {
                return line.get(..position).unwrap_or_default().trim_end().to_owned();
            }
            blank = matches!(character, ' ' | '\t');
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = inside,
                '"' => inside = !inside,
                _ => {}
            }
        }
        line.trim_end().to_owned()
    }

    /// The line up to a comment: a `#` behind a blank.
    fn bare(&mut self) -> String {
        let line = self.take_line();
        let mut blank = true;
        for (position, character) in line.char_indices() {
            if character == '#' && blank {
                return line.get(..position).unwrap_or_default().trim_end().to_owned();
            }
            blank = matches!(character, ' ' | '\t');
        }
        line.trim_end().to_owned()
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn skip_line(&mut self) {
        self.take_line();
    }

    fn take_line(&mut self) -> &'a str {
        match self.rest.split_once('\n') {
            Some((line, rest)) => {
                self.rest = rest;
                self.line += 1;
                line.strip_suffix('\r').unwrap_or(line)
            }
            None => std::mem::take(&mut self.rest),
        }
    }
}

/// python-dotenv: single quotes know `\\` and `\'`, double quotes also `\n` and its like; any other
/// backslash stands for itself.
fn push_escape(value: &mut String, character: char, quote: char) {
    let plain = match (quote, character) {
        (_, '\\') => '\\',
        (_, same) if same == quote => quote,
        ('"', 'n') => '\n',
        ('"', 'r') => '\r',
        ('"', 't') => '\t',
        _ => {
            value.push('\\');
            character
        }
    };
    value.push(plain);
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use EnvFileErrorKind::{BadName, BehindQuote, NoEquals, OpenQuote};
    use proptest::prelude::*;

    #[test]
    fn values_are_read_as_the_documents_mean_them() {
        check("", &[]);
        check("# only a comment\n\n  # and another\r\n", &[]);
        check("A=1", &[("A", "1")]);
        check("A=1\r\nB=2\r\n", &[("A", "1"), ("B", "2")]);
        check("\u{feff}A=1\n", &[("A", "1")]);
        check("export A = one two \t\n", &[("A", "one two")]);
        check("exported=1", &[("exported", "1")]);
        check("A=\nB=", &[("A", ""), ("B", "")]);
        check("A=x#y # z", &[("A", "x#y")]);
        check("A=# z", &[("A", "")]);
        check("A=b=c", &[("A", "b=c")]);
        check("A=1\nA=2", &[("A", "2")]);
        check(r"A='it''s'", &[]);
        check(r"A='it\'s \n' # yes", &[("A", r"it's \n")]);
        check(r#"A="a\n\"b\" \x""#, &[("A", "a\n\"b\" \\x")]);
        check("A=\"two\nlines\"\nB=3", &[("A", "two\nlines"), ("B", "3")]);
        check(
            r#"AGENT_KEYS={"agent-1": "secret-key-1"}"#,
            &[("AGENT_KEYS", r#"{"agent-1": "secret-key-1"}"#)],
        );
        check(r#"K={"a": "x #y \" #z"} # two agents"#, &[("K", r#"{"a": "x #y \" #z"}"#)]);
        check(r#"K='{"a": "b"}'"#, &[("K", r#"{"a": "b"}"#)]);
        check("A=${HOME}", &[("A", "${HOME}")]);
    }

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected: BTreeMap<String, String> =
            expected.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        assert_eq!(parse(text).unwrap_or_default(), expected, "text {text:?}");
    }

    #[test]
    fn errors_name_the_line_and_not_the_value() {
        check_error("A=1\nhunter2\n", 2, NoEquals);
        check_error("1A=x", 1, BadName);
        check_error("A B=x", 1, BadName);
        check_error("=x", 1, BadName);
        check_error("A.B=x", 1, BadName);
        check_error("\nA=\"open\nB=2", 2, OpenQuote);
        check_error("A=\"x\ny\"\nB='z'z", 3, BehindQuote);
        check_error("A='it''s'", 1, BehindQuote);
        check_error("A=\0", 1, EnvFileErrorKind::ZeroByte);
        let many: String = (0..=VARIABLES_MAX).map(|number| format!("A{number}=\n")).collect();
        check_error(&many, VARIABLES_MAX + 1, EnvFileErrorKind::TooMany);
        assert!(!parse("hunter2").unwrap_err().to_string().contains("hunter2"));
    }

    #[track_caller]
    fn check_error(text: &str, line: usize, kind: EnvFileErrorKind) {
        assert_eq!(parse(text), Err(EnvFileError { line, kind }));
    }

    fn quote(value: &str) -> String {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{}\"", escaped.replace('\n', "\\n").replace('\r', "\\r"))
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_back(
            variables in prop::collection::btree_map("[A-Za-z_][A-Za-z0-9_]{0,20}", "[^\0]*", 0..8)
        ) {
            let text: String =
                variables.iter().map(|(name, value)| format!("{name}={}\n", quote(value))).collect();
            prop_assert_eq!(parse(&text), Ok(variables));
        }

        #[test]
        fn json_on_one_line_is_read_back(
            keys in prop::collection::btree_map("[ -~]*", "[ -~]*", 1..4)
        ) {
            let json = serde_json::to_string(&keys).unwrap();
            let read = parse(&format!("KEYS={json} # a comment\n")).unwrap();
            prop_assert_eq!(read.get("KEYS"), Some(&json));
        }

        #[test]
        fn no_text_panics_and_every_error_has_a_line_of_it(text in "(?s).{0,200}") {
            if let Err(error) = parse(&text) {
                prop_assert!(error.line >= 1 && error.line <= text.matches('\n').count() + 1);
            }
        }

        #[test]
        fn no_line_of_likely_pieces_panics(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "A", "=", "\"", "'", "\\", "#", " ", "\n", "\r\n", "{", "}", "export ", "é",
                ]),
                0..40,
            )
        ) {
            drop(parse(&pieces.concat()));
        }
    }
}
