use std::borrow::Cow;

/// The bytes that the kernel keeps of a program's name; a name of this length may be cut off.
const KERNEL_NAME_BYTES: usize = 15;

/// The short name of a program as psutil gives it: the kernel's, completed from the first argument
/// where the kernel cut it off.
///
/// `kernel_name` is as `/proc/PID/stat` has it; `arguments` is what `/proc/PID/cmdline` holds, NUL
/// between the arguments.
pub fn short_name(kernel_name: &[u8], arguments: &[u8]) -> Box<str> {
    let kernel_name = &*unescape(kernel_name);
    let mut name = kernel_name;
    if kernel_name.len() >= KERNEL_NAME_BYTES {
        let first = arguments.split(|byte| *byte == 0).next().unwrap_or_default();
        let base = first.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if base.starts_with(kernel_name) {
            name = base.get(..NAME_BYTES_MAX).unwrap_or(base);
        }
    }
    String::from_utf8_lossy(name).into()
}

/// No file name is longer on Linux (`NAME_MAX`); the first argument can be anything.
const NAME_BYTES_MAX: usize = 255;

/// The kernel writes a line break in a name as `\n` and a backslash as `\\`.
fn unescape(name: &[u8]) -> Cow<'_, [u8]> {
    if !name.contains(&b'\\') {
        return Cow::Borrowed(name);
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    loop {
        rest = match rest {
            [b'\\', b'n', rest @ ..] => {
                bytes.push(b'\n');
                rest
            }
            [b'\\', b'\\', rest @ ..] => {
                bytes.push(b'\\');
                rest
            }
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
            [] => return Cow::Owned(bytes),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_cut_off_is_completed() {
        check("sleep", "sleep\x001000\x00", "sleep");
        check("systemd-journal", "/lib/systemd/systemd-journald\x00", "systemd-journald");
        check("systemd-journal", "other\x00", "systemd-journal");
        check("systemd-journal", "", "systemd-journal");
        // Fourteen bytes were not cut off.
        check("a\\nb\\\\n", "", "a\nb\\n");
        check("a-line\\nbreak---", "/x/a-line\nbreak----more\x00", "a-line\nbreak----more");
        check("fourteen-bytes", "/x/fourteen-bytes-more\x00", "fourteen-bytes");
    }

    #[track_caller]
    fn check(kernel_name: &str, arguments: &str, expected: &str) {
        let name = short_name(kernel_name.as_bytes(), arguments.as_bytes());
        assert_eq!(&*name, expected, "kernel name {kernel_name:?}");
    }
}
