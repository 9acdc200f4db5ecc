//! How a pass goes: the version of each branch, and the rows that those in tiles read.

use super::family::WEIGHT_GRAD;
use super::fast::{Tiles, Transformed};
use super::rows::{Geometry, LONGEST, Reduced, Rows, Side};
use super::{ConvSpec, Pass, Precision, Sizes};
use crate::error::{Error, Result};
use crate::gpu::{Chosen, Gpu, Version};
use crate::ops::family::Call;
use crate::tensor::Tensor;
use std::sync::{Arc, Mutex};

/// A pass of a convolution with the way to run it.
#[derive(Debug)]
pub(super) struct Way<'a> {
    pub(super) spec: &'a ConvSpec,
    pub(super) pass: Pass,
    /// One a branch, or a single one for all, with the names that tuning tables know them by.
    chosen: Vec<(String, Chosen)>,
    /// `None` for a branch that cannot be laid out in rows.
    pub(super) reduced: Vec<Option<Reduced>>,
    geometry: Geometry,
    pub(super) half: bool,
    /// Multiplies in f16 where a version can.
    pub(super) native: bool,
}

/// The input of convolutions with its rows, kept for others that read it and for the gradients.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<SharedState>);

#[derive(Debug, Default)]
struct SharedState {
    /// When the input was written that the rows are of.
    stamp: u64,
    rows: Vec<Rows>,
}

/// Rows that several operations share.
pub(super) type SharedRows = Arc<Shared>;

/// What the gradients of one convolution share.
#[derive(Debug, Clone, Default)]
pub(super) struct GradRows {
    /// Rows of the output's gradient, one entry for each way of folding.
    pub(super) rows: Vec<(Reduced, Rows)>,
    /// Both sides at the points of a fast convolution, by way of folding, made by the first weight that reads them.
    fast: Arc<Mutex<Vec<(Reduced, Transformed, Tiles)>>>,
}

impl ConvSpec {
    /// How one pass goes.
    pub(super) fn way<'a>(&'a self, gpu: &Gpu, pass: Pass, weights: &[&[usize]], sizes: &[Sizes]) -> Result<Way<'a>> {
        let reduced: Vec<Option<Reduced>> = (0..sizes.len()).map(|j| self.in_rows(j, &sizes[j])).collect();
        let geometry = Geometry::new(reduced.iter().zip(sizes).filter_map(|(r, s)| Some((r.as_ref()?, s))));
        let half = self.precision != Precision::F32;
        let native = self.precision == Precision::NativeF16 && gpu.report().shader_f16;
        let mut way = Way { spec: self, pass, chosen: Vec::new(), reduced, geometry, half, native };
        let operand = if pass == Pass::WeightGrad { "x" } else { "src" };
        for (i, key) in self.keys(pass, weights).into_iter().enumerate() {
            // the input gradient is one for all branches
            let of = if pass == Pass::InputGrad { 0..sizes.len() } else { i..i + 1 };
            let longest = of.clone().max_by_key(|&j| sizes[j].kernel).unwrap_or(i);
            let rows = of.clone().all(|j| way.reduced[j].is_some());
            let own: usize = of.clone().map(|j| sizes[j].out_g).sum();
            let phased = sizes[i].c_in * self.stride;
            let (depth, width) = if pass == Pass::InputGrad { (own, phased) } else { (phased, own) };
            let taps = |j: usize| match &way.reduced[j] {
                Some(r) => r.window(sizes[j].kernel, way.geometry.lead, pass == Pass::InputGrad).taps,
                None => sizes[j].kernel.div_ceil(self.stride),
            };
            let taps = of.clone().map(taps).max().unwrap_or(1);
            let call = way.base(pass.kernel().on(gpu, key.clone()).ints(&self.ints(longest, &sizes[longest])));
            let call = call.ints(&[("depth", depth), ("width", width), ("taps", taps)]);
            // of both sides, as the gradients transform the output's rows
            let transformed = of.clone().filter_map(|j| Some((way.reduced[j]?, &sizes[j]))).all(|(r, s)| {
                let rows = (s.c_in * r.stride).max(s.channels);
                Transformed::fits(gpu, rows, s.batch * r.folds, way.geometry)
            });
            let chosen = call.choose(&|v: &Version| match v.layout(operand) {
                "plain" => true,
                "points" => rows && transformed,
                _ => rows,
            })?;
            way.chosen.push((key, chosen));
        }
        Ok(way)
    }

    /// Branch `j` as a convolution over rows; `None` where it is left to versions that read none.
    fn in_rows(&self, j: usize, s: &Sizes) -> Option<Reduced> {
        let fits = self.groups == 1 && s.kernel <= LONGEST;
        Reduced::new(self, j, s.kernel).filter(|r| fits && r.stride <= 4 && r.folds <= 64)
    }
}

impl Way<'_> {
    fn of(&self, j: usize) -> &(String, Chosen) {
        &self.chosen[j.min(self.chosen.len() - 1)]
    }

    /// Layout of the signals that branch `j`'s version reads.
    pub(super) fn layout(&self, j: usize) -> &str {
        self.of(j).1.version.layout(if self.pass == Pass::WeightGrad { "x" } else { "src" })
    }

    fn base<'c>(&self, call: Call<'c>) -> Call<'c> {
        call.flag("half", self.half).flag("native", self.native)
    }

    /// A launch of branch `j`'s version.
    pub(super) fn call<'c>(&self, gpu: &'c Gpu, j: usize) -> Call<'c> {
        let (key, chosen) = self.of(j);
        self.base(self.pass.kernel().on(gpu, key.clone()).with(chosen.clone()))
    }

    /// Branch `j` over rows.
    pub(super) fn reduced(&self, j: usize) -> Result<&Reduced> {
        self.reduced[j].as_ref().ok_or_else(|| {
            let what = "found a version in rows for a branch that has none, expected another";
            Error::gpu(format!("{}: {what}", self.pass.name()), "please report it")
        })
    }

    /// Rows of input `x` for branch `j`: those that are there, or new ones that stay.
    pub(super) fn input_rows(&self, gpu: &Gpu, x: &Tensor, shared: &Shared, j: usize) -> Result<Rows> {
        let r = self.reduced(j)?;
        // rows that are there stand for the input: what the launches would check
        x.storage().check_kept()?;
        let mut all = crate::gpu::lock(&shared.0);
        if all.stamp != x.storage().stamp() {
            *all = SharedState { stamp: x.storage().stamp(), rows: Vec::new() };
        }
        if let Some(rows) = all.rows.iter().find_map(|rows| rows.serve(r, &self.geometry, self.half)) {
            return Ok(rows);
        }
        let rows = Rows::pack(gpu, (x, self.half), r, Side::Input, self.geometry)?;
        all.rows.push(rows.clone());
        Ok(rows)
    }

    /// Rows of the output's gradient `g`, laid out as the input's rows in `shared` are (the weight's gradient goes
    /// along both); none where no version reads them.
    pub(super) fn grad_rows(&self, gpu: &Gpu, g: &Tensor, shared: &Shared, sizes: &[Sizes]) -> Result<GradRows> {
        let mut all: Vec<(Reduced, Rows)> = Vec::new();
        for j in (0..sizes.len()).filter(|j| self.layout(*j) != "plain") {
            let r = self.reduced(j)?;
            if all.iter().any(|(other, _)| other.same_rows(r)) {
                continue;
            }
            let serving = crate::gpu::lock(&shared.0).rows.iter().find_map(|x| x.serve(r, &self.geometry, self.half));
            let geometry = serving.map_or(self.geometry, |x| x.geometry);
            all.push((*r, Rows::pack(gpu, (g, self.half), r, Side::Output, geometry)?));
        }
        Ok(GradRows { rows: all, fast: Arc::default() })
    }

    /// Both sides of the weights' gradients at the points of a fast convolution, which branches of one way of folding share.
    fn at_points(
        &self,
        gpu: &Gpu,
        r: &Reduced,
        (x, g): (&Rows, &Rows),
        shared: &GradRows,
        sizes: &[Sizes],
    ) -> Result<(Transformed, Tiles)> {
        let mut all = crate::gpu::lock(&shared.fast);
        if let Some((_, x, g)) = all.iter().find(|(other, ..)| other.same_rows(r)) {
            return Ok((x.clone(), g.clone()));
        }
        let windows = self.fast_windows(r, x.geometry.lead, sizes);
        let made = (Transformed::new(gpu, x, &windows)?, Tiles::new(gpu, g)?);
        all.push((*r, made.0.clone(), made.1.clone()));
        Ok(made)
    }

    /// The gradient `dw` of branch `j`'s weight.
    pub(super) fn weight_grad(
        &self,
        gpu: &Gpu,
        (x, shared): (&Tensor, &Shared),
        (g, grad): (&Tensor, GradRows),
        (dw, j, sizes): (&Tensor, usize, &[Sizes]),
    ) -> Result<()> {
        let s = &sizes[j];
        if self.layout(j) == "plain" {
            return self.plain_weight_grad(gpu, [x, g, dw], (j, s));
        }
        let r = self.reduced(j)?;
        let x_rows = self.input_rows(gpu, x, shared, j)?;
        let grad = if grad.rows.is_empty() { self.grad_rows(gpu, g, shared, sizes)? } else { grad };
        let mut g_rows = grad.rows.iter();
        let g_rows = g_rows.find(|(other, rows)| other.same_rows(r) && rows.geometry == x_rows.geometry);
        let Some((_, g_rows)) = g_rows else {
            return Err(Error::gpu(
                format!("{}: found the rows of another convolution, expected its own", WEIGHT_GRAD.name),
                "please report it",
            ));
        };
        let lead = x_rows.geometry.lead;
        let w = r.window(s.kernel, lead, false);
        let [flops, bytes] = s.cost();
        let call = self
            .call(gpu, j)
            .ints(&self.spec.ints(j, s))
            // what is left of them in rows
            .ints(&[("stride", r.stride), ("pad", r.pad), ("phases", x_rows.phases), ("x_rows", x_rows.rows)])
            .bind("dw", dw)
            .cost(flops, bytes);
        if self.layout(j) != "points" {
            return call
                .ints(&[
                    ("taps", w.taps),
                    ("window", w.first),
                    ("lead", lead),
                    ("places", x_rows.records * x_rows.geometry.pitch),
                ])
                .ints(&[("x_quads", x_rows.quads), ("g_quads", g_rows.quads)])
                .ints(&[("place", 0), ("x_first", 0), ("x_point", 0)])
                .bind("x", &x_rows.data)
                .bind("g", &g_rows.data)
                .run();
        }
        let (x, g) = self.at_points(gpu, r, (&x_rows, g_rows), &grad, sizes)?;
        let (pieces, x_first, place) = x.window(w);
        // a window may begin before the first position's tile
        let places = Transformed::places(&x_rows) + (pieces.first + pieces.taps).next_multiple_of(4);
        call.ints(&[("taps", pieces.taps), ("window", pieces.first), ("lead", g.lead), ("places", places)])
            .ints(&[("x_quads", x.quads), ("g_quads", g.quads), ("x_first", x_first), ("x_point", x.point())])
            .int("place", place as i64 - lead as i64)
            // transforms are in f32
            .flag("half", false)
            .flag("native", false)
            .bind("x", &x.data)
            .bind("g", &g.data)
            .run()
    }
}
