//! Which records a folder holds, and where the data folder is.

use super::notes::count;
use super::{Context, Outcome, Progress, Sink};
use crate::ecg::Exclusion;
use crate::ecg::labels::Rhythm;
use crate::ecg::wfdb::{headers_of_segments, with_hea};
use crate::error::{Error, Result};
use rayon::prelude::*;
use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::{BTreeSet, HashSet};
use std::path::{Component, Path, PathBuf};

/// What to do about a path that is not there.
pub(super) const MISSING: &str = "check the path; a relative one is looked for here and below EXGNET_DATA";

/// The folder of real recordings that the variable `EXGNET_DATA` names.
pub fn data_root() -> Option<PathBuf> {
    let named = std::env::var_os("EXGNET_DATA").filter(|v| !v.is_empty()).map(PathBuf::from);
    named.filter(|p| p.is_dir())
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

/// Name of a file without its extension.
pub(crate) fn stem(file: &Path) -> String {
    file.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned())
}

/// A record's rhythm as a table of labels has it, or why the record cannot be used.
pub(super) type Label = Result<Rhythm, String>;

/// Labels by record name; a record with several that differ has `differ` in their place.
pub(super) fn labels(rows: impl Iterator<Item = (String, Label)>, differ: &str) -> BTreeMap<String, Label> {
    let mut labels: BTreeMap<String, Label> = BTreeMap::new();
    for (name, label) in rows {
        let first = labels.entry(name).or_insert_with(|| label.clone());
        if *first != label {
            *first = Err(differ.into());
        }
    }
    labels
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
    in_order(context, &headers, |path| context.record_id(path), |path| read(context, path), sink)
}

/// Reads items in parallel, some at a time; one that cannot be used becomes an exclusion of the record that `id` names.
/// Outcomes reach the sink in order.
pub(super) fn in_order<T: Sync>(
    context: &Context,
    items: &[T],
    id: impl Fn(&T) -> String + Sync,
    read: impl Fn(&T) -> Result<Outcome, String> + Sync,
    sink: &mut Sink,
) -> Result<()> {
    let total = items.len() as u64;
    (context.watch)(Progress::Begin { source: context.source.clone(), total, bytes: false });
    let one = |item: &T| {
        let outcome = read(item).unwrap_or_else(|reason| Outcome::excluded(id(item), reason));
        (context.watch)(Progress::Advance(1));
        outcome
    };
    for some in items.chunks(AT_ONCE) {
        let outcomes: Vec<Outcome> = some.par_iter().map(one).collect();
        outcomes.into_iter().try_for_each(&mut *sink)?;
    }
    Ok(())
}

/// Reads records whose rhythms are in a table, as [`in_order`].
pub(super) fn in_order_labelled(
    context: &Context,
    items: &[(PathBuf, Label)],
    read: impl Fn(&Path, Rhythm) -> Result<Outcome, String> + Sync,
    sink: &mut Sink,
) -> Result<()> {
    in_order(context, items, |(path, _)| context.record_id(path), |(path, label)| read(path, label.clone()?), sink)
}

/// The source's folder must be there.
pub(super) fn check_root(root: &Path) -> Result<()> {
    if root.is_dir() {
        return Ok(());
    }
    Err(Error::file(root, "no such folder of recordings", MISSING))
}

/// The headers to read: those that `RECORDS` lists, or all, each once; listed ones that are missing are excluded.
pub(super) fn find_headers(context: &Context, out: &mut Outcome) -> Result<BTreeSet<PathBuf>> {
    let root = &context.root;
    check_root(root)?;
    let present = walk(root, &|path| path.extension().is_some_and(|e| e == "hea"))?;
    // the folders above: a link that leads there leads back here
    let above = real(root).ancestors().skip(1).map(Path::to_path_buf).collect();
    let mut list = List { visited: above, headers: BTreeSet::new() };
    let mut chosen = BTreeMap::new();
    if list.follow(context, root, true, out)? {
        for header in list.headers {
            if header.is_file() {
                let real = real(&header);
                let path = present.files.get(&real).cloned().unwrap_or(header);
                chosen.insert(real, path);
            } else {
                let reason = "listed in RECORDS, but there is no header";
                out.exclusions.push(Exclusion::record(context.record_id(&header), reason));
            }
        }
        let others = present.files.keys().filter(|real| !chosen.contains_key(*real)).count();
        if others > 0 {
            let what = count(others, "header is", "headers are");
            out.notes.push(context.line(format_args!("{what} not in RECORDS and not read")));
        }
    } else {
        present.note(context, out);
        chosen = present.files;
        leave_out_segments(context, &mut chosen, out);
    }
    if chosen.is_empty() && out.exclusions.is_empty() {
        let what = "holds no record (no .hea file at any depth)";
        return Err(Error::file(root, what, "name the folder that holds the .hea files of a WFDB database"));
    }
    Ok(once(context, chosen, out))
}

/// Takes the headers of segments away: they are read with the record that is made of them.
fn leave_out_segments(context: &Context, chosen: &mut BTreeMap<PathBuf, PathBuf>, out: &mut Outcome) {
    let files: Vec<(&PathBuf, &PathBuf)> = chosen.iter().collect();
    let of_records: Vec<(&PathBuf, Vec<PathBuf>)> = (files.par_iter())
        .map(|(real, path)| (*real, headers_of_segments(path)))
        .filter(|(_, segments)| !segments.is_empty())
        .collect();
    let records: HashSet<&PathBuf> = of_records.iter().map(|(record, _)| *record).collect();
    let segments = of_records.iter().flat_map(|(_, segments)| segments).map(|segment| real(segment));
    let segments: HashSet<PathBuf> = segments.filter(|segment| !records.contains(segment)).collect();
    let before = chosen.len();
    chosen.retain(|real, _| !segments.contains(real));
    if before > chosen.len() {
        let what = count(before - chosen.len(), "header is", "headers are");
        out.notes.push(context.line(format_args!("{what} of segments or layouts, read with their records")));
    }
}

/// The paths of the files that no source before this one holds; the others are excluded.
pub(super) fn once(context: &Context, files: BTreeMap<PathBuf, PathBuf>, out: &mut Outcome) -> BTreeSet<PathBuf> {
    let mut kept = BTreeSet::new();
    // in the order of the records, wherever the files lie
    let files: BTreeMap<PathBuf, PathBuf> = files.into_iter().map(|(real, path)| (path, real)).collect();
    for (path, real) in files {
        let id = context.record_id(&path);
        match context.claim(real, &id) {
            Ok(()) => drop(kept.insert(path)),
            Err(first) => out.exclusions.push(Exclusion::record(id, format!("the same file as {first}"))),
        }
    }
    kept
}

/// Files below a folder.
pub(crate) struct Found {
    /// By real path: the path below the folder that names it.
    pub files: BTreeMap<PathBuf, PathBuf>,
    /// Links that lead to what is there already.
    again: usize,
}

impl Found {
    /// Notes that links lead to the same files again.
    pub(super) fn note(&self, context: &Context, out: &mut Outcome) {
        if self.again > 0 {
            let what = count(self.again, "link leads", "links lead");
            out.notes.push(context.line(format_args!("{what} to what is there already: every file counts once")));
        }
    }
}

/// The path of a file or folder without links; as it is where that cannot be found.
pub(super) fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// All files below a folder that are `wanted`, each once however many links lead to it. A file that can be reached
/// without a link is named by that path.
pub(crate) fn walk(root: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Found> {
    let top = real(root);
    let mut found = Found { files: BTreeMap::new(), again: 0 };
    let (mut visited, mut folders) = (HashSet::new(), vec![root.to_path_buf()]);
    // links wait until everything that needs none is found
    let (mut linked_folders, mut linked_files) = (BTreeSet::new(), BTreeSet::new());
    loop {
        while let Some(dir) = folders.pop() {
            let fault =
                |e: std::io::Error| Error::file(&dir, format!("cannot list the folder: {e}"), "check its permissions");
            let place = real(&dir);
            if !visited.insert(place.clone()) {
                continue;
            }
            for entry in std::fs::read_dir(&dir).map_err(fault)? {
                let entry = entry.map_err(fault)?;
                let (path, link) = (entry.path(), entry.file_type().map_err(fault)?.is_symlink());
                match (path.is_dir(), link) {
                    (true, true) => drop(linked_folders.insert(path)),
                    (true, false) => folders.push(path),
                    (false, _) if !wanted(&path) => {}
                    (false, true) => drop(linked_files.insert(path)),
                    (false, false) => drop(found.files.entry(place.join(entry.file_name())).or_insert(path)),
                }
            }
        }
        let Some(link) = linked_folders.pop_first() else { break };
        let target = real(&link);
        // a link to a folder above leads back here
        if visited.contains(&target) || top.starts_with(&target) {
            found.again += 1;
        } else {
            folders.push(link);
        }
    }
    for path in linked_files {
        let target = real(&path);
        match found.files.entry(target) {
            Entry::Vacant(place) => drop(place.insert(path)),
            Entry::Occupied(_) => found.again += 1,
        }
    }
    Ok(found)
}

/// The headers that `RECORDS` files list.
struct List {
    /// Real paths of the folders whose lists were read.
    visited: HashSet<PathBuf>,
    headers: BTreeSet<PathBuf>,
}

impl List {
    /// Follows the `RECORDS` file of a folder, whose lines are records or folders with `RECORDS` files of their own.
    /// Without one: false for the root, all headers for a folder below it.
    fn follow(&mut self, context: &Context, dir: &Path, root: bool, out: &mut Outcome) -> Result<bool> {
        if !self.visited.insert(real(dir)) {
            return Ok(true);
        }
        let path = dir.join("RECORDS");
        if !path.is_file() {
            if !root {
                self.headers
                    .extend(walk(dir, &|path| path.extension().is_some_and(|e| e == "hea"))?.files.into_values());
            }
            return Ok(false);
        }
        let text = crate::ecg::wfdb::read_limited(&path, 1 << 26, "list of records")?;
        let text = String::from_utf8_lossy(&text);
        for line in text.trim_start_matches('\u{feff}').lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let below = Path::new(line.strip_suffix(".hea").unwrap_or(line));
            if !below.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
                let record = format!("{}/{line}", context.source);
                out.exclusions.push(Exclusion::record(record, "RECORDS names a path outside its folder"));
                continue;
            }
            // rebuilt from its parts so that `./a` and `a` are one record
            let target: PathBuf =
                dir.components().chain(below.components().filter(|c| *c != Component::CurDir)).collect();
            let header = with_hea(&target);
            if target.is_dir() && !header.is_file() {
                self.follow(context, &target, false, out)?;
            } else {
                self.headers.insert(header);
            }
        }
        Ok(true)
    }
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
