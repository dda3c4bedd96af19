use sha2::{Digest, Sha256};

/// SHA-256 (FIPS 180-4) of the bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-256 of the bytes as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&sha256(bytes))
}

/// SHA-256 of bytes that come in parts.
#[derive(Clone, Debug, Default)]
pub struct Sha256Stream(Sha256);

impl Sha256Stream {
    /// Takes the next part.
    pub fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    /// The digest of all parts as 64 lower-case hexadecimal digits.
    pub fn hexadecimal(self) -> String {
        hex(&self.0.finalize())
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_digested_like_the_whole() {
        let mut stream = Sha256Stream::default();
        for part in ["a", "", "bc"] {
            stream.update(part.as_bytes());
        }
        assert_eq!(stream.hexadecimal(), sha256_hex(b"abc"));
    }

    #[test]
    fn known_digests() {
        check("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        check("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(sha256_hex(text.as_bytes()), expected, "text {text:?}");
    }
}
