//! Fast short convolution, Toom-Cook F(4, 4): seven multiplications for four outputs of four taps instead of sixteen.
//! Long kernels are cut into pieces of four taps. See `shaders/layouts/02_vectors.wgsl` for the formulas; the sums at the
//! seven points are those of the version `subgroup_shuffle`.

use super::family::{GRADS, POINTS as POINTS_KERNEL};
use super::rows::{Rows, Window};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::tensor::{DType, Tensor};

/// Points at which the polynomials of a piece and of a tile are multiplied.
pub(super) const POINTS: usize = 7;
/// Taps of a piece, positions of a tile.
pub(super) const PIECE: usize = 4;

/// Where the tiles of a transform begin: at `shift` of every vec4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fast {
    shift: usize,
}

impl Fast {
    /// For the windows of some kernels: with as few pieces as may be.
    pub(super) fn new(windows: &[Window]) -> Self {
        let of = |shift| Self { shift };
        let fits = |f: &Self| windows.iter().all(|w| w.first >= f.shift + f.zeros(*w));
        let pieces = |f: &Self| windows.iter().map(|w| f.window(*w).taps).sum::<usize>();
        // shift 0 always fits
        (0..PIECE).map(of).filter(fits).min_by_key(pieces).unwrap_or(of(0))
    }

    /// Zeros before the first tap, so that the first piece begins at a tile.
    fn zeros(self, w: Window) -> usize {
        (w.first + PIECE - self.shift) % PIECE
    }

    /// A kernel's window in tiles: the first, and its pieces.
    pub(super) fn window(self, w: Window) -> Window {
        let zeros = self.zeros(w);
        Window { first: (w.first - self.shift.min(w.first)) / PIECE, taps: (w.taps + zeros).div_ceil(PIECE) }
    }

    /// Place of the first value of a tile.
    pub(super) fn place(self, tile: usize) -> usize {
        PIECE * tile + self.shift
    }
}

/// Rows at the seven points.
#[derive(Debug, Clone)]
pub(super) struct Transformed {
    pub(super) data: Tensor,
    pub(super) fast: Fast,
    /// Vec4s of a row.
    pub(super) quads: usize,
}

impl Transformed {
    pub(super) fn new(gpu: &Gpu, rows: &Rows, fast: Fast) -> Result<Self> {
        let quads = (Self::places(rows) + rows.geometry.tail(gpu)).div_ceil(4);
        let data = Tensor::empty(gpu, &[POINTS, rows.rows, 4 * quads], DType::F32)?;
        POINTS_KERNEL
            .on(gpu, format!("layouts.points {} x {}", rows.rows, rows.quads))
            .ints(&[("rows", rows.rows), ("from_quads", rows.quads), ("quads", quads), ("shift", fast.shift)])
            .flag("half", rows.half)
            .bind("src", &rows.data)
            .bind("v", &data)
            .run()?;
        Ok(Self { data, fast, quads })
    }

    /// Tiles of all records of a row, with those up to a whole vec4.
    pub(super) fn places(rows: &Rows) -> usize {
        (rows.records * rows.geometry.pitch / PIECE).next_multiple_of(4)
    }
}

/// Rows of an output's gradient at the seven points, in tiles: what meets [`Transformed`] in the weight's gradient.
#[derive(Debug, Clone)]
pub(super) struct Tiles {
    pub(super) data: Tensor,
    /// Vec4s of a row.
    pub(super) quads: usize,
    /// Tiles before that of the first position, zeros: a multiple of 4, and enough for every window.
    pub(super) lead: usize,
}

impl Tiles {
    pub(super) fn new(gpu: &Gpu, rows: &Rows) -> Result<Self> {
        // a window of `rows.geometry.lead` places and its taps take fewer tiles
        let lead = rows.geometry.lead + 4;
        let quads = (2 * lead + Transformed::places(rows) + rows.geometry.tail(gpu)).div_ceil(4);
        let data = Tensor::empty(gpu, &[POINTS, rows.rows, 4 * quads], DType::F32)?;
        GRADS
            .on(gpu, format!("layouts.grads {} x {}", rows.rows, rows.quads))
            .ints(&[("rows", rows.rows), ("from_quads", rows.quads), ("quads", quads), ("lead", lead)])
            .ints(&[("start", rows.geometry.lead / PIECE)])
            .flag("half", rows.half)
            .bind("src", &rows.data)
            .bind("h", &data)
            .run()?;
        Ok(Self { data, quads, lead })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hold_every_tap() {
        let w = |first, taps| Window { first, taps };
        for windows in [vec![w(2, 21), w(7, 11), w(10, 5)], vec![w(1, 4)], vec![w(0, 64)], vec![w(3, 5), w(2, 7)]] {
            let fast = Fast::new(&windows);
            for window in windows {
                let tiles = fast.window(window);
                let (from, to) = (fast.place(tiles.first), fast.place(tiles.first + tiles.taps));
                assert!(from <= window.first && window.first < from + PIECE, "{window:?} {fast:?}");
                assert!(window.first + window.taps <= to, "{window:?} {fast:?}");
            }
        }
        // the branches 5, 11, 21 of a block: one shift serves all with 2, 3 and 6 pieces
        let fast = Fast::new(&[w(10, 5), w(7, 11), w(2, 21)]);
        assert_eq!([(10, 5), (7, 11), (2, 21)].map(|(f, t)| fast.window(w(f, t)).taps), [2, 3, 6]);
    }
}
