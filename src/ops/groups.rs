//! How kernels that go along rows and sum them are divided into workgroups, by version: `plain` one place a thread and sums
//! in a tree of 64, `tile` (for adapters whose workgroup is best one subgroup) few threads with much to do and sums without
//! barriers, `wide` groups that keep a wide adapter busy, without subgroups.

use crate::gpu::{Gpu, Launch, Variant};

/// The version of these kernels that is forced, or suits the adapter.
pub(super) fn version(gpu: &Gpu) -> Variant {
    match gpu.forced_variant() {
        Some(Variant::Plain) => Variant::Plain,
        Some(Variant::Wide) => Variant::Wide,
        Some(Variant::Tile | Variant::Fast) => Variant::Tile,
        None if gpu.report().is_software => Variant::Tile,
        None => Variant::Wide,
    }
}

/// Threads of a group that goes along a row, and the places that it does at most.
pub(super) fn along_rows(gpu: &Gpu) -> (u32, usize) {
    match version(gpu) {
        Variant::Plain => (64, 64),
        Variant::Wide => (64, 256),
        _ => (8, 512),
    }
}

/// Groups that keep the adapter busy.
pub(super) fn wanted(gpu: &Gpu) -> usize {
    if gpu.report().is_software { 64 } else { 512 }
}

/// Threads of a group that sums together.
pub(super) fn summing(gpu: &Gpu) -> u32 {
    match version(gpu) {
        Variant::Plain => 64,
        Variant::Wide => 256,
        // a barrier costs microseconds there
        _ => gpu.tile_lanes().map_or(8, |lanes| lanes as u32),
    }
}

/// A launch of a kernel whose groups sum together: its constants `WG` and `lanes` (`include/group_sum.wgsl`).
pub(super) fn sums<'a>(launch: Launch<'a>, gpu: &Gpu) -> Launch<'a> {
    let lanes = if version(gpu) == Variant::Tile { gpu.tile_lanes().unwrap_or(0) } else { 0 };
    launch.constant("WG", summing(gpu)).settings(&[("lanes", lanes)])
}
