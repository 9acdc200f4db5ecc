//! The guided loss against PyTorch in f64 (`create_graph=True`): every term, and the gradient of the whole for every
//! parameter, with the last and the second last block as target, linear and mlp head, parallel and cascade blocks.

use crate::common::golden::{Golden, Worst, gpu, network};
use exgnet::autograd::grad;
use exgnet::ecg::guidance::{marked_bins, pool};
use exgnet::ecg::{guidance, synthesize};
use exgnet::experiment::data::Strips;
use exgnet::experiment::{Experiment, LossConfig};
use exgnet::explain::scores::ncc;
use exgnet::nn::{Mode, Model, Outline};
use exgnet::ops;
use exgnet::tensor::Tensor;
use exgnet::train::Targets;
use exgnet::train::losses::{BatchTargets, losses};

/// Resolution of every map, of strips of 200 samples.
fn lengths_of(net: &Model) -> Vec<usize> {
    Outline::new(net.config(), 4, false, 200).expect("an outline").lengths.clone()
}

/// The weights that the goldens' terms are added with, the map of a block guided.
fn weights(block: usize) -> LossConfig {
    LossConfig { joint: 0.5, feature: 0.1, xai: 0.5, target_layer: format!("blocks.{block}"), ..LossConfig::default() }
}

fn targets(g: &Golden, bins: usize) -> BatchTargets {
    let truth = g.leaf("in.truth").detach();
    let (batch, len) = (truth.dim(0), truth.dim(1));
    let pooled = ops::adaptive_avg_pool(&ops::reshape(&truth, &[batch, 1, len]).expect("3-D"), bins).expect("pooled");
    let valid = g.values("in.valid");
    let count: f64 = valid.iter().sum();
    let valid: Vec<f32> = valid.iter().map(|v| (v / count) as f32).collect();
    let classes = g.labels("in.labels");
    let ones = Tensor::full(gpu(), &[4], 1.0).expect("ones");
    BatchTargets {
        distribution: ops::cross_entropy_targets(&classes, &ones, 0.0).expect("targets"),
        classes,
        features: Some(g.leaf("in.features").detach()),
        guidance: vec![(
            ops::reshape(&pooled, &[batch, bins]).expect("2-D"),
            Tensor::from_f32(gpu(), &[batch], &valid).expect("uploaded"),
        )],
        inside: None,
    }
}

#[test]
fn the_whole_loss_and_its_gradient() {
    for name in ["exgnet_parallel", "exgnet_cascade_se_mlp"] {
        let g = Golden::open(name);
        let net = network(&g);
        let lengths = lengths_of(&net);
        for (mode_name, batch_stats) in [("eval", false), ("train", true)] {
            let mode = Mode { batch_stats, update_running: false, ..Mode::EVAL };
            // the networks have two blocks: the first is the second last
            for (block, which) in [(0, "first"), (1, "last")] {
                let mut worst = Worst::new("guided loss");
                let out = net.forward(&g.leaf("in.x").detach(), &mode).expect("forward");
                let layer = block + 1; // behind the stem
                assert_eq!(out.maps[layer].dim(2), lengths[layer]);
                let weights = weights(block);
                let terms = losses(&net, &out, &targets(&g, lengths[layer]), &weights, &mode).expect("losses");
                let golden = |term: &str| match term {
                    "xai" => g.values(&format!("xai_{mode_name}.{which}.loss"))[0],
                    "total" => {
                        g.values(&format!("loss_{mode_name}.total"))[0]
                            + 0.5 * g.values(&format!("xai_{mode_name}.{which}.loss"))[0]
                    }
                    term => g.values(&format!("loss_{mode_name}.{term}"))[0],
                };
                let named = terms.named().collect::<Vec<_>>();
                assert_eq!(
                    named.iter().map(|(n, _)| *n).collect::<Vec<_>>(),
                    ["ce", "joint", "feature", "xai", "total"]
                );
                for (term, value) in named {
                    worst.see(term, &value.to_vec().expect("read back"), &[golden(term)], 1e-5, 1e-4);
                }
                // the gradient of a sum is the sum of the gradients that PyTorch gave
                let params = net.params().trainable();
                let wrt: Vec<&Tensor> = params.iter().map(|(_, t)| t).collect();
                let reference = |n: &str| -> Vec<f64> {
                    let plain = g.values(&format!("grad_{mode_name}.{n}"));
                    let guided = g.tensors.get(&format!("grad_xai_{mode_name}.{which}.{n}"));
                    let guided = guided.map_or(vec![0.0; plain.len()], |(_, v)| v.clone());
                    plain.iter().zip(guided).map(|(a, b)| a + 0.5 * b).collect()
                };
                let scale = params.iter().flat_map(|(n, _)| reference(n)).fold(0.0_f64, |m, v| m.max(v.abs()));
                for ((n, _), d) in params.iter().zip(grad(&terms.total, &wrt, None, false).expect("gradients")) {
                    let d = d.expect("the whole loss depends on every parameter").to_vec().expect("read back");
                    worst.see(&format!("{mode_name} {which} {n}"), &d, &reference(n), 1e-4 * scale, 1e-3);
                }
                worst.done();
            }
        }
    }
}

#[test]
fn constant_channel_weights_give_another_gradient_but_the_same_loss() {
    let g = Golden::open("exgnet_cascade_se_mlp");
    let net = network(&g);
    let bins = lengths_of(&net)[1];
    let run = |detach_alpha: bool| {
        let out = net.forward(&g.leaf("in.x").detach(), &Mode::EVAL).expect("forward");
        let weights = LossConfig { joint: 0.0, feature: 0.0, detach_alpha, ..weights(0) };
        let terms = losses(&net, &out, &targets(&g, bins), &weights, &Mode::EVAL).expect("losses");
        let xai = terms.get("xai").expect("guidance is on");
        let wrt = net.params().get("blocks.1.branches.0.weight").expect("a parameter");
        let d = grad(xai, &[&wrt], None, false).expect("gradients").pop().flatten();
        (xai.to_vec().expect("read back")[0], d.map(|d| d.to_vec().expect("read back")))
    };
    let (exact, detached) = (run(false), run(true));
    assert_eq!(exact.0, detached.0);
    // a later block reaches the first block's map through the channel weights alone
    assert!(exact.1.is_some_and(|d| d.iter().any(|v| v.abs() > 1e-7)) && detached.1.is_none());
}

#[test]
fn without_valid_records_or_weights_the_terms_are_left_out() {
    let g = Golden::open("exgnet_parallel");
    let net = network(&g);
    let out = net.forward(&g.leaf("in.x").detach(), &Mode::EVAL).expect("forward");
    let none = BatchTargets { guidance: Vec::new(), ..targets(&g, 5) };
    let terms = losses(&net, &out, &none, &weights(1), &Mode::EVAL).expect("losses");
    assert!(terms.get("xai").is_none() && terms.map.is_none() && terms.get("joint").is_some());
    let plain = LossConfig { joint: 0.0, feature: 0.0, xai: 0.0, ..weights(1) };
    let terms = losses(&net, &out, &targets(&g, 5), &plain, &Mode::EVAL).expect("losses");
    assert_eq!(terms.named().count(), 2);
    assert_eq!(terms.list[0].1.to_vec().expect("read back"), terms.total.to_vec().expect("read back"));
    let without = BatchTargets { features: None, ..targets(&g, 5) };
    let e = losses(&net, &out, &without, &weights(1), &Mode::EVAL).expect_err("no features").to_string();
    assert!(e.contains("without features") && e.contains("HINT"), "{e}");
}

/// A term of the map alone: its value by hand, and its gradient, which goes through the channel weights, by differences.
#[test]
fn the_entropy_of_a_map_is_a_term() {
    let g = Golden::open("exgnet_parallel");
    let net = network(&g);
    let config = LossConfig { joint: 0.0, feature: 0.0, xai: 0.0, entropy: 0.5, ..weights(1) };
    let none = BatchTargets { guidance: Vec::new(), ..targets(&g, 5) };
    let name = "blocks.0.branches.0.weight";
    let run = |net: &Model| {
        let out = net.forward(&g.leaf("in.x").detach(), &Mode::EVAL).expect("forward");
        losses(net, &out, &none, &config, &Mode::EVAL).expect("losses")
    };
    let terms = run(&net);
    let map = terms.map.as_ref().expect("a map").to_vec().expect("read back");
    let bins = map.len() / 4;
    let of = |row: &[f32]| {
        let whole: f64 = row.iter().map(|v| f64::from(*v)).sum();
        let p = row.iter().map(|v| f64::from(*v) / whole).filter(|p| *p > 0.0);
        -p.map(|p| p * p.ln()).sum::<f64>() / (bins as f64).ln()
    };
    let expected = map.chunks(bins).map(of).sum::<f64>() / 4.0;
    let found = f64::from(terms.get("entropy").expect("it is on").item().expect("read back"));
    println!("entropy {found} against {expected}");
    assert!((found - expected).abs() < 1e-4 && (0.2..1.0).contains(&found));
    let total = f64::from(terms.total.item().expect("read back"));
    let ce = f64::from(terms.get("ce").expect("ce").item().expect("read back"));
    assert!((total - ce - 0.5 * found).abs() < 1e-5);
    // along the gradient
    let w = net.params().get(name).expect("a parameter");
    let d = grad(terms.get("entropy").expect("it is on"), &[&w], None, false).expect("gradients").pop().flatten();
    let d = d.expect("it depends on it").to_vec().expect("read back");
    let square: f64 = d.iter().map(|v| f64::from(*v).powi(2)).sum();
    let step = 2e-3 / square.sqrt();
    let moved = |by: f64| {
        let values = w.to_vec().expect("read back");
        let there: Vec<f32> = values.iter().zip(&d).map(|(v, d)| v + (by * f64::from(*d)) as f32).collect();
        w.overwrite(&there).expect("written");
        let at = f64::from(run(&net).get("entropy").expect("it is on").item().expect("read back"));
        w.overwrite(&values).expect("written");
        at
    };
    let slope = (moved(step) - moved(-step)) / (2.0 * step);
    println!("slope {slope} against {square}");
    assert!((slope - square).abs() < 0.05 * square, "{slope} against {square}");
}

#[test]
fn beats_and_intervals_have_terms_of_their_own() {
    let sets = ["losses.xai_goal=separate", "losses.xai_irregular=3", "data.synthetic.records=8", "data.fs=100"];
    let experiment = Experiment::quickstart(&sets.map(String::from)).expect("an experiment");
    let data = synthesize(&experiment.data.synthetic_options()).expect("strips");
    let records: Vec<usize> = (0..data.strips.len()).collect();
    let (bins, ones) = (50, Tensor::full(gpu(), &[data.classes.len()], 1.0).expect("uploaded"));
    let targets = Targets::new(&data, &records, None, &experiment, bins);
    let batch =
        targets.batch(gpu(), &Strips::new(&data), (&records, &vec![0; records.len()]), &ones, 0.0).expect("targets");
    let [beats, intervals] = &batch.guidance[..] else { panic!("{} terms", batch.guidance.len()) };
    let read = |t: &Tensor| t.to_vec().expect("read");
    let made: Vec<_> = data
        .strips
        .iter()
        .map(|s| guidance(&s.r_peaks, data.preprocessing.fs, data.samples(), &experiment.guidance))
        .collect();
    let total: f64 = made.iter().map(|g| 1.0 + 3.0 * g.irregularity).sum();
    for (i, g) in made.iter().enumerate() {
        let weight = (1.0 + 3.0 * g.irregularity) / total;
        let rho = g.irregularity;
        for (term, curve, share) in [(beats, &g.beats, 1.0 - rho), (intervals, &g.intervals, rho)] {
            assert!((f64::from(read(&term.1)[i]) - weight * share).abs() < 1e-6, "weight of {i}");
            assert_eq!(read(&term.0)[i * bins..(i + 1) * bins], exgnet::ecg::guidance::pool(curve, bins));
        }
    }
    assert!(made.iter().any(|g| g.irregularity > 0.3) && made.iter().any(|g| g.irregularity < 0.1));
}

/// Controls guide with the target of another patient's record, the same one at every call, or with `|dx/dt|`, the curve that
/// `sanity.json` scores; both move with the strip.
#[test]
fn controls_guide_with_what_says_nothing_of_the_record() {
    let experiment = |goal: &str, seed: u64| {
        let goal = format!("losses.xai_goal={goal}");
        let sets = [&goal, &format!("train.seed={seed}"), "data.synthetic.records=12", "data.fs=100"];
        Experiment::quickstart(&sets.map(|s| s.to_string())).expect("an experiment")
    };
    let mut data = synthesize(&experiment("mixed", 1).data.synthetic_options()).expect("strips");
    let n = data.strips.len();
    data.strips.iter_mut().enumerate().for_each(|(i, s)| s.patient = format!("p{}", i / 3));
    // no target of its own: neither guided nor anybody's partner
    data.strips[4].r_peaks.clear();
    let (bins, records) = (50, (0..n).collect::<Vec<_>>());
    let ones = Tensor::full(gpu(), &[data.classes.len()], 1.0).expect("uploaded");
    let curves = |data: &exgnet::ecg::Dataset, experiment: &Experiment, by: isize| {
        let targets = Targets::new(data, &records, None, experiment, bins);
        let strips = Strips::new(data);
        let batch = targets.batch(gpu(), &strips, (&records, &vec![by; n]), &ones, 0.0).expect("targets");
        let term = batch.guidance.first();
        term.map(|(curve, weight)| (curve.to_vec().expect("read"), weight.to_vec().expect("read")))
    };
    let row = |curve: &[f32], i: usize| curve[i * bins..(i + 1) * bins].to_vec();
    for by in [0, 37] {
        let (own, own_weight) = curves(&data, &experiment("mixed", 1), by).expect("guided");
        let (other, weight) = curves(&data, &experiment("other", 1), by).expect("guided");
        assert_eq!(weight, own_weight, "by {by}");
        assert_eq!(weight.iter().position(|w| *w == 0.0), Some(4));
        let mut partners = Vec::new();
        for i in (0..n).filter(|&i| i != 4) {
            let of = (0..n).find(|&j| row(&own, j) == row(&other, i)).expect("the target of some record");
            assert!(data.strips[of].patient != data.strips[i].patient && of != 4, "{i} by {of}");
            partners.push(of);
        }
        assert_eq!(curves(&data, &experiment("other", 1), by).expect("guided").0, other, "the same again");
        assert!(curves(&data, &experiment("other", 2), by).expect("guided").0 != other, "the seed draws");
        let (slope, weight) = curves(&data, &experiment("slope", 1), by).expect("guided");
        assert_eq!(weight, own_weight);
        for i in (0..n).filter(|&i| i != 4) {
            let mut moved = exgnet::explain::scores::slope_curve(&data.strips[i].zscored());
            exgnet::train::augment::shift(&mut moved, by, [0.0; 2]);
            assert_eq!(row(&slope, i), exgnet::ecg::guidance::pool(&moved, bins), "{i}");
        }
        if by == 0 {
            assert_eq!(row(&slope, 0), exgnet::explain::scores::slope_map(&data.strips[0].zscored(), bins));
        }
    }
    // one patient has no other
    data.strips.iter_mut().for_each(|s| s.patient = "p".into());
    assert!(curves(&data, &experiment("other", 1), 0).is_none());
    assert!(curves(&data, &experiment("slope", 1), 0).is_some());
}

#[test]
fn the_terms_of_xai_guidance_add_up() {
    let g = Golden::open("exgnet_parallel");
    let net = network(&g);
    let out = net.forward(&g.leaf("in.x").detach(), &Mode::EVAL).expect("forward");
    let bins = lengths_of(&net)[2];
    let one = targets(&g, bins).guidance.pop().expect("a term");
    let other = (ops::add_scalar(&ops::neg(&one.0).expect("neg"), 1.0).expect("add"), one.1.clone());
    let xai = |guidance: Vec<(Tensor, Tensor)>| {
        let batch = BatchTargets { guidance, ..targets(&g, bins) };
        let terms = losses(&net, &out, &batch, &weights(1), &Mode::EVAL).expect("losses");
        terms.get("xai").expect("guided").item().expect("read")
    };
    let (a, b) = (xai(vec![one.clone()]), xai(vec![other.clone()]));
    assert!((xai(vec![one, other]) - (a + b)).abs() < 1e-6 && (a - b).abs() > 1e-3, "{a} {b}");
}

/// Of records that are marked in a part alone, the loss is 1 - NCC of that part: beats that the map also finds outside cost
/// nothing. Its gradient is that of finite differences.
#[test]
fn what_is_not_marked_is_not_taught() {
    let g = Golden::open("exgnet_parallel");
    let net = network(&g);
    let (x, bins) = (g.leaf("in.x").detach(), lengths_of(&net)[2]);
    let records: Vec<usize> = (0..x.dim(0)).collect();
    const NAME: &str = "blocks.0.branches.1.weight";
    for goal in ["mixed", "separate"] {
        let sets =
            [&format!("losses.xai_goal={goal}"), "losses.xai_irregular=1", "data.synthetic.records=8", "data.fs=100"];
        let mut experiment = Experiment::quickstart(&sets.map(String::from)).expect("an experiment");
        let mut data = synthesize(&experiment.data.synthetic_options()).expect("strips");
        let samples = data.samples() as u32;
        data.strips[0].marked = Some([150, 800]);
        data.strips[1].marked = Some([0, 610]);
        // too narrow for any bin: nothing to teach
        data.strips[2].marked = Some([500, 503]);
        let weights =
            LossConfig { target_layer: "blocks.1".into(), joint: 0.0, feature: 0.0, ..experiment.losses.clone() };
        experiment.losses = weights.clone();
        let made = Targets::new(&data, &records, None, &experiment, bins);
        let ones = Tensor::full(gpu(), &[4], 1.0).expect("uploaded");
        let given =
            made.batch(gpu(), &Strips::new(&data), (&records, &vec![0; records.len()]), &ones, 0.0).expect("targets");
        let labels = targets(&g, bins);
        let batch = BatchTargets { classes: labels.classes, distribution: labels.distribution, ..given };
        let loss = |net: &Model| {
            let out = net.forward(&x, &Mode::EVAL).expect("forward");
            losses(net, &out, &batch, &weights, &Mode::EVAL).expect("losses")
        };
        // in f64, over the bins of the part
        let by_hand = |map: &[f32]| {
            let curves = |i: usize| {
                let s = &data.strips[i];
                let g = guidance(&s.r_peaks, 100.0, samples as usize, &experiment.guidance);
                let rho = g.irregularity;
                let curves = if goal == "mixed" {
                    vec![(g.target, 1.0)]
                } else {
                    vec![(g.beats, 1.0 - rho), (g.intervals, rho)]
                };
                (1.0 + rho, curves)
            };
            let known: Vec<usize> = records.iter().copied().filter(|&i| i != 2).collect();
            let total: f64 = known.iter().map(|&i| curves(i).0).sum();
            let one = |&i: &usize| {
                let part = marked_bins(data.strips[i].marked, samples as usize, bins);
                let map = &map[i * bins..(i + 1) * bins][part.clone()];
                let (weight, curves) = curves(i);
                let gap = |(curve, share): &(Vec<f32>, f64)| share * (1.0 - ncc(map, &pool(curve, bins)[part.clone()]));
                weight / total * curves.iter().map(gap).sum::<f64>()
            };
            known.iter().map(one).sum::<f64>()
        };
        let terms = loss(&net);
        let map = terms.map.as_ref().expect("a map").to_vec().expect("read");
        let xai = terms.get("xai").expect("guided");
        let found = f64::from(xai.item().expect("read"));
        assert!((found - by_hand(&map)).abs() < 1e-5, "{goal}: {found} {}", by_hand(&map));
        let mut elsewhere = map.clone();
        elsewhere[bins - 1] += 100.0;
        assert!((by_hand(&elsewhere) - by_hand(&map)).abs() < 1e-12, "the last bin of the first record is outside");
        // along the gradient of a weight
        let weight = net.params().get(NAME).expect("a parameter");
        let slope = grad(xai, &[&weight], None, false).expect("gradients").pop().flatten().expect("it depends on it");
        let slope = slope.to_vec().expect("read");
        let norm = slope.iter().map(|d| f64::from(*d).powi(2)).sum::<f64>().sqrt();
        let step = 2e-3;
        let at = |sign: f64| {
            let mut g = Golden::open("exgnet_parallel");
            let values = &mut g.tensors.get_mut(NAME).expect("a parameter").1;
            values.iter_mut().zip(&slope).for_each(|(v, d)| *v += sign * step * f64::from(*d) / norm);
            by_hand(&loss(&network(&g)).map.expect("a map").to_vec().expect("read"))
        };
        let numeric = (at(1.0) - at(-1.0)) / (2.0 * step);
        assert!(norm > 1e-4 && (numeric - norm).abs() < 0.02 * norm, "{goal}: {numeric} {norm}");
    }
}
