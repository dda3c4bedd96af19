use crate::Phase;
use std::borrow::Cow;

/// What an inspector noticed, whether or not it refused because of it.
#[derive(Clone, Debug, PartialEq)]
pub struct InspectionFinding {
    /// The phase in which it was noticed.
    pub phase: Phase,
    /// The rule or check by its stable name, such as `942100` or `sqli`.
    pub rule: Cow<'static, str>,
    /// Where in the exchange: `query:id`, `header:user-agent`, `body`.
    pub place: String,
    /// What was found, for a person; holds no secret and at most a short excerpt.
    pub message: String,
    /// How much it counts towards a refusal; 1.0 is enough by itself.
    pub weight: f32,
}
