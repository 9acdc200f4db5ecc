//! Where kernel text comes from: built in, or a folder whose files are added or take precedence.

use super::tuning::Forced;
use super::version::{Version, hash_of, number_and_name};
use crate::error::{Error, Result, alike, nearest};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// File names below `shaders/` and texts, made by `shaders/build.rs`.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/shaders.rs"));
/// Bytes of a version at most.
const LARGEST: u64 = 4 << 20;
/// Folders that hold no versions: text that kernels share, kernels of the measurements.
const OTHERS: [&str; 2] = ["include", "lab"];

/// File names and texts of the embedded shaders.
pub fn embedded_shaders() -> &'static [(&'static str, &'static str)] {
    EMBEDDED
}

fn embedded(file: &str) -> Option<&'static str> {
    EMBEDDED.iter().find(|(n, _)| *n == file).map(|(_, text)| *text)
}

/// Folders of the embedded shaders that are families.
fn families() -> BTreeSet<&'static str> {
    let folders = EMBEDDED.iter().filter_map(|(file, _)| Some(file.split_once('/')?.0));
    folders.filter(|folder| !OTHERS.contains(folder)).collect()
}

/// A file of a folder that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Name below the folder, `conv1d/90_mine.wgsl`.
    pub file: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its text.
    text: String,
    /// Whether it takes the place of an embedded one.
    pub replaces: bool,
}

impl Taken {
    /// A hash of its text.
    pub fn hash(&self) -> u64 {
        hash_of(&self.text)
    }

    /// Whether it is another text than the embedded one.
    pub fn differs(&self) -> bool {
        embedded(&self.file) != Some(self.text.as_str())
    }
}

/// The embedded shaders, with those of a folder over them.
#[derive(Debug, Clone, Default)]
pub struct ShaderSource {
    taken: Arc<Vec<Taken>>,
}

impl ShaderSource {
    /// Shaders of `dir`, in folders as in `shaders/`, before the embedded ones and beside them; they are read now.
    ///
    /// # Errors
    /// [`Error::File`] if `dir` is no folder, for a file that belongs to no family, and for one that cannot be read.
    pub fn folder(dir: impl Into<PathBuf>) -> Result<Self> {
        let dir = dir.into();
        if !dir.is_dir() {
            return Err(Error::file(
                dir,
                "is no folder, expected one with folders of .wgsl files",
                "point --shader-dir at a folder such as mine/ with mine/conv1d/90_mine.wgsl",
            ));
        }
        let mut taken = Vec::new();
        for path in listed(&dir)? {
            let name = file_name(&path);
            if path.is_dir() {
                for inner in listed(&path)? {
                    let file = format!("{name}/{}", file_name(&inner));
                    if file.ends_with(".wgsl") || inner.is_dir() {
                        taken.push(take(file, inner)?);
                    }
                }
            } else if name.ends_with(".wgsl") {
                return Err(no_family(&path, name.trim_end_matches(".wgsl"), &format!("{name} in no folder")));
            }
        }
        if taken.is_empty() {
            return Err(Error::file(
                dir,
                "holds no kernel, expected folders of .wgsl files",
                "put a version into a folder of its family's name, such as conv1d/90_mine.wgsl",
            ));
        }
        Ok(Self { taken: Arc::new(taken) })
    }

    /// From `EXGNET_SHADER_DIR`; unset or empty means the embedded shaders.
    pub fn from_env() -> Result<Self> {
        match std::env::var_os("EXGNET_SHADER_DIR") {
            Some(dir) if !dir.is_empty() => Self::folder(PathBuf::from(dir)),
            _ => Ok(Self::default()),
        }
    }

    /// What was taken from a folder.
    pub fn taken(&self) -> &[Taken] {
        &self.taken
    }

    /// The folder that was given, where there is one.
    pub fn dir(&self) -> Option<&Path> {
        self.taken.first().and_then(|t| t.path.parent()?.parent())
    }

    /// The text of `shaders/<name>.wgsl`.
    pub fn text(&self, name: &str) -> Result<Cow<'static, str>> {
        let file = format!("{name}.wgsl");
        if let Some(own) = self.taken.iter().find(|t| t.file == file) {
            return Ok(Cow::Owned(own.text.clone()));
        }
        embedded(&file).map(Cow::Borrowed).ok_or_else(|| {
            let known = EMBEDDED.iter().map(|(file, _)| file.trim_end_matches(".wgsl"));
            let near = nearest(name, known).unwrap_or_default();
            Error::gpu(
                format!("found no shader that is called '{name}'"),
                format!("did you mean {near}? `exgnet shader --list` names all"),
            )
        })
    }

    /// Where the text of `shaders/<name>.wgsl` is, for messages.
    pub fn shown(&self, name: &str) -> String {
        let file = format!("{name}.wgsl");
        let own = self.taken.iter().find(|t| t.file == file);
        own.map_or_else(|| format!("shaders/{file}"), |t| t.path.display().to_string())
    }

    /// All versions of all families, in order of their numbers.
    ///
    /// # Errors
    /// [`Error::File`] for a header that cannot be read, and for two versions of one name.
    pub fn catalogue(&self) -> Result<Catalogue> {
        let mut all: BTreeMap<String, Vec<Arc<Version>>> = BTreeMap::new();
        let own = self.taken.iter().map(|t| (t.file.as_str(), t.text.as_str(), Some(t.path.clone())));
        let built_in = EMBEDDED.iter().filter(|(file, _)| !self.taken.iter().any(|t| t.file == *file));
        for (file, text, path) in built_in.map(|(file, text)| (*file, *text, None)).chain(own) {
            let Some((family, name)) = file.split_once('/').filter(|(f, _)| !OTHERS.contains(f)) else { continue };
            let version = Version::parse(family, name, text.to_owned(), path)?;
            let versions = all.entry(family.to_owned()).or_default();
            let twice =
                |v: &Arc<Version>| v.number == version.number || v.is_named(&version.name) || version.is_named(&v.name);
            if let Some(other) = versions.iter().find(|v| twice(v)) {
                return Err(Error::file(
                    version.shown(),
                    format!("has the number or the name of {}, expected others", other.shown()),
                    "take a free number and a name of its own, or both of the other's to replace it",
                ));
            }
            // a copy keeps its aliases, which then mean the one of the lower number
            let taken = |a: &Version, b: &Version| a.aliases.iter().find(|a| b.is_named(&a.name)).cloned();
            let clash = |v: &Arc<Version>| Some((taken(&version, v).or_else(|| taken(v, &version))?, v.shown()));
            if let Some((alias, other)) = versions.iter().find_map(clash) {
                return Err(Error::file(
                    version.shown(),
                    format!("and {other}: '{}' is an alias of the one and the name of the other", alias.name),
                    "take another `//@ alias:`, or another name",
                ));
            }
            versions.push(Arc::new(version));
        }
        all.values_mut().for_each(|versions| versions.sort_by_key(|v| v.number));
        Ok(Catalogue { families: all })
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What a folder holds, in order of the names, hidden files left out.
fn listed(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir)
        .map_err(|e| Error::file(dir, format!("cannot be listed: {e}"), "see that the folder can be read"))?;
    let mut all: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    all.retain(|path| !file_name(path).starts_with('.'));
    all.sort();
    Ok(all)
}

fn no_family(path: &Path, family: &str, what: &str) -> Error {
    let known = families();
    if path.parent().and_then(Path::file_name).is_some_and(|dir| known.contains(&*dir.to_string_lossy())) {
        let parent = path.parent().and_then(Path::parent).unwrap_or(path).display().to_string();
        return Error::file(
            path,
            format!("lies in the folder that was given itself: {what}"),
            format!("give the folder above it: --shader-dir {}", if parent.is_empty() { "." } else { &parent }),
        );
    }
    let near = nearest(family, known.iter().copied()).unwrap_or("conv1d");
    Error::file(
        path,
        format!("belongs to no family of kernels: {what}"),
        format!(
            "did you mean {near}/? Families are {}; shared text goes into include/",
            known.into_iter().collect::<Vec<_>>().join(", ")
        ),
    )
}

/// A file of a family's folder, read.
fn take(file: String, path: PathBuf) -> Result<Taken> {
    let (folder, name) = file.split_once('/').expect("made so");
    if path.is_dir() {
        let what = format!("is a folder within {folder}/, expected a file NN_name.wgsl");
        return Err(Error::file(&path, what, "versions lie in the family's folder itself"));
    }
    let known = match folder {
        "include" => true,
        "lab" => embedded(&file).is_some(),
        _ => families().contains(folder),
    };
    if !known {
        return Err(no_family(&path, folder, &format!("found {folder}/")));
    }
    if !OTHERS.contains(&folder) && number_and_name(name).is_none() {
        return Err(Error::file(
            path,
            "is no name of a version, expected NN_name.wgsl with two digits and small letters",
            "for example 90_mine.wgsl",
        ));
    }
    let regular = std::fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() <= LARGEST);
    if !regular {
        return Err(Error::file(
            path,
            format!("is no file of at most {} MiB that can be read", LARGEST >> 20),
            "a version is a text file; no pipe, no device, no dangling link",
        ));
    }
    let text = std::fs::read_to_string(&path)
        .map_err(|e| Error::file(&path, format!("cannot be read: {e}"), "the shader must be readable UTF-8 text"))?;
    // some editors begin a file with a byte order mark
    let text = text.trim_start_matches('\u{feff}').to_owned();
    let replaces = embedded(&file).is_some();
    Ok(Taken { file, path, text, replaces })
}

/// All versions of all families.
#[derive(Debug, Clone)]
pub struct Catalogue {
    families: BTreeMap<String, Vec<Arc<Version>>>,
}

impl Catalogue {
    /// Names of the families.
    pub fn families(&self) -> impl Iterator<Item = &str> {
        self.families.keys().map(String::as_str)
    }

    /// Versions of a family in order of their numbers; none for an unknown one.
    pub fn versions(&self, family: &str) -> &[Arc<Version>] {
        self.families.get(family).map_or(&[], Vec::as_slice)
    }

    /// The version of a family that is called so, with the settings that an alias brings.
    pub fn named(&self, family: &str, name: &str) -> Result<(Arc<Version>, BTreeMap<String, i64>)> {
        if !self.families.contains_key(family) {
            let near = nearest(family, self.families()).unwrap_or("conv1d");
            return Err(Error::config(
                format!(
                    "no family of kernels '{family}', expected one of {}",
                    self.families().collect::<Vec<_>>().join(", ")
                ),
                format!("did you mean {near}?"),
            ));
        }
        let found = self.versions(family).iter().find_map(|v| Some((v.clone(), v.called(name)?)));
        found.ok_or_else(|| {
            let names = self
                .versions(family)
                .iter()
                .flat_map(|v| [v.name.as_str()].into_iter().chain(v.aliases.iter().map(|a| a.name.as_str())));
            let all: Vec<String> = self.versions(family).iter().map(|v| v.label()).collect();
            Error::config(
                format!("{family} has no version '{name}', expected one of {}", all.join(", ")),
                self.hint(alike(name, names), "a number, a name or an alias will do"),
            )
        })
    }

    /// What to do about a version that is not there: the one that may be meant, or else what is known.
    fn hint(&self, near: Option<&str>, known: &str) -> String {
        let near = near.map(|near| format!("did you mean {near}? ")).unwrap_or_default();
        let own = self.families.values().flatten().any(|version| version.path.is_some());
        // a version of one's own is there only where its folder is named
        let own = if own { "" } else { "; one of your own is read with --shader-dir DIR" };
        format!("{near}{known}{own}")
    }

    /// Whether the versions that are asked for are there.
    ///
    /// # Errors
    /// [`Error::Config`] for a family or a version that is not.
    pub fn check(&self, asked: &Forced) -> Result<()> {
        for (family, version) in &asked.families {
            self.named(family, version)?;
        }
        let Some(name) = &asked.everywhere else { return Ok(()) };
        let all = || self.families.values().flatten();
        if all().any(|version| version.called(name).is_some()) {
            return Ok(());
        }
        let names = all().flat_map(|v| [&v.name].into_iter().chain(v.aliases.iter().map(|a| &a.name)));
        let hint = self.hint(alike(name, names.map(String::as_str)), "`exgnet shader --list` names all");
        Err(Error::config(format!("no family of kernels has a version '{name}'"), hint))
    }
}
