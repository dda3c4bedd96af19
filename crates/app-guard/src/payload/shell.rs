//! Commands of a shell behind what separates commands: read word by word, without the quotes, backslashes
//! and empty variables that hide words from filters.

mod commands;

use super::category::Category::CommandInjection;
use super::scan::{Scan, View};
use super::text::{at, contains, find, from, is_space, is_word, places_of, skip, slice, trim};
use super::triggers;
use commands::{Habit, habit};

/// The longest word that is read.
const WORD_MAX: usize = 64;
/// How far the arguments of a command are read.
const ARGUMENTS_MAX: usize = 160;

/// Looks behind each separator, at the start, and for forms that are commands wherever they stand.
pub(crate) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.prose;
    scan.walked(text.len().saturating_mul(3));
    separators(scan, view, text);
    forms(scan, view, text);
    start(scan, view, text);
}

fn hit(scan: &mut Scan<'_>, view: &View<'_>, at: usize, name: &'static str, words: &'static str) {
    scan.hit(view, at, (CommandInjection, 1.0), name, words);
}

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

fn separators(scan: &mut Scan<'_>, view: &View<'_>, text: &[u8]) {
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

/// Whether an address of version 4 stands first.
fn begins_with_address(text: &[u8]) -> bool {
    let end = skip(slice(text, 0, 16), 0, |byte| byte.is_ascii_digit() || byte == b'.');
    let address = slice(text, 0, end);
    address.len() >= 7 && address.iter().filter(|&&byte| byte == b'.').count() == 3
}

/// One word as a shell reads it, and where it ends.
struct Word {
    text: Vec<u8>,
    end: usize,
    /// It was written in a way that hides it.
    hidden: bool,
}

fn read_word(text: &[u8], start: usize) -> Word {
    let mut word = Word { text: Vec::new(), end: start, hidden: false };
    let limit = text.len().min(start + WORD_MAX * 2);
    let mut index = start;
    while index < limit && word.text.len() < WORD_MAX {
        match at(text, index) {
            // Quotes inside of a word are part of nothing; before the first letter they close what was open.
            b'\'' | b'"' => {
                let inside = !word.text.is_empty()
                    && (is_word(at(text, index + 1))
                        || matches!(at(text, index + 1), b'\'' | b'"'));
                let around = word.text.is_empty() && is_word(at(text, index + 1));
                // `user's` is an apostrophe: what hides a word closes again.
                let quote = at(text, index);
                let closes = slice(text, index + 1, index + 1 + WORD_MAX)
                    .iter()
                    .take_while(|&&byte| {
                        is_word(byte) || byte == quote || matches!(byte, b'/' | b'.' | b'-')
                    })
                    .any(|&byte| byte == quote)
                    || closed_before(text, start, index, quote);
                if !(around || inside && closes) {
                    break;
                }
                word.hidden |= inside;
                index += 1;
            }
            b'\\' if at(text, index + 1) == b'\n' => index += 2,
            b'\\' if is_word(at(text, index + 1)) && !windows_path(&word.text) => {
                word.hidden = true;
                index += 1;
            }
            b'^' => {
                word.hidden = true;
                index += 1;
            }
            b'$' => match expansion(text, index) {
                Some((end, is_space)) => {
                    if is_space {
                        break;
                    }
                    word.hidden = true;
                    index = end;
                }
                None => break,
            },
            byte if is_word(byte)
                || matches!(
                    byte,
                    b'/' | b'.' | b'-' | b'?' | b'*' | b'[' | b']' | b':' | b'~' | b'%'
                ) =>
            {
                word.text.push(byte);
                index += 1;
            }
            b'\\' => {
                word.text.push(b'\\');
                index += 1;
            }
            _ => break,
        }
    }
    word.end = index;
    word
}

/// Whether the quote at `index` closes one that was opened in the same word.
fn closed_before(text: &[u8], start: usize, index: usize, quote: u8) -> bool {
    slice(text, start, index).iter().filter(|&&byte| byte == quote).count() % 2 == 1
}

fn windows_path(word: &[u8]) -> bool {
    word.contains(&b':') || word.contains(&b'\\') || word.contains(&b'%')
}

/// `$@`, `$*`, `$1`, `${x}`, `$u`: empty; `$IFS`, `${IFS}`: a space. Where it ends, and whether it is a space.
fn expansion(text: &[u8], start: usize) -> Option<(usize, bool)> {
    let next = at(text, start + 1);
    if next == b'{' {
        let inside = slice(text, start + 2, start + 2 + WORD_MAX);
        let length = inside.iter().position(|&byte| byte == b'}')?;
        return Some((start + 3 + length, inside.starts_with(b"ifs")));
    }
    if matches!(next, b'@' | b'*' | b'!' | b'#' | b'-') || next.is_ascii_digit() {
        return Some((start + 2, false));
    }
    let end = skip(slice(text, 0, start + WORD_MAX), start + 1, is_word);
    let name = slice(text, start + 1, end);
    if name == b"ifs" {
        return Some((
            if at(text, end) == b'$' && at(text, end + 1).is_ascii_digit() { end + 2 } else { end },
            true,
        ));
    }
    (!name.is_empty() && is_word(at(text, end))).then_some((end, false))
}

/// White space as a shell sees it.
fn skip_blanks(text: &[u8], start: usize) -> usize {
    let mut index = start;
    for _ in 0..WORD_MAX {
        if is_space(at(text, index)) && index < text.len()
            || matches!(at(text, index), b'{' | b'(' | b'!' | b'@')
        {
            index += 1;
        } else if at(text, index) == b'$'
            && let Some((end, true)) = expansion(text, index)
        {
            index = end;
        } else {
            break;
        }
    }
    index
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
}

/// Whether a command word, given how it is used, is a command.
fn judge(habit: Habit, context: &Context<'_>) -> bool {
    if context.hidden {
        return true;
    }
    let arguments = context.arguments;
    let next = at(arguments, 0);
    let ends = is_end(arguments);
    let has_argument = takes_argument(arguments);
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
    match context.opening {
        Opening::Substitution => match habit {
            Habit::Harmless => false,
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
                        && words_are_few(arguments))
                    || (bare_before
                        && ends
                        && !in_row
                        && !context.spaced
                        && !context.before.is_empty()
                        && !is_name_list(context.before))
            }
            Habit::Harmless => has_argument && bare_before,
        },
        Opening::Weak => match habit {
            Habit::Alone => ends && bare_before || has_argument,
            Habit::AloneCommon => {
                has_argument
                    || ends && bare_before && context.spaced && context.before.is_empty()
                    || ends && bare_before && context.is_line && !context.is_body
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

fn words_are_few(arguments: &[u8]) -> bool {
    trim(arguments).iter().filter(|&&byte| byte == b' ').count() <= 2
}

/// Whether the command ends there.
fn is_end(arguments: &[u8]) -> bool {
    let rest = trim(arguments);
    let byte = at(rest, 0);
    rest.is_empty()
        || matches!(byte, b';' | b'|' | b'&' | b'#' | b'`' | b'>' | b'<')
        || byte == b')'
        || (matches!(byte, b'\'' | b'"') && rest.len() <= 4)
}

/// Whether what follows is an argument that prose does not have: an option, a path, a URL, an address.
fn takes_argument(arguments: &[u8]) -> bool {
    let start = skip_blanks(arguments, 0);
    if start == 0 {
        return matches!(at(arguments, 0), b'<' | b'>') && !is_space(at(arguments, 1))
            || arguments.starts_with(b"$ifs")
            || arguments.starts_with(b"${ifs")
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

fn strong_argument(arguments: &[u8]) -> bool {
    let argument = trim(arguments);
    argument.starts_with(b"-") && at(argument, 1).is_ascii_alphabetic()
        || argument.starts_with(b"/")
        || contains(slice(argument, 0, 64), b"://")
}

/// Whether one of the arguments is a path or an option.
fn names_path(arguments: &[u8]) -> bool {
    arguments.split(|&byte| is_space(byte)).any(|word| {
        let (first, second) = (at(word, 0), at(word, 1));
        first == b'/' && word.len() > 1
            || first == b'-' && second.is_ascii_alphabetic()
            || matches!(first, b'.' | b'~') && second == b'/'
            || contains(word, b":\\")
    })
}

/// The name of a program without its folder and `.exe`.
fn last_part(word: &[u8]) -> &[u8] {
    let name = word.rsplit(|&byte| matches!(byte, b'/' | b'\\')).next().unwrap_or(word);
    name.strip_suffix(b".exe").unwrap_or(name)
}

fn in_program_folder(word: &[u8]) -> bool {
    [&b"/bin/"[..], b"/usr/bin/", b"/sbin/", b"/usr/sbin/", b"/usr/local/bin/", b"/tmp/", b"./"]
        .iter()
        .any(|folder| word.starts_with(folder) && word.len() > folder.len())
}

/// `/???/c?t`, `/bin/c*`: what only a shell resolves.
fn globs(word: &[u8]) -> bool {
    word.iter().any(|&byte| matches!(byte, b'?' | b'*'))
        && word.iter().filter(|&&byte| byte == b'/').count() >= 2
        && at(word, 0) == b'/'
}

/// Forms that are commands wherever they stand.
fn forms(scan: &mut Scan<'_>, view: &View<'_>, text: &[u8]) {
    if view.seen & triggers::SHELL != 0 {
        named_forms(scan, view, text);
    }
    pipes(scan, view, text);
}

/// The forms as they are written; each has a word that the prefilter looks for.
fn named_forms(scan: &mut Scan<'_>, view: &View<'_>, text: &[u8]) {
    for (form, words) in [
        (&b"/dev/tcp/"[..], "a connection by the shell"),
        (b"/dev/udp/", "a connection by the shell"),
        (b"bash -i", "a shell for somebody elsewhere"),
        (b"bash -c", "a command for a shell"),
        (b"sh -i", "a shell for somebody elsewhere"),
        (b"/bin/sh -c", "a command for a shell"),
        (b"/bin/bash -c", "a command for a shell"),
        (b"nc -e", "a shell for somebody elsewhere"),
        (b"ncat -e", "a shell for somebody elsewhere"),
        (b"nc -lvp", "a listener for a shell"),
        (b"nc -nv", "a connection for a shell"),
        (b"nc -lp", "a listener for a shell"),
        (b"rm -rf /", "the removal of everything"),
        (b"rm -fr /", "the removal of everything"),
        (b"powershell -e", "an encoded command of PowerShell"),
        (b"powershell -nop", "a command of PowerShell"),
        (b"powershell.exe -", "a command of PowerShell"),
        (b"powershell -c", "a command of PowerShell"),
        (b"powershell -w", "a command of PowerShell"),
        (b"powershell iex", "a command of PowerShell"),
        (b"iex(new-object", "a program that is loaded and run"),
        (b"iex (new-object", "a program that is loaded and run"),
        (b"downloadstring(", "a program that is loaded and run"),
        (b"cmd.exe /c", "a command for a shell"),
        (b"cmd /c", "a command for a shell"),
        (b"certutil -urlcache", "a program that is loaded"),
        (b"bitsadmin /transfer", "a program that is loaded"),
        (b"mshta http", "a program that is loaded and run"),
        (b"regsvr32 /s", "a program that is loaded and run"),
        (b"mkfifo /tmp", "a pipe for a shell"),
        (b"python -c 'import", "a program in an argument"),
        (b"python3 -c 'import", "a program in an argument"),
        (b"python -c \"import", "a program in an argument"),
        (b"perl -e 'use socket", "a program in an argument"),
        (b"php -r '$sock", "a program in an argument"),
        (b"ruby -rsocket", "a program in an argument"),
        (b"$ifs", "a space that filters do not see"),
        (b"${ifs", "a space that filters do not see"),
        (b"${path:", "a character cut out of a variable"),
        (b"${home:", "a character cut out of a variable"),
        (b"base64 -d|", "a hidden command"),
        (b"base64 -d |", "a hidden command"),
        (b"base64 --decode |", "a hidden command"),
        (b"chmod 777 /", "rights for everybody"),
        (b"chmod +x /tmp", "a program made executable"),
    ] {
        // A few dozen passes of a fast search; only values with words of a shell come here.
        if let Some(start) = find(text, form)
            && !is_word(start.checked_sub(1).map_or(0, |before| at(text, before)))
        {
            hit(scan, view, start, "shell_form", words);
            return;
        }
    }
    scan.walked(text.len().saturating_mul(4));
}

/// Output into a shell, and functions that old shells import.
fn pipes(scan: &mut Scan<'_>, view: &View<'_>, text: &[u8]) {
    scan.walked(text.len().saturating_mul(2));
    // `curl … | sh`
    for start in memchr::memchr_iter(b'|', text) {
        let word = read_word(text, skip_blanks(text, start + 1));
        let shell = matches!(
            last_part(&word.text),
            b"sh"
                | b"bash"
                | b"zsh"
                | b"dash"
                | b"python"
                | b"python3"
                | b"perl"
                | b"php"
                | b"ruby"
                | b"node"
                | b"powershell"
                | b"iex"
        );
        scan.walked(word.text.len());
        let before = slice(text, start.saturating_sub(256), start);
        if shell
            && [&b"curl "[..], b"wget ", b"echo ", b"base64", b"printf ", b"cat ", b"fetch "]
                .iter()
                .any(|program| contains(before, program))
        {
            hit(scan, view, start, "shell_pipe", "output that is piped into a shell");
            return;
        }
    }
    // Shellshock: `() { :;}; …`
    for start in places_of(text, b"()") {
        let brace = skip(slice(text, 0, start + 16), start + 2, is_space);
        let inside = skip(slice(text, 0, brace + 16), brace + 1, is_space);
        let body = slice(text, inside, inside + 12);
        let is_empty = body.starts_with(b":;")
            || body.starts_with(b":; ")
            || body.starts_with(b"_;")
            || body.starts_with(b"_ ;")
            || body.starts_with(b": ;")
            || body.starts_with(b"_; }")
            || body.starts_with(b"test;")
            || body.starts_with(b"ignored;")
            || body.starts_with(b"foo;")
            || body.starts_with(b"x;");
        if at(text, brace) == b'{' && (is_empty || body.starts_with(b"_; } >_[$(")) {
            hit(scan, view, start, "shell_function", "a function that old shells run on import");
            return;
        }
    }
}

/// Values that are a command from their first word on.
fn start(scan: &mut Scan<'_>, view: &View<'_>, text: &[u8]) {
    let first = skip_blanks(text, 0);
    let word = read_word(text, first);
    scan.walked(word.text.len());
    let name = last_part(&word.text);
    let arguments = slice(text, word.end, word.end + ARGUMENTS_MAX);
    let is_program_path = in_program_folder(&word.text)
        && at(&word.text, 0) == b'/'
        && !word.text.starts_with(b"/tmp/")
        && habit(name).is_some();
    let reads = match name {
        b"cat" | b"head" | b"tail" | b"less" | b"more" | b"nl" | b"tac" | b"type" | b"strings"
        | b"xxd" | b"vi" | b"grep" => {
            contains(arguments, b"/etc/")
                || contains(arguments, b"/proc/")
                || contains(arguments, b"/var/")
                || contains(arguments, b"passwd")
                || contains(arguments, b"c:\\")
                || contains(arguments, b"/root/")
                || contains(arguments, b".ssh")
        }
        b"wget" | b"curl" => {
            contains(arguments, b"://") && words_are_few(arguments)
                || trim(arguments).starts_with(b"-")
        }
        b"nc" | b"ncat" | b"netcat" | b"telnet" => {
            trim(arguments).iter().filter(|byte| byte.is_ascii_digit()).count() >= 3
        }
        b"ping" | b"nslookup" | b"traceroute" => {
            trim(arguments).starts_with(b"-") && at(trim(arguments), 1).is_ascii_alphabetic()
        }
        b"rm" => trim(arguments).starts_with(b"-r") || trim(arguments).starts_with(b"-f"),
        b"ls" | b"dir" | b"find" | b"chmod" | b"chown" | b"uname" | b"netstat" | b"ps"
        | b"kill" | b"useradd" | b"cp" | b"mv" | b"touch" | b"mkdir" | b"echo" => {
            words_are_few(arguments) && names_path(arguments)
        }
        b"whoami" | b"ifconfig" | b"ipconfig" => {
            is_end(arguments) && !trim(text).contains(&b' ') && first + name.len() < text.len()
        }
        _ => false,
    };
    let in_sh = matches!(
        name,
        b"sh" | b"bash" | b"zsh" | b"ksh" | b"dash" | b"csh" | b"powershell" | b"pwsh" | b"cmd"
    ) && (trim(arguments).starts_with(b"-")
        && at(trim(arguments), 1).is_ascii_alphabetic()
        || trim(arguments).starts_with(b"/c"));
    if !word.text.is_empty()
        && (reads
            || in_sh
            || is_program_path
                && (is_end(arguments) || takes_argument(arguments))
                && !trim(text).is_empty()
                && !scan.place.is_named_like(&["shell", "path"])
            || globs(&word.text) && is_space(at(arguments, 0)) && contains(arguments, b"/"))
    {
        hit(scan, view, first, "shell_start", "the value is a command");
    }
}
