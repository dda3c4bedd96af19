//! The container of a process, with the name that people gave it where that lies on this host.
//!
//! No daemon is asked: that would take its socket, which is as much as being root, and its time.

use crate::cgroup_path::{ContainerPath, container_path};
use crate::procfs::ProcReader;
use ringwall_event::Container;
use serde::Deserialize;
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Finds containers, and remembers their names.
#[derive(Debug)]
pub(crate) struct Containers {
    places: Places,
    names: HashMap<Box<str>, (Option<Box<str>>, Instant)>,
}

/// Where runtimes keep what they know of their containers.
#[derive(Debug)]
struct Places {
    /// Docker: a folder for each container.
    docker: PathBuf,
    /// Podman and CRI-O: lists of all.
    storage: PathBuf,
    /// The kubelet: links to logs, which bear the names.
    logs: PathBuf,
}

/// Names that are remembered; when there are more, all are looked up again by and by.
const NAMES_MAX: usize = 4096;
/// Containers are renamed now and then.
const NAME_HELD: Duration = Duration::from_secs(600);
/// A runtime may write the name down a moment after the first process runs.
const NO_NAME_HELD: Duration = Duration::from_secs(30);
/// No `config.v2.json` is longer.
const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// A list of thousands of containers fits.
const LIST_BYTES_MAX: u64 = 16 << 20;
/// Links of the kubelet that are looked at.
const LINKS_MAX: usize = 10_000;
/// A file has a line for each hierarchy of version 1: there are fewer than 20.
const CGROUP_BYTES_MAX: usize = 16 << 10;
/// A longer name is none.
const NAME_BYTES_MAX: usize = 255;

impl Default for Containers {
    fn default() -> Self {
        Self {
            places: Places {
                docker: "/var/lib/docker/containers".into(),
                storage: "/var/lib/containers/storage/overlay-containers".into(),
                logs: "/var/log/containers".into(),
            },
            names: HashMap::new(),
        }
    }
}

impl Containers {
    /// The container that a process runs in; none for one of the host, and where it cannot be told.
    pub(crate) fn of_process(
        &mut self,
        reader: &mut ProcReader,
        pid: u32,
    ) -> Option<Box<Container>> {
        let path = container_path(reader.read_of(pid, "cgroup", CGROUP_BYTES_MAX).ok()?)?;
        let name = self.name(&path, Instant::now());
        Some(Box::new(Container {
            uid: path.uid.as_ref().into(),
            name,
            runtime: path.runtime.into(),
            pod_uid: path.pod_uid.map(Into::into),
        }))
    }

    fn name(&mut self, path: &ContainerPath<'_>, now: Instant) -> Option<Box<str>> {
        if path.uid.len() != ID_CHARS {
            // These runtimes know their containers by name.
            return Some(path.uid.as_ref().into());
        }
        if let Some((name, until)) = self.names.get(path.uid.as_ref())
            && now < *until
        {
            return name.clone();
        }
        let name = self.places.name(path).filter(|name| name.len() <= NAME_BYTES_MAX);
        let held = if name.is_some() { NAME_HELD } else { NO_NAME_HELD };
        if self.names.len() >= NAMES_MAX {
            self.names.clear();
        }
        self.names.insert(path.uid.as_ref().into(), (name.clone(), now + held));
        name
    }
}

const ID_CHARS: usize = 64;

impl Places {
    fn name(&self, path: &ContainerPath<'_>) -> Option<Box<str>> {
        if path.pod_uid.is_some()
            && let Some(name) = self.name_by_kubelet(&path.uid)
        {
            return Some(name);
        }
        match path.runtime {
            "docker" => self.name_by_docker(&path.uid),
            "podman" | "cri-o" => self.name_by_storage(&path.uid),
            _ => None,
        }
    }

    fn name_by_docker(&self, id: &str) -> Option<Box<str>> {
        #[derive(Deserialize)]
        struct Config {
            #[serde(rename = "Name")]
            name: Box<str>,
        }
        let text = read(&self.docker.join(id).join("config.v2.json"), CONFIG_BYTES_MAX)?;
        let config: Config = serde_json::from_slice(&text).ok()?;
        let name = config.name.trim_start_matches('/');
        (!name.is_empty()).then(|| name.into())
    }

    fn name_by_storage(&self, id: &str) -> Option<Box<str>> {
        #[derive(Deserialize)]
        struct Entry {
            id: Box<str>,
            #[serde(default)]
            names: Vec<Box<str>>,
        }
        ["containers.json", "volatile-containers.json"].into_iter().find_map(|file| {
            let text = read(&self.storage.join(file), LIST_BYTES_MAX)?;
            let entries: Vec<Entry> = serde_json::from_slice(&text).ok()?;
            entries.into_iter().find(|entry| &*entry.id == id)?.names.into_iter().next()
        })
    }

    /// `/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log` as `NAMESPACE/POD/CONTAINER`.
    fn name_by_kubelet(&self, id: &str) -> Option<Box<str>> {
        let links = std::fs::read_dir(&self.logs).ok()?;
        links.take(LINKS_MAX).flatten().find_map(|link| {
            let file = link.file_name();
            let whole = file.to_str()?.strip_suffix(".log")?.strip_suffix(id)?;
            let mut names = whole.strip_suffix('-')?.splitn(3, '_');
            let (pod, namespace, name) = (names.next()?, names.next()?, names.next()?);
            Some(format!("{namespace}/{pod}/{name}").into())
        })
    }
}

/// The file, where it is there, may be read and is not longer.
fn read(path: &Path, bytes_max: u64) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(bytes_max + 1).read_to_end(&mut text).ok()?;
    (text.len() as u64 <= bytes_max).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f5a9b1c2d4e6f708192a3b4c5d6e7f80123456789abcdef0123456789abcdef";

    #[test]
    fn names_are_where_the_runtimes_keep_them() {
        let folder = std::env::temp_dir().join(format!("ringwall-names-{}", std::process::id()));
        let places = Places {
            docker: folder.join("docker"),
            storage: folder.join("storage"),
            logs: folder.join("logs"),
        };
        std::fs::create_dir_all(places.docker.join(ID)).unwrap();
        std::fs::create_dir_all(&places.storage).unwrap();
        std::fs::create_dir_all(&places.logs).unwrap();
        let docker = format!(r#"{{"ID":"{ID}","Name":"/shop","State":{{"Pid":7}}}}"#);
        std::fs::write(places.docker.join(ID).join("config.v2.json"), docker).unwrap();
        let list = format!(r#"[{{"id":"0"}},{{"id":"{ID}","names":["db","other"]}}]"#);
        std::fs::write(places.storage.join("volatile-containers.json"), list).unwrap();
        std::fs::write(places.logs.join(format!("web-0_prod_nginx-{ID}.log")), "").unwrap();

        let name = |runtime, pod: Option<&str>| {
            places.name(&ContainerPath { uid: ID.into(), runtime, pod_uid: pod.map(str::to_owned) })
        };
        assert_eq!(name("docker", None).as_deref(), Some("shop"));
        assert_eq!(name("podman", None).as_deref(), Some("db"));
        assert_eq!(name("containerd", Some("pod")).as_deref(), Some("prod/web-0/nginx"));
        assert_eq!(name("containerd", None), None);

        // What is no longer there is not asked for again while its name is held.
        let mut containers = Containers { places, names: HashMap::new() };
        let path = ContainerPath { uid: ID.into(), runtime: "docker", pod_uid: None };
        let now = Instant::now();
        assert_eq!(containers.name(&path, now).as_deref(), Some("shop"));
        std::fs::remove_dir_all(folder).unwrap();
        assert_eq!(containers.name(&path, now + NAME_HELD / 2).as_deref(), Some("shop"));
        assert_eq!(containers.name(&path, now + NAME_HELD), None);
        let named = ContainerPath { uid: "web-1".into(), runtime: "lxc", pod_uid: None };
        assert_eq!(containers.name(&named, now).as_deref(), Some("web-1"));
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read() {
        let file = std::env::temp_dir().join(format!("ringwall-long-{}", std::process::id()));
        std::fs::write(&file, [b' '; 100]).unwrap();
        assert_eq!(read(&file, 99), None);
        assert_eq!(read(&file, 100).map(|text| text.len()), Some(100));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(read(&file, 100), None);
    }
}
