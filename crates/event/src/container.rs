use serde::{Deserialize, Serialize};

/// The container that a process runs in: OCSF `container`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Container {
    /// The id that the runtime gave it, in full; its name where the runtime gives names only.
    pub uid: Box<str>,
    /// What people call it, where that is known.
    #[serde(default)]
    pub name: Option<Box<str>>,
    /// What runs it: `docker`, `podman`, `containerd`, `cri-o`, `lxc`, `systemd-nspawn`, ….
    pub runtime: Box<str>,
    /// The Kubernetes pod that it belongs to.
    #[serde(default)]
    pub pod_uid: Option<Box<str>>,
}

/// Digits of an id that tell containers of one host apart, as container tools print them.
const SHORT_CHARS: usize = 12;

impl Container {
    /// What to call it in few letters: its name, or the beginning of its id.
    pub fn label(&self) -> &str {
        let id = || {
            self.uid
                .char_indices()
                .nth(SHORT_CHARS)
                .map_or(&*self.uid, |(end, _)| self.uid.get(..end).unwrap_or(&self.uid))
        };
        self.name.as_deref().unwrap_or_else(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_goes_by_its_name_or_the_beginning_of_its_id() {
        check("0123456789abcdef", Some("web"), "web");
        check("0123456789abcdef", None, "0123456789ab");
        check("guest", None, "guest");
        check("ééééééééééééé", None, "éééééééééééé");
    }

    #[track_caller]
    fn check(uid: &str, name: Option<&str>, expected: &str) {
        let container =
            Container { uid: uid.into(), name: name.map(Into::into), ..Container::default() };
        assert_eq!(container.label(), expected);
    }
}
