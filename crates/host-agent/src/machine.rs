//! What tells this machine from others.

use ringwall_signing::{Secret, mac};
use std::path::Path;

/// Where systems keep what names the installation: made once, the same for as long as it is not set up
/// anew.
pub(crate) const MACHINE_ID: &str = "/etc/machine-id";
/// machine-id(5) asks that the id itself is not given away: what leaves the host is a MAC under it, which
/// fits nothing that others make of the same id.
const PURPOSE: &[u8] = b"ringwall host agent, machine v1";
/// 32 hexadecimal digits, but for systems that do it their own way.
const ID_BYTES_MAX: usize = 4096;

/// The digest of the machine whose id stands in this file: 64 hexadecimal digits. None where there is no
/// id: then nothing tells the machine from others but its key.
pub(crate) fn digest(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let id = text.trim();
    // systemd writes this while an image waits for its first start.
    if id.is_empty() || id == "uninitialized" || id.len() > ID_BYTES_MAX {
        return None;
    }
    let digest = mac(&Secret::from(id), PURPOSE);
    Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_machine_and_never_told() {
        let folder = std::env::temp_dir().join(format!("ringwall-machine-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let digest_of = |text: &str| {
            let file = folder.join("machine-id");
            std::fs::write(&file, text).unwrap();
            digest(&file)
        };
        let id = "0123456789abcdef0123456789abcdef";
        let first = digest_of(&format!("{id}\n")).unwrap();
        assert_eq!(first.len(), 64);
        assert!(!first.contains(id));
        assert_eq!(digest_of(id), Some(first.clone()));
        assert_ne!(digest_of(&id.replace('0', "1")), Some(first));
        for nothing in ["", "\n", "uninitialized\n"] {
            assert_eq!(digest_of(nothing), None, "{nothing:?}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(digest(&folder), None);
    }
}
