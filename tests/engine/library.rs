//! The library as somebody else's program uses it: layers of a builder, files, optimisers, batches; what resumes is the same to
//! the bit, and what is used wrongly is an error that says how to mend it.

use crate::common::engine::gpu;
use exgnet::nn::LoaderState;
use exgnet::prelude::*;
use std::path::Path;

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

#[test]
fn a_builders_layers_are_those_declared_by_name() {
    let (net, params) = Net::built(5, 4);
    let mut p = ParamBuilder::new(5);
    Conv1d::declare(&mut p, "body.conv", 2, 4, 3);
    BatchNorm::declare(&mut p, "body.bn", 4);
    Linear::declare(&mut p, "head", 4, 3);
    let named = p.init(gpu()).expect("parameters");
    assert_eq!(bits(&params), bits(&named));
    let names: Vec<&str> = params.trainable().iter().map(|(n, _)| n.as_str()).collect();
    let expected = ["body.conv.weight", "body.conv.bias", "body.bn.weight", "body.bn.bias", "head.weight", "head.bias"];
    assert_eq!(names, expected);
    assert_eq!(params.get("body.conv.bias").expect("a bias").shape(), [4]);
    let x = Tensor::from_f32(gpu(), &[22, 2, 12], &data().0).expect("uploaded");
    let bn = BatchNorm::new(&named, "body.bn").expect("declared");
    let fused = net.bn.relu(&net.conv.forward(&x).expect("conv"), Added::Nothing, &Mode::EVAL, None).expect("fused");
    let plain = bn.forward(&net.conv.forward(&x).expect("conv"), &Mode::EVAL).and_then(|y| ops::relu(&y));
    let (fused, plain) = (fused.to_vec().expect("read"), plain.and_then(|y| y.to_vec()).expect("read"));
    fused.iter().zip(&plain).for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{a} {b}"));
    // layers without an own state
    let declare = |p: &mut ParamBuilder| (p.embedding("table", 5, 4), p.layer_norm("norm", 4));
    let mut p = ParamBuilder::new(5);
    let (table, norm) = p.scope("body", declare);
    let params = p.init(gpu()).expect("parameters");
    let mut p = ParamBuilder::new(5);
    Embedding::declare(&mut p, "body.table", 5, 4);
    LayerNorm::declare(&mut p, "body.norm", 4);
    let named = p.init(gpu()).expect("parameters");
    assert_eq!(bits(&params), bits(&named));
    let numbers = Tensor::from_u32(gpu(), &[2, 3], &[4, 0, 1, 1, 2, 4]).expect("uploaded");
    let y = table.forward(&numbers).and_then(|x| norm.forward(&x)).expect("forward");
    let also = Embedding::new(&named, "body.table").and_then(|t| t.forward(&numbers));
    let also = also.and_then(|x| LayerNorm::new(&named, "body.norm")?.forward(&x)).expect("forward");
    assert_eq!(y.shape(), [2, 3, 4]);
    assert_eq!(y.to_vec().expect("read"), also.to_vec().expect("read"));
    // the normal starting values: their mean and deviation
    let mut p = ParamBuilder::new(3);
    let table = p.parameter("table", &[100, 100], Init::Normal(0.5));
    let _params = p.init(gpu()).expect("parameters");
    let values = table.get().and_then(Tensor::to_vec).expect("built");
    let mean = values.iter().sum::<f32>() / 1e4;
    let sd = (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 1e4).sqrt();
    assert!(mean.abs() < 0.02 && (sd - 0.5).abs() < 0.02, "{mean} {sd}");
}

#[test]
fn layers_that_cannot_be_are_errors() {
    let mut p = ParamBuilder::new(1);
    let head = p.linear("head", 2, 3);
    let x = Tensor::zeros(gpu(), &[1, 2]).expect("zeros");
    says(head.forward(&x).expect_err("not built"), &["'head.weight' before it was built", "ParamBuilder::init"]);
    p.linear("head", 2, 3);
    says(p.init(gpu()).expect_err("twice"), &["'head.bias' twice"]);
    let o = ConvOptions::default();
    for (c_in, c_out, kernel, options) in [
        (4, 6, 3, ConvOptions { groups: 4, ..o }),
        (4, 6, 3, ConvOptions { groups: 0, ..o }),
        (4, 6, 0, o),
        (0, 6, 3, o),
        (4, 6, 3, ConvOptions { stride: 0, ..o }),
        (4, 6, 3, ConvOptions { dilation: 0, ..o }),
    ] {
        let mut p = ParamBuilder::new(1);
        p.scope("body", |p| p.conv1d("conv", c_in, c_out, kernel, options));
        says(p.init(gpu()).expect_err("no such layer"), &["'body.conv'", "groups"]);
    }
    let mut p = ParamBuilder::new(1);
    p.linear("empty", 0, 3);
    says(p.init(gpu()).expect_err("no input"), &["'empty.weight'", "[3, 0]"]);
    let mut p = ParamBuilder::new(1);
    p.linear("head", 1, 1);
    p.dropout("drop", 1.0);
    says(p.init(gpu()).expect_err("nothing left"), &["'drop'", "rate 1"]);
    // no such row, another width
    let mut p = ParamBuilder::new(1);
    let (table, norm) = (p.embedding("table", 3, 2), p.layer_norm("norm", 2));
    let _params = p.init(gpu()).expect("parameters");
    let past = Tensor::from_u32(gpu(), &[2], &[0, 3]).expect("uploaded");
    says(table.forward(&past).expect_err("no row 3"), &["embedding", "position 3"]);
    let wide = Tensor::zeros(gpu(), &[2, 3]).expect("zeros");
    says(norm.forward(&wide).expect_err("wider"), &["layer_norm", "[2, 3]", "[2]"]);
    // two epsilons cannot be one pass
    let mut p = ParamBuilder::new(1);
    let (a, b) = (p.batch_norm("a", 2), p.batch_norm("b", 2).with_eps(1e-3));
    let _params = p.init(gpu()).expect("parameters");
    says(a.relu(&x, Added::Norm(&x, &b), &Mode::EVAL, None).expect_err("two"), &["0.001", "batch_norm"]);
}

#[test]
fn parameters_come_back_from_a_file_to_the_bit() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("net.safetensors");
    let ((_, one), (net, two)) = (Net::built(1, 4), Net::built(2, 4));
    one.set("body.bn.running_mean", &[1.5, -2.0, f32::MIN_POSITIVE, 1e30]).expect("set");
    one.save(&path).expect("saved");
    assert_ne!(bits(&one), bits(&two));
    two.load(&path).expect("loaded");
    assert_eq!(bits(&one), bits(&two));
    // what layers hold is what was loaded
    let x = Tensor::full(gpu(), &[1, 2, 12], 1.0).expect("ones");
    assert!(net.forward(&x, &Mode::EVAL).and_then(|y| y.to_vec()).expect("forward").iter().all(|v| v.is_finite()));
    let file = TensorFile::read(&path).expect("read");
    assert_eq!(file.shape("body.conv.weight").expect("a shape"), [4, 2, 3]);
    assert_eq!(file.values("body.bn.running_mean").expect("values")[3], 1e30);
    one.save(dir.path().join("again")).expect("saved");
    assert_eq!(std::fs::read(&path).expect("read"), std::fs::read(dir.path().join("again")).expect("read"));
    // of another network: nothing changes
    let before = bits(&two);
    let (_, wide) = Net::built(1, 5);
    let mut p = ParamBuilder::new(1);
    p.linear("head", 4, 3);
    p.linear("more", 4, 3);
    let other = p.init(gpu()).expect("parameters");
    says(wide.load(&path).expect_err("wider"), &["another network", "[4, 2, 3]", "[5, 2, 3]", "more of other shapes"]);
    says(other.load(&path).expect_err("others"), &["2 of its tensors are missing: 'more.weight'", "'body.bn.bias'"]);
    other.save(&path).expect("saved");
    says(two.load(&path).expect_err("others"), &["6 of its tensors are missing", "and 2 more", "not of this network"]);
    assert_eq!(bits(&two), before);
    says(two.set("head.bias", &[1.0]).expect_err("too few"), &["1 values", "[3]"]);
    says(two.set("head.bais", &[1.0]).expect_err("no such"), &["'head.bias'"]);
}

#[test]
fn files_that_are_none_are_errors() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("file");
    let (_, params) = Net::built(1, 4);
    for content in [&b""[..], b"text", &[255; 64]] {
        std::fs::write(&path, content).expect("written");
        says(params.load(&path).expect_err("no file"), &["safetensors"]);
    }
    says(params.load(dir.path().join("absent")).expect_err("absent"), &["absent"]);
    says(params.load(dir.path()).expect_err("a folder"), &["cannot be read"]);
    let tensor = |name: &str, n| (name.to_owned(), vec![2, 2], vec![0.0; n]);
    says(TensorFile::write(&path, &[tensor("a", 4), tensor("a", 4)], &[]).expect_err("twice"), &["'a' twice"]);
    says(TensorFile::write(&path, &[tensor("a", 3)], &[]).expect_err("short"), &["3 values"]);
    let state = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/torch/layers_state.safetensors");
    let file = TensorFile::read(state).expect("PyTorch's");
    assert_eq!(file.shape("bn.num_batches_tracked").expect("a number"), [0; 0]);
    says(file.values("bn.num_batches_tracked").expect_err("an integer"), &["I64", "floats"]);
    // 16 and 64 bits
    let header = r#"{"b":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]},"h":{"dtype":"F16","shape":[1],"data_offsets":[2,4]},"d":{"dtype":"F64","shape":[1],"data_offsets":[4,12]}}"#;
    let header = format!("{header:<width$}", width = header.len().next_multiple_of(8));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend([0x80, 0x3f, 0x00, 0xc0]); // 1 in BF16, -2 in F16
    bytes.extend(0.25_f64.to_le_bytes());
    std::fs::write(&path, bytes).expect("written");
    let file = TensorFile::read(&path).expect("read");
    assert_eq!(["b", "h", "d"].map(|n| file.values(n).expect("floats")[0]), [1.0, -2.0, 0.25]);
}

/// A training with everything that has a state; `sgd` or AdamW.
fn optimizer(params: &Params, sgd: bool) -> Optimizer {
    let new = if sgd {
        Optimizer::sgd(params, Sgd { nesterov: true, weight_decay: 0.1, ..Sgd::default() })
    } else {
        Optimizer::new(params, Hyper { weight_decay: 0.1, decoupled: true, ..Hyper::default() })
    };
    let head = Group { lr_factor: Some(2.0), ..Group::default() };
    new.and_then(|o| o.with_decay_of_weights_only(params))
        .and_then(|o| o.with_group(params, "head.*", head))
        .expect("an optimiser")
}

fn steps(n: usize, net: &Net, params: &Params, optimizer: &mut Optimizer, loader: &mut Loader<'_>) -> Result<()> {
    for _ in 0..n {
        // two batches a step
        let mut sum = Accumulator::new(params);
        for _ in 0..2 {
            let number = loader.batches();
            let batch = loader.next_batch(gpu())?;
            let loss = net.loss(&batch, &params.train_mode(number)?)?;
            sum.add(&params.gradients(&loss)?, batch.rows.len() as f64)?;
        }
        optimizer.step(params, &sum.take()?, 0.02)?;
    }
    Ok(())
}

#[test]
fn a_training_resumes_to_the_same_bits() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name);
    let (x, labels) = data();
    let loader = || {
        let loader = Loader::new(&x, &[2, 12], 4).and_then(|l| l.labels(&labels)).expect("a loader");
        loader.shuffled(9).whole_batches().expect("enough rows")
    };
    for sgd in [true, false] {
        let ((net, params), mut all) = (Net::built(3, 4), loader());
        let mut adam = optimizer(&params, sgd);
        steps(3, &net, &params, &mut adam, &mut all).expect("trained");
        params.save(path("net")).and_then(|()| adam.save(&params, path("optimizer"))).expect("saved");
        let state = serde_json::to_string(&all.state()).expect("as JSON");
        steps(4, &net, &params, &mut adam, &mut all).expect("trained");

        let ((net, again), mut rest) = (Net::built(4, 4), loader());
        let mut resumed = optimizer(&again, sgd);
        again.load(path("net")).and_then(|()| resumed.load(&again, path("optimizer"))).expect("loaded");
        // the seed of the dropout is the builder's
        let (other, dropout_of) = Net::built(3, 4);
        dropout_of.load(path("net")).expect("loaded");
        let mut same = optimizer(&dropout_of, sgd);
        same.load(&dropout_of, path("optimizer")).expect("loaded");
        rest.resume(&serde_json::from_str(&state).expect("from JSON")).expect("resumed");
        steps(4, &other, &dropout_of, &mut same, &mut rest.clone()).expect("trained");
        assert_eq!(bits(&params), bits(&dropout_of), "sgd {sgd}");
        assert_eq!((same.steps(), same.counts()), (adam.steps(), adam.counts()));
        assert_eq!(same.moments().expect("moments"), adam.moments().expect("moments"));
        steps(4, &net, &again, &mut resumed, &mut rest).expect("trained");
        assert_ne!(bits(&params), bits(&again), "another seed drops other values");

        // another optimiser, another network
        let says_file = |e: Error, word: &str| says(e, &["Optimizer::save", word]);
        says_file(optimizer(&again, !sgd).load(&again, path("optimizer")).expect_err("another"), "of the optimiser");
        says_file(resumed.load(&again, path("net")).expect_err("parameters"), "exgnet-params-1");
        let (_, wide) = Net::built(1, 5);
        says_file(optimizer(&wide, sgd).load(&wide, path("optimizer")).expect_err("wider"), "[5, 2, 3]");
    }
}

/// Only the first step of a parameter is not dampened; a file says which that was, as those from before dampening do.
#[test]
fn dampened_momentum_resumes_from_a_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("optimizer");
    let built = || {
        let mut p = ParamBuilder::new(1);
        p.param("w", &[1], Init::Value(1.0));
        p.init(gpu()).expect("parameters")
    };
    let dampened = Sgd { momentum: 0.5, dampening: 0.5, ..Sgd::default() };
    let step = |p: &Params, sgd: &mut Optimizer, gradient: f32| {
        let gradient = Tensor::full(gpu(), &[1], gradient).expect("a gradient");
        sgd.step(p, &[Some(gradient)], 0.125).expect("a step");
        p.get("w").and_then(|w| w.item()).expect("read back")
    };
    let (p, mut sgd) = (built(), Optimizer::sgd(&built(), dampened).expect("an optimiser"));
    assert_eq!(step(&p, &mut sgd, 4.0), 0.5); // m = 4
    sgd.save(&p, &path).expect("saved");
    assert_eq!(step(&p, &mut sgd, 4.0), 0.0); // m = 4 / 2 + 4 / 2
    let mut again = Optimizer::sgd(&p, dampened).expect("an optimiser");
    again.load(&p, &path).expect("loaded");
    assert_eq!(step(&p, &mut again, 4.0), -0.5);
    let mut new = Optimizer::sgd(&p, dampened).expect("an optimiser");
    assert_eq!(step(&p, &mut new, 8.0), -1.5); // m = 8
    for (wrong, words) in [
        (Sgd { nesterov: true, ..dampened }, ["dampening 0.5", "Nesterov"]),
        (Sgd { dampening: 1.5, ..dampened }, ["dampening 1.5", "[0, 1]"]),
        (Sgd { dampening: f64::NAN, ..dampened }, ["dampening NaN", "[0, 1]"]),
    ] {
        says(Optimizer::sgd(&p, wrong).expect_err("no such"), &words);
        let state = ops::SgdState::new(gpu(), 1).expect("a state");
        says(state.set(&wrong).expect_err("no such"), &words);
    }
}

#[test]
fn a_group_with_the_common_settings_changes_no_bits() {
    let (x, labels) = data();
    let run = |grouped: bool| {
        let (net, params) = Net::built(3, 4);
        let mut loader = Loader::new(&x, &[2, 12], 11).and_then(|l| l.labels(&labels)).expect("a loader");
        let mut adam =
            Optimizer::new(&params, Hyper { weight_decay: 0.1, clip: 1.0, ..Hyper::default() }).expect("adam");
        if grouped {
            // two launches, of the same rate in the end
            let far = Group { lr_factor: Some(1.0), weight_decay: Some(0.1) };
            let other = Group { lr_factor: Some(7.0), ..Group::default() };
            adam = adam
                .with_group(&params, "head.*", other)
                .and_then(|o| o.with_group(&params, "head.*", far))
                .expect("set");
        }
        steps(3, &net, &params, &mut adam, &mut loader).expect("trained");
        bits(&params)
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn what_is_frozen_stays_to_the_bit() {
    let (x, labels) = data();
    let (net, params) = Net::built(3, 4);
    let mut loader = Loader::new(&x, &[2, 12], 11).and_then(|l| l.labels(&labels)).expect("a loader");
    let mut sgd = optimizer(&params, true);
    let values = |name: &str| params.get(name).and_then(|t| t.to_vec()).expect("read back");
    let before = ["body.conv.weight", "body.bn.bias", "head.weight"].map(values);
    params.clone().freeze("body.*").expect("a pattern");
    let batch = loader.next_batch(gpu()).expect("a batch");
    let gradients = net.loss(&batch, &Mode::TRAIN).and_then(|loss| params.gradients(&loss)).expect("gradients");
    assert_eq!(gradients.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, false, false, true, true]);
    steps(2, &net, &params, &mut sgd, &mut loader).expect("trained");
    let after = ["body.conv.weight", "body.bn.bias", "head.weight"].map(values);
    assert_eq!(before.iter().zip(&after).map(|(a, b)| a == b).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(sgd.counts(), [0, 0, 0, 0, 2, 2]);
    params.unfreeze("*.conv.*").expect("a pattern");
    steps(1, &net, &params, &mut sgd, &mut loader).expect("trained");
    assert_ne!(values("body.conv.weight"), before[0]);
    assert_eq!(sgd.counts(), [1, 1, 0, 0, 3, 3]);
    says(params.freeze("hed.*").expect_err("no such"), &["'hed.*'", "'head."]);
    let group = Group { lr_factor: Some(f64::NAN), ..Group::default() };
    says(optimizer(&params, true).with_group(&params, "*", group).expect_err("no rate"), &["lr_factor", "NaN"]);
}

#[test]
fn accumulated_gradients_are_those_of_the_whole_batch() {
    let (x, labels) = data();
    let (net, params) = Net::built(3, 4);
    let gradients = |loader: &mut Loader<'_>| {
        let batch = loader.next_batch(gpu()).expect("a batch");
        let loss = net.loss(&batch, &Mode::EVAL).expect("a loss");
        (params.gradients(&loss).expect("gradients"), batch.rows.len())
    };
    let loader = |batch| Loader::new(&x, &[2, 12], batch).and_then(|l| l.labels(&labels)).expect("a loader");
    let (whole, mut parts, mut sum) = (gradients(&mut loader(22)).0, loader(5), Accumulator::new(&params));
    for _ in 0..5 {
        let (g, n) = gradients(&mut parts);
        sum.add(&g, n as f64).expect("added");
    }
    for (a, b) in sum.take().expect("a mean").iter().zip(&whole) {
        let [a, b] = [a, b].map(|g| g.as_ref().expect("a gradient").to_vec().expect("read back"));
        a.iter().zip(&b).for_each(|(a, b)| assert!((a - b).abs() < 1e-6 + 1e-4 * b.abs(), "{a} {b}"));
    }
    says(sum.take().expect_err("nothing"), &["no gradients"]);
    says(sum.add(&whole[1..], 1.0).expect_err("too few"), &["5 gradients"]);
    says(sum.add(&whole, 0.0).expect_err("no weight"), &["weight 0"]);
    // a parameter without a gradient has none in the mean
    sum.add(&vec![None; whole.len()], 2.0).expect("added");
    assert!(sum.take().expect("a mean").iter().all(Option::is_none));
}

#[test]
fn a_loader_gives_every_row_once_and_resumes_anywhere() {
    let (x, labels) = data();
    let y: Vec<f32> = (0..22).map(|i| i as f32).collect();
    let make = || Loader::new(&x, &[2, 12], 4).and_then(|l| l.labels(&labels)).and_then(|l| l.targets(&y, &[1]));
    let mut loader = make().expect("a loader").shuffled(1);
    assert_eq!(loader.batches_of_epoch(), 6);
    let (mut orders, mut states) = (Vec::new(), vec![loader.state()]);
    for _ in 0..2 {
        let mut order = Vec::new();
        while let Some(batch) = loader.next_of_epoch(gpu()).expect("a batch") {
            let rows = &batch.rows;
            let expected: Vec<f32> = rows.iter().flat_map(|&r| &x[r * 24..(r + 1) * 24]).copied().collect();
            assert_eq!(batch.x.shape(), [rows.len(), 2, 12]);
            assert_eq!(batch.x.to_vec().expect("read"), expected);
            assert_eq!(
                batch.labels().and_then(|l| l.to_vec_u32()).expect("read"),
                rows.iter().map(|&r| labels[r]).collect::<Vec<_>>()
            );
            assert_eq!(
                batch.targets().and_then(|l| l.to_vec()).expect("read"),
                rows.iter().map(|&r| y[r]).collect::<Vec<_>>()
            );
            order.push(batch.rows);
            states.push(loader.state());
        }
        let mut all: Vec<usize> = order.concat();
        all.sort_unstable();
        assert_eq!(all, (0..22).collect::<Vec<_>>());
        orders.push(order);
    }
    assert_ne!(orders[0], orders[1]);
    let all = orders.concat();
    for (done, state) in states.iter().enumerate().take(12) {
        let mut again = make().expect("a loader");
        again.resume(state).expect("resumed");
        for expected in &all[done..] {
            assert_eq!(&again.next_batch(gpu()).expect("a batch").rows, expected, "after {done}");
        }
    }
    let whole = make().and_then(Loader::whole_batches).and_then(|l| l.only(&[7, 3, 5, 1, 2, 9])).expect("a loader");
    let mut whole = whole;
    let rows: Vec<Vec<usize>> = (0..2).map(|_| whole.next_batch(gpu()).expect("a batch").rows).collect();
    assert_eq!((rows, whole.epoch(), whole.batches_of_epoch()), (vec![vec![7, 3, 5, 1]; 2], 1, 1));
}

#[test]
fn arrays_that_do_not_fit_are_errors() {
    let (x, labels) = data();
    let new = || Loader::new(&x, &[2, 12], 4).expect("a loader");
    says(Loader::new(&x, &[2, 13], 4).expect_err("no whole rows"), &["528 values", "[2, 13]"]);
    says(Loader::new(&x, &[0], 4).expect_err("no width"), &["[0]"]);
    says(Loader::new(&[], &[2], 4).expect_err("nothing"), &["0 values"]);
    says(Loader::new(&x, &[24], 0).expect_err("no batch"), &["0 rows"]);
    says(new().labels(&labels[1..]).expect_err("too few"), &["21 labels for 22 rows"]);
    says(new().targets(&x, &[1]).expect_err("too many"), &["528 targets for 22 rows"]);
    says(new().only(&[22]).expect_err("past the end"), &["row 22", "0 to 21"]);
    says(new().only(&[]).expect_err("none"), &["no rows"]);
    says(new().only(&[1]).and_then(Loader::whole_batches).expect_err("too few"), &["1 rows"]);
    let mut loader = new();
    says(loader.next_batch(gpu()).and_then(|b| b.labels().cloned()).expect_err("none"), &["Loader::labels"]);
    says(loader.next_batch(gpu()).and_then(|b| b.targets().cloned()).expect_err("none"), &["Loader::targets"]);
    let state = loader.state();
    for wrong in [
        LoaderState { rows: 21, ..state.clone() },
        LoaderState { batch: 5, ..state.clone() },
        LoaderState { batch: 0, ..state.clone() },
        LoaderState { done: 5, ..state.clone() },
        LoaderState { done: 24, ..state.clone() },
    ] {
        says(loader.resume(&wrong).expect_err("of another"), &["loader", "batches of 4"]);
    }
    assert_eq!(loader.state(), state);
}

#[test]
fn each_dropout_draws_numbers_of_its_own() {
    let mut p = ParamBuilder::new(1);
    p.linear("head", 1, 1);
    let (a, b) = (p.dropout("a", 0.5), p.dropout("b", 0.5));
    // the name decides, and of two of one name the order
    let (c, nested) = (p.dropout("a", 0.5), p.scope("more", |p| p.dropout("a", 0.5)));
    let params = p.init(gpu()).expect("parameters");
    let ones = Tensor::full(gpu(), &[256], 1.0).expect("ones");
    let mode = params.train_mode(3).expect("a mode");
    let drawn = [a, b, c, nested].map(|d| d.forward(&ones, &mode).and_then(|y| y.to_vec()).expect("dropped"));
    for (i, one) in drawn.iter().enumerate() {
        let kept = one.iter().filter(|&&v| v == 2.0).count();
        assert!((90..166).contains(&kept) && one.iter().all(|&v| v == 0.0 || v == 2.0), "{kept}");
        assert!(drawn[..i].iter().all(|other| other != one));
    }
    assert_eq!(a.forward(&ones, &Mode::TRAIN).and_then(|y| y.to_vec()).expect("as it is"), vec![1.0; 256]);
    // a network without dropout has nothing to draw
    let mut p = ParamBuilder::new(1);
    p.linear("head", 1, 1);
    assert!(p.init(gpu()).expect("parameters").train_mode(0).expect("a mode").dropout.is_none());
}

/// The overview of operations has a line for each function that the module offers, and for no other.
#[test]
fn the_overview_has_every_operation() {
    let text = include_str!("../../src/ops/mod.rs");
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
