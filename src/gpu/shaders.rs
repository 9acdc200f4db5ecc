//! Where kernel text comes from: embedded, or a folder that takes precedence.

use crate::error::{Error, Result};
use std::borrow::Cow;
use std::path::PathBuf;

macro_rules! embed {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../shaders/", $name)))),*]
    };
}

const EMBEDDED: &[(&str, &str)] = embed![
    "adam.wgsl",
    "avg_pool.wgsl",
    "avg_pool_grad.wgsl",
    "batch_norm.wgsl",
    "batch_norm_back.wgsl",
    "batch_norm_back_sums.wgsl",
    "batch_norm_grad.wgsl",
    "batch_norm_running.wgsl",
    "batch_norm_stats.wgsl",
    "batch_norm_sums.wgsl",
    "binary.wgsl",
    "conv1d.wgsl",
    "conv1d_fast_rows.wgsl",
    "conv1d_pack.wgsl",
    "conv1d_rows.wgsl",
    "conv1d_rows_run.wgsl",
    "conv1d_tile.wgsl",
    "conv1d_tile_weights.wgsl",
    "conv1d_weight_grad.wgsl",
    "conv1d_weight_tile.wgsl",
    "conv1d_weight_wide.wgsl",
    "conv1d_wide.wgsl",
    "cross_entropy.wgsl",
    "cross_entropy_grad.wgsl",
    "cross_entropy_targets.wgsl",
    "dropout.wgsl",
    "include/group_sum.wgsl",
    "include/philox.wgsl",
    "include/quad.wgsl",
    "lab/copy.wgsl",
    "lab/peak.wgsl",
    "loss_scale.wgsl",
    "matmul.wgsl",
    "max_pool.wgsl",
    "max_pool_scatter.wgsl",
    "pick.wgsl",
    "place.wgsl",
    "reduce.wgsl",
    "reduce_max.wgsl",
    "reduce_rows.wgsl",
    "strided.wgsl",
    "unary.wgsl",
    "write_block.wgsl",
];

/// File names and texts of the embedded shaders.
pub fn embedded_shaders() -> &'static [(&'static str, &'static str)] {
    EMBEDDED
}

/// The embedded shaders, or a folder whose files replace them by name.
#[derive(Debug, Clone, Default)]
pub struct ShaderSource {
    dir: Option<PathBuf>,
}

impl ShaderSource {
    /// Shaders of `dir` (files `<name>.wgsl`) before the embedded ones.
    ///
    /// # Errors
    /// [`Error::File`] if `dir` is not a folder.
    pub fn folder(dir: impl Into<PathBuf>) -> Result<Self> {
        let dir = dir.into();
        if !dir.is_dir() {
            return Err(Error::file(
                dir,
                "is no folder, expected one with .wgsl files",
                "point --shader-dir at a copy of the repository's shaders/ folder",
            ));
        }
        Ok(Self { dir: Some(dir) })
    }

    /// From `EXGNET_SHADER_DIR`; unset or empty means the embedded shaders.
    ///
    /// # Errors
    /// As [`ShaderSource::folder`].
    pub fn from_env() -> Result<Self> {
        match std::env::var_os("EXGNET_SHADER_DIR") {
            Some(dir) if !dir.is_empty() => Self::folder(PathBuf::from(dir)),
            _ => Ok(Self::default()),
        }
    }

    /// The text of `shaders/<name>.wgsl`.
    ///
    /// # Errors
    /// [`Error::File`] for a file that cannot be read; [`Error::Gpu`] for a name that no shader has.
    pub fn text(&self, name: &str) -> Result<Cow<'static, str>> {
        self.text_or(name, None)
    }

    /// Where the text of `shaders/<name>.wgsl` is, for messages.
    pub fn shown(&self, name: &str) -> String {
        let file = format!("{name}.wgsl");
        let own = self.dir.as_ref().map(|dir| dir.join(&file)).filter(|path| path.is_file());
        own.map_or_else(|| format!("shaders/{file}"), |path| path.display().to_string())
    }

    /// As [`ShaderSource::text`], with `own` in the place of an embedded one.
    pub(super) fn text_or(&self, name: &str, own: Option<&'static str>) -> Result<Cow<'static, str>> {
        let file = format!("{name}.wgsl");
        if let Some(path) = self.dir.as_ref().map(|dir| dir.join(&file)).filter(|path| path.is_file()) {
            return std::fs::read_to_string(&path).map(Cow::Owned).map_err(|e| {
                Error::file(path, format!("cannot be read: {e}"), "the shader must be readable UTF-8 text")
            });
        }
        let embedded = || EMBEDDED.iter().find(|(n, _)| *n == file).map(|(_, text)| *text);
        own.or_else(embedded).map(Cow::Borrowed).ok_or_else(|| {
            Error::gpu(
                format!("found no shader that is called '{name}', expected one of `exgnet shader --list`"),
                "add it to the list in src/gpu/shaders.rs, or give its text with Launch::from_text",
            )
        })
    }
}
