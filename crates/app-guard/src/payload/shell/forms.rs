//! Forms that are commands wherever they stand.

use super::words::{last_part, read_word, skip_blanks};
use super::{batch, hit};
use crate::payload::scan::{Scan, View};
use crate::payload::text::{at, contains, find, is_space, is_word, places_of, skip, slice};
use crate::payload::triggers;

/// Looks for each form.
pub(super) fn check(scan: &mut Scan<'_>, view: &View<'_>, text: &[u8]) {
    if view.seen & triggers::SHELL != 0 {
        named_forms(scan, view, text);
        if let Some(start) = batch::loop_in(text) {
            hit(scan, view, start, "shell_loop", "a loop of a batch file");
        }
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
        (b"iex ((new-object", "a program that is loaded and run"),
        (b"iex (iwr", "a program that is loaded and run"),
        (b"iex (irm", "a program that is loaded and run"),
        (b"iex(iwr", "a program that is loaded and run"),
        (b"iex(irm", "a program that is loaded and run"),
        (b"iwr http", "a program that is loaded"),
        (b"invoke-webrequest http", "a program that is loaded"),
        (b"invoke-expression", "a program that is run"),
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
        (b"-oproxycommand=", "an option that runs a command"),
        (b"--upload-pack=", "an option that runs a command"),
        (b"--receive-pack=", "an option that runs a command"),
        (b"--use-askpass=", "an option that runs a command"),
        (b"--checkpoint-action=", "an option that runs a command"),
        (b"ext::sh ", "a transport of git that runs a command"),
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
        // `f(){ f|f& };f`
        let name = {
            let window = slice(text, start.saturating_sub(8), start);
            let length = window.iter().rev().take_while(|&&byte| is_word(byte) || byte == b':');
            slice(text, start - length.count(), start)
        };
        let body_end = slice(text, inside + name.len(), inside + name.len() + 24);
        let multiplies = !name.is_empty()
            && body.starts_with(name)
            && contains(body_end, b"|")
            && contains(body_end, b"&")
            && contains(body_end, b"}");
        if at(text, brace) == b'{' && multiplies {
            hit(scan, view, start, "shell_bomb", "a function that calls itself twice");
            return;
        }
        if at(text, brace) == b'{' && (is_empty || body.starts_with(b"_; } >_[$(")) {
            hit(scan, view, start, "shell_function", "a function that old shells run on import");
            return;
        }
    }
}
