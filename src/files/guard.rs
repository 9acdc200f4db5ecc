//! One guard for everything that a command writes: it writes neither over what it reads, nor over a result of another
//! meaning.
//!
//! Whatever reads a model, a data set, a source, a strip or a run lists it with [`reads`]; whatever writes goes through
//! [`super::write_atomically`] or asks [`check`]. A file that is there with other content is replaced only where
//! - it belongs to the command, as the folder of a run that it holds ([`owns`]),
//! - the command found that it says the same of itself, such as the data set of the same sources and settings ([`replaces`]),
//! - or `--force` was given, which no input of the command yields to.
//!
//! The same content again is never refused. A program that uses the library alone is not guarded: [`begin`] is for commands.

use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the command at work reads and may replace; all paths canonical.
struct Command {
    guarded: bool,
    force: bool,
    read: Vec<(PathBuf, Option<Id>)>,
    owned: Vec<PathBuf>,
    replaced: BTreeSet<PathBuf>,
}

static COMMAND: Mutex<Command> = Mutex::new(Command {
    guarded: false,
    force: false,
    read: Vec::new(),
    owned: Vec::new(),
    replaced: BTreeSet::new(),
});

fn command() -> MutexGuard<'static, Command> {
    COMMAND.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is the same for all names of a file: hard links, and upper and lower case where the file system ignores it.
type Id = (u64, u64);

#[cfg(unix)]
fn id(path: &Path) -> Option<Id> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino()))
}

/// Elsewhere the canonical path has to do.
#[cfg(not(unix))]
fn id(_: &Path) -> Option<Id> {
    None
}

/// The path without links, also of a file that is not there yet.
fn canonical(path: &Path) -> PathBuf {
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    let parent = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (path.file_name(), parent == path) {
        (Some(name), false) => canonical(parent).join(name),
        _ => path.to_path_buf(),
    }
}

/// Whether two paths lead to one file that is there.
pub(crate) fn is_same_file(a: &Path, b: &Path) -> bool {
    let same_path = || a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b));
    id(a).is_some_and(|a| id(b) == Some(a)) || same_path()
}

/// From here on the program is a command, with or without `--force`.
pub(crate) fn begin(force: bool) {
    let mut command = command();
    (command.guarded, command.force) = (true, force);
}

/// Lists a file that the command reads, or a folder with all that is in it.
pub(crate) fn reads(path: &Path) {
    let mut command = command();
    if command.guarded
        && let Ok(real) = path.canonicalize()
        && !command.read.iter().any(|(known, _)| *known == real)
    {
        let id = id(&real).filter(|_| real.is_file());
        command.read.push((real, id));
    }
}

/// The command may replace whatever is in this folder.
pub(crate) fn owns(dir: &Path) {
    command().owned.push(canonical(dir));
}

/// The command may replace this file: it says of itself what the new one will.
pub(crate) fn replaces(path: &Path) {
    command().replaced.insert(canonical(path));
}

/// Fails where a file with this content may not be written. Without content: where one of this name would be refused
/// whatever is in it, for commands that take long to make it.
pub(crate) fn check(path: &Path, bytes: Option<&[u8]>) -> Result<()> {
    let command = command();
    // what is no file is refused with better words by whoever writes
    if !command.guarded || !path.is_file() {
        return Ok(());
    }
    let real = canonical(path);
    if command.replaced.contains(&real) || command.owned.iter().any(|dir| real.starts_with(dir)) {
        return Ok(());
    }
    let same = |bytes: &[u8]| {
        path.metadata().is_ok_and(|m| m.len() == bytes.len() as u64)
            && std::fs::read(path).is_ok_and(|old| old == bytes)
    };
    let own = id(path);
    let read = command.read.iter().find(|(input, id)| real.starts_with(input) || id.is_some() && *id == own);
    if let Some((input, _)) = read {
        let what = match input.is_dir() {
            true => format!("is in a folder that this command reads ({})", input.display()),
            false => "is what this command reads".into(),
        };
        if bytes.is_some_and(same) {
            return Ok(());
        }
        return Err(Error::file(
            path,
            format!("{what}, and would be written over: expected another file"),
            "give the result another name, or another folder (--out)",
        ));
    }
    if command.force || bytes.is_some_and(same) {
        return Ok(());
    }
    let what = match bytes {
        Some(_) => "is there already, with other content than the result: expected nothing, or the same result",
        None => "is there already, and is no result of the same command: expected nothing, or the same result",
    };
    Err(Error::file(path, what, "give another name or folder (--out), or write over it with --force"))
}
