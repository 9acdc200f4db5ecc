//! One error type for the whole crate. Every variant says which operation or
//! file is meant, what was found and what was expected, and how to mend it.

use std::path::{Path, PathBuf};

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong, described for the person who has to fix it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// An operation was given tensors whose shapes or types do not fit.
    #[error("{op}: found {found}, expected {expected}\nHINT: {hint}")]
    Shape {
        /// Name of the operation, as in the registry.
        op: String,
        /// The shapes or values given.
        found: String,
        /// What the operation takes.
        expected: String,
        /// How to mend it.
        hint: String,
    },
    /// A file is missing, unreadable, truncated or not what it claims to be.
    #[error("{}: {what}\nHINT: {hint}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was found, and what was expected.
        what: String,
        /// How to mend it.
        hint: String,
    },
    /// An experiment file or `--set` value that cannot be used.
    #[error("configuration: {what}\nHINT: {hint}")]
    Config {
        /// The key or line, and what was found there.
        what: String,
        /// How to mend it.
        hint: String,
    },
    /// Data that was read correctly but cannot be used (too short, NaN, no records of a class, ...).
    #[error("{subject}: {what}\nHINT: {hint}")]
    Data {
        /// The record or data set.
        subject: String,
        /// What was found, and what was expected.
        what: String,
        /// How to mend it.
        hint: String,
    },
    /// No usable GPU adapter.
    #[error("no GPU adapter: {what}\nHINT: {hint}")]
    NoAdapter {
        /// What was looked for and what is there.
        what: String,
        /// What to install or set.
        hint: String,
    },
    /// Device memory does not suffice: the driver's, or what `--memory-limit` allows.
    #[error("memory: {what}\nHINT: {hint}")]
    Memory {
        /// What was needed, and what there is.
        what: String,
        /// What there is, as far as it is known.
        limit: MemoryLimit,
        /// What to try.
        hint: String,
    },
    /// The GPU refused or lost something (validation, device loss).
    #[error("GPU: {what}\nHINT: {hint}")]
    Gpu {
        /// The driver's words, and the operation.
        what: String,
        /// What to try.
        hint: String,
    },
}

/// How much device memory there is where it does not suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLimit {
    /// Not known: the driver said no.
    Unknown,
    /// This number of bytes for all tensors together.
    Tensors(u64),
    /// A single tensor may have `most` bytes, and needed more.
    Tensor {
        /// Bytes that it may have.
        most: u64,
        /// Bytes that it was to have.
        needed: u64,
    },
}

/// The known name most like `name`: the one with the fewest edits.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known.min_by_key(|k| edits(name, k))
}

/// The known name that somebody may have meant: the nearest, if half of it is the same.
pub(crate) fn alike<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    nearest(name, known.filter(|other| *other != name && 2 * edits(name, other) <= name.len().max(other.len())))
}

/// Levenshtein's distance, in letters; a swap of two neighbours is one edit.
pub(crate) fn edits(a: &str, b: &str) -> usize {
    let [a, b]: [Vec<char>; 2] = [a, b].map(|text| text.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let change = rows[i][j] + usize::from(a[i] != b[j]);
            let swap = i > 0 && j > 0 && (a[i - 1], a[i]) == (b[j], b[j - 1]);
            let swap = if swap { rows[i - 1][j - 1] + 1 } else { usize::MAX };
            row.push(change.min(rows[i][j + 1] + 1).min(row[j] + 1).min(swap));
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

impl Error {
    /// [`Error::Shape`] from its parts.
    pub fn shape(
        op: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::Shape { op: op.into(), found: found.into(), expected: expected.into(), hint: hint.into() }
    }

    /// [`Error::File`] from its parts.
    pub fn file(path: impl AsRef<Path>, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::File { path: path.as_ref().to_path_buf(), what: what.into(), hint: hint.into() }
    }

    /// [`Error::Config`] from its parts.
    pub fn config(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Config { what: what.into(), hint: hint.into() }
    }

    /// [`Error::Data`] from its parts.
    pub fn data(subject: impl Into<String>, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Data { subject: subject.into(), what: what.into(), hint: hint.into() }
    }

    /// [`Error::Memory`] from its parts.
    pub fn memory(what: impl Into<String>, limit: MemoryLimit, hint: impl Into<String>) -> Self {
        Self::Memory { what: what.into(), limit, hint: hint.into() }
    }

    /// [`Error::Gpu`] from its parts.
    pub fn gpu(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Gpu { what: what.into(), hint: hint.into() }
    }
}
