/// One message of a server: WHATWG HTML §9.2, server-sent events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSentEvent {
    /// What it is: `message` where the server does not say.
    pub name: String,
    /// Its lines, with a line feed between each two.
    pub data: String,
}

/// Reads server-sent events from bytes as they come.
///
/// ```
/// use ringwall_server_client::ServerSentEvents;
///
/// let mut events = ServerSentEvents::default();
/// events.push(b": hello\n\nevent: tick\nda");
/// assert_eq!(events.next(), None);
/// events.push(b"ta: {}\n\n");
/// let event = events.next().unwrap();
/// assert_eq!((event.name.as_str(), event.data.as_str()), ("tick", "{}"));
/// ```
#[derive(Debug, Default)]
pub struct ServerSentEvents {
    line: Vec<u8>,
    after_return: bool,
    event: ServerSentEvent,
    has_data: bool,
    started: bool,
    ready: std::collections::VecDeque<ServerSentEvent>,
    overlong: bool,
}

impl ServerSentEvents {
    /// How long an event can be, in bytes. A longer one ends the reading.
    pub const EVENT_BYTES_MAX: usize = 16 << 20;

    /// Takes the next bytes of the body.
    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            // CR LF is one end of a line, and so is either alone.
            match byte {
                b'\n' if self.after_return => self.after_return = false,
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    self.end_line();
                }
                _ => {
                    self.after_return = false;
                    if self.line.len() + self.event.data.len() >= Self::EVENT_BYTES_MAX {
                        self.overlong = true;
                        return;
                    }
                    self.line.push(*byte);
                }
            }
        }
    }

    /// The next event that is whole.
    #[expect(clippy::should_implement_trait, reason = "none is not the end")]
    pub fn next(&mut self) -> Option<ServerSentEvent> {
        self.ready.pop_front()
    }

    /// Whether an event is longer than [`ServerSentEvents::EVENT_BYTES_MAX`]: no more will come.
    pub fn is_overlong(&self) -> bool {
        self.overlong
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = match self.started {
            false => line.strip_prefix('\u{feff}').unwrap_or(&line),
            true => &line,
        };
        self.started = true;
        if line.is_empty() {
            let mut event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                if event.name.is_empty() {
                    event.name.push_str("message");
                }
                self.ready.push_back(event);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // Comments keep the connection alive; ids and retry times are of no use to us.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn events_are_read_as_the_standard_says() {
        check("", &[]);
        check(": comment\n\n", &[]);
        check("data: a\n", &[]);
        check("data: a\n\n", &[("message", "a")]);
        check("data:a\rdata:  b\r\rdata\r\n\r\n", &[("message", "a\n b"), ("message", "")]);
        check("event: x\n\ndata: y\n\n", &[("message", "y")]);
        check("\u{feff}event: x\nid: 7\nretry: 1\ndata: y: z\n\n", &[("x", "y: z")]);
        check("data: é\u{2028}\n\n", &[("message", "é\u{2028}")]);
    }

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let found = read(&[text.as_bytes()]);
        let found: Vec<_> =
            found.iter().map(|event| (event.name.as_str(), event.data.as_str())).collect();
        assert_eq!(found, expected, "text {text:?}");
    }

    fn read(pieces: &[&[u8]]) -> Vec<ServerSentEvent> {
        let mut events = ServerSentEvents::default();
        pieces.iter().for_each(|piece| events.push(piece));
        std::iter::from_fn(|| events.next()).collect()
    }

    proptest! {
        #[test]
        fn where_the_pieces_are_cut_does_not_matter(
            text in "(event: [a-z]{1,3}|data: ?[a-z:é]{0,5}|:|\r|\n|\r\n){0,30}",
            cuts in prop::collection::vec(0usize..200, 0..5),
        ) {
            let mut pieces = vec![text.as_bytes()];
            for cut in cuts {
                let last = pieces.pop().unwrap_or_default();
                let (before, after) = last.split_at(cut.min(last.len()));
                pieces.extend([before, after]);
            }
            prop_assert_eq!(read(&pieces), read(&[text.as_bytes()]));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            drop(read(&[&bytes]));
        }
    }

    #[test]
    fn an_endless_event_ends_the_reading() {
        let mut events = ServerSentEvents::default();
        let piece = vec![b'x'; 1 << 20];
        (0..17).for_each(|_| events.push(&piece));
        assert!(events.is_overlong());
        assert!(events.line.len() <= ServerSentEvents::EVENT_BYTES_MAX);
    }
}
