//! The terminal: its size, its keys, and the screen beside the scrolled one.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Whether there is somebody to look and to press keys.
pub(super) fn is_terminal() -> bool {
    let is_plain = std::env::var_os("TERM").is_none_or(|value| value == "dumb" || value.is_empty());
    isatty(stdin()) && isatty(stdout()) && !is_plain
}

/// The columns of the terminal; none where the output is none.
pub(super) fn columns() -> Option<usize> {
    let size = tcgetwinsize(stdout()).ok().filter(|size| size.ws_col > 0)?;
    Some(usize::from(size.ws_col))
}

/// A terminal in use. Dropped, it is as it was.
pub(super) struct Terminal {
    before: Termios,
}

/// The other screen, without a cursor, without wrapping: a line that is too long for a moment, while the
/// window changes, must not push others.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l";
const LEAVE: &str = "\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l";

impl Terminal {
    pub(super) fn enter() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        let terminal = Self { before };
        // Dropped by an error, so what was changed is changed back.
        write(ENTER)?;
        Ok(terminal)
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> (usize, usize) {
        let size = tcgetwinsize(stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        size.map_or((80, 24), |size| (usize::from(size.ws_col), usize::from(size.ws_row)))
    }

    /// Shows the lines from the top, and nothing below.
    pub(super) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let mut text = String::from("\u{1b}[H");
        for (row, line) in lines.iter().enumerate() {
            if row > 0 {
                text.push_str("\r\n");
            }
            text.push_str(line);
            text.push_str("\u{1b}[K");
        }
        text.push_str("\u{1b}[J");
        write(&text)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Where the terminal is gone there is nothing to put back.
        write(LEAVE).ok();
        tcsetattr(stdin(), OptionalActions::Now, &self.before).ok();
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Keys as they are pressed.
pub(super) struct Keyboard {
    keys: mpsc::Receiver<u8>,
    stop: Arc<AtomicBool>,
}

/// How soon the thread notices that it should stop.
const STOP_WITHIN: Duration = Duration::from_millis(250);

impl Keyboard {
    pub(super) fn start() -> io::Result<Self> {
        let (sender, keys) = mpsc::channel(16);
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        std::thread::Builder::new()
            .name("keyboard".to_owned())
            .stack_size(128 << 10)
            .spawn(move || read_keys(&sender, &asked))?;
        Ok(Self { keys, stop })
    }

    /// The next key; none when there will be no more.
    pub(super) async fn next(&mut self) -> Option<u8> {
        self.keys.recv().await
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn read_keys(keys: &mpsc::Sender<u8>, stop: &AtomicBool) {
    let wait = Timespec::try_from(STOP_WITHIN).ok();
    while !stop.load(Ordering::Relaxed) {
        let input = stdin();
        match poll(&mut [PollFd::new(&input, PollFlags::IN)], wait.as_ref()) {
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(_) => return,
        }
        let mut bytes = [0u8; 64];
        match rustix::io::read(input, &mut bytes) {
            // An arrow key is several bytes that begin with ESC: none of them means anything here.
            Ok(length @ 1..) if bytes.first() != Some(&0x1b) => {
                for byte in bytes.iter().take(length) {
                    if keys.blocking_send(*byte).is_err() {
                        return;
                    }
                }
            }
            Ok(1..) | Err(Errno::INTR | Errno::AGAIN) => {}
            // The terminal is gone.
            Ok(_) | Err(_) => return,
        }
    }
}
