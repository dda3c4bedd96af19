//! The beginning of a body, held back until it was looked at.

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Smaller pieces are copied together: a piece by itself keeps the whole buffer alive that it was read into.
const OWN_PIECE_BYTES: usize = 4096;

/// Pieces of a body in their order. What it takes in memory is bounded by its bytes, whatever their number.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pieces: VecDeque<Bytes>,
    /// Small pieces since the last large one.
    tail: BytesMut,
    bytes: usize,
}

impl Held {
    pub(crate) fn push(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        // The only piece, mostly all of the body, is not copied.
        let is_first = self.bytes == 0;
        self.bytes += piece.len();
        if is_first || piece.len() >= OWN_PIECE_BYTES {
            self.finish_tail();
            self.pieces.push_back(piece);
            return;
        }
        self.tail.extend_from_slice(&piece);
        if self.tail.len() >= OWN_PIECE_BYTES {
            self.finish_tail();
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        self.finish_tail();
        let piece = self.pieces.pop_front()?;
        self.bytes -= piece.len();
        Some(piece)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn finish_tail(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_comes_out_is_what_went_in(sizes in proptest::collection::vec(0..10_000_usize, 0..40)) {
            let mut held = Held::default();
            let mut expected = Vec::new();
            for (number, size) in sizes.iter().enumerate() {
                let piece = vec![number.to_le_bytes()[0]; *size];
                expected.extend_from_slice(&piece);
                held.push(piece.into());
            }
            prop_assert_eq!(held.bytes(), expected.len());
            let mut out = Vec::new();
            while let Some(piece) = held.pop() {
                out.extend_from_slice(&piece);
            }
            prop_assert_eq!(out, expected);
            prop_assert_eq!(held.bytes(), 0);
        }
    }

    #[test]
    fn single_bytes_do_not_become_single_pieces() {
        let mut held = Held::default();
        for _ in 0..262_144 {
            held.push(Bytes::from_static(b"x"));
        }
        assert!(held.pieces.len() <= 66, "{}", held.pieces.len());
    }
}
