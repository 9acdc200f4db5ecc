//! Sums of convolutions over rows (`shaders/conv1d_tile.wgsl`, `conv1d_wide.wgsl`): the forward pass and the gradient with
//! respect to the input, written out or at seven points (`fast.rs`).

use super::Sizes;
use super::fast::{Fast, PIECE, POINTS, Transformed};
use super::rows::{MOST_POSITIONS, Reduced, Rows, Window};
use super::tile::{GradRows, Shared, Tiles, channels, positions};
use crate::error::Result;
use crate::gpu::{Gpu, Launch, OldChoice, Setting, Variant};
use crate::tensor::{DType, Tensor};

/// Branches that one kernel sums at most.
const MOST_PARTS: usize = 4;
/// Positions of a group of `conv1d_wide`.
const WIDE_POSITIONS: usize = 128;

/// Constants of `conv1d_tile`.
struct Shape {
    oc: usize,
    p: usize,
    mo: usize,
    mq: usize,
    du: usize,
}

impl Shape {
    /// For windows of at most `taps` and `width` virtual channels. The unrolled body (`taps oc p` multiply-adds) must fit
    /// the instruction cache, and every weight and sample serve as many of them as may be.
    fn new(choice: &OldChoice, taps: usize, width: usize, places: usize, lanes: usize) -> Self {
        let (most, p, mo, mq, du) = match (choice.variant, taps) {
            // what is staged must fit 16 KiB of workgroup memory
            (Variant::Wide, ..=15) => (16, 8, 2, 4, 4),
            (Variant::Wide, _) => (16, 8, 2, 4, 2),
            (Variant::Fast, 4..) => (8, 16, 2, 4, 1),
            (_, 1) => (32, 8, 4, 2, 4),
            (_, 2..=3) => (16, 16, 4, 2, 1),
            (_, 4..=15) => (8, 24, 2, 4, 1),
            _ => (5, 16, 5, 2, 1),
        };
        let p = positions(places, lanes, choice.get("p", p)).min(MOST_POSITIONS);
        let oc = channels(width, choice.get("oc", most));
        Self { oc, p, mo: choice.get("mo", mo).min(oc), mq: choice.get("mq", mq), du: choice.get("du", du) }
    }
}

/// A part of a sum of convolutions: the rows it reads and the weight it multiplies them with.
struct Part<'a> {
    rows: Rows,
    first_row: usize,
    weight: &'a Tensor,
    reduced: Reduced,
    s: &'a Sizes,
}

/// Where the sums go.
struct Target<'a> {
    dst: &'a Tensor,
    /// Channels of `dst` and the first one written; virtual channels, phases of a channel.
    channels: usize,
    first: usize,
    width: usize,
    split: usize,
    /// Records of a record; from one position of the convolution to the next in `dst`.
    folds: usize,
    every: usize,
    len: usize,
    add: bool,
    /// Ends with `max(0, . + bias)`.
    bias: Option<&'a Tensor>,
}

/// Names of a part's constants in the template.
const PART_SETTINGS: [[&str; 3]; MOST_PARTS] = [
    ["taps_0", "shift_0", "du_0"],
    ["taps_1", "shift_1", "du_1"],
    ["taps_2", "shift_2", "du_2"],
    ["taps_3", "shift_3", "du_3"],
];

impl Part<'_> {
    /// Rows that a sum runs over.
    fn depth(&self, transposed: bool) -> usize {
        if transposed { self.s.out_g } else { self.rows.rows }
    }

    fn window(&self, transposed: bool) -> Window {
        self.reduced.window(self.s.kernel, self.rows.geometry.lead, transposed)
    }
}

impl Tiles {
    /// Windows of a forward pass's branches that go the fast way on rows like `r`: they can read one transform.
    fn fast_windows(&self, r: &Reduced, lead: usize, sizes: &[Sizes]) -> Vec<Window> {
        let of = (0..sizes.len()).filter(|&j| self.reduced[j].same_rows(r));
        let windows = of.map(|j| (j, self.reduced[j].window(sizes[j].kernel, lead, false)));
        windows.filter(|(j, w)| self.is_fast(*j, w.taps)).map(|(_, w)| w).collect()
    }

    fn is_fast(&self, j: usize, taps: usize) -> bool {
        self.choice(j).variant == Variant::Fast && taps >= PIECE
    }

    /// The sum of `parts`, over their rows or over a transform of them.
    fn sum(
        &self,
        gpu: &Gpu,
        choice: &OldChoice,
        transposed: bool,
        (parts, transform): (&[Part<'_>], Option<&Transformed>),
        to: &Target<'_>,
    ) -> Result<()> {
        let rows = &parts[0].rows;
        let windows = parts.iter().map(|p| p.window(transposed));
        let windows: Vec<_> = windows.map(|w| transform.map_or(w, |v| v.fast.window(w))).collect();
        let (data, quads, point) = transform.map_or((&rows.data, rows.quads, 0), |v| (&v.data, v.quads, rows.rows));
        let points = if transform.is_some() { POINTS } else { 1 };
        let places = if points > 1 { Transformed::places(rows) } else { rows.records * rows.geometry.pitch };
        let taps = windows.iter().map(|w| w.taps).max().unwrap_or(1);
        let shape = Shape::new(choice, taps, to.width, places, self.lanes);
        let wide = choice.variant == Variant::Wide;
        let load = if wide { 4 } else { 4 * self.lanes };
        let blocks = to.width.div_ceil(shape.oc);
        let trips = |p: &Part<'_>| p.depth(transposed).div_ceil(shape.du);
        let row = |taps: usize| (taps * shape.oc * shape.du).next_multiple_of(load);
        let sizes: Vec<usize> =
            parts.iter().zip(&windows).map(|(p, w)| points * blocks * trips(p) * row(w.taps)).collect();
        let laid = Tensor::empty(gpu, &[sizes.iter().sum()], DType::F32)?;
        let mut settings: Vec<Setting> = vec![
            ("lanes", self.lanes),
            ("oc", shape.oc),
            ("p", shape.p),
            ("parts", parts.len()),
            ("mo", shape.mo),
            ("mq", shape.mq),
            ("add", to.add.into()),
            ("relu", to.bias.is_some().into()),
            ("fast", transform.is_some().into()),
            // transforms are in f32
            ("half", (rows.half && transform.is_none()).into()),
            ("native", self.native.into()),
        ];
        let mut numbers = Vec::new();
        let mut base = 0;
        for (i, names) in PART_SETTINGS.iter().enumerate() {
            let Some((part, w)) = parts.get(i).zip(windows.get(i)) else {
                settings.extend(names.map(|name| (name, 0)));
                continue;
            };
            let (r, s) = (&part.reduced, part.s);
            let phases = if transposed { r.stride } else { part.rows.phases };
            let n = blocks * trips(part);
            let place = transform.map_or(w.first, |v| v.fast.place(w.first));
            Launch::new("conv1d_tile_weights")
                .constant("TRANSPOSED", transposed.into())
                .constant("FAST", transform.is_some().into())
                .constant("WG", if gpu.report().is_software { 8 } else { 32 })
                .uint([n, base, row(w.taps), part.depth(transposed), trips(part), shape.du, shape.oc])
                .uint([w.taps, r.stride, phases, r.pad])
                .int([place as isize - part.rows.geometry.lead as isize])
                .uint([s.out_g, s.c_in, s.kernel, n * row(w.taps)])
                .bind(part.weight.storage())
                .bind(laid.storage())
                .groups(gpu, n)?;
            settings.extend(names.iter().copied().zip([w.taps, w.shift(), shape.du]));
            numbers.extend([part.depth(transposed), part.first_row, w.first / 4, base / 4]);
            base += sizes[i];
        }
        let (shader, tiles) = if wide {
            ("conv1d_wide", places.div_ceil(WIDE_POSITIONS))
        } else {
            ("conv1d_tile", places.div_ceil(self.lanes * shape.p))
        };
        let n = tiles * blocks;
        let mut launch = Launch::new(shader)
            .settings(&settings)
            .uint([n, tiles, rows.records, rows.geometry.pitch, quads, to.channels, to.first, to.len])
            .uint([to.width, to.split, to.folds, to.every]);
        if !wide {
            launch = launch.uint([blocks, point]);
        }
        launch = launch.uint(numbers).bind(data.storage()).bind(laid.storage()).bind(to.dst.storage());
        if let Some(bias) = to.bias {
            launch = launch.bind(bias.storage());
        }
        launch.groups(gpu, n)
    }

    /// The convolution of `x` into `y`, branch by branch; with a bias `max(0, . + bias)`.
    pub(super) fn forward(
        &self,
        gpu: &Gpu,
        (x, shared): (&Tensor, &Shared),
        (weights, bias): (&[&Tensor], Option<&Tensor>),
        y: &Tensor,
        sizes: &[Sizes],
    ) -> Result<()> {
        // transforms of the input, of which branches share one
        let mut transforms: Vec<(Reduced, Transformed)> = Vec::new();
        for (j, (weight, s)) in weights.iter().zip(sizes).enumerate() {
            let rows = self.input_rows(gpu, x, shared, j, s.kernel)?;
            let part = Part { rows, first_row: 0, weight, reduced: self.reduced[j], s };
            let to = Target {
                dst: y,
                channels: s.channels,
                first: s.first,
                width: s.out_g,
                split: 1,
                folds: part.reduced.folds,
                every: 1,
                len: s.out_len,
                add: false,
                bias,
            };
            if !self.is_fast(j, part.window(false).taps) {
                self.sum(gpu, self.choice(j), false, (&[part], None), &to)?;
                continue;
            }
            let r = &part.reduced;
            if !transforms.iter().any(|(other, _)| other.same_rows(r)) {
                let fast = Fast::new(&self.fast_windows(r, part.rows.geometry.lead, sizes));
                transforms.push((*r, Transformed::new(gpu, &part.rows, fast)?));
            }
            if let Some((_, v)) = transforms.iter().find(|(other, _)| other.same_rows(r)) {
                self.sum(gpu, self.choice(j), false, (&[part], Some(v)), &to)?;
            }
        }
        Ok(())
    }

    /// The gradient with respect to the input into `dx`: one sum over all branches that can read the same rows.
    pub(super) fn input_grad(
        &self,
        gpu: &Gpu,
        (g, rows): (&Tensor, GradRows),
        weights: &[&Tensor],
        dx: &Tensor,
        sizes: &[Sizes],
    ) -> Result<()> {
        let rows = if rows.is_empty() { self.grad_rows(gpu, g, &Shared::default(), sizes)? } else { rows };
        let mut add = false;
        for (r, rows) in rows {
            let of = (0..sizes.len()).filter(|&j| self.reduced[j].same_rows(&r));
            let parts: Vec<Part<'_>> = of
                .map(|j| Part {
                    rows: rows.clone(),
                    first_row: sizes[j].first,
                    weight: weights[j],
                    reduced: self.reduced[j],
                    s: &sizes[j],
                })
                .collect();
            if r.every > 1 && !add {
                // samples that no tap reads
                gpu.record_clear(dx.storage());
                add = true;
            }
            let windows: Vec<Window> = parts.iter().map(|p| p.window(true)).collect();
            let longest = windows.iter().map(|w| w.taps).max().unwrap_or(1);
            let transform =
                if self.is_fast(0, longest) { Some(Transformed::new(gpu, &rows, Fast::new(&windows))?) } else { None };
            for parts in parts.chunks(MOST_PARTS) {
                let s = parts[0].s;
                let to = Target {
                    dst: dx,
                    channels: s.c_in,
                    first: 0,
                    width: s.c_in * r.stride,
                    split: r.stride,
                    folds: r.folds,
                    every: r.every,
                    len: s.len,
                    add,
                    bias: None,
                };
                self.sum(gpu, self.choice(0), true, (parts, transform.as_ref()), &to)?;
                add = true;
            }
        }
        Ok(())
    }
}
