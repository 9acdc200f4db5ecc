//! One run at a time in a folder. The lock is the system's own, on the file `run.lock`: it ends with its process, however
//! that ends, so that no killed run leaves a folder locked. What the file says is for people.

use crate::error::{Error, Result};
use crate::files::{RemovedAtSignal, guard};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Name of the lock's file.
pub(super) const NAME: &str = "run.lock";
/// A file that is removed again and again between opening and locking is not tried for ever.
const ATTEMPTS: usize = 100;

/// Holds a run folder until it is dropped.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    path: PathBuf,
    /// A signal ends the process without dropping this.
    _at_signal: RemovedAtSignal,
    /// The process that held the lock and did not give it back, in its own words.
    left_by: Option<String>,
}

impl RunLock {
    /// Takes the folder `dir`, which is there.
    ///
    /// # Errors
    /// [`Error::File`] where another process works in it, with that process; where the file cannot be made.
    pub fn take(dir: &Path) -> Result<Self> {
        let path = dir.join(NAME);
        let fail = |e: std::io::Error| {
            Error::file(&path, format!("cannot be locked: {e}"), "choose a folder that can be written to: --out DIR")
        };
        for _ in 0..ATTEMPTS {
            let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            let mut file = open.map_err(fail)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let owner = owner(&mut file).unwrap_or_else(|| "another process".into());
                    let what = format!("the run in this folder is under way: expected none, found {owner}");
                    return Err(Error::file(dir, what, "wait for it or stop it, or choose another folder with --out"));
                }
                // some network folders know no locks; that is no reason to refuse them
                Err(TryLockError::Error(e)) if e.kind() == std::io::ErrorKind::Unsupported => {
                    log::warn!("{}: this folder cannot be locked: see that no second run writes to it", path.display());
                }
                Err(TryLockError::Error(e)) => return Err(fail(e)),
            }
            if !is_at(&file, &path) {
                // its owner removed it after it was opened here
                continue;
            }
            let left_by = owner(&mut file);
            file.set_len(0).and_then(|()| file.rewind()).map_err(fail)?;
            file.write_all(format!("process {} on {}\n", std::process::id(), host()).as_bytes()).map_err(fail)?;
            guard::owns(dir);
            return Ok(Self { file, _at_signal: RemovedAtSignal::new(&path), path, left_by });
        }
        Err(Error::file(&path, "cannot be locked: others take and leave it all the time", "try again"))
    }

    /// Whether some process holds the folder `dir`.
    pub fn is_taken(dir: &Path) -> bool {
        // shared: two that ask do not see each other
        File::open(dir.join(NAME)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// The process that held the folder before and ended without giving it back: `process 12 on host`.
    pub fn left_by(&self) -> Option<&str> {
        self.left_by.as_deref()
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // while it is locked, so that nobody else's is removed; one that stays only says that a process was cut off
        let _ = std::fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

/// What the file says.
fn owner(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.take(200).read_to_string(&mut text).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Whether the open file is still the one of that name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |m: std::fs::Metadata| (m.dev(), m.ino());
    matches!((file.metadata().map(id), std::fs::metadata(path).map(id)), (Ok(a), Ok(b)) if a == b)
}

/// Elsewhere an open file cannot be removed.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// Name of this computer.
fn host() -> String {
    let named = |key: &str| std::env::var(key).ok();
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| named("HOSTNAME"))
        .or_else(|| named("COMPUTERNAME"))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "this computer".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_given_back() {
        let tmp = tempfile::tempdir().unwrap();
        let lock = RunLock::take(tmp.path()).unwrap();
        assert!(lock.left_by().is_none());
        let e = RunLock::take(tmp.path()).unwrap_err().to_string();
        assert!(e.contains(&format!("process {} on", std::process::id())) && e.contains("HINT"), "{e}");
        assert!(RunLock::is_taken(tmp.path()));
        drop(lock);
        assert!(!RunLock::is_taken(tmp.path()) && !tmp.path().join(NAME).exists());
        RunLock::take(tmp.path()).unwrap();
    }

    #[test]
    fn what_a_dead_process_left_is_taken_over() {
        let tmp = tempfile::tempdir().unwrap();
        std::fs::write(tmp.path().join(NAME), "process 1 on elsewhere\n").unwrap();
        let lock = RunLock::take(tmp.path()).unwrap();
        assert_eq!(lock.left_by(), Some("process 1 on elsewhere"));
        let now = std::fs::read_to_string(tmp.path().join(NAME)).unwrap();
        assert!(now.starts_with(&format!("process {} on ", std::process::id())), "{now}");
    }
}
