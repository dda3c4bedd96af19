use crate::user_names::UserNames;

/// The name of a program that must not be ended, of one user where it says so: `postgres@postgres`.
///
/// A process chooses its name, so a name alone is a shield for whoever takes it; nobody but root chooses
/// the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedName {
    name: Box<str>,
    user: Option<Box<str>>,
}

impl From<&str> for ProtectedName {
    /// `NAME`, or `NAME@USER` with the name or the number of a user.
    fn from(text: &str) -> Self {
        match text.rsplit_once('@') {
            Some((name, user)) if !name.is_empty() && !user.is_empty() => {
                Self { name: name.into(), user: Some(user.into()) }
            }
            _ => Self { name: text.into(), user: None },
        }
    }
}

impl ProtectedName {
    /// Whether it is the name of a process that runs as these users: real, effective, saved and that of
    /// the file system.
    pub(super) fn is_for(&self, name: &str, users: Option<[u32; 4]>) -> bool {
        if *self.name != *name {
            return false;
        }
        let Some(wanted) = &self.user else { return true };
        let Some([real, others @ ..]) = users else { return false };
        others.iter().all(|other| *other == real)
            && (real.to_string() == **wanted || *UserNames::new().name(real) == **wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_be_that_of_one_user_only() {
        check("postgres", "postgres", Some([1000; 4]), true);
        check("postgres", "postgres", None, true);
        check("postgres", "postgresql", Some([0; 4]), false);
        check("app@root", "app", Some([0; 4]), true);
        check("app@0", "app", Some([0; 4]), true);
        check("app@root", "app", Some([1000; 4]), false);
        check("app@root", "app", Some([1000, 0, 0, 0]), false);
        check("app@root", "app", None, false);
        check("app@root", "app@root", Some([1000; 4]), false);
        // A name with a sign in it, and no user.
        check("a@b@0", "a@b", Some([0; 4]), true);
        check("app@", "app@", Some([1000; 4]), true);
    }

    #[track_caller]
    fn check(protected: &str, name: &str, users: Option<[u32; 4]>, expected: bool) {
        assert_eq!(
            ProtectedName::from(protected).is_for(name, users),
            expected,
            "{protected} {name}"
        );
    }
}
