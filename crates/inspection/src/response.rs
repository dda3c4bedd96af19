use crate::Headers;

/// An answer without its body.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: Headers<'a>,
}
