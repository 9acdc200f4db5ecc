//! The GPU, and the only module that names wgpu: choice of adapter, pooled
//! buffers, compiled kernels, recording and submitting, read-back.
//!
//! May use: `error`.
//!
//! A [`Gpu`] records work in order and submits it in batches ([`Gpu::flush`]);
//! whoever reads a tensor back waits for it. What repeats is recorded once and
//! replayed ([`Capture`]). Faults of the driver (validation,
//! memory, loss of the device) are caught by error scopes and callbacks and come
//! back as the error of the next call.

mod adapter;
mod ahead;
mod capture;
mod compiling;
mod content;
mod expression;
mod kernel;
mod launched;
mod making;
mod memory;
mod plan;
mod pool;
mod profile;
mod record;
mod reflect;
mod settle;
mod shaders;
mod template;
mod texts;
mod tuning;
mod version;

pub use adapter::{AdapterChoice, AdapterReport, cpu, cpu_kind, list_adapters};
pub use capture::{Arena, Capture, Recording};
pub use compiling::Wait;
pub use expression::{Number, Sizes, Values};
pub use kernel::Launch;
pub use launched::Launched;
pub use memory::Needs;
pub use plan::{Elsewhere, Entry, Plan, entries};
pub use pool::{PhaseMemory, PoolStats, Storage};
pub use profile::KernelTime;
pub use record::PendingRead;
pub(crate) use settle::settled;
pub use shaders::{Catalogue, ShaderSource, Taken, embedded_shaders};
pub(crate) use template::{Given, names as template_names};
pub use template::{Template, expand, template_defaults};
pub use tuning::{Choice, Choices, Chosen, ChosenShape, Facts, Forced, Wanted};
pub use version::{Alias, Candidate, Knob, Need, Version, hash_of};

use crate::error::{Error, MemoryLimit, Result};
use ahead::Ahead;
use compiling::Waits;
use kernel::Maker;
use making::Making;
use plan::Plans;
use pool::Pool;
use record::Recorder;
use std::sync::{Arc, Mutex, MutexGuard};
use tuning::Tuning;

/// A handle on one opened device. Cheap to clone; all clones share it.
#[derive(Clone)]
pub struct Gpu(Arc<Inner>);

struct Inner {
    adapter: wgpu::Adapter,
    device: wgpu::Device,
    queue: wgpu::Queue,
    report: AdapterReport,
    shaders: ShaderSource,
    catalogue: Catalogue,
    plans: Mutex<Plans>,
    maker: Maker,
    /// On a device of shapes alone that of the device whose next work it describes, if it describes any.
    making: Option<Arc<Making>>,
    pool: Arc<Pool>,
    recorder: Mutex<Recorder>,
    /// Held by the thread that captures.
    capturing: Mutex<()>,
    fault: Arc<Mutex<Option<String>>>,
    waits: Waits,
    tuning: Mutex<Tuning>,
    ahead: Mutex<Option<Ahead>>,
    /// In the place of every buffer, on a device of shapes alone.
    placeholder: Option<wgpu::Buffer>,
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gpu({})", self.0.report.name)
    }
}

/// A poisoned lock means a panic elsewhere; the data behind it is still whole.
pub(crate) fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Gpu {
    /// Opens an adapter.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] where none fits, with what to install; [`Error::File`]
    /// for a shader folder that is not there.
    pub fn open(choice: &AdapterChoice, shaders: ShaderSource) -> Result<Self> {
        let catalogue = shaders.catalogue()?;
        let (adapter, report) = adapter::choose(choice)?;
        let (device, queue) = adapter::open(&adapter, &report)?;
        log::info!("adapter: {}, {}", report.title(), report.backend);
        let fault = Arc::new(Mutex::new(None));
        let sink = fault.clone();
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| {
            lock(&sink).get_or_insert_with(|| e.to_string());
        }));
        let sink = fault.clone();
        device.set_device_lost_callback(move |reason, message| {
            // in the place of whatever followed from it
            *lock(&sink) = Some(format!("{LOST}: {message} ({reason:?})"));
        });
        Ok(Self::with((adapter, device, queue), report, (fault, Waits::default()), (shaders, catalogue)))
    }

    /// A device of shapes alone: whatever runs on it is described as on an adapter with this report, or on one that has no more
    /// than WebGPU asks for, and nothing is allocated or launched. Tensors have shapes and take memory in
    /// [`Gpu::pool_stats`], and none has values: reading one is an error. It needs no driver.
    ///
    /// # Errors
    /// [`Error::File`] for a shader folder that is not there.
    pub fn of_shapes(like: Option<AdapterReport>, shaders: ShaderSource) -> Result<Self> {
        let catalogue = shaders.catalogue()?;
        let opened = adapter::noop()?;
        let placeholder = pool::buffer(&opened.1, "nothing", 256, wgpu::BufferUsages::STORAGE);
        // a tensor of any size has a shape
        let report = AdapterReport {
            max_binding_bytes: u64::MAX,
            max_buffer_bytes: u64::MAX,
            ..like.unwrap_or_else(AdapterReport::least)
        };
        let mut gpu = Self::with(opened, report, Default::default(), (shaders, catalogue));
        let inner = Arc::get_mut(&mut gpu.0).expect("made here");
        (inner.placeholder, inner.making) = (Some(placeholder), None);
        Ok(gpu)
    }

    /// A device of shapes alone that describes work as this one does: with its kernels, tuned and forced versions.
    pub fn shapes(&self) -> Result<Self> {
        let mut shapes = Self::of_shapes(Some(self.0.report.clone()), self.0.shaders.clone())?;
        Arc::get_mut(&mut shapes.0).expect("made here").maker.texts = self.0.maker.texts.clone();
        shapes.set_choices(self.choices());
        shapes.force(self.forced())?;
        Ok(shapes)
    }

    /// As [`Gpu::shapes`], for work that will run on this device next: another thread makes its kernels while it is described.
    pub fn shapes_of_next(&self) -> Result<Self> {
        let mut shapes = self.shapes()?;
        Arc::get_mut(&mut shapes.0).expect("made here").making = self.0.making.clone();
        Ok(shapes)
    }

    /// Whether it is one of shapes alone.
    pub fn has_shapes_alone(&self) -> bool {
        self.0.placeholder.is_some()
    }

    /// A handle on a device that nothing was done with yet.
    fn with(
        (adapter, device, queue): (wgpu::Adapter, wgpu::Device, wgpu::Queue),
        report: AdapterReport,
        (fault, waits): (Arc<Mutex<Option<String>>>, Waits),
        (shaders, catalogue): (ShaderSource, Catalogue),
    ) -> Self {
        let recorder = Mutex::new(Recorder::new(&device));
        let maker = Maker::new(device.clone(), shaders.clone());
        Self(Arc::new(Inner {
            adapter,
            device,
            queue,
            report,
            shaders,
            catalogue,
            plans: Mutex::default(),
            making: Some(Arc::new(Making::new(maker.clone()))),
            maker,
            pool: Arc::default(),
            recorder,
            capturing: Mutex::default(),
            fault,
            waits,
            tuning: Mutex::default(),
            ahead: Mutex::default(),
            placeholder: None,
        }))
    }

    /// The same device with other texts, so that both can be measured in turn: kernels, buffers, tuned and forced versions are
    /// its own; the latter two and the limit of memory begin as this one's.
    ///
    /// # Errors
    /// [`Error::File`] for a version whose header cannot be read; [`Error::Config`] where the texts lack a forced version.
    pub fn beside(&self, shaders: ShaderSource) -> Result<Self> {
        let catalogue = shaders.catalogue()?;
        let Inner { adapter, device, queue, report, fault, waits, .. } = &*self.0;
        let opened = (adapter.clone(), device.clone(), queue.clone());
        let other = Self::with(opened, report.clone(), (fault.clone(), waits.clone()), (shaders, catalogue));
        other.set_choices(self.choices());
        other.force(self.forced())?;
        other.limit_memory(self.memory_limit());
        Ok(other)
    }

    /// Opens the adapter and shader folder that `EXGNET_ADAPTER` and
    /// `EXGNET_SHADER_DIR` name, or the best adapter and the embedded shaders.
    pub fn from_env() -> Result<Self> {
        Self::open(&AdapterChoice::from_env(), ShaderSource::from_env()?)
    }

    /// Whether it is a handle on the same device and its texts.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What is known of the adapter.
    pub fn report(&self) -> &AdapterReport {
        &self.0.report
    }

    /// Where its kernels come from.
    pub fn shaders(&self) -> &ShaderSource {
        &self.0.shaders
    }

    /// Memory held by tensors and by the pool.
    pub fn pool_stats(&self) -> PoolStats {
        self.0.pool.stats()
    }

    /// Gives the device up, as a reset of the driver would take it away: whatever is done with it from here on is an error.
    pub fn destroy(&self) {
        self.0.device.destroy();
        *lock(&self.0.fault) = Some(format!("{LOST}: it was given up"));
    }

    /// The first fault the driver reported since the last call, as an error.
    pub fn check(&self) -> Result<()> {
        let found = lock(&self.0.fault).take();
        found.map_or(Ok(()), |what| Err(self.fault(&what)))
    }

    /// The error of what the driver said. Once the device is lost, that is what is reported, now and later, whatever
    /// else follows from it.
    fn fault(&self, what: &str) -> Error {
        // the driver reports a loss when it is polled; should that fail too, there is nothing more to know
        let _ = self.0.device.poll(wgpu::PollType::Poll);
        let mut kept = lock(&self.0.fault);
        let is_loss = |text: &&str| text.starts_with(LOST);
        let loss = [what, kept.as_deref().unwrap_or_default()].into_iter().find(is_loss).map(str::to_owned);
        let error = gpu_fault(loss.as_deref().unwrap_or(what));
        *kept = loss;
        error
    }

    /// Runs `f` between error scopes; what the driver complains about becomes an error.
    fn scoped<T>(&self, f: impl FnOnce() -> T) -> Result<T> {
        let (value, complaint) = scoped(&self.0.device, f);
        if let Some(what) = complaint {
            lock(&self.0.fault).get_or_insert(what);
        }
        self.check()?;
        Ok(value)
    }
}

/// Runs `f` between error scopes, those of this thread; with the driver's first complaint.
fn scoped<T>(device: &wgpu::Device, f: impl FnOnce() -> T) -> (T, Option<String>) {
    use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
    let [memory, internal, validation] =
        [OutOfMemory, Internal, Validation].map(|filter| device.push_error_scope(filter));
    let value = f();
    // in reverse, all of them
    let found = [validation, internal, memory].map(|scope| pollster::block_on(scope.pop()));
    (value, found.into_iter().flatten().next().map(|e| e.to_string()))
}

/// How the message of a device loss begins.
const LOST: &str = "device lost";

/// `f` on all of `items`, or on the halves of those that memory does not suffice for, down to single ones.
pub(crate) fn in_halves<T, U>(items: &[T], f: &mut impl FnMut(&[T]) -> Result<Vec<U>>) -> Result<Vec<U>> {
    match f(items) {
        Err(Error::Memory { .. }) if items.len() > 1 => {
            let (first, second) = items.split_at(items.len() / 2);
            let mut all = in_halves(first, f)?;
            all.extend(in_halves(second, f)?);
            Ok(all)
        }
        done => done,
    }
}

fn gpu_fault(what: &str) -> Error {
    let hint = if what.contains("lost") {
        "the device is gone (driver reset or unplugged): start again; the last checkpoint is intact"
    } else if what.to_lowercase().contains("memory") {
        return Error::memory(what.trim(), MemoryLimit::Unknown, pool::SMALLER);
    } else {
        "a kernel or its launch is wrong: if you edited a shader, compare it with the embedded one; else please report it"
    };
    Error::gpu(what.trim(), hint)
}
