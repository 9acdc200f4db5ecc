//! How kernels that go along rows, and those that sum them, are divided into workgroups, by version: `plain` one place a
//! thread, and sums in a tree of 64; `tile` (for adapters whose workgroup is best one subgroup) few threads with much to do,
//! and sums in a subgroup without barriers; `wide` groups that keep a wide adapter busy, without subgroups.

use crate::gpu::{Gpu, Launch, OldChoice, Variant};

/// Kernels of a normalisation that a tuner divides.
pub(crate) const NORMS: [&str; 4] = ["batch_norm_stats", "batch_norm", "batch_norm_back_sums", "batch_norm_back"];
/// Those of a pooling.
pub(crate) const POOLS: [&str; 2] = ["max_pool", "max_pool_scatter"];
/// Those that sum.
pub(crate) const SUMS: [&str; 2] = ["batch_norm_stats", "batch_norm_back_sums"];

/// A kernel on `[B, C, T]` as tuning tables name it.
pub(crate) fn key(kernel: &str, [b, c, t]: [usize; 3]) -> String {
    format!("{kernel} {b} x {c} x {t}")
}

/// The version that suits the adapter.
pub(crate) fn usual(gpu: &Gpu) -> Variant {
    if gpu.report().is_software { Variant::Tile } else { Variant::Wide }
}

/// What is forced or was tuned for a kernel on `[B, C, T]`, or the rule of thumb.
pub(super) fn choice(gpu: &Gpu, kernel: &str, dims: [usize; 3]) -> OldChoice {
    let mut choice = gpu.decided(&key(kernel, dims)).unwrap_or_else(|| OldChoice::usual(usual(gpu)));
    if choice.variant == Variant::Fast {
        choice.variant = Variant::Tile;
    }
    choice
}

/// Threads of a group that goes along a row, and the places that it does at most.
pub(super) fn along_rows(gpu: &Gpu, kernel: &str, dims: [usize; 3]) -> (u32, usize) {
    let choice = choice(gpu, kernel, dims);
    let (width, span) = match choice.variant {
        Variant::Plain => (64, 64),
        Variant::Wide => (64, 256),
        _ => (8, 512),
    };
    (choice.get("width", width) as u32, choice.get("span", span))
}

/// Threads of a group that goes along `n` places, and the places that it does at most: enough groups to keep a software
/// adapter's threads busy.
pub(super) fn along(gpu: &Gpu, kernel: &str, n: usize) -> (u32, usize) {
    let (width, span) = along_rows(gpu, kernel, [1, 1, n]);
    (width, span.min(n.div_ceil(64)).max(width as usize))
}

/// Groups that a sum over `[B, C, T]` is divided into: enough to keep the adapter busy, as few as that takes.
pub(super) fn wanted(gpu: &Gpu, kernel: &str, dims: [usize; 3]) -> usize {
    choice(gpu, kernel, dims).get("groups", if gpu.report().is_software { 64 } else { 512 })
}

/// A launch of a kernel whose groups sum together, with its constants `WG` and `lanes` (`include/group_sum.wgsl`).
pub(super) fn sums<'a>(launch: Launch<'a>, gpu: &Gpu, kernel: &str, dims: [usize; 3]) -> Launch<'a> {
    let (width, lanes) = match (choice(gpu, kernel, dims).variant, gpu.tile_lanes()) {
        (Variant::Plain, _) => (64, 0),
        (Variant::Wide, _) => (256, 0),
        (_, Some(lanes)) => (lanes, lanes),
        // a barrier costs microseconds there
        (_, None) => (8, 0),
    };
    launch.constant("WG", width as u32).settings(&[("lanes", lanes)])
}
