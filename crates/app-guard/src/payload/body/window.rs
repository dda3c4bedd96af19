//! A value that may be long: it is handed on whole where it fits, else in windows that overlap.

/// How much of a value is looked at at once, in bytes.
pub const WINDOW_BYTES: usize = 16 * 1024;
/// How much two windows have in common, in bytes: an attack that is not longer stands in one of them whole.
pub const WINDOW_OVERLAP_BYTES: usize = 2 * 1024;

/// The part of a value that was not handed on yet, with what came before it.
#[derive(Debug, Default)]
pub(super) struct Window {
    held: Vec<u8>,
    /// How many bytes at the end are new.
    fresh: usize,
}

impl Window {
    pub(super) fn extend(&mut self, mut bytes: &[u8], scan: &mut dyn FnMut(&[u8])) {
        while !bytes.is_empty() {
            let room = WINDOW_BYTES - self.held.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            // Doubled, but never beyond a whole window: a bound on what is held is a bound on what is kept for it.
            if self.held.capacity() < self.held.len() + now.len() {
                let wanted = (self.held.len() + now.len()).max(self.held.capacity() * 2);
                self.held.reserve_exact(wanted.min(WINDOW_BYTES) - self.held.len());
            }
            self.held.extend_from_slice(now);
            self.fresh += now.len();
            bytes = later;
            if self.held.len() == WINDOW_BYTES {
                scan(&self.held);
                self.held.drain(..WINDOW_BYTES - WINDOW_OVERLAP_BYTES);
                self.fresh = 0;
            }
        }
    }

    /// How many bytes there is room for before it is handed on.
    pub(super) fn room(&self) -> usize {
        WINDOW_BYTES - self.held.len()
    }

    /// Hands on what is left; the next value may follow.
    pub(super) fn finish(&mut self, scan: &mut dyn FnMut(&[u8])) {
        if self.fresh > 0 {
            scan(&self.held);
        }
        self.clear();
    }

    pub(super) fn clear(&mut self) {
        self.held.clear();
        self.fresh = 0;
    }

    /// What was not handed on, as far as it is held.
    pub(super) fn held(&self) -> &[u8] {
        &self.held
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stretch_of_the_overlap_is_in_a_window_whole() {
        let value: Vec<u8> = (0..50_000u32).flat_map(u32::to_be_bytes).collect();
        let mut windows: Vec<Vec<u8>> = Vec::new();
        let mut window = Window::default();
        for chunk in value.chunks(777) {
            window.extend(chunk, &mut |text| windows.push(text.to_vec()));
        }
        window.finish(&mut |text| windows.push(text.to_vec()));
        let mut at = 0;
        for part in &windows {
            assert_eq!(part.as_slice(), &value[at..at + part.len()]);
            at += WINDOW_BYTES - WINDOW_OVERLAP_BYTES;
        }
        assert!(windows.iter().all(|part| part.len() <= WINDOW_BYTES));
        assert_eq!(windows.last().unwrap().last(), value.last());
    }
}
