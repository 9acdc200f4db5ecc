//! Sources that are read again and again are prepared once, into a cache folder.

use super::prepare_marked;
use super::reader::File;
use crate::ecg::guidance::GuidanceConfig;
use crate::ecg::sources::{self, Kind, Progress, Source, load_all};
use crate::ecg::{Dataset, LoadOptions};
use crate::error::Result;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Loads sources by way of the cache `dir`: prepares them into it if they are not there yet, or if a file of theirs, an
/// option or the program itself has changed since. Sources that hold nothing but synthetic ECG, and a cache that
/// cannot be written, are read into memory instead.
pub fn through_cache(
    sources: &[Source],
    options: &LoadOptions,
    guidance: &GuidanceConfig,
    dir: Option<&Path>,
    watch: &(dyn Fn(Progress) + Sync),
) -> Result<Dataset> {
    options.check()?;
    sources.iter().for_each(Source::protect);
    let Some(dir) = dir.filter(|_| sources.iter().any(|s| s.kind != Kind::Synthetic)) else {
        return load_all(sources, options, watch);
    };
    // small classes are dropped after reading: the cache holds them all
    let whole = LoadOptions { min_class: 0, min_patients: 0, ..options.clone() };
    let what = description(sources, &whole, guidance);
    let names: Vec<String> = sources.iter().map(|s| plain(&s.name())).collect();
    let path = dir.join(format!("{}-{:016x}.safetensors", names.join("+"), hash(&what)));
    let mark = format!("{:016x}", hash(&(what, state(sources))));
    let cached = || File::open(&path).ok().filter(|file| file.mark() == mark)?.dataset().ok();
    let set = match cached() {
        Some(set) => set,
        None if prepare_marked(sources, &whole, guidance, &path, watch, &mark).is_ok() => {
            File::open(&path)?.dataset()?
        }
        // reading the sources without the cache reports whatever is wrong with them
        None => return load_all(sources, options, watch),
    };
    set.without_small_classes(options.min_class, options.min_patients)
}

/// What a prepared file says of its sources, as they are written, and settings: a file that says the same may be replaced.
pub(super) fn meaning(sources: &[Source], options: &LoadOptions, guidance: &GuidanceConfig) -> String {
    let names: Vec<String> = sources.iter().map(Source::to_string).collect();
    format!("{:016x}", hash(&format!("{options:?} {guidance:?} {names:?}")))
}

/// What is read and how: two experiments with the same description share a file.
fn description(sources: &[Source], options: &LoadOptions, guidance: &GuidanceConfig) -> String {
    let mut text = format!("{options:?} {guidance:?}");
    for source in sources {
        let path = sources::resolve(&source.path);
        let path = path.canonicalize().unwrap_or(path);
        let _ = write!(text, " {} {} {}", source.name(), source.kind.name(), path.display());
    }
    text
}

/// The state of everything that the result depends on: names, sizes and times of the sources' files, and the program.
fn state(sources: &[Source]) -> Vec<String> {
    let mut files = Vec::new();
    for source in sources.iter().filter(|s| s.kind != Kind::Synthetic) {
        let path = source.root();
        match sources::walk(&path, &|_| true) {
            Ok(found) => found.files.keys().for_each(|file| list(file, &mut files)),
            Err(_) => list(&path, &mut files),
        }
    }
    files.sort();
    if let Ok(program) = std::env::current_exe() {
        list(&program, &mut files);
    }
    files
}

fn list(file: &Path, files: &mut Vec<String>) {
    if let Ok(meta) = file.metadata() {
        let time = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        files.push(format!("{} {} {}", file.display(), meta.len(), time.as_nanos()));
    }
}

/// Only a cached file's name and freshness depend on it: a program built with another hash prepares again.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).take(40).collect()
}
