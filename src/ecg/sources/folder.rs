//! Which records a folder holds, and where the data folder is.

use super::notes::Note;
use super::{Context, Outcome, Progress, Sink};
use crate::ecg::dataset::Exclusion;
use crate::error::{Error, Result};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Folders deeper than this are not searched (a link may lead back up).
pub(crate) const MAX_DEPTH: usize = 12;

/// The folder of real recordings: `EXGNET_DATA`, or `../shared/data` where that exists.
pub fn data_root() -> Option<PathBuf> {
    let named = std::env::var_os("EXGNET_DATA").filter(|v| !v.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(PathBuf::from("../shared/data"))).filter(|p| p.is_dir())
}

/// A relative path that does not exist as given is looked for below [`data_root`]; one that is in neither
/// place comes back unchanged.
pub fn resolve(path: &Path) -> PathBuf {
    if path.is_relative()
        && !path.exists()
        && let Some(below) = data_root().map(|root| root.join(path)).filter(|p| p.exists())
    {
        return below;
    }
    path.to_path_buf()
}

/// Name of a folder, also of one given as `.` or `x/..`.
pub fn name_of(root: &Path) -> String {
    let full = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    full.file_name().map_or_else(|| "data".to_string(), |n| n.to_string_lossy().into_owned())
}

/// Records that are read before their strips are handed on: enough for every thread to have work, few enough that
/// half-hour records do not fill the memory.
const AT_ONCE: usize = 64;

/// Finds the records of the source's folder and reads them in parallel; outcomes in the order of the paths.
pub(super) fn for_each_record(
    context: &Context,
    read: fn(&Context, &Path) -> Result<Outcome, String>,
    sink: &mut Sink,
) -> Result<()> {
    let mut account = Outcome::default();
    let headers: Vec<PathBuf> = find_headers(context, &mut account)?.into_iter().collect();
    sink(account)?;
    in_order(context, &headers, &|path: &PathBuf| read(context, path).map_err(|e| (context.record_id(path), e)), sink)
}

/// Reads one item: what it gave, or its record and why it cannot be used.
pub(super) type Reading<'a, T> = dyn Fn(&T) -> Result<Outcome, (String, String)> + Sync + 'a;

/// Reads items in parallel, some at a time; a failed one becomes an exclusion. Outcomes reach the sink in order.
pub(super) fn in_order<T: Sync>(context: &Context, items: &[T], read: &Reading<T>, sink: &mut Sink) -> Result<()> {
    context.begin(items.len());
    for some in items.chunks(AT_ONCE) {
        let outcomes: Vec<Outcome> = some
            .par_iter()
            .map(|item| {
                let outcome = read(item).unwrap_or_else(|(record, reason)| Outcome::excluded(record, reason));
                (context.watch)(Progress::Advance(1));
                outcome
            })
            .collect();
        outcomes.into_iter().try_for_each(&mut *sink)?;
    }
    Ok(())
}

/// The source's folder must be there.
pub(super) fn check_root(root: &Path) -> Result<()> {
    if root.is_dir() {
        return Ok(());
    }
    Err(Error::file(
        root,
        "no such folder of recordings",
        "check the path; a relative one is looked for here and below EXGNET_DATA (or ../shared/data)",
    ))
}

/// The headers to read: those that `RECORDS` lists, or all; listed ones that are missing are excluded.
pub(super) fn find_headers(context: &Context, out: &mut Outcome) -> Result<BTreeSet<PathBuf>> {
    let root = &context.root;
    check_root(root)?;
    let mut present = BTreeSet::new();
    walk(root, 0, "hea", &mut present)?;
    let mut listed = BTreeSet::new();
    let chosen = if listing(root, root, 0, &mut listed, out, &context.source)? {
        let others = present.difference(&listed).count();
        if others > 0 {
            let what = if others == 1 { "header is" } else { "headers are" };
            out.notes.push(Note::Line(format!("{}: {others} {what} not in RECORDS and not read", context.source)));
        }
        for missing in listed.difference(&present) {
            out.exclusions
                .push(Exclusion::new(context.record_id(missing), "listed in RECORDS, but there is no header"));
        }
        listed.intersection(&present).cloned().collect()
    } else {
        present
    };
    if chosen.is_empty() {
        return Err(Error::file(
            root,
            "holds no record (no .hea file at any depth)",
            "name the folder that holds the .hea files of a WFDB database",
        ));
    }
    Ok(chosen)
}

/// All files with an extension below a folder.
pub(super) fn walk(dir: &Path, depth: usize, extension: &str, found: &mut BTreeSet<PathBuf>) -> Result<()> {
    let fault = |e: std::io::Error| Error::file(dir, format!("cannot list the folder: {e}"), "check its permissions");
    for entry in std::fs::read_dir(dir).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.is_dir() {
            if depth < MAX_DEPTH {
                walk(&path, depth + 1, extension, found)?;
            }
        } else if path.extension().is_some_and(|e| e == extension) {
            found.insert(path);
        }
    }
    Ok(())
}

/// Follows the `RECORDS` file of a folder, whose lines are records or folders with `RECORDS` files of their own.
/// Without one: false for the root, all headers for a folder below it.
fn listing(
    root: &Path,
    dir: &Path,
    depth: usize,
    listed: &mut BTreeSet<PathBuf>,
    out: &mut Outcome,
    source: &str,
) -> Result<bool> {
    let path = dir.join("RECORDS");
    if !path.is_file() {
        if depth > 0 {
            walk(dir, depth, "hea", listed)?;
        }
        return Ok(false);
    }
    let text = crate::ecg::wfdb::read_limited(&path, 1 << 26, "list of records")?;
    for line in String::from_utf8_lossy(&text).lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let below = Path::new(line);
        if !below.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
            out.exclusions.push(Exclusion::new(format!("{source}/{line}"), "RECORDS names a path outside its folder"));
            continue;
        }
        // rebuilt from its parts so that `./a` and `a` are one record
        let target: PathBuf = dir.components().chain(below.components().filter(|c| *c != Component::CurDir)).collect();
        let mut header = target.clone().into_os_string();
        header.push(".hea");
        let header = PathBuf::from(header);
        if target.is_dir() && !header.is_file() {
            if depth < MAX_DEPTH && target != root {
                listing(root, &target, depth + 1, listed, out, source)?;
            }
        } else {
            listed.insert(header);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_unknown_paths() {
        let dir = tempfile::tempdir().unwrap();
        let sub = dir.path().join("mitdb");
        std::fs::create_dir(&sub).unwrap();
        assert_eq!(name_of(&sub.join(".")), "mitdb");
        assert_eq!(resolve(&sub), sub);
        let unknown = Path::new("no/such/folder/anywhere");
        assert_eq!(resolve(unknown), unknown);
    }
}
