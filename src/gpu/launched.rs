//! What is launched: the kernels of some work with the texts that they were compiled from.

use super::kernel::Kernel;
use super::{Gpu, lock};
use crate::error::Result;
use std::sync::Arc;

/// A dispatch.
#[derive(Debug, Clone, PartialEq)]
pub struct Launched {
    /// The kernel's name in profiles.
    pub kernel: String,
    /// Name of its file below `shaders/`, without `.wgsl`: family and version.
    pub file: String,
    /// Its WGSL, a template expanded.
    pub text: String,
    /// Its entry point.
    pub entry: String,
    /// Its override constants.
    pub constants: Vec<(String, f64)>,
    /// Workgroups.
    pub groups: usize,
}

/// Dispatches that are watched, in order.
pub(super) type Watched = Vec<(Arc<Kernel>, [u32; 2])>;

impl Gpu {
    /// The dispatches that `f` records, in order.
    pub fn launched(&self, f: impl FnOnce() -> Result<()>) -> Result<Vec<Launched>> {
        lock(&self.0.recorder).watched = Some(Watched::default());
        let done = f();
        let watched = lock(&self.0.recorder).watched.take();
        done?;
        let one = |(kernel, [x, y]): (Arc<Kernel>, [u32; 2])| {
            Ok(Launched {
                kernel: kernel.label.clone(),
                file: kernel.key.source.file(),
                text: kernel.key.template(&self.0.shaders)?.expand()?.into_owned(),
                entry: kernel.key.entry.clone(),
                constants: kernel.key.overrides(),
                groups: x as usize * y as usize,
            })
        };
        watched.unwrap_or_default().into_iter().map(one).collect()
    }
}
