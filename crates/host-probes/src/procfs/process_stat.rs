use super::digits::{decimal, words};

/// What `/proc/PID/stat` says of a process: proc_pid_stat(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessStat<'a> {
    /// The process id.
    pub pid: u32,
    /// The kernel's short name, at most 15 bytes; any bytes, as the process itself can set it.
    pub name: &'a [u8],
    /// `R` running, `S` sleeping, `Z` ended but not yet reaped, ….
    pub state: u8,
    /// The process that started it, or that took it over.
    pub parent_pid: u32,
    /// The kernel's `PF_…` flags.
    pub flags: u64,
    /// Time on the processors in user and kernel mode, in clock ticks.
    pub cpu_ticks: u64,
    /// Number of threads.
    pub threads: u64,
    /// When it started, in clock ticks after the boot.
    pub start_ticks: u64,
    /// Resident memory in pages.
    pub resident_pages: u64,
}

/// Why a `/proc/PID/stat` could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessStatError {
    /// The short name is not enclosed in parentheses.
    #[error("no name in parentheses")]
    NameMissing,
    /// A field is absent or not a number: its number in proc_pid_stat(5).
    #[error("field {0} is absent or not a number")]
    Field(u8),
}

/// `PF_KTHREAD` of the kernel's `include/linux/sched.h`.
const KERNEL_THREAD: u64 = 0x0020_0000;

impl<'a> ProcessStat<'a> {
    /// Reads the one line of the file.
    ///
    /// The name may hold blanks, line breaks and closing parentheses: it ends at the last one.
    ///
    /// # Errors
    /// Where a field is missing or malformed.
    pub fn parse(text: &'a [u8]) -> Result<Self, ProcessStatError> {
        let open = text.iter().position(|byte| *byte == b'(');
        let close = text.iter().rposition(|byte| *byte == b')');
        let (Some(open), Some(close)) = (open, close) else {
            return Err(ProcessStatError::NameMissing);
        };
        let head = text.get(..open).unwrap_or_default();
        let name = text.get(open + 1..close).ok_or(ProcessStatError::NameMissing)?;
        let tail = text.get(close + 1..).unwrap_or_default();

        let pid = words(head).next().and_then(decimal).and_then(|pid| u32::try_from(pid).ok());
        let mut fields = Fields { words: words(tail), next: 3 };
        let state = fields.word(3).and_then(|word| word.first().copied());
        Ok(Self {
            pid: pid.ok_or(ProcessStatError::Field(1))?,
            name,
            state: state.ok_or(ProcessStatError::Field(3))?,
            parent_pid: u32::try_from(fields.number(4)?).map_err(|_| ProcessStatError::Field(4))?,
            flags: fields.number(9)?,
            cpu_ticks: fields.number(14)?.saturating_add(fields.number(15)?),
            threads: fields.number(20)?,
            start_ticks: fields.number(22)?,
            resident_pages: fields.number(24)?,
        })
    }

    /// Whether the kernel itself runs it: nobody can end it, and it has no program file.
    pub const fn is_kernel_thread(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }

    /// Whether it has ended, all its threads included, and only waits to be reaped.
    pub const fn has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x') && self.threads <= 1
    }
}

struct Fields<W> {
    words: W,
    next: u8,
}

impl<'a, W: Iterator<Item = &'a [u8]>> Fields<W> {
    /// The field of this number; they are asked for in rising order.
    fn word(&mut self, number: u8) -> Option<&'a [u8]> {
        let skipped = number.checked_sub(self.next)?;
        self.next = number + 1;
        self.words.nth(usize::from(skipped))
    }

    fn number(&mut self, number: u8) -> Result<u64, ProcessStatError> {
        self.word(number).and_then(decimal).ok_or(ProcessStatError::Field(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TAIL: &str = "S 7 1234 1234 0 -1 4194560 1 2 3 4 50 60 7 8 20 0 3 0 9876 1000 321 99 1 1";

    #[test]
    fn the_name_ends_at_the_last_parenthesis() {
        check("sleep", Ok("sleep"));
        check("a b", Ok("a b"));
        check(":-) (x", Ok(":-) (x"));
        check("1) R 99 (", Ok("1) R 99 ("));
        check("line\nbreak", Ok("line\nbreak"));
        check("", Ok(""));
    }

    #[track_caller]
    fn check(name: &str, expected: Result<&str, ProcessStatError>) {
        let text = format!("42 ({name}) {TAIL}\n");
        let stat = ProcessStat::parse(text.as_bytes());
        assert_eq!(stat.map(|stat| stat.name), expected.map(str::as_bytes), "name {name:?}");
    }

    #[test]
    fn the_fields_are_those_of_the_manual() {
        let text = format!("42 (x) {TAIL}");
        let stat = ProcessStat::parse(text.as_bytes()).unwrap();
        let expected = ProcessStat {
            pid: 42,
            name: b"x",
            state: b'S',
            parent_pid: 7,
            flags: 4_194_560,
            cpu_ticks: 110,
            threads: 3,
            start_ticks: 9876,
            resident_pages: 321,
        };
        assert_eq!(stat, expected);
        assert!(!stat.is_kernel_thread());
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        assert_eq!(ProcessStat::parse(b""), Err(ProcessStatError::NameMissing));
        assert_eq!(ProcessStat::parse(b")("), Err(ProcessStatError::NameMissing));
        assert_eq!(ProcessStat::parse(b"x (a) S 1"), Err(ProcessStatError::Field(1)));
        assert_eq!(ProcessStat::parse(b"1 (a)"), Err(ProcessStatError::Field(3)));
        assert_eq!(ProcessStat::parse(b"1 (a) S 1 2"), Err(ProcessStatError::Field(9)));
        assert_eq!(ProcessStat::parse(b"1 (a) S -1"), Err(ProcessStatError::Field(4)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = ProcessStat::parse(&bytes);
        }

        #[test]
        fn every_name_is_read_back(name: Vec<u8>, pid: u32, start: u64) {
            let mut text = format!("{pid} (").into_bytes();
            text.extend_from_slice(&name);
            text.extend_from_slice(
                format!(") R 1 1 1 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 {start} 0 5").as_bytes(),
            );
            let stat = ProcessStat::parse(&text).unwrap();
            prop_assert_eq!((stat.pid, stat.name, stat.start_ticks), (pid, &name[..], start));
        }
    }
}
