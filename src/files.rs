//! Writing files so that nobody ever meets half of one, and nothing is lost that somebody wants to keep.
//!
//! May use: `error`.

pub(crate) mod guard;
mod temporary;

use crate::error::{Error, Result};
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::str::FromStr;

pub use temporary::TEMPORARY;
pub(crate) use temporary::{RemovedAtSignal, Temporary, remove_all, temporary};

/// Writes a file beside its place and renames it, so that it is whole or not there. Missing folders are made. A
/// command writes neither over its inputs nor, without `--force`, over a result of another meaning (`files/guard.rs`).
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |e: std::io::Error| {
        let hint = "check that the folder can be written to and that the disk is not full";
        Error::file(path, format!("cannot be written: {e}"), hint)
    };
    let is_folder = path.is_dir() || path.to_string_lossy().ends_with(std::path::is_separator);
    if is_folder {
        return Err(Error::file(
            path,
            "cannot be written: it is a folder, expected a file or nothing",
            "choose another name",
        ));
    }
    guard::check(path, Some(bytes))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir).map_err(fail)?;
    let mut file = temporary(dir).map_err(fail)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(fail)?;
    file.persist(path).map_err(fail)
}

/// Writes a value as indented JSON, as [`write_atomically`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| {
        Error::file(path, format!("cannot be put into JSON: {e}"), "this is a fault of exgnet: report it")
    })?;
    text.push('\n');
    write_atomically(path, text.as_bytes())
}

/// A CSV table: a line of heads, and under it rows of the same number of cells.
#[cfg(feature = "app")]
pub(crate) fn csv(heads: &str, rows: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let heads = heads.split(',').map(String::from).collect();
    std::iter::once(heads).chain(rows).for_each(|row: Vec<String>| csv.write_record(row).expect("rows of one length"));
    csv.into_inner().expect("in memory")
}

/// Where prepared sources and tuning tables are kept: `EXGNET_CACHE`, else `exgnet` in the user's cache folder. `None` where
/// `EXGNET_CACHE` is `off` or there is no such folder.
pub fn cache_dir() -> Option<std::path::PathBuf> {
    let named = |key: &str| std::env::var_os(key).filter(|v| !v.is_empty()).map(std::path::PathBuf::from);
    match named("EXGNET_CACHE") {
        Some(dir) if dir.as_os_str() == "off" => None,
        Some(dir) => Some(dir),
        None => named("XDG_CACHE_HOME")
            .or_else(|| named("LOCALAPPDATA"))
            .or_else(|| named("HOME").map(|home| home.join(".cache")))
            .map(|dir| dir.join("exgnet")),
    }
}

/// The head of a `safetensors` file: the length of its header, and the header with metadata and tensors (name, type
/// such as `F32`, shape; all of four bytes a value but `F16` and `U8`) in the order given, so that equal content gives equal bytes. The
/// tensors' values follow one after the other, beginning at a multiple of 8.
pub(crate) fn safetensors_head(metadata: &[(&str, String)], tensors: &[(&str, &str, &[usize])]) -> Vec<u8> {
    let mut header = Map::new();
    let meta = metadata.iter().map(|(k, v)| ((*k).to_owned(), Value::from(v.as_str()))).collect();
    header.insert("__metadata__".into(), Value::Object(meta));
    let mut end = 0;
    for (name, dtype, shape) in tensors {
        let start = end;
        let width = match *dtype {
            "U8" => 1,
            "F16" => 2,
            _ => 4,
        };
        end += width * shape.iter().product::<usize>();
        header.insert((*name).to_string(), json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]}));
    }
    let mut text = Value::Object(header).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut head = (text.len() as u64).to_le_bytes().to_vec();
    head.extend(text);
    head
}

/// What is wrong with bytes that cannot be read as `safetensors`, in words.
pub(crate) fn not_safetensors(e: SafeTensorError) -> String {
    use SafeTensorError as E;
    match e {
        // whatever its first eight bytes are is taken for the length of a header
        E::HeaderTooLarge | E::HeaderTooSmall | E::InvalidHeaderLength | E::InvalidHeader(_) => {
            "no safetensors file, or one that was cut off: found no header at its beginning".into()
        }
        e => format!("no safetensors file: {e}"),
    }
}

/// Files of ours by what their `format` begins with: what they are, and what takes them.
const KINDS: [(&str, &str); 7] = [
    ("exgnet-data-", "a prepared data set: `exgnet data` prints what it holds"),
    ("exgnet-checkpoint-", "a run's checkpoint: `exgnet train --resume` takes it"),
    ("exgnet-explanations-", "a run's strips for figures: `exgnet figures` and `exgnet report` draw them"),
    ("exgnet-grads-", "gradients that `exgnet grads` wrote, for other programs"),
    ("exgnet-params-", "parameters that a program on the library saved"),
    ("exgnet-optimizer-", "an optimiser's state that a program on the library saved"),
    ("exgnet-1", "a model: `exgnet info` prints what it is for"),
];

/// What is wrong with a file of another format, in words.
pub(crate) fn other_format(found: &str, expected: &str) -> String {
    let kind = KINDS.iter().find(|(begin, _)| found.starts_with(begin));
    let what = kind.map_or_else(String::new, |(_, what)| format!(" ({what})"));
    format!("format '{found}'{what}, expected '{expected}'")
}

/// A `safetensors` file of ours, read: what is wrong with one is said in words, for the caller that knows its name.
pub(crate) struct Safetensors<'a> {
    tensors: SafeTensors<'a>,
    metadata: HashMap<String, String>,
}

impl<'a> Safetensors<'a> {
    /// Of the bytes of any file.
    pub(crate) fn of(bytes: &'a [u8]) -> Result<Self, String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_safetensors)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
        Ok(Self { tensors, metadata: header.metadata().clone().unwrap_or_default() })
    }

    /// Of the bytes of a file whose metadata say `format`.
    pub(crate) fn parse(bytes: &'a [u8], format: &str) -> Result<Self, String> {
        let file = Self::of(bytes)?;
        match file.text("format")? {
            found if found == format => Ok(file),
            found => Err(other_format(found, format)),
        }
    }

    /// A metadata value that may be left out.
    pub(crate) fn optional(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// A metadata value.
    pub(crate) fn text(&self, key: &str) -> Result<&str, String> {
        self.optional(key).ok_or_else(|| format!("the metadata has no '{key}'"))
    }

    /// A metadata value that is a number.
    pub(crate) fn number<T: FromStr>(&self, key: &str) -> Result<T, String> {
        self.text(key)?.parse().map_err(|_| format!("'{key}' in the metadata is not a number"))
    }

    /// All metadata.
    pub(crate) fn metadata(&self) -> &HashMap<String, String> {
        &self.metadata
    }

    /// Type of a tensor's elements, its shape and its bytes.
    pub(crate) fn raw(&self, name: &str) -> Result<(Dtype, Vec<usize>, &'a [u8]), String> {
        let view = self.tensors.tensor(name).map_err(|_| format!("the tensor '{name}' is missing"))?;
        Ok((view.dtype(), view.shape().to_vec(), view.data()))
    }

    /// Names of the tensors, sorted.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names = self.tensors.names();
        names.sort_unstable();
        names
    }

    /// Shape and values of a tensor of floats.
    pub(crate) fn tensor(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), String> {
        self.typed(name, Dtype::F32)
    }

    /// Shape and values of a tensor of floats that may be stored in 16 bits.
    pub(crate) fn floats(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), String> {
        match self.tensors.tensor(name) {
            Ok(view) if view.dtype() == Dtype::F16 => {
                let (shape, halves) = self.typed::<u16>(name, Dtype::F16)?;
                Ok((shape, halves.into_iter().map(|bits| half::f16::from_bits(bits).to_f32()).collect()))
            }
            _ => self.tensor(name),
        }
    }

    /// The bytes of a list of bytes.
    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>, String> {
        Ok(self.typed(name, Dtype::U8)?.1)
    }

    fn typed<T: bytemuck::Pod>(&self, name: &str, dtype: Dtype) -> Result<(Vec<usize>, Vec<T>), String> {
        let (found, shape, data) = self.raw(name)?;
        if found != dtype {
            return Err(format!("'{name}' is {found:?}, expected {dtype:?}"));
        }
        Ok((shape, bytemuck::pod_collect_to_vec(data)))
    }
}

/// Opens a file to read it. A pipe or a device is an error at once: opening one may wait for ever.
pub(crate) fn open(path: &Path) -> std::io::Result<std::fs::File> {
    let meta = std::fs::metadata(path)?;
    if meta.is_file() || meta.is_dir() {
        return std::fs::File::open(path);
    }
    Err(std::io::Error::other("is no plain file"))
}

/// Maps a file into memory, read only. An empty one cannot be.
pub(crate) fn map(path: &Path) -> Result<memmap2::Mmap> {
    let fail = |what: String| Error::file(path, what, "check that the file exists and may be read");
    let file = open(path).map_err(|e| fail(format!("cannot be opened: {e}")))?;
    let meta = file.metadata().map_err(|e| fail(format!("cannot be read: {e}")))?;
    if !meta.is_file() || meta.len() == 0 {
        return Err(fail(if meta.is_file() { "is empty".into() } else { "is no plain file".into() }));
    }
    // SAFETY: the mapping is only ever read. Files of ours are replaced by renaming, never changed in place, so that a
    // mapped one stays as it is; against another program that rewrites the file while it is in use nothing helps.
    #[expect(unsafe_code, reason = "a memory map cannot be had without")]
    let mapped = unsafe { memmap2::Mmap::map(&file) };
    mapped.map_err(|e| fail(format!("cannot be mapped into memory: {e}")))
}
