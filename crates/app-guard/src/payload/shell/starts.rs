//! Values that are a command from their first word on.

use super::arguments::{
    ARGUMENTS_MAX, is_end, names_alias, names_path, strong_argument, takes_argument, words_are_few,
};
use super::batch::is_batch_condition;
use super::commands::{Habit, habit};
use super::hit;
use super::words::{globs, has_class, in_program_folder, last_part, read_word, skip_blanks};
use crate::payload::place::Place;
use crate::payload::scan::{Scan, View};
use crate::payload::text::{at, contains, is_space, slice, trim};

/// Looks at the first word and what follows it.
pub(super) fn check(scan: &mut Scan<'_>, view: &View<'_>, text: &[u8]) {
    check_at(scan, view, text, 0);
    // Each text in XML is a value.
    if scan.place.is_body() && trim(text).starts_with(b"<") {
        for end in memchr::memchr_iter(b'>', text) {
            if !matches!(at(text, end + 1), b'<' | b'\r' | b'\n' | b' ' | 0) {
                check_at(scan, view, text, end + 1);
            }
        }
    }
}

fn check_at(scan: &mut Scan<'_>, view: &View<'_>, text: &[u8], begin: usize) {
    let first = skip_blanks(text, begin);
    let word = read_word(text, first);
    scan.walked(word.text.len());
    let name = last_part(&word.text);
    let arguments = slice(text, word.end, word.end + ARGUMENTS_MAX);
    let is_program_path = in_program_folder(&word.text)
        && at(&word.text, 0) == b'/'
        && !word.text.starts_with(b"/tmp/")
        && (begin == 0 || strong_argument(arguments))
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
        b"rm" => {
            let arguments = trim(arguments);
            (arguments.starts_with(b"-r") || arguments.starts_with(b"-f"))
                && arguments.iter().any(|&byte| matches!(byte, b'/' | b'*' | b'~' | b'$' | b'.'))
        }
        b"uname" => {
            let options = trim(arguments);
            options.starts_with(b"-") && !options.iter().any(|&byte| is_space(byte))
        }
        b"ls" | b"dir" | b"find" | b"chmod" | b"chown" | b"netstat" | b"ps" | b"kill"
        | b"useradd" | b"cp" | b"mv" | b"touch" | b"mkdir" | b"echo" => {
            words_are_few(arguments) && names_path(arguments)
        }
        b"whoami" | b"ifconfig" | b"ipconfig" => {
            is_end(arguments)
                && !trim(text).contains(&b' ')
                && (first + name.len() < text.len() || !is_looked_up(scan.place))
        }
        _ => false,
    };
    let in_sh = matches!(
        name,
        b"sh" | b"bash" | b"zsh" | b"ksh" | b"dash" | b"csh" | b"powershell" | b"pwsh" | b"cmd"
    ) && (trim(arguments).starts_with(b"-")
        && at(trim(arguments), 1).is_ascii_alphabetic()
        || trim(arguments).starts_with(b"/c"));
    // `wh''oami`, `cu$@rl x.example`: nobody hides an honest word. `\date` is LaTeX.
    let is_hidden = word.hidden
        && at(text, first) != b'\\'
        && name.len() >= 3
        && matches!(habit(name), Some(Habit::Alone | Habit::WithArguments))
        && (is_end(arguments) || is_space(at(arguments, 0)));
    let reads_hidden = matches!(habit(name), Some(Habit::WithArguments))
        && arguments.split(|&byte| is_space(byte)).any(globs);
    let runs_program = in_program_folder(&word.text)
        && at(&word.text, 0) == b'/'
        && is_space(at(arguments, 0))
        && strong_argument(arguments);
    let is_class_path = globs(&word.text) && has_class(&word.text);
    let is_statement = is_batch_condition(slice(text, first, first + ARGUMENTS_MAX))
        || !is_looked_up(scan.place) && names_alias(&word.text, arguments);
    if !word.text.is_empty()
        && (reads
            || in_sh
            || is_hidden
            || runs_in_parameter(scan.place, name, arguments)
            || reads_hidden
            || runs_program
            || is_class_path
            || is_statement
            || is_program_path
                && (is_end(arguments) || takes_argument(arguments))
                && !trim(text).is_empty()
                && !scan.place.is_named_like(&["shell", "path"])
            || globs(&word.text) && is_space(at(arguments, 0)) && contains(arguments, b"/"))
    {
        hit(scan, view, first, "shell_start", "the value is a command");
    }
}

/// Whether people name or look things up there.
fn is_looked_up(place: Place<'_>) -> bool {
    place.is_body()
        || matches!(place.name(), "q" | "s")
        || place.is_named_like(&["name", "user", "nick", "search", "query", "title", "tag"])
}

/// `cmd=ls -la`: a parameter that asks for a command, and one that tells what the machine is or fetches more.
fn runs_in_parameter(place: Place<'_>, name: &[u8], arguments: &[u8]) -> bool {
    let is_alone = matches!(
        name,
        b"id"
            | b"whoami"
            | b"ls"
            | b"uname"
            | b"ifconfig"
            | b"ipconfig"
            | b"netstat"
            | b"systeminfo"
            | b"printenv"
            | b"ps"
    );
    let is_with_arguments =
        matches!(name, b"cat" | b"wget" | b"curl" | b"nc" | b"ping" | b"type" | b"dir" | b"echo");
    place.asks_for_command()
        && (is_alone && (is_end(arguments) || takes_argument(arguments))
            || is_with_arguments && takes_argument(arguments))
}
