//! Sums of convolutions over rows: the forward pass and the gradient with respect to the input, direct or at points
//! (`fast.rs`).

use super::Sizes;
use super::family::WEIGHTS;
use super::fast::{POINTS, Transformed};
use super::rows::{Reduced, Rows, Window};
use super::way::{GradRows, Shared, Way};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::tensor::{DType, Tensor};

/// Branches that one kernel sums at most.
const MOST_PARTS: usize = 4;
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

/// Names of a part's numbers.
const PART_NAMES: [[&str; 6]; MOST_PARTS] = [
    ["taps_0", "shift_0", "depth_0", "row_0", "offset_0", "w_0"],
    ["taps_1", "shift_1", "depth_1", "row_1", "offset_1", "w_1"],
    ["taps_2", "shift_2", "depth_2", "row_2", "offset_2", "w_2"],
    ["taps_3", "shift_3", "depth_3", "row_3", "offset_3", "w_3"],
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

impl Way<'_> {
    /// Windows of a forward pass's branches that read a transform of rows like `r`, with their channels.
    pub(super) fn fast_windows(&self, r: &Reduced, lead: usize, sizes: &[Sizes]) -> Vec<(Window, usize)> {
        let fast = (0..sizes.len()).filter(|j| self.layout(*j) == "points");
        let same = fast.filter_map(|j| Some((j, self.reduced[j].filter(|own| own.same_rows(r))?)));
        same.map(|(j, own)| (own.window(sizes[j].kernel, lead, false), sizes[j].out_g)).collect()
    }

    /// The sum of `parts`, over their rows or over a transform of them, by branch `j`'s version.
    fn sum(
        &self,
        gpu: &Gpu,
        (j, transposed): (usize, bool),
        (parts, transform): (&[Part<'_>], Option<&Transformed>),
        to: &Target<'_>,
    ) -> Result<()> {
        let rows = &parts[0].rows;
        let windows = parts.iter().map(|p| p.window(transposed));
        // of each part: its window, the rows before its first one, and the place of its first tap
        let windows: Vec<_> = windows.map(|w| transform.map_or((w, 0, w.first), |v| v.window(w))).collect();
        let (data, quads, point) = transform.map_or((&rows.data, rows.quads, 0), |v| (&v.data, v.quads, v.point()));
        let points = if transform.is_some() { POINTS } else { 1 };
        let places = if points > 1 { Transformed::places(rows) } else { rows.records * rows.geometry.pitch };
        let cost = parts.iter().map(|p| p.s.cost()).fold([0.0; 2], |a, b| [a[0] + b[0], a[1] + b[1]]);
        let mut call = self
            .call(gpu, j)
            .ints(&self.spec.ints(j, parts[0].s))
            .flag("add", to.add)
            .flag("relu", to.bias.is_some())
            .flag("transposed", transposed)
            .flag("fast", transform.is_some())
            // transforms are in f32
            .flag("half", rows.half && transform.is_none())
            .ints(&[("records", rows.records), ("pitch", rows.geometry.pitch), ("places", places)])
            .ints(&[("channels", to.channels), ("first", to.first), ("len", to.len), ("width", to.width)])
            .ints(&[("split", to.split), ("folds", to.folds), ("every", to.every), ("point", point)])
            .ints(&[("points", points), ("parts", parts.len()), ("depth", parts[0].depth(transposed))])
            .ints(&[("taps", windows.iter().map(|(w, ..)| w.taps).max().unwrap_or(1))]);
        let [oc, du, trip, unit, load, blocks] = call.numbers(["oc", "du", "trip", "unit", "load", "blocks"])?;
        call = call.ints(&[("units", 4 * quads / unit)]);
        // rows of a window that a trip takes
        let at_once = |taps: usize| du.max(trip / taps);
        let trips = |p: &Part<'_>, taps: usize| p.depth(transposed).div_ceil(at_once(taps));
        let row = |taps: usize| (taps * oc * at_once(taps)).next_multiple_of(load);
        let sizes: Vec<usize> =
            parts.iter().zip(&windows).map(|(p, (w, ..))| points * blocks * trips(p, w.taps) * row(w.taps)).collect();
        let laid = Tensor::empty(gpu, &[sizes.iter().sum()], DType::F32)?;
        let mut base = 0;
        for (i, names) in PART_NAMES.iter().enumerate() {
            let Some((part, (w, before, place))) = parts.get(i).zip(windows.get(i)) else {
                call = call.ints(&names.map(|name| (name, 0)));
                continue;
            };
            let (r, s) = (&part.reduced, part.s);
            let phases = if transposed { r.stride } else { part.rows.phases };
            WEIGHTS
                .on(gpu, format!("layouts.weights {}", self.pass.name()))
                .ints(&[("base", base), ("row", row(w.taps)), ("depth", part.depth(transposed)), ("blocks", blocks)])
                .ints(&[
                    ("trips", trips(part, w.taps)),
                    ("du", at_once(w.taps)),
                    ("oc", oc),
                    ("taps", w.taps),
                    ("stride", r.stride),
                ])
                .ints(&[("phases", phases), ("pad", r.pad), ("c_out", s.out_g), ("c_in", s.c_in), ("kernel", s.kernel)])
                .ints(&[("point", blocks * trips(part, w.taps) * row(w.taps)), ("half", 0)])
                .int("first", *place as i64 - part.rows.geometry.lead as i64)
                .flag("transposed", transposed)
                .flag("fast", transform.is_some())
                .bind("w", part.weight)
                .bind("laid", &laid)
                .run()?;
            let (offset, shift) = (w.first / unit, w.first % unit);
            let numbers = [w.taps, shift, part.depth(transposed), before + part.first_row, offset, base / unit];
            let named: Vec<_> = names.iter().copied().zip(numbers).collect();
            call = call.ints(&named);
            base += sizes[i];
        }
        let call = call.bind("src", data).bind("w", &laid).bind("dst", to.dst).bind("bias", to.bias.unwrap_or(&laid));
        call.cost(cost[0], cost[1]).run()
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
            if self.layout(j) == "plain" {
                self.plain(gpu, (x, weight, bias, y), (j, s))?;
                continue;
            }
            let rows = self.input_rows(gpu, x, shared, j)?;
            let part = Part { rows, first_row: 0, weight, reduced: *self.reduced(j)?, s };
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
            if self.layout(j) != "points" {
                self.sum(gpu, (j, false), (&[part], None), &to)?;
                continue;
            }
            let r = &part.reduced;
            if !transforms.iter().any(|(other, _)| other.same_rows(r)) {
                let windows = self.fast_windows(r, part.rows.geometry.lead, sizes);
                transforms.push((*r, Transformed::new(gpu, &part.rows, &windows)?));
            }
            if let Some((_, v)) = transforms.iter().find(|(other, _)| other.same_rows(r)) {
                self.sum(gpu, (j, false), (&[part], Some(v)), &to)?;
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
        if self.layout(0) == "plain" {
            let mut all = weights.iter().zip(sizes).enumerate();
            return all.try_for_each(|(j, (w, s))| self.plain(gpu, (g, w, None, dx), (j, s)));
        }
        let rows = if rows.rows.is_empty() { self.grad_rows(gpu, g, &Shared::default(), sizes)? } else { rows };
        let mut add = false;
        for (r, rows) in rows.rows {
            let of = (0..sizes.len()).filter_map(|j| Some((j, self.reduced[j].filter(|own| own.same_rows(&r))?)));
            let parts: Vec<Part<'_>> = of
                .map(|(j, reduced)| Part {
                    rows: rows.clone(),
                    first_row: sizes[j].first,
                    weight: weights[j],
                    reduced,
                    s: &sizes[j],
                })
                .collect();
            if r.every > 1 && !add {
                // samples that no tap reads
                gpu.record_clear(dx.storage());
                add = true;
            }
            let windows: Vec<_> = parts.iter().map(|p| (p.window(true), p.s.c_in * r.stride)).collect();
            let fast = self.layout(0) == "points";
            let transform = if fast { Some(Transformed::new(gpu, &rows, &windows)?) } else { None };
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
                self.sum(gpu, (0, true), (parts, transform.as_ref()), &to)?;
                add = true;
            }
        }
        Ok(())
    }
}
