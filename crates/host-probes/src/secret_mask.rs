//! Masks secrets in command lines, before anything leaves the host.
//!
//! The rules are a table and a single pass: time is linear in the length of the line. They err on the
//! side of masking a value, never a whole command: what hides a password must not hide an attack.
//!
//! ```
//! use ringwall_host_probes::secret_mask::mask_command_line;
//!
//! let arguments = b"mysql\0-uroot\0-phunter2\0https://joe:pw@db.example/\0";
//! let line = mask_command_line(arguments).unwrap_or_default();
//! assert_eq!(line, "mysql -uroot -p*** https://joe:***@db.example/");
//! ```

mod rules;

use rules::{Keep, ProgramRules};

/// What stands in the place of a secret.
pub const MASK: &str = "***";

/// The arguments of a process (NUL after each, as in `/proc/PID/cmdline`) joined by single blanks,
/// secrets masked; none where there are no arguments.
pub fn mask_command_line(arguments: &[u8]) -> Option<String> {
    let arguments = arguments.strip_suffix(b"\0").unwrap_or(arguments);
    if arguments.iter().all(|byte| *byte == 0) {
        return None;
    }
    let mut masker = Masker { line: Vec::with_capacity(arguments.len() + 16), ..Masker::default() };
    for (position, argument) in arguments.split(|byte| *byte == 0).enumerate() {
        if position > 0 {
            masker.line.push(b' ');
        }
        masker.argument(argument);
    }
    // The input may hold any bytes, and may have been cut off inside a character.
    Some(String::from_utf8_lossy(&masker.line).into_owned())
}

#[derive(Default)]
struct Masker {
    line: Vec<u8>,
    /// The rules of the program named last: `sudo mysql -px` runs mysql.
    program: Option<&'static ProgramRules>,
    /// The argument before demands that this one be masked.
    pending: Option<Keep>,
    /// The argument before was `-c` or the like: this one is a script.
    script: bool,
}

impl Masker {
    fn argument(&mut self, argument: &[u8]) {
        if let Some(keep) = self.pending.take()
            && !looks_like_option(argument)
        {
            self.put_secret(argument, keep);
            self.script = false;
            return;
        }
        let script = std::mem::replace(&mut self.script, is_script_option(argument));
        Pass { masker: self, text: argument, at: 0, script }.run();
    }

    fn put_secret(&mut self, secret: &[u8], keep: Keep) {
        if let Some(separator) = keep.separator() {
            // `user:password`: the user is worth knowing; without a separator there is no password.
            let Some(at) = secret.iter().position(|byte| *byte == separator) else {
                self.line.extend_from_slice(secret);
                return;
            };
            self.line.extend_from_slice(secret.get(..=at).unwrap_or_default());
        }
        self.line.extend_from_slice(MASK.as_bytes());
    }
}

/// One pass over one argument.
struct Pass<'m, 'a> {
    masker: &'m mut Masker,
    text: &'a [u8],
    at: usize,
    script: bool,
}

impl<'a> Pass<'_, 'a> {
    fn run(&mut self) {
        while let Some(byte) = self.byte(self.at) {
            if self.at_word_start() && self.word() {
                continue;
            }
            if is_key_byte(byte) {
                self.key();
            } else {
                self.copy_to(self.at + 1);
            }
        }
    }

    /// Looks at the word that begins here; whether it was dealt with.
    fn word(&mut self) -> bool {
        let end = self.word_end();
        let word = self.slice(self.at, end);
        let name = word.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if let Some(program) = ProgramRules::of(name) {
            self.masker.program = Some(program);
        }
        let Some(rule) = self.masker.program.and_then(|program| program.rule(word)) else {
            return false;
        };
        let flag_end = self.at + rule.flag.len();
        if flag_end < end {
            let secret = self.slice(flag_end, end);
            self.copy_to(flag_end);
            self.masker.put_secret(secret, rule.keep);
            self.at = end;
        } else if rule.separate {
            self.copy_to(flag_end);
            self.next_word(rule.keep);
        } else {
            return false;
        }
        true
    }

    /// Masks the word after this place: in this argument, or the whole next argument.
    fn next_word(&mut self, keep: Keep) {
        let start = self.skip_blanks(self.at, usize::MAX);
        if start == self.text.len() {
            self.masker.pending = Some(keep);
            return;
        }
        let next = self.slice(start, self.value_end(start, false));
        if looks_like_option(next) || start == self.at {
            return;
        }
        self.copy_to(start);
        self.value(keep, false);
    }

    /// Reads a run of key characters and what it may introduce.
    fn key(&mut self) {
        let start = self.at;
        let end = self.end_while(start, is_key_byte);
        let key = self.slice(start, end);

        if self.slice(end, end + 3) == b"://" {
            self.copy_to(end + 3);
            self.user_and_password();
            return;
        }
        if let Some((value, separator)) = self.separator_after(start, end)
            && rules::is_secret_key(key)
        {
            let whole =
                (start == 0 && !self.script) && (key.starts_with(b"-") || separator == b'=');
            if !(rules::may_be_a_directory(key) && self.byte(value) == Some(b'/')) {
                self.copy_to(value);
                if rules::is_header(key) && !self.byte(value).as_ref().is_some_and(is_quote) {
                    self.header_value();
                } else {
                    self.value(Keep::Nothing, whole);
                }
                return;
            }
        }
        if key.starts_with(b"-")
            && rules::is_secret_key(key)
            && self.byte(end).is_none_or(|byte| byte.is_ascii_whitespace())
        {
            self.copy_to(end);
            self.next_word(Keep::Nothing);
            return;
        }
        if key.eq_ignore_ascii_case(b"bearer") && self.byte(end) == Some(b' ') {
            self.copy_to(end);
            self.next_word(Keep::Nothing);
            return;
        }
        match rules::known_token(key) {
            Some(prefix) => {
                self.copy_to(start + prefix);
                self.masker.line.extend_from_slice(MASK.as_bytes());
                self.at = end;
            }
            None => self.copy_to(end),
        }
    }

    /// The place of the value and the separator, where `=` or `:` follows the key: `key=value`,
    /// `"key": "value"`, `key = value`.
    fn separator_after(&self, start: usize, end: usize) -> Option<(usize, u8)> {
        let quote = start.checked_sub(1).and_then(|before| self.byte(before)).filter(is_quote);
        let mut at = end;
        if quote.is_some() && self.byte(at) == quote {
            at += 1;
        }
        at = self.skip_blanks(at, 4);
        let separator = self.byte(at).filter(|byte| matches!(byte, b'=' | b':'))?;
        Some((self.skip_blanks(at + 1, 4), separator))
    }

    /// Masks the value that begins here.
    fn value(&mut self, keep: Keep, whole: bool) {
        let quoted = self.byte(self.at).filter(is_quote).is_some() && !whole;
        if quoted {
            self.copy_to(self.at + 1);
        }
        let end = if quoted { self.quoted_end(self.at) } else { self.value_end(self.at, whole) };
        let secret = self.slice(self.at, end);
        if !secret.is_empty() {
            self.masker.put_secret(secret, keep);
        }
        self.at = end;
    }

    /// Masks the value of a header: to the end of the line or of the quotes it stands in.
    fn header_value(&mut self) {
        let end =
            self.end_while(self.at, |byte| !is_quote(&byte) && !matches!(byte, b'\r' | b'\n'));
        if end > self.at {
            self.masker.line.extend_from_slice(MASK.as_bytes());
        }
        self.at = end;
    }

    /// After `scheme://`: masks the password of `user:password@host`.
    fn user_and_password(&mut self) {
        let end = self.end_while(self.at, |byte| {
            !byte.is_ascii_whitespace() && !is_quote(&byte) && !matches!(byte, b'/' | b'?' | b'#')
        });
        let authority = self.slice(self.at, end);
        let Some(host) = authority.iter().rposition(|byte| *byte == b'@') else {
            return;
        };
        let user = authority.get(..host).unwrap_or_default();
        let secret_from = user.iter().position(|byte| *byte == b':').map_or(0, |colon| colon + 1);
        // `https://token@host` has no password, but its user part may be a token.
        if secret_from == 0 && rules::known_token(user).is_none() {
            return;
        }
        self.copy_to(self.at + secret_from);
        self.masker.line.extend_from_slice(MASK.as_bytes());
        self.at += host - secret_from;
    }

    fn copy_to(&mut self, end: usize) {
        let end = end.min(self.text.len());
        let part = self.text.get(self.at..end).unwrap_or_default();
        self.masker.line.extend_from_slice(part);
        self.at = end;
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        self.text.get(start..end.min(self.text.len())).unwrap_or_default()
    }

    fn at_word_start(&self) -> bool {
        self.at
            .checked_sub(1)
            .and_then(|before| self.byte(before))
            .is_none_or(|byte| byte.is_ascii_whitespace() || is_quote(&byte) || is_operator(byte))
    }

    /// Where the word ends: in a script at a blank, otherwise an argument's first word is all of it.
    fn word_end(&self) -> usize {
        if self.at == 0 && !self.script {
            return self.text.len();
        }
        self.end_while(self.at, |byte| {
            !byte.is_ascii_whitespace() && !is_quote(&byte) && !is_operator(byte)
        })
    }

    fn value_end(&self, start: usize, whole: bool) -> usize {
        if whole {
            return self.text.len();
        }
        self.end_while(start, |byte| {
            !byte.is_ascii_whitespace() && !is_quote(&byte) && !is_operator(byte) && byte != b','
        })
    }

    fn quoted_end(&self, start: usize) -> usize {
        let quote = start.checked_sub(1).and_then(|before| self.byte(before));
        self.end_while(start, |byte| Some(byte) != quote)
    }

    fn skip_blanks(&self, start: usize, most: usize) -> usize {
        let end = self.end_while(start, |byte| matches!(byte, b' ' | b'\t'));
        end.min(start.saturating_add(most))
    }

    fn end_while(&self, start: usize, within: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.get(start..).unwrap_or_default();
        start + rest.iter().position(|byte| !within(*byte)).unwrap_or(rest.len())
    }
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn is_quote(byte: &u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

fn is_operator(byte: u8) -> bool {
    matches!(byte, b'&' | b';' | b'|' | b'(' | b')' | b'<' | b'>')
}

/// Whether the argument is an option rather than a secret that happens to begin with a hyphen.
fn looks_like_option(argument: &[u8]) -> bool {
    match argument {
        [b'-', b'-', letter, ..] => letter.is_ascii_lowercase(),
        [b'-', letter] => letter.is_ascii_alphabetic(),
        _ => false,
    }
}

/// `-c`, `-lc`, `-ec`: what shells and interpreters take a script after.
fn is_script_option(argument: &[u8]) -> bool {
    matches!(argument, [b'-', letters @ .., b'c'] if letters.len() < 6 && letters.iter().all(u8::is_ascii_lowercase))
}

#[cfg(test)]
mod tests;
