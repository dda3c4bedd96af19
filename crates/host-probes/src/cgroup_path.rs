//! Which container a process runs in, as the paths of its control groups tell.
//!
//! Each runtime puts its containers into groups of a form of its own, on both versions of the file
//! system (cgroups(7)), with systemd as the keeper of the groups or without. A process cannot leave its
//! groups by itself, but whoever was given a group may make further ones below it, named as they like:
//! root in a container, and each user below `user@1000.service`. So of several names that have a runtime's
//! form the outermost counts, which the host's own runtime gave: what runs in a container within a container
//! is in the outer one. And what stands below a user's service is *rootless*: the user's word for it.

use std::borrow::Cow;

/// What the path tells of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPath<'a> {
    /// Its id; its name where the runtime gives names only.
    pub uid: Cow<'a, str>,
    /// What runs it.
    pub runtime: &'static str,
    /// The Kubernetes pod around it.
    pub pod_uid: Option<String>,
    /// Whether a user made the group, and so could name it as they liked.
    pub is_rootless: bool,
}

/// Reads `/proc/PID/cgroup`; none for a process of the host.
pub fn container_path(cgroup: &[u8]) -> Option<ContainerPath<'_>> {
    // Several hierarchies (version 1) may differ: the first that tells is as good as any.
    cgroup.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.splitn(3, |byte| *byte == b':');
        let path = fields.nth(2)?;
        of_path(std::str::from_utf8(path).ok()?)
    })
}

fn of_path(path: &str) -> Option<ContainerPath<'_>> {
    let mut pod_uid = None;
    let mut is_rootless = false;
    let mut above = "";
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).peekable();
    while let Some(segment) = segments.next() {
        is_rootless |= segment.starts_with("user@") && segment.ends_with(".service");
        // containerd with systemd's names on version 1 puts both into one: `POD.slice:cri-containerd:ID`.
        let (pod, rest) = match segment.split_once(".slice:") {
            Some((pod, rest)) => (Some(pod), rest),
            None => (segment.strip_suffix(".slice").or(Some(segment)), segment),
        };
        if let Some(uid) = pod.and_then(pod_of) {
            pod_uid = Some(uid);
            if rest == segment {
                above = segment;
                continue;
            }
        }
        // The runtime's own processes for a container run beside it, in a group below its unit.
        let beside = segments.peek() == Some(&"supervisor");
        if let Some((uid, runtime)) = of_segment(rest, above, pod_uid.is_some())
            && !beside
        {
            return Some(ContainerPath { uid, runtime, pod_uid, is_rootless });
        }
        above = segment;
    }
    None
}

/// A container by the name of its group, and that of the group above.
fn of_segment<'a>(
    segment: &'a str,
    above: &str,
    in_pod: bool,
) -> Option<(Cow<'a, str>, &'static str)> {
    if let Some(rest) = segment.strip_prefix("cri-containerd:") {
        return is_id(rest).then_some((rest.into(), "containerd"));
    }
    if let Some(unit) = segment.strip_suffix(".scope") {
        for (prefix, runtime) in SCOPES {
            // `crio-conmon-ID`, `libpod-conmon-ID` hold the monitor, which is none of the container's.
            if let Some(id) = unit.strip_prefix(prefix).filter(|id| is_id(id)) {
                return Some((id.into(), runtime));
            }
        }
        let machine = unit.strip_prefix("machine-")?;
        let (machine, runtime) = match machine.strip_prefix("lxc\\x2d") {
            Some(machine) => (machine, "libvirt-lxc"),
            // A virtual machine runs a kernel of its own: what it holds is not to be seen from here.
            None if machine.starts_with("qemu\\x2d") => return None,
            None => (machine, "systemd-nspawn"),
        };
        return Some((unescaped(machine), runtime)).filter(|(name, _)| !name.is_empty());
    }
    if let Some(unit) = segment.strip_suffix(".service") {
        let machine = unit.strip_prefix("systemd-nspawn@")?;
        return (!machine.is_empty()).then(|| (unescaped(machine), "systemd-nspawn"));
    }
    if let Some(name) = segment.strip_prefix("lxc.payload.").filter(|name| !name.is_empty()) {
        return Some((name.into(), "lxc"));
    }
    let runtime = match above {
        "lxc" | "lxc.payload" => return Some((segment.into(), "lxc")),
        "docker" => "docker",
        "buildkit" => return Some((segment.into(), "buildkit")),
        "garden" => return Some((segment.into(), "garden")),
        _ if in_pod => "kubernetes",
        // An id is an id, whoever gave it: Amazon ECS, runc by hand, a container beside our own.
        _ => "oci",
    };
    let (id, runtime) = [("libpod-", "podman"), ("crio-", "cri-o")]
        .into_iter()
        .find_map(|(prefix, runtime)| Some((segment.strip_prefix(prefix)?, runtime)))
        .unwrap_or((segment, runtime));
    is_id(id).then_some((id.into(), runtime))
}

/// Units of systemd that hold a container: what stands before its id, and whose it is.
const SCOPES: [(&str, &str); 6] = [
    ("docker-", "docker"),
    ("libpod-", "podman"),
    ("cri-containerd-", "containerd"),
    ("nerdctl-", "containerd"),
    ("crio-", "cri-o"),
    ("runc-", "oci"),
];

/// The pod of a group: `pod1234-…`, or `kubepods-burstable-pod1234_…` with systemd.
fn pod_of(group: &str) -> Option<String> {
    let uid = match group.contains("kubepods") {
        true => group.rsplit_once("-pod")?.1,
        false => group.strip_prefix("pod")?,
    };
    let is_uid = (32..=36).contains(&uid.len())
        && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b'_'));
    is_uid.then(|| uid.replace('_', "-"))
}

/// Runtimes give 64 hexadecimal digits.
fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A name without systemd's escapes: `\x2d` is a hyphen (systemd.unit(5)).
fn unescaped(name: &str) -> Cow<'_, str> {
    if !name.contains("\\x") {
        return name.into();
    }
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escaped = after.strip_prefix(b"x").filter(|_| *byte == b'\\').and_then(|after| {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, after.get(2..)?))
        });
        let (byte, after) = escaped.unwrap_or((*byte, after));
        out.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&out).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "3f5a9b1c2d4e6f708192a3b4c5d6e7f80123456789abcdef0123456789abcdef";
    const OTHER: &str = "aaaabbbbccccddddeeeeffff0000111122223333444455556666777788889999";
    const POD: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
    const POD_UNIT: &str = "0a1b2c3d_4e5f_6071_8293_a4b5c6d7e8f9";

    #[test]
    fn the_groups_of_real_runtimes_are_known() {
        // Docker: version 2 with systemd, version 2 and 1 without, rootless.
        check("0::/system.slice/docker-ID.scope", "docker ID");
        check("0::/docker/ID", "docker ID");
        check("13:name=systemd:/docker/ID\n12:pids:/docker/ID\n", "docker ID");
        check(
            "0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope",
            "rootless docker ID",
        );
        check("0::/system.slice/docker-ID.scope/init.scope", "docker ID");
        // Podman: root, rootless, the monitor beside it, cgroupfs.
        check("0::/machine.slice/libpod-ID.scope/container", "podman ID");
        check(
            "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
            "rootless podman ID",
        );
        check("0::/machine.slice/libpod-conmon-ID.scope", "");
        check("0::/libpod_parent/libpod-ID", "podman ID");
        check("9:memory:/machine.slice/libpod-ID.scope", "podman ID");
        // containerd by nerdctl.
        check("0::/system.slice/nerdctl-ID.scope", "containerd ID");
        // Kubernetes over containerd, CRI-O and Docker, with systemd and without.
        check(
            "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUNIT.slice/cri-containerd-ID.scope",
            "containerd ID POD",
        );
        check("0::/kubepods.slice/kubepods-podUNIT.slice/crio-ID.scope", "cri-o ID POD");
        check("0::/kubepods.slice/kubepods-podUNIT.slice/crio-conmon-ID.scope", "");
        check(
            "1:name=systemd:/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podUNIT.slice/docker-ID.scope",
            "docker ID POD",
        );
        check("11:cpu,cpuacct:/kubepods/burstable/podPOD/ID", "kubernetes ID POD");
        check("0::/kubepods/besteffort/podPOD/crio-ID", "cri-o ID POD");
        check(
            "5:devices:/system.slice/containerd.service/kubepods-burstable-podUNIT.slice:cri-containerd:ID",
            "containerd ID POD",
        );
        check("0::/k8s.io/ID", "oci ID");
        // A node that is a container itself (kind): the outermost counts, as what is within it is named by
        // whoever is root in it.
        check(
            "0::/system.slice/docker-OTHER.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podUNIT.slice/cri-containerd-ID.scope",
            "docker OTHER",
        );
        check("0::/docker/OTHER/docker/ID", "docker OTHER");
        // LXC 3, 4 and later, LXD, Proxmox; its monitor is the host's.
        check("10:pids:/lxc/web-1", "lxc web-1");
        check("0::/lxc.payload.web-1/system.slice/nginx.service", "lxc web-1");
        check("0::/lxc.payload/web-1", "lxc web-1");
        check("0::/lxc/101/ns/init.scope", "lxc 101");
        check("0::/lxc.monitor.web-1", "");
        // systemd-nspawn: as a service and by hand; its supervisor is the host's.
        check(
            "0::/machine.slice/systemd-nspawn@build\\x2d1.service/payload/init.scope",
            "systemd-nspawn build-1",
        );
        check("0::/machine.slice/systemd-nspawn@build.service/supervisor", "");
        check("0::/machine.slice/machine-build.scope/payload", "systemd-nspawn build");
        check("1:name=systemd:/machine.slice/machine-a\\x2db.scope", "systemd-nspawn a-b");
        // libvirt: a container, and a virtual machine.
        check("0::/machine.slice/machine-lxc\\x2d1\\x2dweb.scope", "libvirt-lxc 1-web");
        check("0::/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator", "");
        // Others.
        check("8:blkio:/ecs/0f1e/ID", "oci ID");
        check("0::/buildkit/4mj3l2k5h6", "buildkit 4mj3l2k5h6");
        check("7:freezer:/garden/6e2f2f6a-4d8b", "garden 6e2f2f6a-4d8b");
        // Seen from within a container of our own.
        check("0::/../ID", "oci ID");
    }

    #[test]
    fn nobody_names_their_container_after_another() {
        // A user who makes a group of the name of somebody's container, and root in a container likewise.
        let user = "0::/user.slice/user-1000.slice/user@1000.service/app.slice";
        check(&format!("{user}/docker-ID.scope"), "rootless docker ID");
        check(&format!("{user}/docker/ID"), "rootless docker ID");
        check(&format!("{user}/kubepods-podUNIT.slice/crio-ID.scope"), "rootless cri-o ID POD");
        check("0::/system.slice/docker-OTHER.scope/docker-ID.scope", "docker OTHER");
        check("0::/machine.slice/libpod-OTHER.scope/container/machine-x.scope", "podman OTHER");
        check("0::/lxc/web-1/user.slice/user@1000.service/docker-ID.scope", "lxc web-1");
    }

    #[test]
    fn processes_of_the_host_are_in_no_container() {
        check("0::/", "");
        check("0::/init.scope", "");
        check("0::/system.slice/ssh.service", "");
        check("0::/system.slice/docker.service", "");
        check("0::/system.slice/containerd.service", "");
        check("0::/user.slice/user-1000.slice/session-3.scope", "");
        check("0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope", "");
        check("12:cpuset:/\n11:pids:/user.slice\n0::/user.slice/user-0.slice/session-1.scope", "");
        check("0::/kubepods.slice/kubepods-burstable.slice", "");
        check("0::/docker/short", "");
        check("0::/machine.slice/machine-.scope", "");
        check("0::/lxc.payload.", "");
        check("", "");
        check("nonsense", "");
    }

    #[track_caller]
    fn check(cgroup: &str, expected: &str) {
        let text = |text: &str| {
            let text = text.replace("UNIT", POD_UNIT).replace("POD", POD);
            text.replace("OTHER", OTHER).replace("ID", ID)
        };
        let cgroup_text = text(cgroup);
        let found = container_path(cgroup_text.as_bytes()).map(|path| {
            let pod = path.pod_uid.map(|pod| format!(" {pod}")).unwrap_or_default();
            let rootless = if path.is_rootless { "rootless " } else { "" };
            format!("{rootless}{} {}{pod}", path.runtime, path.uid)
        });
        assert_eq!(found.unwrap_or_default(), text(expected), "cgroup {cgroup}");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = container_path(&bytes);
        }

        #[test]
        fn no_path_panics(path in "0::(/[a-z.:@\\\\x0-9_-]{0,20}){0,5}") {
            let _ = container_path(path.as_bytes());
        }
    }
}
