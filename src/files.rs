//! Writing files so that nobody ever meets half of one.

use crate::error::{Error, Result};
use std::io::Write;
use std::path::Path;

/// Temporary files begin so; some stay behind when a process is killed.
pub const TEMPORARY: &str = ".exgnet-";

/// Writes a file beside its place and renames it, so that it is whole or not there. Missing folders are made.
///
/// # Errors
/// [`Error::File`] if it cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |e: std::io::Error| {
        let hint = "check that the folder can be written to and that the disk is not full";
        Error::file(path, format!("cannot be written: {e}"), hint)
    };
    if path.is_dir() {
        return Err(Error::file(path, "cannot be written: it is a folder", "choose another name"));
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir).map_err(fail)?;
    let mut file = temporary(dir).map_err(fail)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(fail)?;
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}

/// A temporary file in `dir`, which is removed when dropped.
pub(crate) fn temporary(dir: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY).suffix(".tmp");
    // results are for others to read: as any new file, not for the owner alone
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(dir)
}
