use serde::Serialize;

/// A table of the file, with the documentation of its fields.
pub trait Section: Serialize + Default {
    /// Its dotted name in the file.
    const NAME: &'static str;
    /// What it is about.
    const ABOUT: &'static str;

    /// Its fields in the order of the source.
    fn fields() -> Vec<FieldDoc>;
}

/// The documentation of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldDoc {
    /// Its name in its section.
    pub name: &'static str,
    /// Its doc comment.
    pub doc: &'static str,
}

/// Declares a [`Section`]: `pub struct Type in "name" { /// doc \n pub field: Type = default, … }`.
///
/// The struct gets serde's traits, a `Default` of the given values, and refuses unknown fields.
#[macro_export]
macro_rules! config_section {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $Type:ident in $name:literal {
            $(
                $(#[doc = $doc:literal])+
                pub $field:ident : $FieldType:ty = $default:expr
            ),* $(,)?
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        $vis struct $Type {
            $(
                $(#[doc = $doc])+
                pub $field: $FieldType,
            )*
        }

        impl ::core::default::Default for $Type {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $crate::config::Section for $Type {
            const NAME: &'static str = $name;
            const ABOUT: &'static str = ::core::concat!($($about, "\n"),+);

            fn fields() -> ::std::vec::Vec<$crate::config::FieldDoc> {
                ::std::vec![$(
                    $crate::config::FieldDoc {
                        name: ::core::stringify!($field),
                        doc: ::core::concat!($($doc, "\n"),+),
                    },
                )*]
            }
        }
    };
}
