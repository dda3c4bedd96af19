//! Files that host agents bring: taken part by part, checked as a whole, kept for a time.
//!
//! They lie in the folder `collected` of the data directory, named for their commands, for the owner alone.
//! They are not part of a backup: what was collected from other people's machines stays in one place.

use crate::server::Server;
use ringwall_event::CommandId;
use ringwall_server_api::FilePart;
use ringwall_signing::Sha256Stream;
use ringwall_store::StateStore;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// The folder of collected files.
#[derive(Debug)]
pub(crate) struct Collected {
    folder: PathBuf,
    bounds: CollectedBounds,
    /// Parts are written one at a time: two requests never write to one file.
    writing: parking_lot::Mutex<()>,
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CollectedBounds {
    /// No file has more bytes.
    pub(crate) file_bytes_max: u64,
    /// All together have no more bytes.
    pub(crate) bytes_max: u64,
}

/// How much of a file is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartTaken {
    /// So many bytes from the first one on.
    Some(u64),
    /// All of it, checked and on the disk.
    Whole,
}

/// Why a part of a file was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PartError {
    #[error("the file has {bytes} bytes; at most {bytes_max} are collected")]
    TooLarge { bytes: u64, bytes_max: u64 },
    #[error("the part reaches beyond the end of the file")]
    BeyondEnd,
    #[error("`sha256` must be 64 lower-case hexadecimal digits")]
    Digest,
    #[error("the folder of collected files is full")]
    Full,
    #[error("what came is not what was announced: its digest is another one")]
    Damaged,
    #[error("the file cannot be stored: {0}")]
    Storage(#[from] io::Error),
}

const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// A file that was begun and not finished is given up after this.
const PART_KEPT: Duration = Duration::from_secs(2 * 86_400);
const CHUNK_BYTES: usize = 128 << 10;

impl Collected {
    /// The collected files of this data directory.
    pub(crate) fn of(data_dir: &Path, bounds: CollectedBounds) -> Self {
        let folder = data_dir.join("collected");
        Self { folder, bounds, writing: parking_lot::Mutex::new(()) }
    }

    /// Takes a part where it belongs. A part that was taken before changes nothing, and one that does not
    /// follow what is there is left. Blocks on the disk.
    pub(crate) fn take(
        &self,
        id: &CommandId,
        part: &FilePart,
        body: &[u8],
    ) -> Result<PartTaken, PartError> {
        let _one_at_a_time = self.writing.lock();
        let bytes_max = self.bounds.file_bytes_max;
        if part.bytes > bytes_max {
            return Err(PartError::TooLarge { bytes: part.bytes, bytes_max });
        }
        if !is_digest(&part.sha256) {
            return Err(PartError::Digest);
        }
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let end = part.offset.checked_add(length).filter(|end| *end <= part.bytes);
        let end = end.ok_or(PartError::BeyondEnd)?;
        let whole = self.open(id).ok().filter(|found| found.1 == part.bytes);
        if let Some((mut file, _)) = whole
            && digest(&mut file)? == part.sha256
        {
            // Whole, and the answer was lost before the command knew of it.
            return Ok(PartTaken::Whole);
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        // The digest in its name: parts of another file than was announced at first never mix.
        let path = self.folder.join(format!("{id}-{}.part", part.sha256));
        let others = self.used_beside(id, &path)?;
        // With each part: what grows is bounded as well as what begins.
        if others.saturating_add(part.bytes) > self.bounds.bytes_max {
            return Err(PartError::Full);
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path)?;
        let there = file.metadata()?.len();
        if part.offset > there {
            return Ok(PartTaken::Some(there));
        }
        if end > there {
            file.write_all_at(body, part.offset)?;
        }
        let there = there.max(end);
        if there < part.bytes {
            return Ok(PartTaken::Some(there));
        }
        file.sync_all()?;
        if digest(&mut file)? != part.sha256 {
            std::fs::remove_file(&path)?;
            return Err(PartError::Damaged);
        }
        std::fs::rename(&path, self.path(id))?;
        File::open(&self.folder)?.sync_all()?;
        Ok(PartTaken::Whole)
    }

    /// The content of a whole file, which must have this digest. Blocks on the disk.
    pub(crate) fn read(&self, id: &CommandId, sha256: &str) -> Result<Vec<u8>, PartError> {
        let (mut file, _) = self.open(id)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let mut stream = Sha256Stream::default();
        stream.update(&content);
        if stream.hexadecimal() == sha256 { Ok(content) } else { Err(PartError::Damaged) }
    }

    /// Gives a whole file up.
    pub(crate) fn remove(&self, id: &CommandId) -> io::Result<()> {
        match std::fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn open(&self, id: &CommandId) -> io::Result<(File, u64)> {
        let file = File::open(self.path(id))?;
        let bytes = file.metadata()?.len();
        Ok((file, bytes))
    }

    fn path(&self, id: &CommandId) -> PathBuf {
        self.folder.join(id.as_str())
    }

    /// How many bytes the folder has beside this part. Parts of other files for the same command are
    /// given up: a host that announces ever other files has room for one.
    fn used_beside(&self, id: &CommandId, part: &Path) -> io::Result<u64> {
        let others = format!("{id}-");
        let mut used = 0u64;
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.path() == part {
                continue;
            }
            if entry.file_name().to_string_lossy().starts_with(&others) {
                std::fs::remove_file(entry.path())?;
                continue;
            }
            used = used.saturating_add(entry.metadata()?.len());
        }
        Ok(used)
    }

    /// Whole files by their commands, with their ages; what was begun long ago is removed on the way.
    fn ages(&self) -> io::Result<Vec<(CommandId, Duration)>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let now = SystemTime::now();
        let mut ages = Vec::new();
        for entry in entries {
            let entry = entry?;
            let age = now.duration_since(entry.metadata()?.modified()?).unwrap_or_default();
            let name = entry.file_name();
            match name.to_str() {
                Some(name) if name.ends_with(".part") && age > PART_KEPT => {
                    std::fs::remove_file(entry.path())?;
                }
                Some(name) => ages.extend(CommandId::parse(name).ok().map(|id| (id, age))),
                None => {}
            }
        }
        Ok(ages)
    }
}

/// Gives up files that are old, and those that no command knows of, until the server stops.
pub(crate) async fn sweep(server: Arc<Server>, mut shutdown: watch::Receiver<bool>) {
    loop {
        if let Err(error) = sweep_once(&server).await {
            tracing::warn!(%error, "collected files are not looked after");
        }
        tokio::select! {
            () = tokio::time::sleep(SWEEP_EVERY) => {}
            () = crate::listen::asked_to_stop(&mut shutdown) => return,
        }
    }
}

async fn sweep_once(server: &Arc<Server>) -> anyhow::Result<()> {
    let looking = Arc::clone(server);
    let ages = tokio::task::spawn_blocking(move || looking.collected.ages()).await??;
    let kept = Duration::from_secs(u64::from(server.config.commands.collected_days) * 86_400);
    for (id, age) in ages {
        let key = id.as_str().to_owned();
        let command = server.engine.read(move |session| session.command(&key)).await?;
        let is_wanted = command.as_ref().is_some_and(|command| {
            command.file.as_ref().map_or(command.state.is_open(), |file| file.removed.is_none())
        });
        if is_wanted && (kept.is_zero() || age <= kept) {
            continue;
        }
        // Said first: a file that is there and said to be gone is removed at the next look.
        let key = id.as_str().to_owned();
        server.engine.write(move |writing| writing.forget_file(&key)).await?;
        let removing = Arc::clone(server);
        tokio::task::spawn_blocking(move || removing.collected.remove(&id)).await??;
    }
    Ok(())
}

/// The bounds that this configuration sets.
pub(crate) fn bounds(config: &crate::config::Config) -> CollectedBounds {
    let commands = &config.commands;
    CollectedBounds {
        file_bytes_max: commands.collect_bytes_max,
        bytes_max: commands.collected_bytes_max,
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn digest(file: &mut File) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut stream = Sha256Stream::default();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(stream.hexadecimal()),
            Ok(read) => stream.update(chunk.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_signing::sha256_hex;
    use std::os::unix::fs::PermissionsExt;

    const CONTENT: &[u8] = b"0123456789";

    fn place(name: &str) -> (Collected, PathBuf) {
        let folder = std::env::temp_dir().join(format!("ringwall-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let bounds = CollectedBounds { file_bytes_max: 10, bytes_max: 25 };
        (Collected::of(&folder, bounds), folder)
    }

    fn id(text: &str) -> CommandId {
        CommandId::parse(text).unwrap()
    }

    fn part(offset: u64) -> FilePart {
        FilePart { offset, bytes: 10, sha256: sha256_hex(CONTENT) }
    }

    #[test]
    fn parts_come_in_any_repetition_and_the_whole_is_checked() {
        let (collected, folder) = place("parts");
        let take = |offset: usize, end: usize| {
            collected.take(&id("cmd_1"), &part(offset as u64), &CONTENT[offset..end]).unwrap()
        };
        assert_eq!(take(0, 4), PartTaken::Some(4));
        assert_eq!(take(0, 4), PartTaken::Some(4), "its answer was lost");
        assert_eq!(take(6, 10), PartTaken::Some(4), "one is missing before it");
        assert_eq!(take(2, 8), PartTaken::Some(8));
        assert_eq!(take(8, 10), PartTaken::Whole);
        assert_eq!(take(8, 10), PartTaken::Whole, "its answer was lost");
        assert_eq!(collected.read(&id("cmd_1"), &sha256_hex(CONTENT)).unwrap(), CONTENT);
        assert!(matches!(collected.read(&id("cmd_1"), "x"), Err(PartError::Damaged)));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.join("collected")), 0o700);
        assert_eq!(mode(&folder.join("collected/cmd_1")), 0o600);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_not_as_announced_is_refused() {
        let (collected, folder) = place("refused");
        let take = |part: FilePart, body: &[u8]| collected.take(&id("cmd_1"), &part, body);
        let large = take(FilePart { bytes: 11, ..part(0) }, b"");
        assert!(matches!(large, Err(PartError::TooLarge { bytes: 11, bytes_max: 10 })));
        for (offset, body) in [(8, &b"abc"[..]), (11, b""), (u64::MAX, b"x")] {
            let beyond = take(part(offset), body);
            assert!(matches!(beyond, Err(PartError::BeyondEnd)), "{beyond:?}");
        }
        for sha256 in ["", "../x", &"A".repeat(64), &"é".repeat(32)] {
            let refused = take(FilePart { sha256: sha256.to_owned(), ..part(0) }, b"");
            assert!(matches!(refused, Err(PartError::Digest)), "{refused:?}");
        }
        assert!(matches!(take(part(0), b"9876543210"), Err(PartError::Damaged)));
        // A damaged file leaves nothing: from the beginning again.
        assert_eq!(take(part(0), CONTENT).unwrap(), PartTaken::Whole);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_folder_has_a_bound_and_old_beginnings_go() {
        let (collected, folder) = place("bound");
        for name in ["cmd_1", "cmd_2"] {
            let taken = collected.take(&id(name), &part(0), CONTENT).unwrap();
            assert_eq!(taken, PartTaken::Whole);
        }
        let full = collected.take(&id("cmd_3"), &part(0), &CONTENT[..4]);
        assert!(matches!(full, Err(PartError::Full)), "{full:?}");
        collected.remove(&id("cmd_1")).unwrap();
        collected.remove(&id("cmd_1")).unwrap();
        collected.take(&id("cmd_3"), &part(0), &CONTENT[..4]).unwrap();
        assert_eq!(collected.ages().unwrap().len(), 1);
        let begun = folder.join(format!("collected/cmd_3-{}.part", sha256_hex(CONTENT)));
        let old = SystemTime::now() - PART_KEPT - Duration::from_secs(60);
        let times = std::fs::FileTimes::new().set_modified(old);
        File::options().write(true).open(&begun).unwrap().set_times(times).unwrap();
        collected.ages().unwrap();
        assert!(!begun.exists());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_command_has_one_beginning() {
        let (collected, folder) = place("one-part");
        let parts = || {
            let files = std::fs::read_dir(folder.join("collected")).unwrap();
            files.filter(|file| file.as_ref().unwrap().path().extension().is_some()).count()
        };
        // A host that announces ever other files has room for one.
        for content in [CONTENT, b"9876543210", b"abcdefghij"] {
            let part = FilePart { sha256: sha256_hex(content), ..part(0) };
            collected.take(&id("cmd_1"), &part, &content[..4]).unwrap();
            assert_eq!(parts(), 1);
        }
        // Another command whose id begins alike keeps its own.
        collected.take(&id("cmd_10"), &part(0), &CONTENT[..1]).unwrap();
        collected.take(&id("cmd_1"), &part(0), &CONTENT[..4]).unwrap();
        assert_eq!(parts(), 2);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_grows_is_bounded_as_what_begins() {
        let (collected, folder) = place("growing");
        // All begin while there is room, and then all grow.
        for name in ["cmd_2", "cmd_3", "cmd_4"] {
            collected.take(&id(name), &part(0), &CONTENT[..1]).unwrap();
        }
        let grow = |name| collected.take(&id(name), &part(1), &CONTENT[1..]);
        assert_eq!(grow("cmd_2").unwrap(), PartTaken::Whole);
        assert_eq!(grow("cmd_3").unwrap(), PartTaken::Whole);
        let full = grow("cmd_4");
        assert!(matches!(full, Err(PartError::Full)), "{full:?}");
        let used: u64 = std::fs::read_dir(folder.join("collected"))
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum();
        assert!(used <= 25, "{used}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn an_empty_file_is_a_file() {
        let (collected, folder) = place("empty");
        let empty = FilePart { offset: 0, bytes: 0, sha256: sha256_hex(b"") };
        assert_eq!(collected.take(&id("cmd_1"), &empty, b"").unwrap(), PartTaken::Whole);
        assert_eq!(collected.read(&id("cmd_1"), &sha256_hex(b"")).unwrap(), b"");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
