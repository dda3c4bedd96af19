//! Commands behind what separates commands, and in substitutions.

use super::arguments::{
    ARGUMENTS_MAX, is_end, is_number, names_alias, names_path, strong_argument, takes_argument,
    words_are_few,
};
use super::batch::is_batch_condition;
use super::commands::{Habit, habit};
use super::hit;
use super::prose::{goes_on_as_prose, is_talked_about};
use super::words::{WORD_MAX, globs, in_program_folder, last_part, read_word, skip_blanks};
use crate::payload::scan::{Scan, View};
use crate::payload::text::{at, contains, from, is_space, is_word, places_of, skip, slice, trim};

/// How a command may have been reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// `;`, `|`, `||`, `&&`
    Strong,
    /// `&`, a line break: prose and query strings have them too.
    Weak,
    /// `$(`, a backtick, `<(`, `>(`
    Substitution,
}

/// Looks behind each separator.
pub(super) fn check(scan: &mut Scan<'_>, view: &View<'_>, text: &[u8]) {
    let mut index = 0;
    // Words of prose before the first separator make an accidental word behind it likely.
    let mut is_open = false;
    // Kept up to date on the way, so that nothing looks back over the whole value.
    let first_solid = skip(text, 0, is_space);
    let first_gap =
        first_solid + memchr::memchr(b' ', from(text, first_solid)).unwrap_or(text.len());
    let mut last_solid = 0;
    // What begins with an address was to be the argument of a command.
    let begins_with_address = begins_with_address(from(text, first_solid));
    while let Some(&byte) = text.get(index) {
        let next = at(text, index + 1);
        let (opening, length) = match byte {
            b';' => (Opening::Strong, 1),
            b'|' => (Opening::Strong, if matches!(next, b'|' | b'&') { 2 } else { 1 }),
            b'&' if next == b'&' => (Opening::Strong, 2),
            b'&' => (Opening::Weak, 1),
            b'\n' | b'\r' => (Opening::Weak, 1),
            b'`' => {
                is_open = !is_open;
                if !is_open {
                    index += 1;
                    continue;
                }
                (Opening::Substitution, 1)
            }
            b'$' if next == b'(' => (Opening::Substitution, 2),
            b'<' | b'>' if next == b'(' => (Opening::Substitution, 2),
            _ => {
                if !is_space(byte) {
                    last_solid = index;
                }
                index += 1;
                continue;
            }
        };
        let behind = index + length;
        let before = Before {
            end: index,
            is_bare: first_gap > last_solid || begins_with_address,
            is_address: begins_with_address,
            is_quote: matches!(at(text, last_solid), b'\'' | b'"'),
        };
        if opening != Opening::Substitution && runs_variable(scan, text, index, behind) {
            hit(scan, view, index, "shell_variable", "a command that is put together in variables");
            return;
        }
        if is_command(scan, text, before, behind, opening) {
            let (name, words) = match opening {
                Opening::Substitution => ("shell_substitution", "a command whose output is put in"),
                _ => ("shell_command", "a command behind a separator"),
            };
            hit(scan, view, index, name, words);
            return;
        }
        last_solid = index;
        index = behind;
    }
}

/// What stands before a separator.
#[derive(Clone, Copy)]
struct Before {
    /// Where it ends, and the separator begins.
    end: usize,
    /// It is one token, or nothing: the value was not prose until here.
    is_bare: bool,
    /// It begins with an address.
    is_address: bool,
    /// It ends with a quote.
    is_quote: bool,
}

/// `a=c;b=at;$a$b …`: behind the separator, a variable that the value set before.
fn runs_variable(scan: &mut Scan<'_>, text: &[u8], separator: usize, behind: usize) -> bool {
    const LOOKED_BACK: usize = 128;
    const NAME_MAX: usize = 24;
    let start = skip_blanks(text, behind);
    if at(text, start) != b'$' {
        return false;
    }
    let start = start + 1 + usize::from(at(text, start + 1) == b'{');
    let end = skip(slice(text, 0, start + NAME_MAX), start, is_word);
    let name = slice(text, start, end);
    if name.is_empty() {
        return false;
    }
    scan.walked(LOOKED_BACK);
    let before = slice(text, separator.saturating_sub(LOOKED_BACK), separator);
    places_of(before, name).any(|place| {
        let starts =
            place.checked_sub(1).is_none_or(|before_name| !is_word(at(before, before_name)));
        starts && at(before, place + name.len()) == b'='
    })
}

/// Whether an address of version 4 stands first.
fn begins_with_address(text: &[u8]) -> bool {
    let end = skip(slice(text, 0, 16), 0, |byte| byte.is_ascii_digit() || byte == b'.');
    let address = slice(text, 0, end);
    address.len() >= 7 && address.iter().filter(|&&byte| byte == b'.').count() == 3
}

fn is_command(
    scan: &mut Scan<'_>,
    text: &[u8],
    before: Before,
    behind: usize,
    opening: Opening,
) -> bool {
    let mut first = skip_blanks(text, behind);
    let mut word = read_word(text, first);
    scan.walked(word.end - first);
    // `X=1 id`, `sudo id`, `/usr/bin/env id`, `nohup id`
    for _ in 0..3 {
        let assigns = at(text, word.end) == b'='
            && !word.text.is_empty()
            && word.text.iter().all(|&byte| is_word(byte));
        let carries = matches!(
            last_part(&word.text),
            b"sudo"
                | b"nohup"
                | b"env"
                | b"time"
                | b"exec"
                | b"command"
                | b"builtin"
                | b"xargs"
                | b"busybox"
                | b"then"
                | b"do"
                | b"else"
                | b"start"
        );
        let next = if assigns {
            skip(slice(text, 0, word.end + WORD_MAX), word.end, |byte| {
                !is_space(byte) && byte != b';'
            })
        } else {
            word.end
        };
        if !(assigns || carries)
            || !is_space(at(text, next)) && !matches!(at(text, next), b';' | b'$')
        {
            break;
        }
        let next = skip_blanks(text, next + usize::from(at(text, next) == b';'));
        let following = read_word(text, next);
        if following.text.is_empty() || habit(last_part(&following.text)).is_none() {
            break;
        }
        scan.walked(following.end - next);
        first = next;
        word = following;
    }
    if word.text.is_empty() {
        return false;
    }
    // `.shell id` of SQLite, `alias x=curl`
    let behind_word = from(text, word.end);
    let is_dot_command = matches!(word.text.as_slice(), b".shell" | b".sh" | b".system");
    // `. /tmp/x`
    let is_sourced = word.text == b"."
        && is_space(at(behind_word, 0))
        && matches!(at(behind_word, 1), b'/' | b'~' | b'.');
    if is_sourced && matches!(opening, Opening::Strong)
        || is_dot_command && is_space(at(behind_word, 0)) && opening != Opening::Substitution
        || names_alias(&word.text, behind_word)
        || is_batch_condition(slice(text, first, first + ARGUMENTS_MAX))
    {
        return true;
    }
    let has_path =
        word.text.contains(&b'/') && (at(&word.text, 0) == b'/' || at(&word.text, 0) == b'.');
    let name = last_part(&word.text);
    if has_path && globs(&word.text) {
        return true;
    }
    let Some(habit) = habit(name) else {
        // A program by its whole path.
        return has_path && in_program_folder(&word.text);
    };
    let separated = slice(text, before.end, first);
    let context = Context {
        before: slice(text, 0, before.end),
        is_bare: before.is_bare,
        is_address: before.is_address,
        is_quote: before.is_quote,
        is_body: scan.place.is_body(),
        lists_names: scan.place.is_named_like(&[
            "fields", "sort", "columns", "select", "include", "expand", "order", "tags",
        ]),
        is_line: matches!(at(text, before.end), b'\n' | b'\r'),
        arguments: slice(text, word.end, word.end + ARGUMENTS_MAX),
        name,
        opening,
        hidden: word.hidden
            || has_path
            || contains(separated, b"ifs")
            || separated.contains(&b'{') && at(text, word.end) == b',',
        spaced: is_space(at(text, behind)),
        is_semicolon: at(text, before.end) == b';',
    };
    judge(habit, &context)
}

struct Context<'a> {
    before: &'a [u8],
    is_bare: bool,
    is_address: bool,
    is_quote: bool,
    is_body: bool,
    /// The place takes a list of names.
    lists_names: bool,
    /// The separator is a line break.
    is_line: bool,
    arguments: &'a [u8],
    name: &'a [u8],
    opening: Opening,
    hidden: bool,
    spaced: bool,
    is_semicolon: bool,
}

impl Context<'_> {
    /// `We tried; ping 10.0.0.1 works.`: words before it, a semicolon as sentences have it, and a sentence behind.
    fn is_in_sentence(&self) -> bool {
        self.is_body
            && self.is_semicolon
            && self.spaced
            && !self.is_bare
            && !self.is_quote
            && is_talked_about(self.name)
            && goes_on_as_prose(self.arguments, habit(self.name) == Some(Habit::Tool))
    }

    /// `host\nid`: one word in one line, and the command in the other.
    fn is_last_of_two_lines(&self) -> bool {
        self.name == b"id"
            && self.is_line
            && self.is_bare
            && !self.lists_names
            && trim(self.arguments).is_empty()
            && !trim(self.before).is_empty()
            && !trim(self.before).iter().any(|&byte| is_space(byte))
    }

    /// `` `ls` `` as all there is: a word in code, which as a command tells next to nothing.
    fn is_quoted_listing(&self) -> bool {
        self.name == b"ls" && self.before.is_empty() && trim(self.arguments) == b"`"
    }
}

/// Whether a command word, given how it is used, is a command.
fn judge(habit: Habit, context: &Context<'_>) -> bool {
    if context.hidden {
        return true;
    }
    let arguments = context.arguments;
    let next = at(arguments, 0);
    let ends = is_end(arguments);
    let has_argument = takes_argument(arguments) && !context.is_in_sentence();
    let bare_before = context.is_bare;
    // In a table of a text a bar follows; in a list, another semicolon.
    let follows = at(trim(arguments), 0);
    let in_row = context.spaced
        && !context.is_quote
        && (follows == b'|'
            || follows == b';' && context.before.iter().take(WORD_MAX).any(|&byte| is_word(byte)));
    if next == b'=' || next == b':' && context.name != b"dir" || next == b'(' {
        return false;
    }
    // `St; Apt 3`
    let is_counted = habit == Habit::Tool && context.spaced && is_number(arguments);
    if is_counted || context.is_quoted_listing() {
        return false;
    }
    match context.opening {
        Opening::Substitution => match habit {
            Habit::Harmless => context.name == b"pwd" && !context.is_body && !context.spaced,
            Habit::Tool => strong_argument(arguments),
            Habit::WithArguments => has_argument || is_space(next),
            _ => ends || has_argument || matches!(next, b')' | b'`') || is_space(next),
        },
        Opening::Strong => match habit {
            Habit::Alone => {
                ends && !in_row
                    || has_argument
                    || (bare_before
                        && matches!(next, b' ' | b'|' | b';' | b'&' | b'#' | b'\'' | b'"' | b'>'))
                        && !in_row
            }
            Habit::AloneCommon => {
                (ends
                    && !in_row
                    && bare_before
                    && !(context.lists_names && is_name_list(context.before)))
                    || has_argument
            }
            Habit::WithArguments | Habit::Tool => {
                has_argument
                    || (bare_before
                        && is_space(next)
                        && !trim(arguments).is_empty()
                        && (words_are_few(arguments) || names_path(arguments)))
                    || (bare_before
                        && ends
                        && !in_row
                        && !context.spaced
                        && !context.before.is_empty()
                        && !is_name_list(context.before))
            }
            Habit::Harmless => {
                has_argument && bare_before
                    || context.name == b"pwd" && ends && context.before.is_empty()
                    || context.is_address && ends
            }
        },
        Opening::Weak => match habit {
            Habit::Alone => ends && bare_before || has_argument,
            Habit::AloneCommon => {
                has_argument
                    || ends && bare_before && context.spaced && context.before.is_empty()
                    || ends && bare_before && context.is_line && !context.is_body
                    || context.is_last_of_two_lines()
                    || ends && context.is_address
            }
            Habit::WithArguments | Habit::Tool => {
                has_argument
                    && (bare_before
                        || context.opening != Opening::Weak
                        || strong_argument(arguments))
            }
            Habit::Harmless => false,
        },
    }
}

/// `python;ruby;perl`: names in a list.
fn is_name_list(before: &[u8]) -> bool {
    before
        .iter()
        .take(WORD_MAX * 4)
        .all(|&byte| is_word(byte) || matches!(byte, b';' | b'|' | b',' | b'-'))
}
