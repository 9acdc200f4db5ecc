//! Temporary files, and what else must not stay behind when a signal ends the program.
//!
//! A signal ends the program without dropping anything, so that whatever has to go is listed here. The list is held while a
//! temporary file is made, and while it takes its final name: [`remove_all`] never meets one in between.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::NamedTempFile;

/// Temporary files begin so; some stay behind when a process is killed by force.
pub const TEMPORARY: &str = ".exgnet-";

static LISTED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn listed() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    LISTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes all temporary files and whatever else is listed. The list stays locked, so that none is made after this: only for
/// a program that ends.
pub(crate) fn remove_all() {
    let all = listed();
    for path in all.iter() {
        // what cannot be removed stays: there is nobody left to report it to
        let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    }
    std::mem::forget(all);
}

/// A temporary file, which is removed when dropped, and when a signal ends the program.
pub(crate) struct Temporary(Option<NamedTempFile>);

/// A temporary file in `dir`.
pub(crate) fn temporary(dir: &Path) -> io::Result<Temporary> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY).suffix(".tmp");
    // results are for others to read: as any new file, not for the owner alone
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut list = listed();
    let file = builder.tempfile_in(dir)?;
    list.insert(file.path().to_path_buf());
    Ok(Temporary(Some(file)))
}

impl Temporary {
    /// The open file.
    pub fn as_file(&self) -> &File {
        self.inner().as_file()
    }

    /// Gives the file its final name, in the place of what bears it now.
    pub fn persist(mut self, to: &Path) -> io::Result<()> {
        let mut list = listed();
        let Some(file) = self.0.take() else { return Ok(()) };
        list.remove(file.path());
        // where it fails, the file is removed with the error, and the list still held
        file.persist(to).map(drop).map_err(|e| e.error)
    }

    fn inner(&self) -> &NamedTempFile {
        self.0.as_ref().expect("only persist takes it, and the value with it")
    }
}

impl Write for Temporary {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.as_file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.as_file().flush()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let mut list = listed();
        if let Some(file) = self.0.take() {
            list.remove(file.path());
        }
    }
}

/// While it lives, `path` (a file or a folder) is removed when a signal ends the program.
#[derive(Debug)]
pub(crate) struct RemovedAtSignal(PathBuf);

impl RemovedAtSignal {
    pub fn new(path: &Path) -> Self {
        listed().insert(path.to_path_buf());
        Self(path.to_path_buf())
    }
}

impl Drop for RemovedAtSignal {
    fn drop(&mut self) {
        listed().remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_holds_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let is_listed = || listed().iter().any(|p| p.starts_with(dir.path()));
        let mut file = temporary(dir.path()).unwrap();
        file.write_all(b"content").unwrap();
        assert!(is_listed());
        let to = dir.path().join("whole");
        file.persist(&to).unwrap();
        assert!(!is_listed() && std::fs::read(&to).unwrap() == b"content");
        drop(temporary(dir.path()).unwrap());
        assert!(!is_listed());
        let lock = RemovedAtSignal::new(&to);
        assert!(is_listed());
        drop(lock);
        assert!(!is_listed() && to.exists());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
