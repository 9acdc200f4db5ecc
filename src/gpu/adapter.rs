//! Choice and description of the adapter.

use crate::error::{Error, Result};
use serde::Serialize;
use std::sync::OnceLock;

const INSTALL_HINT: &str = "run ./setup.sh; on Debian or Ubuntu that installs libvulkan1 and mesa-vulkan-drivers \
     (a software Vulkan driver); elsewhere install your GPU vendor's Vulkan driver. `exgnet info` lists what is found";

/// Which adapter to open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AdapterChoice {
    /// Discrete before integrated before software.
    #[default]
    Best,
    /// By position in [`list_adapters`] or by a part of its name (case does not matter).
    Named(String),
}

impl AdapterChoice {
    /// From `EXGNET_ADAPTER`; unset or empty means [`AdapterChoice::Best`].
    pub fn from_env() -> Self {
        match std::env::var("EXGNET_ADAPTER") {
            Ok(name) if !name.trim().is_empty() => Self::Named(name.trim().to_owned()),
            _ => Self::Best,
        }
    }
}

/// What `exgnet info` prints of an adapter.
#[derive(Debug, Clone, Serialize)]
pub struct AdapterReport {
    /// Name as the driver gives it.
    pub name: String,
    /// `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: String,
    /// Name of the driver.
    pub driver: String,
    /// Version of the driver.
    pub driver_info: String,
    /// True for a software adapter.
    pub is_software: bool,
    /// Kind of that CPU ([`cpu_kind`]); `None` for hardware.
    pub cpu: Option<&'static str>,
    /// Smallest and largest subgroup (lanes that run in step).
    pub subgroup_size: [u32; 2],
    /// Operations may use subgroup functions.
    pub subgroups: bool,
    /// The device can time its own work.
    pub timestamps: bool,
    /// Native 16-bit floats in shaders.
    pub shader_f16: bool,
    /// 64-bit integers in shaders.
    pub shader_int64: bool,
    /// Largest storage binding, bytes.
    pub max_binding_bytes: u64,
    /// Largest buffer, bytes.
    pub max_buffer_bytes: u64,
    /// Storage buffers per kernel.
    pub max_storage_buffers: u32,
    /// Threads per workgroup.
    pub max_workgroup_threads: u32,
    /// Workgroup memory, bytes.
    pub max_workgroup_bytes: u32,
    /// Workgroups per dimension of a dispatch.
    pub max_groups_per_dimension: u32,
    /// What a user may want to know or mend (an old software driver, say).
    pub notes: Vec<String>,
}

impl AdapterReport {
    /// Bytes that one tensor may have.
    pub fn largest_tensor(&self) -> u64 {
        self.max_binding_bytes.min(self.max_buffer_bytes)
    }
}

fn backends() -> wgpu::Backends {
    wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12
}

fn adapters() -> Vec<wgpu::Adapter> {
    let mut desc = wgpu::InstanceDescriptor::new_without_display_handle();
    desc.backends = backends();
    let found = pollster::block_on(wgpu::Instance::new(desc).enumerate_adapters(backends()));
    found.into_iter().filter(|a| a.get_info().backend != wgpu::Backend::Noop).collect()
}

/// All usable adapters, in the order that `--adapter INDEX` counts.
pub fn list_adapters() -> Vec<AdapterReport> {
    adapters().iter().map(describe).collect()
}

fn describe(adapter: &wgpu::Adapter) -> AdapterReport {
    let info = adapter.get_info();
    let (limits, features) = (adapter.limits(), adapter.features());
    let is_software = info.device_type == wgpu::DeviceType::Cpu;
    let mut notes = Vec::new();
    if let Some(major) = mesa_major(&info.driver_info)
        && is_software
        && major < 24
    {
        notes.push(format!(
            "{}: this software driver is 4 to 7 times slower on compute than Mesa 24 or later; ./setup.sh installs the newest it can get",
            info.driver_info
        ));
    }
    if is_software {
        notes.push("this adapter is the CPU; a real GPU needs its vendor's Vulkan driver".to_owned());
    }
    AdapterReport {
        name: info.name,
        backend: info.backend.to_str().to_owned(),
        kind: kind(info.device_type).1.to_owned(),
        driver: info.driver,
        driver_info: info.driver_info,
        is_software,
        cpu: is_software.then(cpu_kind),
        subgroup_size: [info.subgroup_min_size, info.subgroup_max_size],
        subgroups: features.contains(wgpu::Features::SUBGROUP),
        timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
        shader_f16: features.contains(wgpu::Features::SHADER_F16),
        shader_int64: features.contains(wgpu::Features::SHADER_INT64),
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        max_buffer_bytes: limits.max_buffer_size,
        max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
        max_workgroup_threads: limits.max_compute_invocations_per_workgroup,
        max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
        max_groups_per_dimension: limits.max_compute_workgroups_per_dimension,
        notes,
    }
}

/// This CPU as measurements record it: its name (Linux), its cores and its [kind](cpu_kind).
pub fn cpu() -> String {
    let name = cpuinfo("model name").map_or(String::new(), |name| format!("{name}, "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{name}{cores} cores, {}", cpu_kind())
}

/// What the system says of the first core (Linux).
fn cpuinfo(key: &str) -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let (_, value) = text.lines().find_map(|line| line.strip_prefix(key)?.split_once(':'))?;
    Some(value.trim().to_owned())
}

/// Kind of this CPU: its vendor, where the system says, and the features that a code generator makes a difference of, such as
/// `intel-avx512`. `avx2-code`: a CPU with AVX-512 for which Mesa is told to generate none of it
/// (`GALLIUM_OVERRIDE_CPU_CAPS=avx`), which shows what 16 vector registers do.
pub fn cpu_kind() -> &'static str {
    static KIND: OnceLock<String> = OnceLock::new();
    let vendor = || {
        let id = cpuinfo("vendor_id")?.to_lowercase();
        Some(id.strip_prefix("genuine").or(id.strip_prefix("authentic")).unwrap_or(&id).to_owned())
    };
    KIND.get_or_init(|| vendor().map_or(cpu_features().into(), |vendor| format!("{vendor}-{}", cpu_features())))
}

/// Vector registers of a [kind](cpu_kind) of CPU: 32 with AVX-512, 16 on an x86-64 without; others have 32 as a rule.
pub(super) fn vector_registers(kind: &str) -> usize {
    let few = ["avx2-code", "avx2", "x86-64"].iter().any(|features| kind.ends_with(features));
    if few { 16 } else { 32 }
}

fn cpu_features() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        let told = std::env::var_os("GALLIUM_OVERRIDE_CPU_CAPS").is_some_and(|caps| caps == "avx");
        if std::is_x86_feature_detected!("avx512f") {
            if told { "avx2-code" } else { "avx512" }
        } else if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            "avx2"
        } else {
            "x86-64"
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        std::env::consts::ARCH
    }
}

impl AdapterReport {
    /// The name as that of a file or folder, with the kind of CPU that plays it: what was measured on one kind of
    /// CPU is no other's. The versions of llvmpipe share one.
    pub fn slug(&self) -> String {
        let lower = self.name.to_lowercase();
        let name = if lower.starts_with("llvmpipe") { "llvmpipe" } else { &lower };
        let words = name.split(|c: char| !c.is_ascii_alphanumeric()).chain(self.cpu).filter(|w| !w.is_empty());
        words.collect::<Vec<_>>().join("-")
    }

    /// Its driver with the version.
    pub fn driver_and_version(&self) -> String {
        // some drivers have no version
        format!("{} {}", self.driver, self.driver_info).trim().to_owned()
    }

    /// What a measurement says it was made on: name, driver, and the CPU that plays it.
    pub fn title(&self) -> String {
        let cpu = self.cpu.map_or(String::new(), |cpu| format!(", CPU: {cpu}"));
        format!("{} ({}){cpu}", self.name, self.driver_and_version())
    }

    /// What every adapter has by WebGPU's default limits.
    pub(super) fn least() -> Self {
        let limits = wgpu::Limits::default();
        Self {
            name: "shapes alone".into(),
            backend: "none".into(),
            kind: "other".into(),
            driver: String::new(),
            driver_info: String::new(),
            is_software: false,
            cpu: None,
            subgroup_size: [0, 0],
            subgroups: false,
            timestamps: false,
            shader_f16: false,
            shader_int64: false,
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_buffer_bytes: limits.max_buffer_size,
            max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
            max_workgroup_threads: limits.max_compute_invocations_per_workgroup,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
            max_groups_per_dimension: limits.max_compute_workgroups_per_dimension,
            notes: Vec::new(),
        }
    }
}

/// The device that does nothing, behind a device of shapes alone.
pub(super) fn noop() -> Result<(wgpu::Adapter, wgpu::Device, wgpu::Queue)> {
    let mut desc = wgpu::InstanceDescriptor::new_without_display_handle();
    desc.backends = wgpu::Backends::NOOP;
    desc.backend_options.noop.enable = true;
    let failed = |e: String| Error::gpu(format!("a device of shapes alone: {e}"), "please report it");
    let found = pollster::block_on(wgpu::Instance::new(desc).enumerate_adapters(wgpu::Backends::NOOP));
    let adapter = found.into_iter().next().ok_or_else(|| failed("not built in".into()))?;
    let desc = wgpu::DeviceDescriptor {
        required_limits: adapter.limits(),
        required_features: adapter.features() & FEATURES,
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&desc)).map_err(|e| failed(e.to_string()))?;
    Ok((adapter, device, queue))
}

/// Major version out of a text such as `Mesa 25.0.7-2~bpo12+1 (LLVM 19)`.
fn mesa_major(driver_info: &str) -> Option<u32> {
    driver_info.strip_prefix("Mesa ")?.split('.').next()?.parse().ok()
}

/// Rank of a kind of adapter, best first, and its name.
fn kind(of: wgpu::DeviceType) -> (u32, &'static str) {
    match of {
        wgpu::DeviceType::DiscreteGpu => (0, "discrete"),
        wgpu::DeviceType::IntegratedGpu => (1, "integrated"),
        wgpu::DeviceType::VirtualGpu => (2, "virtual"),
        wgpu::DeviceType::Other => (3, "other"),
        wgpu::DeviceType::Cpu => (4, "software"),
    }
}

pub(super) fn choose(choice: &AdapterChoice) -> Result<(wgpu::Adapter, AdapterReport)> {
    let mut found = adapters();
    if found.is_empty() {
        return Err(Error::NoAdapter {
            what: "found no Vulkan, Metal or DX12 driver that answers, expected at least one".into(),
            hint: INSTALL_HINT.into(),
        });
    }
    let names: Vec<String> = found.iter().enumerate().map(|(i, a)| format!("{i}: {}", a.get_info().name)).collect();
    let index = match choice {
        AdapterChoice::Best => (0..found.len()).min_by_key(|&i| (kind(found[i].get_info().device_type).0, i)),
        AdapterChoice::Named(name) => match name.parse::<usize>() {
            Ok(i) => (i < found.len()).then_some(i),
            Err(_) => {
                let wanted = name.to_lowercase();
                found.iter().position(|a| a.get_info().name.to_lowercase().contains(&wanted))
            }
        },
    };
    let Some(index) = index else {
        let AdapterChoice::Named(name) = choice else { unreachable!("a non-empty list has a best one") };
        return Err(Error::NoAdapter {
            what: format!("expected one that is called '{name}', found {}", names.join(", ")),
            hint: "give a part of one of these names or its number with --adapter or EXGNET_ADAPTER, or leave it out"
                .into(),
        });
    };
    let adapter = found.swap_remove(index);
    let report = describe(&adapter);
    Ok((adapter, report))
}

/// What kernels may use where it is there.
const FEATURES: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY
    .union(wgpu::Features::SUBGROUP)
    .union(wgpu::Features::SHADER_F16)
    .union(wgpu::Features::SHADER_INT64);

pub(super) fn open(adapter: &wgpu::Adapter, report: &AdapterReport) -> Result<(wgpu::Device, wgpu::Queue)> {
    // The kernels that are built in keep to WebGPU's default limits. Sizes are raised to what the adapter has, so that long
    // strips and large batches fit, and so is what a version may say that it needs.
    let has = adapter.limits();
    let limits = wgpu::Limits {
        max_storage_buffer_binding_size: has.max_storage_buffer_binding_size,
        max_buffer_size: has.max_buffer_size,
        max_storage_buffers_per_shader_stage: has.max_storage_buffers_per_shader_stage,
        max_compute_workgroup_storage_size: has.max_compute_workgroup_storage_size,
        max_compute_invocations_per_workgroup: has.max_compute_invocations_per_workgroup,
        max_compute_workgroup_size_x: has.max_compute_workgroup_size_x,
        ..wgpu::Limits::default()
    };
    let features = adapter.features() & FEATURES;
    let desc = wgpu::DeviceDescriptor {
        label: Some("exgnet"),
        required_features: features,
        required_limits: limits,
        ..Default::default()
    };
    pollster::block_on(adapter.request_device(&desc)).map_err(|e| Error::NoAdapter {
        what: format!("{} cannot be opened: {e}", report.name),
        hint: "choose another adapter with --adapter, or update its driver".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mesa_version_is_read() {
        assert_eq!(mesa_major("Mesa 25.0.7-2~bpo12+1 (LLVM 19.1.7)"), Some(25));
        assert_eq!(mesa_major("560.35.03"), None);
    }
}
