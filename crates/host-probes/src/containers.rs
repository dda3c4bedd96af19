//! The container of a process, with the name that people gave it where that lies on this host.
//!
//! No daemon is asked: that would take its socket, which is as much as being root, and its time. Only what
//! root wrote is believed (or the user that this program runs as), and a list is read once for each change of
//! its file, however many containers are looked for in it.

use crate::cgroup_path::{ContainerPath, container_path};
use crate::procfs::ProcReader;
use ringwall_event::Container;
use rustix::fd::AsFd;
use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat};
use serde::Deserialize;
use std::collections::HashMap;
use std::fs::File;
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
    lists: Lists,
}

/// What was read of the lists of containers, by their places.
type Lists = HashMap<PathBuf, List>;

/// A list as it was at one moment.
#[derive(Debug)]
struct List {
    state: FileState,
    names: HashMap<Box<str>, Box<str>>,
    /// How often it was read.
    #[cfg(test)]
    reads: u32,
}

/// Changes whenever a file is written or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileState {
    inode: u64,
    size: i64,
    modified: (i64, i64),
    changed: (i64, i64),
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
/// Entries of a list that are kept, and links of the kubelet that are looked at.
const LISTED_MAX: usize = 10_000;
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
                lists: Lists::new(),
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
        if path.is_rootless {
            // The user's word: it must be seen to be that, and borrow no name from root's containers.
            return Some(Box::new(Container {
                uid: path.uid.as_ref().into(),
                name: None,
                runtime: format!("rootless {}", path.runtime).into(),
                pod_uid: None,
            }));
        }
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
    fn name(&mut self, path: &ContainerPath<'_>) -> Option<Box<str>> {
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

    fn name_by_storage(&mut self, id: &str) -> Option<Box<str>> {
        #[derive(Deserialize)]
        struct Entry {
            id: Box<str>,
            #[serde(default)]
            names: Vec<Box<str>>,
        }
        let Self { storage, lists, .. } = self;
        ["containers.json", "volatile-containers.json"].into_iter().find_map(|file| {
            let place = storage.join(file);
            let list = up_to_date(lists, &place, FileType::RegularFile, |file| {
                let text = read_all(file, LIST_BYTES_MAX)?;
                let entries: Vec<Entry> = serde_json::from_slice(&text).ok()?;
                let named = entries
                    .into_iter()
                    .filter_map(|entry| Some((entry.id, entry.names.into_iter().next()?)));
                Some(named.take(LISTED_MAX).collect())
            })?;
            list.names.get(id).cloned()
        })
    }

    /// `/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log` as `NAMESPACE/POD/CONTAINER`.
    fn name_by_kubelet(&mut self, id: &str) -> Option<Box<str>> {
        let Self { logs, lists, .. } = self;
        let list = up_to_date(lists, logs, FileType::Directory, |_| {
            let links = std::fs::read_dir(&*logs).ok()?;
            let named = links.take(LISTED_MAX).flatten().filter_map(|link| {
                let file = link.file_name();
                let (whole, id) = file.to_str()?.strip_suffix(".log")?.rsplit_once('-')?;
                let mut names = whole.splitn(3, '_');
                let (pod, namespace, name) = (names.next()?, names.next()?, names.next()?);
                Some((id.into(), format!("{namespace}/{pod}/{name}").into()))
            });
            Some(named.collect())
        })?;
        list.names.get(id).cloned()
    }
}

/// The list at this place, read where it is not the one that was read before; none where there is none, or
/// others than root could have written it.
fn up_to_date<'a>(
    lists: &'a mut Lists,
    place: &Path,
    kind: FileType,
    read: impl FnOnce(File) -> Option<HashMap<Box<str>, Box<str>>>,
) -> Option<&'a List> {
    let (file, stat) = open(place, kind)?;
    let state = FileState {
        inode: stat.st_ino,
        size: stat.st_size,
        modified: (stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or_default()),
        changed: (stat.st_ctime, i64::try_from(stat.st_ctime_nsec).unwrap_or_default()),
    };
    let known = lists.get(place);
    if known.is_none_or(|known| known.state != state) {
        #[cfg(test)]
        let reads = known.map_or(0, |known| known.reads) + 1;
        // What cannot be read is an empty list until it changes.
        let names = read(file).unwrap_or_default();
        let list = List {
            state,
            names,
            #[cfg(test)]
            reads,
        };
        lists.insert(place.to_owned(), list);
    }
    lists.get(place)
}

/// Opens what belongs to root (or to who this program runs as), and nobody else can write.
fn open(place: &Path, kind: FileType) -> Option<(File, Stat)> {
    // A pipe in its place must not hold this program up.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(CWD, place, flags, Mode::empty()).ok()?;
    let stat = fstat(file.as_fd()).ok()?;
    let is_trusted = stat.st_uid == 0 || stat.st_uid == rustix::process::geteuid().as_raw();
    let is_closed = stat.st_mode & 0o022 == 0;
    let is_kind = FileType::from_raw_mode(stat.st_mode) == kind;
    (is_trusted && is_closed && is_kind).then(|| (File::from(file), stat))
}

/// The file, where it is there, is to be trusted and is not longer.
fn read(path: &Path, bytes_max: u64) -> Option<Vec<u8>> {
    read_all(open(path, FileType::RegularFile)?.0, bytes_max)
}

fn read_all(file: File, bytes_max: u64) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut text).ok()?;
    (text.len() as u64 <= bytes_max).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f5a9b1c2d4e6f708192a3b4c5d6e7f80123456789abcdef0123456789abcdef";

    fn path_of(runtime: &'static str, pod: Option<&str>) -> ContainerPath<'static> {
        let pod_uid = pod.map(str::to_owned);
        ContainerPath { uid: ID.into(), runtime, pod_uid, is_rootless: false }
    }

    fn places_in(folder: &Path) -> Places {
        Places {
            docker: folder.join("docker"),
            storage: folder.join("storage"),
            logs: folder.join("logs"),
            lists: Lists::new(),
        }
    }

    #[test]
    fn a_list_is_read_once_for_each_change_and_only_where_root_alone_writes_it() {
        let folder = std::env::temp_dir().join(format!("ringwall-lists-{}", std::process::id()));
        let mut places = places_in(&folder);
        std::fs::create_dir_all(&places.storage).unwrap();
        let file = places.storage.join("containers.json");
        let write = |name: &str| {
            let list = format!(r#"[{{"id":"{ID}","names":["{name}"]}}]"#);
            // As the runtimes do it: whole, in place of the other.
            let fresh = places_in(&folder).storage.join("fresh");
            std::fs::write(&fresh, list).unwrap();
            std::fs::rename(&fresh, &file).unwrap();
        };
        write("one");
        for _ in 0..100 {
            assert_eq!(places.name(&path_of("podman", None)).as_deref(), Some("one"));
        }
        let others =
            places.name(&ContainerPath { uid: "0".repeat(64).into(), ..path_of("podman", None) });
        assert_eq!(others, None);
        assert_eq!(places.lists[&file].reads, 1);
        write("two");
        assert_eq!(places.name(&path_of("podman", None)).as_deref(), Some("two"));
        assert_eq!(places.lists[&file].reads, 2);

        let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&file, mode(0o666)).unwrap();
        assert_eq!(places.name(&path_of("podman", None)), None);
        std::fs::set_permissions(&file, mode(0o644)).unwrap();
        assert_eq!(places.name(&path_of("podman", None)).as_deref(), Some("two"));
        let real = places.storage.join("real");
        std::fs::rename(&file, &real).unwrap();
        std::os::unix::fs::symlink(&real, &file).unwrap();
        assert_eq!(places.name(&path_of("podman", None)), None);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn names_are_where_the_runtimes_keep_them() {
        let folder = std::env::temp_dir().join(format!("ringwall-names-{}", std::process::id()));
        let mut places = places_in(&folder);
        std::fs::create_dir_all(places.docker.join(ID)).unwrap();
        std::fs::create_dir_all(&places.storage).unwrap();
        std::fs::create_dir_all(&places.logs).unwrap();
        let docker = format!(r#"{{"ID":"{ID}","Name":"/shop","State":{{"Pid":7}}}}"#);
        std::fs::write(places.docker.join(ID).join("config.v2.json"), docker).unwrap();
        let list = format!(r#"[{{"id":"0"}},{{"id":"{ID}","names":["db","other"]}}]"#);
        std::fs::write(places.storage.join("volatile-containers.json"), list).unwrap();
        std::fs::write(places.logs.join(format!("web-0_prod_nginx-{ID}.log")), "").unwrap();

        let mut name = |runtime, pod: Option<&str>| places.name(&path_of(runtime, pod));
        assert_eq!(name("docker", None).as_deref(), Some("shop"));
        assert_eq!(name("podman", None).as_deref(), Some("db"));
        assert_eq!(name("containerd", Some("pod")).as_deref(), Some("prod/web-0/nginx"));
        assert_eq!(name("containerd", None), None);

        // What is no longer there is not asked for again while its name is held.
        let mut containers = Containers { places, names: HashMap::new() };
        let path = path_of("docker", None);
        let now = Instant::now();
        assert_eq!(containers.name(&path, now).as_deref(), Some("shop"));
        std::fs::remove_dir_all(folder).unwrap();
        assert_eq!(containers.name(&path, now + NAME_HELD / 2).as_deref(), Some("shop"));
        assert_eq!(containers.name(&path, now + NAME_HELD), None);
        let named = ContainerPath { uid: "web-1".into(), ..path_of("lxc", None) };
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
