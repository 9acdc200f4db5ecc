//! The library as somebody else's program uses it: layers of a builder, files, optimisers, batches; what resumes is the same to
//! the bit, and what is used wrongly is an error that says how to mend it.

mod batches;
mod files;
mod layers;
mod training;

use crate::common::engine::gpu;
use exgnet::prelude::*;

fn says(e: Error, words: &[&str]) {
    let text = e.to_string();
    assert!(text.contains("HINT"), "{text}");
    words.iter().for_each(|word| assert!(text.contains(word), "no '{word}' in: {text}"));
}

/// Convolution, normalisation, dropout, and a linear head.
struct Net {
    conv: Conv1d,
    bn: BatchNorm,
    drop: Dropout,
    late: Dropout,
    head: Linear,
}

impl Net {
    fn new(p: &mut ParamBuilder, width: usize) -> Self {
        let options = ConvOptions { stride: 2, dilation: 2, ..ConvOptions::default() };
        let (conv, bn) = p.scope("body", |p| (p.conv1d("conv", 2, width, 3, options), p.batch_norm("bn", width)));
        Self { conv, bn, drop: p.dropout("drop", 0.3), late: p.dropout("late", 0.2), head: p.linear("head", width, 3) }
    }

    fn built(seed: u64, width: usize) -> (Self, Params) {
        let mut p = ParamBuilder::new(seed);
        let net = Self::new(&mut p, width);
        (net, p.init(gpu()).expect("parameters"))
    }

    fn forward(&self, x: &Tensor, mode: &Mode<'_>) -> Result<Tensor> {
        let y = self.bn.relu(&self.conv.forward(x)?, Added::Nothing, mode, self.drop.at(mode).as_ref())?;
        self.head.forward(&self.late.forward(&ops::global_avg_pool(&y)?, mode)?)
    }

    fn loss(&self, batch: &Batch, mode: &Mode<'_>) -> Result<Tensor> {
        let weights = Tensor::full(gpu(), &[3], 1.0)?;
        let targets = ops::cross_entropy_targets(batch.labels()?, &weights, 0.0)?;
        ops::cross_entropy(&self.forward(&batch.x, mode)?, &targets)
    }
}

fn data() -> (Vec<f32>, Vec<u32>) {
    let x = (0..22 * 24).map(|i| (i as f32 * 0.37).sin() + (i as f32 * 1.91).cos());
    (x.collect(), (0..22).map(|i| i % 3).collect())
}

fn bits(params: &Params) -> Vec<u32> {
    params.read().expect("read back").into_iter().flat_map(|(_, _, v)| v).map(f32::to_bits).collect()
}

/// The overview of operations has a line for each function that the module offers, and for no other.
#[test]
fn the_overview_has_every_operation() {
    let text = include_str!("../../../src/ops/mod.rs");
    let (_, overview) = text.split_once("# All operations by kind").expect("the overview");
    let lines = overview.lines().skip(1).map_while(|line| line.strip_prefix("//!"));
    let entry =
        |line: &str| Some(line.trim().strip_prefix("- [`")?.split_once("`]")?.0.trim_end_matches("()").to_owned());
    let mut listed: Vec<String> = lines.filter_map(entry).collect();
    let exported = text.split("\npub use ").skip(1).flat_map(|rest| {
        let (list, _) = rest.split_once(';').expect("the end of an export");
        let names = list.split_once("::").expect("a path").1;
        names.split([',', '{', '}', ' ', '\n']).filter(|name| name.starts_with(char::is_lowercase)).map(str::to_owned)
    });
    let own = text.lines().filter_map(|line| Some(line.strip_prefix("pub fn ")?.split_once(['(', '<'])?.0.to_owned()));
    let mut public: Vec<String> = exported.chain(own).collect();
    listed.sort_unstable();
    public.sort_unstable();
    assert!(public.len() > 70, "{public:?}");
    assert_eq!(listed, public);
}
