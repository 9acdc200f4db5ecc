//! Compiled kernels, and the description of one launch.

use super::expression::Number;
use super::record::StandsFor;
use super::reflect::Slot;
use super::settle::{settled, shared_bytes};
use super::template::Template;
use super::texts::Texts;
use super::version::Version;
use super::{Gpu, Inner, ShaderSource, Storage, gpu_fault, lock, scoped};
use crate::error::{Error, Result};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

/// Bytes of one launch's parameters: a slot of the parameter buffer (WebGPU's
/// alignment of dynamic offsets).
pub(super) const PARAM_SLOT: u64 = 256;

/// What a kernel is compiled from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// A shader by its name, and its text where the crate has none of that name.
    Named { name: &'static str, text: Option<&'static str> },
    /// A version of a family; buffers that the entry does not use are not bound.
    Version(Arc<Version>),
}

impl Source {
    /// Name below `shaders/`, without `.wgsl`.
    pub(super) fn file(&self) -> String {
        match self {
            Self::Named { name, .. } => (*name).to_owned(),
            Self::Version(version) => version.file(),
        }
    }
}

/// Source, entry, override constants and template variables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) source: Source,
    pub(super) entry: String,
    pub(super) constants: Vec<(String, Number)>,
    pub(super) settings: Vec<(String, Number)>,
}

pub(super) struct Kernel {
    /// Nothing on a device of shapes alone.
    compiled: Option<Compiled>,
    /// Its name in logs, with its constants.
    pub(super) label: String,
    /// Storage buffers in the order of their bindings.
    pub(super) slots: Vec<Slot>,
    /// What it was made from.
    pub(super) key: Key,
    /// Whether it was submitted before.
    pub(super) has_run: AtomicBool,
}

/// A kernel as far as the device compiles it before the first launch.
pub(super) struct Compiled {
    pub(super) pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

/// What a device makes kernels with, and those that it has.
#[derive(Clone)]
pub(super) struct Maker {
    device: wgpu::Device,
    shaders: ShaderSource,
    /// Shared with the devices of shapes alone that stand before this one.
    pub(super) texts: Arc<Mutex<Texts>>,
    kernels: Arc<Mutex<HashMap<Key, Arc<Kernel>>>>,
}

/// One launch of a kernel: shader, tuned constants, parameters, buffers, groups.
///
/// By convention binding 0 of every shader is its `Params` (a uniform of 32-bit
/// scalars) and bindings 1, 2, ... are storage buffers.
pub struct Launch<'a> {
    key: Key,
    params: Vec<u32>,
    bindings: Vec<&'a Storage>,
}

impl<'a> Launch<'a> {
    /// A launch of `shaders/<shader>.wgsl`, entry point `main`.
    pub fn new(shader: &'static str) -> Self {
        Self::of(Source::Named { name: shader, text: None })
    }

    /// A launch of a shader from outside the crate: `text` is its WGSL, or a template as [`super::expand`] takes it; `name` stands
    /// for it in messages and profiles.
    pub fn from_text(name: &'static str, text: &'static str) -> Self {
        Self::of(Source::Named { name, text: Some(text) })
    }

    fn of(source: Source) -> Self {
        let key = Key { source, entry: "main".to_owned(), constants: Vec::new(), settings: Vec::new() };
        Self { key, params: Vec::new(), bindings: Vec::new() }
    }

    /// Another entry point than `main`.
    pub fn entry(mut self, entry: &'static str) -> Self {
        self.key.entry = entry.to_owned();
        self
    }

    /// Sets a WGSL `override` constant.
    pub fn constant(mut self, name: &'static str, value: u32) -> Self {
        self.key.constants.push((name.to_owned(), Number::Int(value.into())));
        self
    }

    /// Appends integers to the parameters.
    pub fn uint(mut self, values: impl IntoIterator<Item = usize>) -> Self {
        self.params
            .extend(values.into_iter().map(|v| u32::try_from(v).expect("tensors have fewer than 2^32 elements")));
        self
    }

    /// Appends signed integers to the parameters.
    pub fn int(mut self, values: impl IntoIterator<Item = isize>) -> Self {
        self.params.extend(
            values.into_iter().map(|v| i32::try_from(v).expect("tensors have fewer than 2^31 elements") as u32),
        );
        self
    }

    /// Appends floats to the parameters.
    pub fn float(mut self, values: impl IntoIterator<Item = f32>) -> Self {
        self.params.extend(values.into_iter().map(f32::to_bits));
        self
    }

    /// Appends a storage buffer.
    pub fn bind(mut self, storage: &'a Storage) -> Self {
        self.bindings.push(storage);
        self
    }

    /// Records the launch with one thread per element of `threads`, in groups of
    /// `group` threads (the shader's `override WG`), folded over two dimensions.
    pub fn threads(self, gpu: &Gpu, threads: usize, group: u32) -> Result<()> {
        let groups = threads.div_ceil(group as usize);
        self.constant("WG", group).groups(gpu, groups)
    }

    /// Records the launch with `groups` workgroups, folded over two dimensions:
    /// the shader computes its index as `wid.y * groups_x + wid.x` and must ignore
    /// those past the end.
    pub fn groups(self, gpu: &Gpu, groups: usize) -> Result<()> {
        let name = self.key.source.file();
        assert!(self.params.len() * 4 <= PARAM_SLOT as usize, "{name}: too many parameters");
        let kernel = gpu.kernel(self.key)?;
        if kernel.slots.len() != self.bindings.len() {
            return Err(Error::gpu(
                format!(
                    "{name}: the shader declares {} buffers, its launch binds {}",
                    kernel.slots.len(),
                    self.bindings.len()
                ),
                "an edited shader must keep its bindings",
            ));
        }
        gpu.record_dispatch(kernel, &self.params, &self.bindings, fold(&name, groups)?, StandsFor::default())
    }
}

/// Folds a number of workgroups into two dimensions of at most 65,535 (WebGPU's limit).
pub(super) fn fold(kernel: &str, groups: usize) -> Result<[u32; 2]> {
    const MAX: usize = 65_535;
    let y = groups.div_ceil(MAX).max(1);
    if y > MAX {
        return Err(Error::gpu(
            format!("{kernel}: found a launch of {groups} workgroups, expected at most {MAX} x {MAX}"),
            "give a group more to do: a larger span, or more threads a group",
        ));
    }
    Ok([groups.div_ceil(y) as u32, y as u32])
}

impl Gpu {
    pub(super) fn kernel(&self, key: Key) -> Result<Arc<Kernel>> {
        let Inner { device, maker, making, .. } = &*self.0;
        if let Some(kernel) = maker.made(&key) {
            return Ok(kernel);
        }
        if self.has_shapes_alone() {
            let kernel = maker.make(&key, |_, _| Ok(None))?;
            if let Some(making) = making {
                making.begin(key);
            }
            return Ok(kernel);
        }
        self.noted(Some(label(&key)), || {
            if let Some(making) = making {
                making.leave(&key);
            }
            let compile = |module, slots: &[Slot]| {
                let compiled = self.scoped(|| Compiled::new(device, &key, module, slots));
                compiled.flatten().map_err(|e| self.refused(&key, e))
            };
            maker.made(&key).map_or_else(|| maker.compile(&key, compile), Ok)
        })
    }

    /// The error of a kernel that was refused: naga's own, with the line, where the text is at fault.
    fn refused(&self, key: &Key, e: Error) -> Error {
        let template = match key.template(&self.0.shaders) {
            Ok(template) => template,
            Err(e) => return e,
        };
        match template.module().and_then(|module| template.validate(&module)) {
            Err(own) => own,
            Ok(_) => template.about(e),
        }
    }
}

impl Maker {
    pub(super) fn new(device: wgpu::Device, shaders: ShaderSource) -> Self {
        Self { device, shaders, texts: Arc::default(), kernels: Arc::default() }
    }

    /// The kernel, where it was made before.
    fn made(&self, key: &Key) -> Option<Arc<Kernel>> {
        lock(&self.kernels).get(key).cloned()
    }

    /// All that were made.
    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<Arc<Kernel>> {
        lock(&self.kernels).values().cloned().collect()
    }

    /// Makes a kernel before anybody asks for it.
    pub(super) fn ahead(&self, key: &Key) -> Result<Arc<Kernel>> {
        if let Some(kernel) = self.made(key) {
            return Ok(kernel);
        }
        self.compile(key, |module, slots| {
            match scoped(&self.device, || Compiled::new(&self.device, key, module, slots)) {
                (compiled, None) => compiled,
                (_, Some(complaint)) => Err(gpu_fault(&complaint)),
            }
        })
    }

    fn compile(
        &self,
        key: &Key,
        compile: impl FnOnce(naga::Module, &[Slot]) -> Result<Compiled>,
    ) -> Result<Arc<Kernel>> {
        let kernel = self.make(key, |template, slots| {
            let module = lock(&self.texts).module(template, key)?;
            compile(module, slots).map(Some)
        })?;
        log::debug!("kernel compiled: {}", kernel.label);
        Ok(kernel)
    }

    fn make(
        &self,
        key: &Key,
        compiled: impl FnOnce(&Template<'_>, &[Slot]) -> Result<Option<Compiled>>,
    ) -> Result<Arc<Kernel>> {
        let template = key.template(&self.shaders)?;
        let declared = lock(&self.texts).declared((&template, &mut None), key)?;
        let compiled = compiled(&template, &declared.slots)?;
        let (label, slots) = (label(key), declared.slots.clone());
        let kernel = Arc::new(Kernel { compiled, label, slots, key: key.clone(), has_run: AtomicBool::new(false) });
        lock(&self.kernels).insert(key.clone(), kernel.clone());
        Ok(kernel)
    }
}

impl Kernel {
    pub(super) fn compiled(&self) -> &Compiled {
        self.compiled.as_ref().expect("nothing is launched on a device of shapes alone")
    }

    /// Its version, the same for all stages of a launch; of a kernel outside the families its label.
    pub(super) fn name(&self) -> String {
        match &self.key.source {
            Source::Version(version) => version.file(),
            Source::Named { .. } => self.label.clone(),
        }
    }
}

impl Key {
    /// Override constants as the device takes them.
    pub(super) fn overrides(&self) -> Vec<(String, f64)> {
        self.constants.iter().map(|(name, v)| (name.clone(), v.float())).collect()
    }

    /// The text that it stands for, with its values.
    pub(super) fn template<'a>(&self, shaders: &'a ShaderSource) -> Result<Template<'a>> {
        let values = self.settings.iter().map(|(name, v)| (name.clone(), v.value())).collect();
        let text = match &self.source {
            Source::Named { text: Some(text), .. } => Cow::Borrowed(*text),
            Source::Named { name, text: None } => shaders.text(name)?,
            Source::Version(v) => Cow::Owned(v.text.clone()),
        };
        Ok(Template::new(shaders, self.source.file(), text, values))
    }
}

impl Compiled {
    /// Of a key's module, with the storage buffers that are bound.
    ///
    /// # Errors
    /// [`Error::Gpu`] for a module that is not valid under its constants, and for workgroup memory beyond the adapter's, which
    /// wgpu does not look at.
    pub(super) fn new(device: &wgpu::Device, key: &Key, module: naga::Module, slots: &[Slot]) -> Result<Self> {
        let name = key.source.file();
        let module = settled(module, &key.overrides().into_iter().collect())
            .map_err(|what| Error::gpu(what, "the header's knobs and numbers set its override constants"))?;
        let (bytes, most) = (shared_bytes(&module, &key.entry)?, device.limits().max_compute_workgroup_storage_size);
        if bytes > most.into() {
            return Err(Error::gpu(
                format!("found {bytes} bytes of workgroup memory, expected at most {most} on this adapter"),
                format!("keep less in var<workgroup>, or say what it must have: `//@ needs: shared={bytes}`"),
            ));
        }
        let source = wgpu::ShaderSource::Naga(Cow::Owned(module));
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(&name), source });
        let entry_of = |binding: u32, ty, dynamic| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: dynamic, min_binding_size: None },
            count: None,
        };
        let mut entries = vec![entry_of(0, wgpu::BufferBindingType::Uniform, true)];
        for slot in slots {
            let ty = wgpu::BufferBindingType::Storage { read_only: !slot.written };
            entries.push(entry_of(slot.binding, ty, false));
        }
        let layout =
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(&name), entries: &entries });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(&name),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(&key.entry),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        Ok(Self { pipeline, layout })
    }

    /// The parameters, a slot of `params`, with the storage buffers in the order of `slots`.
    pub(super) fn bind<'a>(
        &self,
        device: &wgpu::Device,
        (slots, params): (&[Slot], &'a wgpu::Buffer),
        storage: impl IntoIterator<Item = wgpu::BindingResource<'a>>,
    ) -> wgpu::BindGroup {
        let size = wgpu::BufferSize::new(PARAM_SLOT);
        let uniform = wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: params, offset: 0, size });
        let bound = slots.iter().map(|slot| slot.binding).zip(storage);
        let entries = std::iter::once((0, uniform)).chain(bound);
        let entries: Vec<_> = entries.map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
        let desc = wgpu::BindGroupDescriptor { label: None, layout: &self.layout, entries: &entries };
        device.create_bind_group(&desc)
    }
}

/// How profiles name a kernel.
fn label(key: &Key) -> String {
    let entry = if key.entry == "main" { String::new() } else { format!(".{}", key.entry) };
    let constants = key.constants.iter().filter(|(name, v)| name != "WG" && v.float() != 0.0);
    let all = constants.chain(&key.settings).map(|(n, v)| format!(" {n}={v}"));
    std::iter::once(key.source.file() + &entry).chain(all).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_covers_all_groups_within_limits() {
        for n in [1, 2, 65_535, 65_536, 131_071, 10_000_000] {
            let [x, y] = fold("a kernel", n).expect("within limits");
            assert!(x as usize * y as usize >= n && x <= 65_535 && y <= 65_535, "{n} -> {x} x {y}");
            assert!((x as usize * y as usize) < n + y as usize, "{n} -> {x} x {y} wastes more than a row");
        }
    }
}
