use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// 128 bits in the layout of a UUID version 7 (RFC 9562 §5.7): ids sort by the time of receipt.
///
/// The events of one batch have consecutive ids: the lowest 16 bits count them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventId(u128);

/// Why a text is not an event id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event id has 32 hexadecimal digits")]
pub struct EventIdError;

impl EventId {
    /// How many events one batch can number.
    pub const BATCH_MAX: usize = 1 << 16;

    /// An id from milliseconds since 1970 (48 bits), a random part (58 bits) and the position in
    /// the batch.
    pub const fn from_parts(millis: u64, random: u64, position: u16) -> Self {
        let millis = (millis & 0xffff_ffff_ffff) as u128;
        let random_high = ((random >> 46) & 0xfff) as u128;
        let random_low = (random & 0x3fff_ffff_ffff) as u128;
        Self(
            (millis << 80)
                | (0x7 << 76)
                | (random_high << 64)
                | (0b10 << 62)
                | (random_low << 16)
                | position as u128,
        )
    }

    /// The id of the event at `position` of the batch that this id begins.
    pub const fn at(self, position: u16) -> Self {
        Self((self.0 & !0xffff) | position as u128)
    }

    /// The place in its batch.
    pub const fn position(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    /// The number itself.
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// The id with this number.
    pub const fn from_u128(number: u128) -> Self {
        Self(number)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(EventIdError);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| EventIdError)
    }
}

impl Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.to_be_bytes().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            <[u8; 16]>::deserialize(deserializer).map(|bytes| Self(u128::from_be_bytes(bytes)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_that_of_a_version_7_uuid() {
        let text = EventId::from_parts(0x018b_cfe5_6800, u64::MAX, 7).to_string();
        assert_eq!(text, "018bcfe568007fffbfffffffffff0007");
        assert_eq!(&text[12..13], "7");
        assert!(matches!(&text[16..17], "8" | "9" | "a" | "b"));
    }

    proptest::proptest! {
        #[test]
        fn later_ids_are_greater(a in 0u64..1 << 47, step in 1u64..1 << 40, r1: u64, r2: u64) {
            proptest::prop_assert!(EventId::from_parts(a, r1, 9) < EventId::from_parts(a + step, r2, 0));
        }

        #[test]
        fn what_prints_is_read_back(number: u128) {
            let id = EventId::from_u128(number);
            proptest::prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}
