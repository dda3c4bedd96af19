use crate::{InspectionFinding, Moment, RequestHead, ResponseHead, Verdict};

/// A step in the life of an exchange, in this order; bodies come in any number of chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Method, target and headers of the request are there.
    RequestHead,
    /// Some bytes of the request's body are there.
    RequestBody,
    /// The request is complete.
    RequestEnd,
    /// Status and headers of the answer are there.
    ResponseHead,
    /// Some bytes of the answer's body are there.
    ResponseBody,
    /// The exchange is over.
    End,
}

/// Judges one exchange; whoever carries the traffic calls it phase by phase.
///
/// After a verdict other than [`Verdict::Allow`] only [`end`](Inspector::end) is called. An inspector
/// reads no clock: the present moment is an argument.
pub trait Inspector {
    /// Method, target and headers of the request.
    fn request_head(&mut self, head: &RequestHead<'_>, now: Moment) -> Verdict;

    /// The next bytes of the request's body.
    fn request_body(&mut self, _chunk: &[u8], _now: Moment) -> Verdict {
        Verdict::Allow
    }

    /// The request is complete.
    fn request_end(&mut self, _now: Moment) -> Verdict {
        Verdict::Allow
    }

    /// Status and headers of the answer.
    fn response_head(&mut self, _head: &ResponseHead<'_>, _now: Moment) -> Verdict {
        Verdict::Allow
    }

    /// The next bytes of the answer's body.
    fn response_body(&mut self, _chunk: &[u8], _now: Moment) -> Verdict {
        Verdict::Allow
    }

    /// The exchange is over, however it ended: what was noticed in it.
    fn end(&mut self, _now: Moment) -> Vec<InspectionFinding> {
        Vec::new()
    }
}
