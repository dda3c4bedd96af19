//! What kinds of attack there are, by the names of the guard contract.

use std::fmt;

/// A kind of attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Category {
    /// Script in markup, attributes or script strings: `xss`.
    CrossSiteScripting,
    /// SQL behind a value: `sqli`.
    SqlInjection,
    /// Out of a folder by `../`, or to a well-known file of the system: `dir_traversal`.
    DirectoryTraversal,
    /// Out of a folder in an encoding that hides it: `path_traversal`.
    PathTraversal,
    /// A command of a shell: `cmd_injection`.
    CommandInjection,
    /// A stream wrapper or a remote file where a file is included: `file_inclusion`.
    FileInclusion,
    /// A filter of LDAP: `ldap`.
    Ldap,
    /// External entities and inclusion: `xml`.
    Xml,
    /// An address inside, to be fetched by the server: `ssrf`.
    ServerSideRequest,
    /// Operators and code for document stores: `nosql`.
    NoSql,
    /// A file that would be executed: `file_upload`.
    FileUpload,
    /// An expression for a template engine: `template`.
    Template,
    /// A line break with a header behind it: `http_split`.
    HttpSplitting,
    /// A request for a file with secrets: `sensitive_file`.
    SensitiveFile,
    /// A look for content management systems and what they leave open: `cms_probing`.
    CmsProbing,
    /// A look for consoles and devices with known holes: `recon`.
    Reconnaissance,
    /// A change of the prototype of all objects: `proto_pollution`.
    PrototypePollution,
    /// Code of the application's or the logger's language: `code_injection`.
    CodeInjection,
    /// A serialized object that runs code when it is read: `deserialization`.
    Deserialization,
    /// What a pattern of the operator's own matched: `custom`.
    Custom,
}

impl Category {
    /// All categories of the contract, in its order, and `custom`.
    pub const ALL: [Self; 20] = [
        Self::CrossSiteScripting,
        Self::SqlInjection,
        Self::DirectoryTraversal,
        Self::PathTraversal,
        Self::CommandInjection,
        Self::FileInclusion,
        Self::Ldap,
        Self::Xml,
        Self::ServerSideRequest,
        Self::NoSql,
        Self::FileUpload,
        Self::Template,
        Self::HttpSplitting,
        Self::SensitiveFile,
        Self::CmsProbing,
        Self::Reconnaissance,
        Self::PrototypePollution,
        Self::CodeInjection,
        Self::Deserialization,
        Self::Custom,
    ];

    /// The name in events, settings and the contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CrossSiteScripting => "xss",
            Self::SqlInjection => "sqli",
            Self::DirectoryTraversal => "dir_traversal",
            Self::PathTraversal => "path_traversal",
            Self::CommandInjection => "cmd_injection",
            Self::FileInclusion => "file_inclusion",
            Self::Ldap => "ldap",
            Self::Xml => "xml",
            Self::ServerSideRequest => "ssrf",
            Self::NoSql => "nosql",
            Self::FileUpload => "file_upload",
            Self::Template => "template",
            Self::HttpSplitting => "http_split",
            Self::SensitiveFile => "sensitive_file",
            Self::CmsProbing => "cms_probing",
            Self::Reconnaissance => "recon",
            Self::PrototypePollution => "proto_pollution",
            Self::CodeInjection => "code_injection",
            Self::Deserialization => "deserialization",
            Self::Custom => "custom",
        }
    }

    /// The category of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.name() == name)
    }
}

impl fmt::Display for Category {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Some categories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CategorySet(u32);

impl CategorySet {
    /// No category.
    pub const EMPTY: Self = Self(0);

    /// These.
    #[must_use]
    pub const fn of(categories: &[Category]) -> Self {
        let mut bits = 0;
        let mut rest = categories;
        while let [first, others @ ..] = rest {
            bits |= 1 << (*first as u8);
            rest = others;
        }
        Self(bits)
    }

    /// Adds one.
    pub fn insert(&mut self, category: Category) {
        self.0 |= 1 << (category as u8);
    }

    /// Whether it is one of these.
    #[must_use]
    pub const fn contains(self, category: Category) -> bool {
        self.0 & (1 << (category as u8)) != 0
    }

    /// Those of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Category> for CategorySet {
    fn from_iter<I: IntoIterator<Item = Category>>(categories: I) -> Self {
        let mut set = Self::EMPTY;
        for category in categories {
            set.insert(category);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for category in Category::ALL {
            assert_eq!(Category::from_name(category.name()), Some(category));
        }
        assert_eq!(Category::from_name("sql"), None);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let mut set = CategorySet::of(&[Category::Xml]);
        set.insert(Category::Custom);
        assert!(set.contains(Category::Xml) && set.contains(Category::Custom));
        assert!(!set.contains(Category::Ldap));
    }
}
