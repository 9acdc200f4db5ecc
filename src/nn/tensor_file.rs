//! Named tensors in files: safetensors, which PyTorch reads and writes too.

use super::params::{NamedTensor, Params};
use crate::error::{Error, Result, nearest};
use crate::files::{Safetensors, guard, open, safetensors_head, write_atomically};
use half::{bf16, f16};
use safetensors::Dtype;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of a safetensors file: the same training gives the same bytes.
pub fn safetensors_bytes(tensors: &[NamedTensor], metadata: &[(&str, String)]) -> Vec<u8> {
    stored(tensors, metadata, |_| false)
}

/// The same, with the tensors of some shapes in 16 bits.
pub(super) fn stored(tensors: &[NamedTensor], metadata: &[(&str, String)], half: impl Fn(&[usize]) -> bool) -> Vec<u8> {
    let kind = |shape: &[usize]| if half(shape) { "F16" } else { "F32" };
    let shapes: Vec<(&str, &str, &[usize])> =
        tensors.iter().map(|(n, s, _)| (n.as_str(), kind(s), s.as_slice())).collect();
    let mut out = safetensors_head(metadata, &shapes);
    for (_, shape, values) in tensors {
        match half(shape) {
            true => out.extend(values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes())),
            false => out.extend(values.iter().flat_map(|v| v.to_le_bytes())),
        }
    }
    out
}

/// Value of the metadata key `format` of [`Params::save`].
const FORMAT: &str = "exgnet-params-1";
/// Names that a message lists at most.
const LISTED: usize = 4;

/// The content of a safetensors file, whoever wrote it.
///
/// ```
/// use exgnet::nn::TensorFile;
///
/// let path = std::env::temp_dir().join(format!("exgnet-doc-{}.safetensors", std::process::id()));
/// let tensors = [("table".to_owned(), vec![2, 2], vec![1., 2., 3., 4.])];
/// TensorFile::write(&path, &tensors, &[("made for", "an example".to_owned())])?;
///
/// let file = TensorFile::read(&path)?;
/// assert_eq!(file.names().collect::<Vec<_>>(), ["table"]);
/// assert_eq!(file.shape("table")?, [2, 2]);
/// assert_eq!(file.values("table")?, [1., 2., 3., 4.]);
/// assert_eq!(file.metadata("made for"), Some("an example"));
/// assert!(file.values("tabel").unwrap_err().to_string().contains("'table'"));
/// # let _ = std::fs::remove_file(path);
/// # Ok::<(), exgnet::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TensorFile {
    path: PathBuf,
    tensors: BTreeMap<String, Stored>,
    metadata: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
struct Stored {
    shape: Vec<usize>,
    /// The type's name, for elements that are no floats.
    values: Result<Vec<f32>, String>,
}

impl TensorFile {
    /// Reads a file. Floats of 16, 32 and 64 bits become `f32`; tensors of other types have a name and a shape only.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        guard::reads(path);
        let bad = |what: String| Error::file(path, what, "give a .safetensors file that Params::save or PyTorch wrote");
        let mut bytes = Vec::new();
        let read = open(path).and_then(|mut file| file.read_to_end(&mut bytes));
        read.map_err(|e| bad(format!("cannot be read: {e}")))?;
        let file = Safetensors::of(&bytes).map_err(bad)?;
        let mut tensors = BTreeMap::new();
        for name in file.names() {
            let (dtype, shape, data) = file.raw(name).map_err(bad)?;
            tensors.insert(name.to_owned(), Stored { shape, values: floats(dtype, data) });
        }
        let metadata = file.metadata().iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        Ok(Self { path: path.into(), tensors, metadata })
    }

    /// Writes tensors and metadata to a file, whole or not at all. Equal content gives equal bytes.
    pub fn write(path: impl AsRef<Path>, tensors: &[NamedTensor], metadata: &[(&str, String)]) -> Result<()> {
        let path = path.as_ref();
        let fail = |what: String| Error::file(path, what, "give every tensor a name of its own and all its values");
        let mut names: Vec<&str> = tensors.iter().map(|(name, ..)| name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(fail(format!("would hold '{}' twice", pair[0])));
        }
        if let Some((name, shape, values)) = tensors.iter().find(|(_, s, v)| s.iter().product::<usize>() != v.len()) {
            return Err(fail(format!("would hold '{name}' of shape {shape:?} with {} values", values.len())));
        }
        write_atomically(path, &safetensors_bytes(tensors, metadata))
    }

    /// Names of the tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Shape of a tensor; none for a single number.
    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        Ok(&self.stored(name)?.shape)
    }

    /// Values of a tensor of floats, in row-major order.
    pub fn values(&self, name: &str) -> Result<&[f32]> {
        let values = self.stored(name)?.values.as_ref();
        values.map(Vec::as_slice).map_err(|dtype| {
            let hint = "only floats can be read; convert the tensor before it is saved";
            Error::file(&self.path, format!("'{name}' is of type {dtype}, expected floats"), hint)
        })
    }

    /// A value of the metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    fn stored(&self, name: &str) -> Result<&Stored> {
        self.tensors.get(name).ok_or_else(|| {
            let near = nearest(name, self.names());
            let hint = near.map_or("the file holds no tensors".into(), |near| format!("the nearest name is '{near}'"));
            Error::file(&self.path, format!("holds no tensor '{name}'"), hint)
        })
    }
}

/// Values as `f32`, or the type's name.
fn floats(dtype: Dtype, data: &[u8]) -> Result<Vec<f32>, String> {
    let halves = || bytemuck::pod_collect_to_vec::<u8, u16>(data).into_iter();
    Ok(match dtype {
        Dtype::F32 => bytemuck::pod_collect_to_vec(data),
        Dtype::F64 => bytemuck::pod_collect_to_vec::<u8, f64>(data).into_iter().map(|v| v as f32).collect(),
        Dtype::F16 => halves().map(|bits| f16::from_bits(bits).to_f32()).collect(),
        Dtype::BF16 => halves().map(|bits| bf16::from_bits(bits).to_f32()).collect(),
        other => return Err(format!("{other:?}")),
    })
}

/// The first few names, and how many more there are.
fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(LISTED);
    let names: Vec<String> = names.iter().take(LISTED).map(|name| format!("'{name}'")).collect();
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{rest}", names.join(", "))
}

impl Params {
    /// Writes all parameters and running estimates to a safetensors file, under their names, with PyTorch's shapes.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        TensorFile::write(path, &self.read()?, &[("format", FORMAT.to_owned())])
    }

    /// Reads what [`Params::save`], or PyTorch, wrote for the same network, in place: layers and clones see the new values,
    /// to the bit those that were saved.
    ///
    /// # Errors
    /// [`Error::File`] that lists what is missing, of another shape or too much; nothing was replaced then. To take over a part
    /// of another network's file, use [`TensorFile::values`] and [`Params::set`].
    pub fn load(&self, path: impl AsRef<Path>) -> Result<()> {
        let file = TensorFile::read(path)?;
        let (mut missing, mut shapes) = (Vec::new(), Vec::new());
        for (name, tensor) in self.all() {
            match file.tensors.get(name) {
                None => missing.push(name.clone()),
                Some(found) if found.shape != tensor.shape() => {
                    shapes.push(format!("'{name}' is of shape {:?}, expected {:?}", found.shape, tensor.shape()));
                }
                Some(_) => {}
            }
        }
        // PyTorch's BatchNorm counts its batches in a tensor; nothing here needs that
        let extra = file.names().filter(|name| !name.ends_with(".num_batches_tracked"));
        let extra: Vec<String> = extra.filter(|name| self.get(name).is_err()).map(String::from).collect();
        let mut wrong = Vec::new();
        if !missing.is_empty() {
            wrong.push(format!("{} of its tensors are missing: {}", missing.len(), listed(&missing)));
        }
        if let Some(first) = shapes.first() {
            let more = shapes.len() - 1;
            wrong.push(if more == 0 { first.clone() } else { format!("{first} ({more} more of other shapes)") });
        }
        if !extra.is_empty() {
            wrong.push(format!("{} tensors are not of this network: {}", extra.len(), listed(&extra)));
        }
        if !wrong.is_empty() {
            let what = format!("is of another network: {}", wrong.join("; "));
            return Err(Error::file(
                &file.path,
                what,
                "build the network that was saved, with the same names and sizes; to take over a part of a file, use \
                 TensorFile::values and Params::set",
            ));
        }
        let values = self.all().map(|(name, tensor)| Ok((tensor, file.values(name)?)));
        let values: Vec<_> = values.collect::<Result<_>>()?;
        values.into_iter().try_for_each(|(tensor, values)| tensor.overwrite(values))
    }
}
