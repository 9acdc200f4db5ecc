//! Layers of a builder: those declared by name, those that cannot be, and what each dropout draws.

use super::{Net, bits, data, says};
use crate::common::engine::gpu;
use exgnet::prelude::*;

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
