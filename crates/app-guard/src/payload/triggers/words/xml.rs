//! Words of XML.

/// Declarations and inclusions.
pub(super) const WORDS: &[&str] = &[
    "<!doctype",
    "<!entity",
    "xinclude",
    "xi:include",
    "<?xml",
    "+adwaiq-",
    "<xsl:",
    "xsl:",
    "<!element",
    "<!attlist",
    "system \"",
    "<![",
];
