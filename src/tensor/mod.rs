//! Tensors: a shape, a part of device memory, and the history that autograd
//! walks. No kernels here.
//!
//! May use: `error`, `gpu`, `ops`.

use crate::error::{Error, Result};
use crate::gpu::{Gpu, PendingRead, Storage};
use crate::ops::Op;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DType {
    /// 32-bit float.
    F32,
    /// 32-bit unsigned integer: class labels, saved positions, generator states. Never differentiated.
    U32,
}

/// A dense row-major tensor on the device. Cheap to clone; clones are the same tensor.
#[derive(Clone)]
pub struct Tensor(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    gpu: Gpu,
    id: u64,
    shape: Vec<usize>,
    dtype: DType,
    storage: Storage,
    requires_grad: bool,
    history: Option<Arc<History>>,
    /// Whether it is, or came of, a gradient that was taken without `create_graph`.
    ungraphed: bool,
}

/// How a tensor came to be: what the reverse pass needs.
pub(crate) struct History {
    pub(crate) op: Arc<dyn Op>,
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) saved: Vec<Tensor>,
    /// When the output was written, see [`Storage::stamp`].
    pub(crate) made: u64,
}

// Ids grow with creation, so a tensor's inputs always have smaller ones: sorting by id is a topological order.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tensor({:?} {:?})", self.shape(), self.dtype())
    }
}

/// Number of elements of a shape.
pub fn numel(shape: &[usize]) -> usize {
    shape.iter().product()
}

fn check_shape(shape: &[usize]) -> Result<()> {
    let count = shape.iter().try_fold(1usize, |a, &d| a.checked_mul(d));
    match count {
        Some(n) if n > 0 && n < (1 << 31) && shape.len() <= 4 => Ok(()),
        _ => Err(Error::shape(
            "tensor",
            format!("shape {shape:?}"),
            "at most 4 dimensions, none of them 0, fewer than 2^31 elements",
            "an empty batch or a strip shorter than the network's reach leads here",
        )),
    }
}

impl Tensor {
    fn make(
        gpu: &Gpu,
        shape: &[usize],
        dtype: DType,
        storage: Storage,
        requires_grad: bool,
        history: Option<Arc<History>>,
    ) -> Self {
        debug_assert_eq!(storage.bytes(), 4 * numel(shape) as u64);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let (gpu, shape) = (gpu.clone(), shape.to_vec());
        Self(Arc::new(Inner { gpu, id, shape, dtype, storage, requires_grad, history, ungraphed: false }))
    }

    /// The same tensor, known to be, or to come of, a gradient that was taken without `create_graph`.
    pub(crate) fn without_graph(&self) -> Self {
        Self(Arc::new(Inner { ungraphed: true, ..(*self.0).clone() }))
    }

    /// Whether it is known to be so.
    pub(crate) fn is_without_graph(&self) -> bool {
        self.0.ungraphed
    }

    /// The same tensor for the history of `op`: reading it is an error once it was written over. What was kept before stays
    /// meant as it was then.
    pub(crate) fn kept(&self, op: &'static str, role: &'static str) -> Self {
        self.kept_since(self.storage().stamp(), op, role)
    }

    /// As [`Tensor::kept`], with the content that was written at `stamp`.
    pub(crate) fn kept_since(&self, stamp: u64, op: &'static str, role: &'static str) -> Self {
        let storage = self.storage().kept(stamp, op, role, self.shape());
        Self(Arc::new(Inner { storage, ..(*self.0).clone() }))
    }

    /// A tensor with undefined content, for an operation to fill.
    ///
    /// # Errors
    /// [`Error::Shape`] for an impossible shape, [`Error::Gpu`] where memory is out.
    pub fn empty(gpu: &Gpu, shape: &[usize], dtype: DType) -> Result<Self> {
        check_shape(shape)?;
        let storage = gpu.allocate(4 * numel(shape) as u64)?;
        Ok(Self::make(gpu, shape, dtype, storage, false, None))
    }

    /// A tensor of zeros.
    pub fn zeros(gpu: &Gpu, shape: &[usize]) -> Result<Self> {
        let t = Self::empty(gpu, shape, DType::F32)?;
        t.clear();
        Ok(t)
    }

    /// Fills it with zeros, in place.
    pub(crate) fn clear(&self) {
        self.gpu().record_clear(self.storage());
    }

    /// A tensor filled with one value.
    pub fn full(gpu: &Gpu, shape: &[usize], value: f32) -> Result<Self> {
        check_shape(shape)?;
        Self::from_f32(gpu, shape, &vec![value; numel(shape)])
    }

    /// A tensor from host values in row-major order.
    pub fn from_f32(gpu: &Gpu, shape: &[usize], values: &[f32]) -> Result<Self> {
        Self::upload(gpu, shape, DType::F32, bytemuck::cast_slice(values))
    }

    /// An integer tensor from host values.
    pub fn from_u32(gpu: &Gpu, shape: &[usize], values: &[u32]) -> Result<Self> {
        Self::upload(gpu, shape, DType::U32, bytemuck::cast_slice(values))
    }

    fn upload(gpu: &Gpu, shape: &[usize], dtype: DType, bytes: &[u8]) -> Result<Self> {
        let t = Self::empty(gpu, shape, dtype)?;
        t.overwrite_bytes(bytes)?;
        Ok(t)
    }

    /// Writes values of its own element type.
    fn overwrite_bytes(&self, bytes: &[u8]) -> Result<()> {
        if bytes.len() as u64 != self.storage().bytes() {
            return Err(Error::shape(
                "tensor",
                format!("{} values", bytes.len() / 4),
                format!("{} for shape {:?}", self.numel(), self.shape()),
                "the host data and the shape must agree",
            ));
        }
        let largest = match self.dtype() {
            DType::F32 => None,
            DType::U32 => bytemuck::cast_slice(bytes).iter().copied().max(),
        };
        self.gpu().write(self.storage(), bytes, largest)
    }

    /// Replaces the content in place, after all work recorded so far.
    ///
    /// For leaves such as batches, counters and parameters. A gradient that needs
    /// the values from before is an error from here on ([`crate::autograd::grad`]).
    pub fn overwrite(&self, values: &[f32]) -> Result<()> {
        self.expect("overwrite", DType::F32, "integers are written with overwrite_u32")?;
        self.overwrite_bytes(bytemuck::cast_slice(values))
    }

    /// As [`Tensor::overwrite`] for integers.
    pub fn overwrite_u32(&self, values: &[u32]) -> Result<()> {
        self.expect("overwrite_u32", DType::U32, "floats are written with overwrite")?;
        self.overwrite_bytes(bytemuck::cast_slice(values))
    }

    /// As [`Tensor::overwrite`] with what another tensor of the same shape and type holds; nothing goes through the host.
    pub fn assign(&self, from: &Tensor) -> Result<()> {
        if from.shape() != self.shape() {
            return Err(Error::shape(
                "assign",
                format!("values of shape {:?}", from.shape()),
                format!("{:?}", self.shape()),
                "a recorded step is of one shape: give batches of another a recording of their own, or take whole ones",
            ));
        }
        from.expect("assign", self.dtype(), "values keep their type")?;
        self.copy_from(0, from)
    }

    /// Copies the content of `from`, of the same type, into this tensor at element `offset`, in place.
    pub(crate) fn copy_from(&self, offset: usize, from: &Tensor) -> Result<()> {
        from.expect("copy", self.dtype(), "a copy does not convert")?;
        if offset + from.numel() > self.numel() {
            return Err(Error::shape(
                "copy",
                format!("{:?} at element {offset}", from.shape()),
                format!("at most what {:?} has", self.shape()),
                "copy into a tensor that is large enough",
            ));
        }
        self.gpu().record_copy(from.storage(), self.storage(), 4 * offset as u64)
    }

    /// The result of an operation, with its history where one is to be kept.
    pub(crate) fn from_op(out: Tensor, history: Option<History>) -> Self {
        let Some(history) = history else { return out };
        let s = out.storage().clone();
        Self::make(out.gpu(), out.shape(), out.dtype(), s, true, Some(Arc::new(history)))
    }

    /// The same memory under another shape, without history.
    pub(crate) fn view(&self, shape: &[usize]) -> Self {
        Self::make(self.gpu(), shape, self.dtype(), self.storage().clone(), false, None)
    }

    /// Elements `[offset, offset + numel(shape))` as a tensor that shares them, without history; `offset` a multiple of 64.
    pub(crate) fn part(&self, offset: usize, shape: &[usize]) -> Self {
        let storage = self.storage().part(4 * offset as u64, 4 * numel(shape) as u64);
        Self::make(self.gpu(), shape, self.dtype(), storage, false, None)
    }

    /// The same values as a new leaf whose gradient can be asked for.
    pub fn leaf(&self) -> Self {
        Self::make(self.gpu(), self.shape(), self.dtype(), self.storage().clone(), self.dtype() == DType::F32, None)
    }

    /// The same values without history: gradients stop here.
    pub fn detach(&self) -> Self {
        self.view(self.shape())
    }

    /// Extent of each dimension.
    pub fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    /// Extent of dimension `d`, 1 past the end.
    pub fn dim(&self, d: usize) -> usize {
        self.0.shape.get(d).copied().unwrap_or(1)
    }

    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        self.0.shape.len()
    }

    /// Number of elements.
    pub fn numel(&self) -> usize {
        numel(&self.0.shape)
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    /// The device it lives on.
    pub fn gpu(&self) -> &Gpu {
        &self.0.gpu
    }

    /// Its device memory.
    pub fn storage(&self) -> &Storage {
        &self.0.storage
    }

    /// Whether a gradient with respect to it (or to something it came from) can be asked for.
    pub fn requires_grad(&self) -> bool {
        self.0.requires_grad
    }

    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    pub(crate) fn history(&self) -> Option<&History> {
        self.0.history.as_deref()
    }

    /// Reads the values back; submits recorded work and waits for it.
    pub fn to_vec(&self) -> Result<Vec<f32>> {
        self.expect("to_vec", DType::F32, "integers are read with to_vec_u32")?;
        Ok(bytemuck::pod_collect_to_vec(&self.read_later()?.wait()?))
    }

    /// As [`Tensor::to_vec`] for integers.
    pub fn to_vec_u32(&self) -> Result<Vec<u32>> {
        self.expect("to_vec_u32", DType::U32, "floats are read with to_vec")?;
        Ok(bytemuck::pod_collect_to_vec(&self.read_later()?.wait()?))
    }

    /// The value of a tensor with one element.
    pub fn item(&self) -> Result<f32> {
        match self.to_vec()?[..] {
            [value] => Ok(value),
            _ => Err(Error::shape(
                "item",
                format!("shape {:?}", self.shape()),
                "a single element",
                "reduce with sum or mean first, or read all elements with to_vec",
            )),
        }
    }

    /// An error of operation `op` where the elements are of another type.
    pub(crate) fn expect(&self, op: &str, dtype: DType, hint: &str) -> Result<()> {
        if self.dtype() == dtype {
            return Ok(());
        }
        Err(Error::shape(op, format!("{self:?}"), format!("elements of type {dtype:?}"), hint))
    }

    /// Records a copy for the host without waiting for it.
    pub fn read_later(&self) -> Result<PendingRead> {
        self.gpu().read_later(self.storage())
    }
}
