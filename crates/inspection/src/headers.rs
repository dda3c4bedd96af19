/// The headers of a message, in the order of the wire, as pairs of a name and the bytes of a value.
///
/// Values are bytes because HTTP says so; names are text because every parser before us made sure of it.
/// Looking up ignores the case of ASCII letters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    pairs: &'a [(&'a str, &'a [u8])],
}

impl<'a> Headers<'a> {
    /// A view of these pairs.
    #[must_use]
    pub const fn new(pairs: &'a [(&'a str, &'a [u8])]) -> Self {
        Self { pairs }
    }

    /// The first value under this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.get_all(name).next()
    }

    /// The first value under this name, where it is UTF-8.
    #[must_use]
    pub fn get_text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All values under this name, in their order.
    pub fn get_all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let pairs = self.pairs;
        pairs.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// Every pair.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a str, &'a [u8])> + use<'a> {
        self.pairs.iter().copied()
    }

    /// How many pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}
