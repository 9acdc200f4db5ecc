//! What a user names as a source: `KIND:PATH`, with or without a name.

use super::table::TABLE;
use super::{folder, resolve};
use crate::error::{Error, Result, alike};
use crate::files::guard;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Long WFDB records with rhythm annotations (MIT-BIH arrhythmia and its kin); windows inside one rhythm.
    Mitbih,
    /// Folders of short WFDB records with the diagnosis in the header: PhysioNet's ecg-arrhythmia
    /// (Chapman-Shaoxing, Ningbo), Challenge 2020 and 2021, LUDB.
    Wfdb,
    /// The Challenge 2017: single-lead WFDB records and a `REFERENCE*.csv` with their labels.
    Cinc2017,
    /// The EXGnet authors' single-lead files: one row per strip, with 17 features and one-hot classes.
    Csv,
    /// Chapman's figshare layout: one CSV file per record and `Diagnostics.xlsx`.
    Muse,
    /// A folder of recordings in any readable format with a table of their labels (`labels.csv`), or such a table.
    Table,
    /// The built-in generator; it has no path.
    Synthetic,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Mitbih, Self::Wfdb, Self::Cinc2017, Self::Csv, Self::Muse, Self::Table, Self::Synthetic];

    /// The name used in experiment files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mitbih => "mitbih",
            Self::Wfdb => "wfdb",
            Self::Cinc2017 => "cinc2017",
            Self::Csv => "csv",
            Self::Muse => "muse",
            Self::Table => "table",
            Self::Synthetic => "synthetic",
        }
    }
}

/// A kind and where the recordings are, written `KIND:PATH`, or `synthetic` alone; with `NAME=` before it under a name
/// of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The name that goes before the ids of its records; `None`: that of its folder or file.
    pub label: Option<String>,
    /// What lies there.
    pub kind: Kind,
    /// A folder, or a file for `csv`, or either for `table`; empty for `synthetic`. Resolved by [`resolve`].
    pub path: PathBuf,
}

impl Source {
    /// A source from its parts.
    pub fn new(kind: Kind, path: impl Into<PathBuf>) -> Self {
        Self { label: None, kind, path: path.into() }
    }

    /// The same recordings under a name of their own.
    pub fn named(self, name: &str) -> Result<Self> {
        let fits = |c: char| c.is_alphanumeric() || "-_.+".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(fits) {
            return Err(Error::config(
                format!("source `{name}={self}`: found the name `{}`", name.escape_debug()),
                "a name is of letters, digits, -, _, . and +, and does not begin with a dot: write e.g. first=wfdb:a/set",
            ));
        }
        Ok(Self { label: Some(name.into()), ..self })
    }

    /// What can be written as a source, for messages.
    pub fn forms() -> String {
        let with_path = Kind::ALL.iter().filter(|k| **k != Kind::Synthetic).map(|k| format!("{}:PATH", k.name()));
        format!("synthetic, {}", with_path.collect::<Vec<_>>().join(", "))
    }

    /// Lists the source among what the command reads: nothing is written over it.
    pub(crate) fn protect(&self) {
        if self.kind != Kind::Synthetic {
            guard::reads(&resolve(&self.path));
            guard::reads(&self.root());
        }
    }

    /// Where its recordings are: its path, of a table the folder.
    pub(crate) fn root(&self) -> PathBuf {
        let path = resolve(&self.path);
        match (self.kind, path.parent()) {
            (Kind::Table, Some(parent)) if !path.is_dir() => {
                if parent.as_os_str().is_empty() {
                    PathBuf::from(".")
                } else {
                    parent.to_path_buf()
                }
            }
            _ => path,
        }
    }

    /// Name of the source in ids: its own, or that of its folder, or of its file without the extension.
    pub fn name(&self) -> String {
        if let Some(name) = &self.label {
            return name.clone();
        }
        match self.kind {
            Kind::Synthetic => "synthetic".into(),
            Kind::Csv => self.path.file_stem().map_or_else(|| "csv".into(), |n| n.to_string_lossy().into_owned()),
            Kind::Table => {
                let (path, folder) = (resolve(&self.path), folder::name_of(&self.root()));
                // several tables of a folder are several sources
                let table = folder::stem(&path);
                if path.is_dir() || table == folder::stem(TABLE.as_ref()) {
                    folder
                } else {
                    format!("{folder}-{table}")
                }
            }
            _ => folder::name_of(&resolve(&self.path)),
        }
    }

    /// `KIND:PATH` or `synthetic`.
    fn unnamed(text: &str) -> Result<Self> {
        if text == Kind::Synthetic.name() {
            return Ok(Self::new(Kind::Synthetic, ""));
        }
        if text.ends_with(".safetensors") && !text.contains(':') {
            let hint = "see that the name is right; a relative path is also looked for below EXGNET_DATA";
            return Err(Error::file(text, "is not there, expected a prepared data set", hint));
        }
        let (kind, path) = text.split_once(':').unwrap_or((text, ""));
        let known = Kind::ALL.into_iter().find(|k| k.name() == kind && *k != Kind::Synthetic);
        match known {
            Some(kind) if !path.trim().is_empty() => Ok(Self::new(kind, path)),
            Some(_) => Err(Error::config(
                format!("source `{text}`: found no path, expected {kind}:PATH"),
                "name the file or folder; a relative path is also looked for below EXGNET_DATA",
            )),
            None if resolve(Path::new(text)).is_dir() => {
                let has_table = resolve(Path::new(text)).join(TABLE).is_file();
                let kind = if has_table { Kind::Table } else { Kind::Wfdb }.name();
                let hint = format!("write KIND:PATH, such as {kind}:{text}; `exgnet prepare --help` lists the kinds");
                Err(Error::file(text, "is a folder without a kind, expected KIND:PATH", hint))
            }
            None => Err(Error::config(
                format!("source `{text}`: found the kind `{kind}`, expected one of {}", Self::forms()),
                match alike(kind, Kind::ALL.into_iter().map(Kind::name)) {
                    Some(near) => format!("did you mean {near}:PATH?"),
                    None => "write KIND:PATH, for instance wfdb:ludb, or table:FOLDER for a folder with a labels.csv; of a file \
                             see that its name is right"
                        .into(),
                },
            )),
        }
    }
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        // a path may hold `=`, a kind does not: what stands before the first of the two signs decides
        if let Some((name, rest)) = text.split_once('=').filter(|(name, _)| !name.contains(':')) {
            return Self::unnamed(rest)?.named(name);
        }
        Self::unnamed(text)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.label {
            write!(f, "{name}=")?;
        }
        match self.kind {
            Kind::Synthetic => f.write_str(self.kind.name()),
            kind => write!(f, "{}:{}", kind.name(), self.path.display()),
        }
    }
}
