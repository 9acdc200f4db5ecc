//! Fast short convolution, Toom-Cook F(6, 6): eleven multiplications for six outputs of six taps instead of 36. Long
//! kernels are cut into pieces of six taps. See `shaders/include/toom_cook.wgsl` for the formulas; the sums at the points
//! are those of the version `subgroup_shuffle`.

use super::family::{GRADS, POINTS as POINTS_KERNEL};
use super::rows::{Geometry, Rows, WIDEST, Window};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::tensor::{DType, Tensor};

/// Points at which the polynomials of a piece and of a tile are multiplied.
pub(super) const POINTS: usize = 11;
/// Taps of a piece, positions of a tile.
pub(super) const PIECE: usize = 6;

/// Most tiles that a weight's gradient takes at once: rows are padded for it.
const MOST_TILES: usize = 16;

/// Where the tiles of a transform begin: at `shift` of every six values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fast {
    shift: usize,
}

/// What one more transform costs a row and tile, in pieces of a channel (measured: 13 ns, and 0.43 ns for a piece).
const TRANSFORM: usize = 30;

impl Fast {
    /// For the windows of some kernels with so many channels: with few pieces, by one transform or two (at most `most`).
    fn choose(windows: &[(Window, usize)], most: u64) -> Vec<Self> {
        let all = || (0..PIECE).map(|shift| Self { shift });
        let sets = all()
            .map(|f| vec![f])
            .chain(all().flat_map(|f| all().filter(move |g| g.shift > f.shift).map(move |g| vec![f, g])));
        let cost = |set: &Vec<Self>| {
            let pieces = |(w, channels): &(Window, usize)| Some(Self::best(set, *w)?.1.window(*w).taps * channels);
            let sum = windows.iter().map(pieces).sum::<Option<usize>>()?;
            (set.len() as u64 <= most.max(1)).then_some(sum + TRANSFORM * set.len())
        };
        // shift 0 fits every window
        sets.filter_map(|set| Some((cost(&set)?, set)))
            .min_by_key(|(cost, _)| *cost)
            .map_or(vec![Self { shift: 0 }], |(_, set)| set)
    }

    /// Of some, the one that cuts a window into the fewest pieces, and its place among them.
    fn best(all: &[Self], w: Window) -> Option<(usize, Self)> {
        let fits = all.iter().copied().enumerate().filter(|(_, f)| w.first >= f.shift + f.zeros(w));
        fits.min_by_key(|(_, f)| f.window(w).taps)
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

/// Rows at the points, one behind the other for every place where tiles begin.
#[derive(Debug, Clone)]
pub(super) struct Transformed {
    pub(super) data: Tensor,
    fasts: Vec<Fast>,
    rows: usize,
    /// Vec4s of a row.
    pub(super) quads: usize,
}

impl Transformed {
    /// For windows with so many channels each.
    pub(super) fn new(gpu: &Gpu, rows: &Rows, windows: &[(Window, usize)]) -> Result<Self> {
        let quads = Self::row(rows.records, rows.geometry) / 4;
        let most = gpu.report().largest_tensor() / (16 * POINTS * rows.rows * quads) as u64;
        let fasts = Fast::choose(windows, most);
        let data = Tensor::empty(gpu, &[POINTS, fasts.len() * rows.rows, 4 * quads], DType::F32)?;
        let made = Self { data, fasts, rows: rows.rows, quads };
        for (i, fast) in made.fasts.iter().enumerate() {
            POINTS_KERNEL
                .on(gpu, format!("layouts.points {} x {}", rows.rows, rows.quads))
                .ints(&[("rows", rows.rows), ("from_quads", rows.quads), ("quads", quads), ("shift", fast.shift)])
                .ints(&[("first", i * rows.rows), ("point", made.point())])
                .flag("half", rows.half)
                .bind("src", &rows.data)
                .bind("v", &made.data)
                .run()?;
        }
        Ok(made)
    }

    /// Tiles of a row: those of so many records, and zeros for the windows and the sums of a weight's gradient, see
    /// [`Geometry`].
    fn row(records: usize, geometry: Geometry) -> usize {
        (tiles(records, geometry) + 2 * reach(geometry) + MOST_TILES + 2 * WIDEST).next_multiple_of(WIDEST)
    }

    /// Whether so many rows of so many records can be transformed, of the input or of the output's gradient: the device holds
    /// no larger tensors than it says.
    pub(super) fn fits(gpu: &Gpu, rows: usize, records: usize, geometry: Geometry) -> bool {
        let most = Self::row(records, geometry).max(Tiles::row(records, geometry));
        (4 * POINTS * rows * most) as u64 <= gpu.report().largest_tensor()
    }

    /// Rows from one point to the next.
    pub(super) fn point(&self) -> usize {
        self.fasts.len() * self.rows
    }

    /// A window in tiles: its pieces, the first row that they meet, and the place of the first piece's first value.
    pub(super) fn window(&self, w: Window) -> (Window, usize, usize) {
        let (i, fast) = Fast::best(&self.fasts, w).unwrap_or((0, self.fasts[0]));
        let pieces = fast.window(w);
        (pieces, i * self.rows, fast.place(pieces.first))
    }

    /// Tiles of all records of a row.
    pub(super) fn places(rows: &Rows) -> usize {
        tiles(rows.records, rows.geometry)
    }
}

/// Tiles of so many records, with those up to a whole vec4.
fn tiles(records: usize, geometry: Geometry) -> usize {
    (records * geometry.pitch).div_ceil(PIECE).next_multiple_of(4)
}

/// Tiles from the first of a row to the last one of the widest window.
fn reach(geometry: Geometry) -> usize {
    (2 * geometry.lead).div_ceil(PIECE) + 2
}

/// Rows of an output's gradient at the points, in tiles: what meets [`Transformed`] in the weight's gradient.
#[derive(Debug, Clone)]
pub(super) struct Tiles {
    pub(super) data: Tensor,
    /// Vec4s of a row.
    pub(super) quads: usize,
    /// Tiles before that of the first position, zeros: a multiple of [`WIDEST`], and enough for every window.
    pub(super) lead: usize,
}

impl Tiles {
    pub(super) fn new(gpu: &Gpu, rows: &Rows) -> Result<Self> {
        let (lead, quads) = (Self::lead(rows.geometry), Self::row(rows.records, rows.geometry) / 4);
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

    fn lead(geometry: Geometry) -> usize {
        reach(geometry).next_multiple_of(WIDEST)
    }

    /// Tiles of a row, with zeros on both sides.
    fn row(records: usize, geometry: Geometry) -> usize {
        (2 * Self::lead(geometry) + tiles(records, geometry) + MOST_TILES + WIDEST).next_multiple_of(WIDEST)
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::{LONGEST, MOST_POSITIONS, Reduced};
    use super::super::{Branch, ConvSpec};
    use super::*;

    #[test]
    fn pieces_hold_every_tap() {
        let w = |first, taps| (Window { first, taps }, 10);
        for windows in [vec![w(2, 21), w(7, 11), w(10, 5)], vec![w(1, 4)], vec![w(0, 64)], vec![w(3, 5), w(2, 7)]] {
            let fasts = Fast::choose(&windows, 2);
            for (window, _) in windows {
                let (_, fast) = Fast::best(&fasts, window).expect("one that fits");
                let tiles = fast.window(window);
                let (from, to) = (fast.place(tiles.first), fast.place(tiles.first + tiles.taps));
                assert!(from <= window.first && window.first < from + PIECE, "{window:?} {fast:?}");
                assert!(window.first + window.taps <= to, "{window:?} {fast:?}");
            }
        }
    }

    /// What a weight's gradient reads lies in the row it is of, whichever side stays and whichever moves.
    #[test]
    fn rows_hold_what_is_read_of_them() {
        let records = 3;
        for (kernel, stride) in (1..=LONGEST).flat_map(|kernel| (1..=4).map(move |stride| (kernel, stride))) {
            for pad_left in [0, kernel / 2, kernel - 1] {
                let branch = Branch { dilation: 1, pad_left, pad_right: kernel - 1 - pad_left };
                let spec = ConvSpec::single(stride, 1, branch);
                let s = &spec.sizes([records, 1, 100], 100_usize.div_ceil(stride), &[&[1, 1, kernel]])[0];
                let r = Reduced { every: 1, stride, folds: 1, pad: pad_left };
                let geometry = Geometry::new([(&r, s)].into_iter());
                // the window's first place in x, that in g where the taps run in reverse, places, taps, a row of x and of g
                let within = |first: usize, reverse: usize, places: usize, taps: usize, [x, g]: [usize; 2]| {
                    let read = places + taps - 1 + WIDEST;
                    assert!(
                        first + read <= x && reverse + read <= g,
                        "{kernel} {stride} {pad_left}: {first} {reverse} {read} {x} {g}"
                    );
                };
                let w = r.window(kernel, geometry.lead, false);
                let places = (records * geometry.pitch).next_multiple_of(MOST_POSITIONS);
                within(w.first, 2 * geometry.lead + 1 - w.first - w.taps, places, w.taps, [geometry.row(records); 2]);

                let fasts = Fast::choose(&[(w, 1)], 2);
                let w = Fast::best(&fasts, w).expect("one that fits").1.window(w);
                let places = tiles(records, geometry) + (w.first + w.taps).next_multiple_of(4);
                let rows = [Transformed::row(records, geometry), Tiles::row(records, geometry)];
                let reverse = Tiles::lead(geometry) + 1 - w.first - w.taps;
                within(w.first, reverse, places.next_multiple_of(MOST_TILES), w.taps, rows);
            }
        }
    }

    #[test]
    fn wide_branches_have_transforms_of_their_own() {
        // the branches 5, 11, 21 of a block, with a stride of 1 and of 2
        let blocks = [[(22, 5), (19, 11), (14, 21)], [(23, 3), (21, 6), (19, 11)]];
        let pieces = |windows: [(usize, usize); 3], channels: usize| {
            let windows = windows.map(|(first, taps)| (Window { first, taps }, channels));
            let fasts = Fast::choose(&windows, 2);
            (
                fasts.len(),
                windows.map(|(w, _)| Fast::best(&fasts, w).map_or(0, |(_, f)| f.window(w).taps)).iter().sum::<usize>(),
            )
        };
        assert_eq!([pieces(blocks[0], 10), pieces(blocks[1], 10)], [(1, 8), (1, 5)]);
        assert_eq!([pieces(blocks[0], 85), pieces(blocks[1], 85)], [(2, 7), (2, 4)]);
        let windows = blocks[1].map(|(first, taps)| (Window { first, taps }, 85));
        assert_eq!(Fast::choose(&windows, 1).len(), 1, "no room for two");
    }
}
