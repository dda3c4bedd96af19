//! Calls of functions that run what they are given.

use super::hit;
use crate::payload::scan::{Scan, View};
use crate::payload::text::{at, contains, is_word, skip_spaces, slice, trim};

/// How far a call is read.
pub(super) const CALL_MAX: usize = 256;

/// As long as `eval`: most parentheses have less before them.
const SHORTEST_NAME: usize = 4;

/// Functions that run what they are given, and which arguments make an attack of the call.
const CALLS: [(&[u8], Needs); 102] = [
    (b"send", Needs::Method),
    (b"public_send", Needs::Method),
    (b"__send__", Needs::Method),
    (b"get_defined_vars", Needs::Nothing),
    (b"get_defined_functions", Needs::Nothing),
    (b"getallheaders", Needs::Nothing),
    (b"apache_request_headers", Needs::Nothing),
    (b"gzuncompress", Needs::Argument),
    (b"gzdecode", Needs::Argument),
    (b"bzdecompress", Needs::Argument),
    (b"convert_uudecode", Needs::Argument),
    (b"fsockopen", Needs::Argument),
    (b"pfsockopen", Needs::Argument),
    (b"posix_getpwuid", Needs::Argument),
    (b"posix_kill", Needs::Argument),
    (b"curl_exec", Needs::Argument),
    (b"register_shutdown_function", Needs::Argument),
    (b"mb_ereg_replace", Needs::Argument),
    (b"stream_socket_client", Needs::Argument),
    (b"move_uploaded_file", Needs::Argument),
    (b"php_strip_whitespace", Needs::Argument),
    (b"parse_ini_file", Needs::Argument),
    (b"posix_mkfifo", Needs::Argument),
    (b"array_map", Needs::Quoted),
    (b"array_filter", Needs::Quoted),
    (b"array_walk", Needs::Quoted),
    (b"usort", Needs::Quoted),
    (b"uasort", Needs::Quoted),
    (b"symlink", Needs::Quoted),
    (b"unlink", Needs::Quoted),
    (b"import", Needs::Module),
    (b"process.start", Needs::Quoted),
    (b"eval", Needs::Argument),
    (b"assert", Needs::CodeArgument),
    (b"system", Needs::Quoted),
    (b"exec", Needs::Quoted),
    (b"execfile", Needs::Quoted),
    (b"shell_exec", Needs::Argument),
    (b"passthru", Needs::Argument),
    (b"popen", Needs::Argument),
    (b"proc_open", Needs::Argument),
    (b"pcntl_exec", Needs::Argument),
    (b"phpinfo", Needs::Nothing),
    (b"base64_decode", Needs::Argument),
    (b"gzinflate", Needs::Argument),
    (b"str_rot13", Needs::Argument),
    (b"create_function", Needs::Argument),
    (b"call_user_func", Needs::Argument),
    (b"call_user_func_array", Needs::Argument),
    (b"preg_replace", Needs::CodeArgument),
    (b"file_put_contents", Needs::Argument),
    (b"file_get_contents", Needs::Quoted),
    (b"highlight_file", Needs::Argument),
    (b"show_source", Needs::Argument),
    (b"readfile", Needs::Quoted),
    (b"scandir", Needs::Argument),
    (b"putenv", Needs::Quoted),
    (b"ini_set", Needs::Quoted),
    (b"unserialize", Needs::Argument),
    (b"include", Needs::Stream),
    (b"require", Needs::Module),
    (b"require_once", Needs::Stream),
    (b"include_once", Needs::Stream),
    (b"__import__", Needs::Argument),
    (b"os.system", Needs::Argument),
    (b"os.popen", Needs::Argument),
    (b"os.execl", Needs::Argument),
    (b"os.spawnl", Needs::Argument),
    (b"os.execute", Needs::Argument),
    (b"subprocess.call", Needs::Argument),
    (b"subprocess.popen", Needs::Argument),
    (b"subprocess.run", Needs::Argument),
    (b"subprocess.check_output", Needs::Argument),
    (b"subprocess.getoutput", Needs::Argument),
    (b"commands.getoutput", Needs::Argument),
    (b"importlib.import_module", Needs::Argument),
    (b"compile", Needs::CodeArgument),
    (b"getattr", Needs::Builtin),
    (b"io.popen", Needs::Argument),
    (b"kernel.exec", Needs::Argument),
    (b"kernel.system", Needs::Argument),
    (b"kernel.open", Needs::Argument),
    (b"instance_eval", Needs::Argument),
    (b"class_eval", Needs::Argument),
    (b"execsync", Needs::Argument),
    (b"spawnsync", Needs::Argument),
    (b"spawn", Needs::Quoted),
    (b"process.binding", Needs::Argument),
    (b"process.kill", Needs::Argument),
    (b"process.exit", Needs::Breakout),
    (b"processbuilder", Needs::Argument),
    (b"getruntime", Needs::Nothing),
    (b"runtime.exec", Needs::Argument),
    (b"getenginebyname", Needs::Argument),
    (b"class.forname", Needs::Argument),
    (b"wscript.shell", Needs::Nothing),
    (b"activexobject", Needs::Argument),
    (b"loadstring", Needs::Argument),
    (b"dofile", Needs::Argument),
    (b"open", Needs::SystemFile),
    (b"function", Needs::CodeString),
    (b"sleep", Needs::Nowhere),
];

#[derive(Clone, Copy)]
enum Needs {
    /// A call as such.
    Nothing,
    /// Any argument.
    Argument,
    /// A string or a variable as argument.
    Quoted,
    /// A string with code in it.
    CodeArgument,
    /// A string or a stream that is loaded.
    Stream,
    /// One of the modules that run programs.
    Module,
    /// A name of the interpreter's own.
    Builtin,
    /// The name of a method that runs programs or code, and what it is given.
    Method,
    /// A file of the system.
    SystemFile,
    /// A string, and a call of the result.
    CodeString,
    /// The start of the value, or a closed string before it.
    Breakout,
    /// Other checks know better.
    Nowhere,
}

/// Looks at each call.
pub(super) fn check(scan: &mut Scan<'_>, view: &View<'_>) {
    let text = view.prose;
    for open in memchr::memchr_iter(b'(', text) {
        let name_end = {
            let window = slice(text, open.saturating_sub(4), open);
            open - window.iter().rev().take_while(|&&byte| byte == b' ').count()
        };
        let window = slice(text, name_end.saturating_sub(32), name_end);
        let length = window.iter().rev().take_while(|&&byte| is_word(byte) || byte == b'.').count();
        let start = name_end - length;
        // `".system('id')."`: strings are joined there, no method is called.
        let joins = at(text, start) == b'.'
            && start.checked_sub(1).is_none_or(|before| matches!(at(text, before), b'\'' | b'"'));
        let start = start + usize::from(joins);
        let name = slice(text, start, name_end);
        if name.is_empty() {
            continue;
        }
        let short = name
            .iter()
            .rposition(|&byte| byte == b'.')
            .map_or(name, |dot| slice(name, dot + 1, name.len()));
        if name.len() < SHORTEST_NAME {
            continue;
        }
        let arguments = slice(text, open + 1, open + CALL_MAX);
        for (function, needs) in CALLS {
            let called =
                if function.contains(&b'.') { name.ends_with(function) } else { short == function };
            // `model.eval(x)`, `pattern.exec("x")`: a method of that name is everybody's.
            let is_method = short.len() < name.len()
                && !function.contains(&b'.')
                && matches!(
                    function,
                    b"eval"
                        | b"exec"
                        | b"compile"
                        | b"open"
                        | b"system"
                        | b"spawn"
                        | b"assert"
                        | b"function"
                );
            if called && !is_method && satisfied(needs, text, start, arguments, open > name_end) {
                hit(scan, view, start, "code_call", "a call of a function that runs code");
                return;
            }
        }
    }
}

fn satisfied(needs: Needs, text: &[u8], start: usize, arguments: &[u8], spaced: bool) -> bool {
    let first = skip_spaces(slice(arguments, 0, 16), 0);
    let whole = slice(arguments, first, arguments.len());
    // `system(...['id'])`: PHP and JavaScript take the elements for the arguments.
    let is_spread = whole.strip_prefix(b"...").is_some_and(|rest| {
        matches!(at(trim(rest), 0), b'[' | b'$' | b'\'' | b'"' | 0) && !is_ellipsis(whole)
    });
    let arguments = if is_spread { slice(whole, 3, whole.len()) } else { whole };
    let byte = at(arguments, 0);
    let is_empty = byte == b')' || byte == 0;
    let is_quoted = is_spread || matches!(byte, b'\'' | b'"' | b'$' | b'\\' | b'`');
    let calls_inside = arguments.iter().take(64).any(|&byte| byte == b'(');
    match needs {
        Needs::Nothing => true,
        _ if is_ellipsis(whole) => false,
        Needs::Argument | Needs::Quoted | Needs::CodeArgument if is_spelled_out(arguments) => true,
        Needs::Method => names_method(arguments),
        Needs::Argument => {
            !is_empty
                && !spaced
                && (is_quoted
                    || calls_inside
                    || !contains(slice(arguments, 0, 64), b" ")
                    || contains(slice(arguments, 0, 64), b"request"))
        }
        Needs::Quoted => is_quoted,
        Needs::CodeArgument => {
            (is_quoted && calls_inside && !contains(arguments, b" == "))
                || byte == b'$' && arguments.starts_with(b"$_")
                || contains(slice(arguments, 0, 64), b"/e'")
                || contains(slice(arguments, 0, 64), b"/e\"")
        }
        Needs::Stream => {
            is_quoted
                && (contains(arguments, b"://")
                    || contains(arguments, b"../")
                    || contains(arguments, b"/etc/")
                    || byte == b'$')
        }
        Needs::Module => {
            let module = slice(arguments, 0, 32);
            [
                &b"child_process"[..],
                b"'fs'",
                b"\"fs\"",
                b"'os'",
                b"\"os\"",
                b"'net'",
                b"\"net\"",
                b"'vm'",
                b"\"vm\"",
                b"node:",
                b"http'",
                b"../",
                b"php://",
            ]
            .iter()
            .any(|name| contains(module, name))
                && (contains(from_start(text, start), b")")
                    && (contains(arguments, b").")
                        || contains(
                            slice(text, start.saturating_sub(CALL_MAX), start),
                            b"process",
                        )
                        || at(text, start.wrapping_sub(1)) != b' '
                        || start == 0))
        }
        Needs::Builtin => {
            contains(slice(arguments, 0, 64), b"__")
                || contains(slice(arguments, 0, 64), b"builtins")
        }
        Needs::SystemFile => {
            is_quoted
                && (contains(slice(arguments, 0, 32), b"/etc/")
                    || contains(slice(arguments, 0, 32), b"/proc/")
                    || contains(slice(arguments, 0, 8), b"|"))
        }
        Needs::CodeString => {
            is_quoted && (contains(arguments, b")()") || contains(arguments, b")("))
        }
        Needs::Breakout => start == 0 || matches!(at(text, start - 1), b'\'' | b'"' | b';' | b'`'),
        Needs::Nowhere => false,
    }
}

fn from_start(text: &[u8], start: usize) -> &[u8] {
    slice(text, start, start + CALL_MAX)
}

/// `chr(115).chr(121)`: a string that is put together letter by letter.
fn is_spelled_out(arguments: &[u8]) -> bool {
    let start = slice(arguments, 0, 64);
    start.starts_with(b"chr(") && (contains(start, b").chr(") || contains(start, b")+chr("))
}

/// ``:`, 'id'``, `:system, 'id'`: the method of Ruby that is to be called, with its argument.
fn names_method(arguments: &[u8]) -> bool {
    const METHODS: [&[u8]; 8] =
        [b"`", b"system", b"exec", b"eval", b"spawn", b"instance_eval", b"class_eval", b"syscall"];
    let name = slice(arguments, 1, 40);
    let quote = match at(arguments, 0) {
        b':' if matches!(at(name, 0), b'\'' | b'"') => at(name, 0),
        b':' => 0,
        quote @ (b'\'' | b'"') => quote,
        _ => return false,
    };
    let name = slice(name, usize::from(at(arguments, 0) == b':' && quote != 0), name.len());
    METHODS.iter().any(|method| {
        name.strip_prefix(*method).is_some_and(|behind| {
            let behind = slice(behind, usize::from(quote != 0 && at(behind, 0) == quote), 40);
            at(trim(behind), 0) == b','
        })
    })
}

/// `eval(...)`, `eval("…")`: how prose writes that there are arguments. What is spread, as in `eval(...["1"])`, is one.
pub(super) fn is_ellipsis(arguments: &[u8]) -> bool {
    let is_quote = |byte| matches!(byte, b'"' | b'\'');
    let quoted = is_quote(at(arguments, 0));
    let dots = slice(arguments, usize::from(quoted), arguments.len());
    let Some(behind) = dots.strip_prefix(b"...").or_else(|| dots.strip_prefix("…".as_bytes()))
    else {
        return false;
    };
    let behind = slice(behind, usize::from(quoted && is_quote(at(behind, 0))), behind.len());
    behind.is_empty() || at(trim(behind), 0) == b')'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_function_is_shorter_than_what_is_looked_up() {
        for (function, _) in CALLS {
            assert!(function.len() >= SHORTEST_NAME, "{}", String::from_utf8_lossy(function));
        }
    }
}
