//! Compiled kernels, and the description of one launch.

use super::template::expand;
use super::{Gpu, ShaderSource, Storage, lock};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of one launch's parameters: a slot of the parameter buffer (WebGPU's
/// alignment of dynamic offsets).
pub(super) const PARAM_SLOT: u64 = 256;

pub(super) type Key = (Shader, &'static str, Vec<(&'static str, u64)>, Vec<Setting>);

/// A shader by its name, and its text where the crate has none of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Shader {
    pub(super) name: &'static str,
    text: Option<&'static str>,
}

/// A constant of a shader template.
pub type Setting = (&'static str, usize);

#[derive(Default)]
pub(super) struct KernelCache {
    kernels: HashMap<Key, Arc<Kernel>>,
}

pub(super) struct Kernel {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
    /// `shader`, `shader.entry`, and the constants other than WG: the name in profiles.
    pub(super) label: String,
    /// Whether each storage binding (1, 2, ...) is written.
    pub(super) written: Vec<bool>,
    /// What it was made from.
    pub(super) key: Key,
}

/// One launch of a kernel: shader, tuned constants, parameters, buffers, groups.
///
/// By convention binding 0 of every shader is its `Params` (a uniform of 32-bit
/// scalars) and bindings 1, 2, ... are storage buffers.
pub struct Launch<'a> {
    shader: Shader,
    entry: &'static str,
    constants: Vec<(&'static str, f64)>,
    settings: Vec<Setting>,
    params: Vec<u32>,
    bindings: Vec<&'a Storage>,
}

impl<'a> Launch<'a> {
    /// A launch of `shaders/<shader>.wgsl`, entry point `main`.
    pub fn new(shader: &'static str) -> Self {
        Self::of(Shader { name: shader, text: None })
    }

    /// A launch of a shader from outside the crate: `text` is its WGSL, or a template as [`expand`] takes it; `name` stands
    /// for it in messages and profiles. A file `<name>.wgsl` in the folder of [`ShaderSource::folder`] takes precedence.
    pub fn from_text(name: &'static str, text: &'static str) -> Self {
        Self::of(Shader { name, text: Some(text) })
    }

    fn of(shader: Shader) -> Self {
        Self {
            shader,
            entry: "main",
            constants: Vec::new(),
            settings: Vec::new(),
            params: Vec::new(),
            bindings: Vec::new(),
        }
    }

    /// Another entry point than `main`.
    pub fn entry(mut self, entry: &'static str) -> Self {
        self.entry = entry;
        self
    }

    /// Sets a WGSL `override` constant.
    pub fn constant(mut self, name: &'static str, value: u32) -> Self {
        self.constants.push((name, f64::from(value)));
        self
    }

    /// Sets the constants of a shader that is a template.
    pub fn settings(mut self, settings: &[Setting]) -> Self {
        self.settings.extend_from_slice(settings);
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
    ///
    /// # Errors
    /// [`Error::Gpu`] if the kernel does not compile or the driver refuses it.
    pub fn threads(self, gpu: &Gpu, threads: usize, group: u32) -> Result<()> {
        let groups = threads.div_ceil(group as usize);
        self.constant("WG", group).groups(gpu, groups)
    }

    /// Records the launch with `groups` workgroups, folded over two dimensions:
    /// the shader computes its index as `wid.y * groups_x + wid.x` and must ignore
    /// those past the end.
    ///
    /// # Errors
    /// As [`Launch::threads`].
    pub fn groups(self, gpu: &Gpu, groups: usize) -> Result<()> {
        let (x, y) = fold(groups);
        assert!(self.params.len() * 4 <= PARAM_SLOT as usize, "{}: too many parameters", self.shader.name);
        let kernel = gpu.kernel(self.shader, self.entry, self.constants, self.settings)?;
        if kernel.written.len() != self.bindings.len() {
            return Err(Error::gpu(
                format!(
                    "{}: the shader declares {} buffers, its launch binds {}",
                    self.shader.name,
                    kernel.written.len(),
                    self.bindings.len()
                ),
                "an edited shader must keep its bindings",
            ));
        }
        gpu.record_dispatch(kernel, &self.params, &self.bindings, [x, y])
    }
}

/// Folds a number of workgroups into two dimensions of at most 65,535 (WebGPU's limit).
fn fold(groups: usize) -> (u32, u32) {
    const MAX: usize = 65_535;
    let y = groups.div_ceil(MAX).max(1);
    assert!(y <= MAX, "a dispatch of {groups} workgroups");
    (groups.div_ceil(y) as u32, y as u32)
}

/// Whether each storage binding (1, 2, ...) is written, read off the shader's text.
fn reflect(text: &str) -> Vec<bool> {
    let code = text.lines().map(|l| l.split("//").next().unwrap_or(""));
    code.filter(|l| l.contains("@binding(") && l.contains("var<storage")).map(|l| l.contains("read_write")).collect()
}

impl Gpu {
    pub(super) fn kernel(
        &self,
        shader: Shader,
        entry: &'static str,
        constants: Vec<(&'static str, f64)>,
        settings: Vec<Setting>,
    ) -> Result<Arc<Kernel>> {
        let key = (shader, entry, constants.iter().map(|&(n, v)| (n, v.to_bits())).collect(), settings);
        if let Some(kernel) = lock(&self.0.kernels).kernels.get(&key) {
            return Ok(kernel.clone());
        }
        let made = self.scoped(|| build(&self.0.device, &self.0.shaders, &key));
        let kernel = Arc::new(made.map_err(|e| match e {
            Error::Gpu { what, hint } => Error::gpu(format!("shader {}.wgsl: {what}", shader.name), hint),
            e => e,
        })??);
        log::debug!("kernel compiled: {}", kernel.label);
        lock(&self.0.kernels).kernels.insert(key, kernel.clone());
        Ok(kernel)
    }
}

/// Compiles a kernel as far as the device does before the first launch.
pub(super) fn build(device: &wgpu::Device, shaders: &ShaderSource, key: &Key) -> Result<Kernel> {
    let (shader, entry, constants, settings) = key;
    let (own, shader) = (shader.text, shader.name);
    let constants: Vec<_> = constants.iter().map(|&(name, bits)| (name, f64::from_bits(bits))).collect();
    let text = expand(shaders, shader, shaders.text_or(shader, own)?, settings.iter().copied())?;
    let written = reflect(&text);
    let source = wgpu::ShaderSource::Wgsl(text);
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(shader), source });
    let entry_of = |binding: usize, ty, dynamic| wgpu::BindGroupLayoutEntry {
        binding: binding as u32,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: dynamic, min_binding_size: None },
        count: None,
    };
    let mut entries = vec![entry_of(0, wgpu::BufferBindingType::Uniform, true)];
    for (i, &w) in written.iter().enumerate() {
        entries.push(entry_of(i + 1, wgpu::BufferBindingType::Storage { read_only: !w }, false));
    }
    let layout =
        device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(shader), entries: &entries });
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(shader),
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(shader),
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some(entry),
        compilation_options: wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() },
        cache: None,
    });
    let label = label(shader, entry, &constants, settings);
    Ok(Kernel { pipeline, layout, label, written, key: key.clone() })
}

/// How profiles name a kernel.
fn label(shader: &str, entry: &str, constants: &[(&str, f64)], settings: &[Setting]) -> String {
    let entry = if entry == "main" { String::new() } else { format!(".{entry}") };
    let constants = constants.iter().filter(|(name, v)| *name != "WG" && *v != 0.0).map(|(n, v)| format!("{n}={v}"));
    let set: Vec<String> = constants.chain(settings.iter().map(|(n, v)| format!("{n}={v}"))).collect();
    let set = if set.is_empty() { String::new() } else { format!(" {}", set.join(" ")) };
    format!("{shader}{entry}{set}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_covers_all_groups_within_limits() {
        for n in [1, 2, 65_535, 65_536, 131_071, 10_000_000] {
            let (x, y) = fold(n);
            assert!(x as usize * y as usize >= n && x <= 65_535 && y <= 65_535, "{n} -> {x} x {y}");
            assert!((x as usize * y as usize) < n + y as usize, "{n} -> {x} x {y} wastes more than a row");
        }
    }

    #[test]
    fn bindings_are_read_off_the_text() {
        let text = "@group(0) @binding(0) var<uniform> p: Params;\n@group(0) @binding(1) var<storage, read> x: array<f32>;\n\
                    @group(0) @binding(2) var<storage, read_write> y: array<f32>; // var<storage>";
        assert_eq!(reflect(text), [false, true]);
    }
}
