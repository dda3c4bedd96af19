use std::borrow::Cow;

/// What an inspector decides about an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It goes on.
    Allow,
    /// It ends here with this answer. Where the answer has begun already, the carrier cuts it off.
    Refuse(Reply),
    /// The client should ask elsewhere; the `Location` is in the reply.
    Redirect(Reply),
}

/// An answer given in place of the application's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The body, as plain text.
    pub body: Cow<'static, str>,
    /// Headers beyond those of every answer, such as `retry-after`; names are lower case.
    pub headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

impl Reply {
    /// An answer without headers of its own.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Cow<'static, str>>) -> Self {
        Self { status, body: body.into(), headers: Vec::new() }
    }

    /// With one more header; the name in lower case.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((Cow::Borrowed(name), value.into()));
        self
    }
}
