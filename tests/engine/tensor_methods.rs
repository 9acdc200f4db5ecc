//! Tensors as one writes with them: methods, operators, dimensions that stay or go, numbers in the place of tensors; and the
//! errors of derivatives that cannot be had.

use crate::common::engine::{floats, gpu, integers, says};
use exgnet::Result;
use exgnet::prelude::*;

fn values(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_f32(gpu(), shape, values).expect("uploaded")
}

fn read(t: Result<Tensor>) -> Vec<f32> {
    t.and_then(|t| t.to_vec()).expect("read back")
}

#[test]
fn operators_are_the_operations() -> Result<()> {
    let (a, b) = (values(&[3], &[1., 2., -4.]), values(&[3], &[2., 8., 0.5]));
    assert_eq!(read(&a + &b), [3., 10., -3.5]);
    assert_eq!(read(&a - &b), [-1., -6., -4.5]);
    assert_eq!(read(&a * &b), [2., 16., -2.]);
    assert_eq!(read(&a / &b), [0.5, 0.25, -8.]);
    assert_eq!(read(-&a), [-1., -2., 4.]);
    assert_eq!(read(&a + 1.0), [2., 3., -3.]);
    assert_eq!(read(&a - 1.0), [0., 1., -5.]);
    assert_eq!(read(&a * 2.0), [2., 4., -8.]);
    assert_eq!(read(&a / 2.0), [0.5, 1., -2.]);
    assert_eq!(read(1.0 + &a), [2., 3., -3.]);
    assert_eq!(read(1.0 - &a), [0., -1., 5.]);
    assert_eq!(read(2.0 * &a), [2., 4., -8.]);
    assert_eq!(read(8.0 / &a), [8., 4., -2.]);
    // results stay valid without a reference, in every combination
    assert_eq!(read((&a + &b)? * 2.0), [6., 20., -7.]);
    assert_eq!(read((&a + &b)? - (&a - &b)?), [4., 16., 1.]);
    assert_eq!(read((&a + &b)? / &b), [1.5, 1.25, -7.]);
    assert_eq!(read(&a * (&b - 2.0)?), [0., 12., 6.]);
    assert_eq!(read(1.0 - (-&b)?), [3., 9., 1.5]);
    let doubled = (&b * 2.0)?;
    assert_eq!(read(-doubled), [-4., -16., -1.]);
    // shapes broadcast; those that do not are an error
    assert_eq!((&a + &values(&[2, 1], &[0., 1.]))?.shape(), [2, 3]);
    says(&a + &floats(&[4]), &["add", "[3]", "[4]"]);
    says(&a * &integers(&[3]), &["mul", "U32"]);
    Ok(())
}

#[test]
fn methods_are_the_operations() -> Result<()> {
    let x = values(&[2, 3], &[1., -2., 3., -4., 5., -6.]);
    assert_eq!(read(x.relu()), [1., 0., 3., 0., 5., 0.]);
    assert_eq!(read(x.abs()?.sqrt()?.square()?.add(0.5)?.sub(&x.abs()?)).len(), 6);
    assert_eq!(read(x.mul(2.0)?.add(&x)?.div(3.0)), read(Ok(x.clone())));
    assert_eq!(read(x.pow(2.0)), [1., 4., 9., 16., 25., 36.]);
    assert_eq!(read(x.pow(3.0)), [1., -8., 27., -64., 125., -216.]);
    assert_eq!(read(x.pow(-1.0)), [1., -0.5, 1. / 3., -0.25, 0.2, -1. / 6.]);
    assert_eq!(read(x.pow(0.0)), [1.; 6]);
    assert!(x.pow(0.5)?.to_vec()?[1].is_nan());
    assert_eq!(read(x.maximum(0.5)), [1., 0.5, 3., 0.5, 5., 0.5]);
    assert_eq!(read(x.minimum(&x.neg()?)), [-1., -2., -3., -4., -5., -6.]);
    assert_eq!(read(x.gt(1.0)), [0., 0., 1., 0., 1., 0.]);
    assert_eq!(read(x.ge(1.0)), [1., 0., 1., 0., 1., 0.]);
    assert_eq!(read(x.lt(1.0)), [0., 1., 0., 1., 0., 1.]);
    assert_eq!(read(x.le(1.0)), [1., 1., 0., 1., 0., 1.]);
    assert_eq!(read(x.eq(5.0)), [0., 0., 0., 0., 1., 0.]);
    assert_eq!(read(x.ne(&x)), [0.; 6]);
    assert_eq!(read(x.gt(0.0)?.where_cond(&x, -1.0)), [1., -1., 3., -1., 5., -1.]);
    assert_eq!(read(x.clamp(-2.5, 2.5)), [1., -2., 2.5, -2.5, 2.5, -2.5]);
    assert_eq!(x.matmul(&floats(&[3, 7]))?.shape(), [2, 7]);
    assert_eq!(x.reshape(&[3, 2])?.transpose(0, 1)?.shape(), [2, 3]);
    assert_eq!(read(x.slice(1, 1..3)), [-2., 3., 5., -6.]);
    assert_eq!(x.unsqueeze(1)?.shape(), [2, 1, 3]);
    assert_eq!(x.unsqueeze(2)?.squeeze(&[2])?.shape(), [2, 3]);
    assert_eq!(x.unsqueeze(0)?.expand(&[5, 2, 3])?.permute(&[2, 0, 1])?.shape(), [3, 5, 2]);
    // of equal values the first is meant, and gets the gradient
    let twice = values(&[2, 3], &[1., 5., 5., -6., 5., -6.]).leaf();
    assert_eq!(read(twice.max(1, Keep::No)), [5., 5.]);
    assert_eq!(read(twice.min(1, Keep::No)), [1., -6.]);
    let (largest, least) = (twice.argmax(1, Keep::No)?, twice.argmin(1, Keep::Yes)?);
    assert_eq!((largest.to_vec_u32()?, largest.shape()), (vec![1, 1], &[2][..]));
    assert_eq!((least.to_vec_u32()?, least.shape()), (vec![0, 0], &[2, 1][..]));
    assert_eq!(twice.argmax(0, Keep::No)?.to_vec_u32()?, [0, 0, 0]);
    for (extreme, expected) in
        [(twice.max(1, Keep::No)?, [0., 1., 0., 0., 1., 0.]), (twice.min(1, Keep::No)?, [1., 0., 0., 1., 0., 0.])]
    {
        assert_eq!(grad(&extreme, &[&twice], None, false)?.remove(0).expect("a gradient").to_vec()?, expected);
    }
    says(grad(&largest, &[&twice], None, false), &["grad", "U32"]);
    says(x.argmax(2, Keep::No), &["argmax", "[2]", "[2, 3]"]);
    says(x.argmin(2, Keep::No), &["argmin", "[2]", "[2, 3]"]);
    says(x.min(2, Keep::No), &["min", "[2]", "[2, 3]"]);
    says(integers(&[3]).argmax(0, Keep::No), &["argmax", "U32"]);
    says(x.squeeze(&[1]), &["squeeze", "dimension 1", "[2, 3]"]);
    says(x.unsqueeze(3), &["unsqueeze", "[2, 3]"]);
    says(x.slice(1, 2..5), &["slice", "[2, 3]"]);
    Ok(())
}

#[test]
fn dimensions_stay_or_go() -> Result<()> {
    let x = values(&[2, 3, 2], &(0..12).map(|v| v as f32).collect::<Vec<_>>());
    for (keep, one, two, all) in
        [(Keep::Yes, vec![2, 1, 2], vec![1, 3, 1], vec![1, 1, 1]), (Keep::No, vec![2, 2], vec![3], vec![1])]
    {
        assert_eq!(x.sum(&[1], keep)?.shape(), one);
        assert_eq!(x.mean(&[0, 2], keep)?.shape(), two);
        assert_eq!(x.var(&[0, 1, 2], 0, keep)?.shape(), all);
        assert_eq!(x.max(1, keep)?.shape(), one);
    }
    assert_eq!(read(x.sum(&[1], Keep::No)), [6., 9., 24., 27.]);
    assert_eq!(read(x.max(1, Keep::No)), [4., 5., 10., 11.]);
    assert_eq!(read(x.mean_all()), [5.5]);
    // squared distances from 5.5 are 143 in sum
    assert!((x.var(&[0, 1, 2], 1, Keep::No)?.item()? - 13.0).abs() < 1e-5);
    assert!((x.var(&[0, 1, 2], 0, Keep::No)?.item()? - 143.0 / 12.0).abs() < 1e-5);
    says(x.var(&[], 0, Keep::No), &["var", "[2, 3, 2]"]);
    says(floats(&[4, 1]).var(&[1], 1, Keep::No), &["var", "1 values", "[4, 1]", "correction 1"]);
    // they are differentiated as any other
    let x = x.leaf();
    let y = x.mean(&[1], Keep::No)?.square()?.sum_all()?;
    let g = grad(&y, &[&x], None, false)?.remove(0).expect("it depends on x");
    assert_eq!((g.shape(), g.to_vec()?[0]), (x.shape(), 2.0 * 2.0 / 3.0));
    Ok(())
}

#[test]
fn layers_of_wrong_shapes_are_errors() {
    let x = floats(&[2, 3, 4]);
    says(ops::layer_norm(&x, &floats(&[3]), &floats(&[3]), 1e-5), &["layer_norm", "[2, 3, 4]", "weight [3]"]);
    says(ops::layer_norm(&x, &floats(&[4]), &floats(&[3, 4]), 1e-5), &["layer_norm", "bias [3, 4]"]);
    says(ops::layer_norm(&x, &floats(&[4]), &floats(&[4]), f32::NAN), &["layer_norm", "eps NaN"]);
    says(ops::embedding(&x, &integers(&[2])), &["embedding", "table [2, 3, 4]"]);
    says(ops::embedding(&floats(&[4, 3]), &floats(&[2])), &["embedding", "F32", "U32"]);
    let index = Tensor::from_u32(gpu(), &[2], &[3, 4]).expect("uploaded");
    says(ops::embedding(&floats(&[4, 3]), &index), &["embedding", "position 4", "0 to 3"]);
    says(ops::where_cond(&floats(&[5]), &x, &x), &["where_cond", "[5]", "[2, 3, 4]"]);
    says(ops::maximum(&floats(&[5]), &x), &["maximum", "[5]", "[2, 3, 4]"]);
}

#[test]
fn a_forgotten_leaf_is_reported() -> Result<()> {
    let x = values(&[2], &[1., 2.]);
    let w = values(&[2], &[3., 4.]).leaf();
    let y = x.mul(&w)?;
    // by what is no leaf, though the output has a history
    says(grad(&y, &[&w, &x], None, false), &["grad", "tensor 2 of 2", "[2]", "did you forget leaf()?"]);
    // of what came of no leaf
    says(grad(&x.square()?, &[&w], None, false), &["grad", "an output of shape [2]", "did you forget leaf()"]);
    says(grad(&no_grad(|| w.square())?, &[&w], None, false), &["without a history", "no_grad"]);
    says(grad(&w.square()?.detach(), &[&w], None, false), &["without a history", "detach()"]);
    says(grad(&w.gt(3.5)?, &[&w], None, false), &["without a history", "omparisons"]);
    // what has a history and does not lead there is no fault
    let other = values(&[2], &[5., 6.]).leaf();
    assert!(grad(&y, &[&other], None, false)?[0].is_none());
    // and nothing is asked of a leaf
    assert_eq!(grad(&w, &[&w], None, false)?.remove(0).expect("itself").to_vec()?, [1., 1.]);
    Ok(())
}

#[test]
fn a_forgotten_graph_is_reported() -> Result<()> {
    let x = values(&[2], &[1., 2.]).leaf();
    let gradient = |create_graph| -> Result<Tensor> {
        Ok(grad(&x.pow(3.0)?, &[&x], None, create_graph)?.remove(0).expect("it depends on x"))
    };
    let forgotten = gradient(false)?;
    let words = ["grad", "did you forget create_graph?", "detach()"];
    // the gradient itself, something made of it, and something with a history that it is a part of
    says(grad(&forgotten, &[&x], None, false), &words);
    says(grad(&forgotten.square()?.sum_all()?, &[&x], None, false), &words);
    let penalised = x.square()?.add(&forgotten.square()?)?;
    says(grad(&penalised, &[&x], None, false), &[&words[..], &["input 2 of add"]].concat());
    // with a graph all of them are right
    let kept = gradient(true)?;
    assert_eq!(read(Ok(grad(&kept, &[&x], None, false)?.remove(0).expect("it depends on x"))), [6., 12.]);
    // x^2 + 9 x^4
    let penalised = x.square()?.add(&kept.square()?)?;
    assert_eq!(read(Ok(grad(&penalised, &[&x], None, false)?.remove(0).expect("it depends on x"))), [38., 292.]);
    // a constant is said to be one, or is a seed
    let weighted = x.mul(&forgotten.detach())?;
    assert_eq!(read(Ok(grad(&weighted, &[&x], None, false)?.remove(0).expect("it depends on x"))), [3., 12.]);
    let seeded = grad(&x.square()?, &[&x], Some(&forgotten), true)?.remove(0).expect("it depends on x");
    assert_eq!(read(Ok(grad(&seeded, &[&x], None, false)?.remove(0).expect("it depends on x"))), [6., 24.]);
    // a step of an optimiser written by hand asks nothing of them
    let next = x.sub(&forgotten.mul(0.1)?)?.leaf();
    assert!(grad(&next.square()?, &[&next], None, false)?[0].is_some());
    Ok(())
}

#[test]
fn equal_values_share_the_gradient() -> Result<()> {
    let (a, b) = (values(&[3], &[1., 2., 3.]).leaf(), values(&[3], &[1., 3., 2.]).leaf());
    let by = |y: Tensor| -> Result<Vec<Vec<f32>>> {
        grad(&y, &[&a, &b], None, false)?.into_iter().map(|g| g.expect("it depends on both").to_vec()).collect()
    };
    assert_eq!(by(a.maximum(&b)?)?, [[0.5, 0., 1.], [0.5, 1., 0.]]);
    assert_eq!(by(a.minimum(&b)?)?, [[0.5, 1., 0.], [0.5, 0., 1.]]);
    Ok(())
}

#[test]
fn derivatives_of_powers_at_0_are_numbers() -> Result<()> {
    let (a, b) = (values(&[4], &[0., 0., 0., 2.]).leaf(), values(&[4], &[2., 1., 0., 0.]).leaf());
    let y = a.pow(&b)?;
    assert_eq!(y.to_vec()?, [0., 0., 1., 1.]);
    let all = grad(&y, &[&a, &b], None, true)?;
    let first: Vec<Vec<f32>> = all.iter().flatten().map(Tensor::to_vec).collect::<Result<_>>()?;
    assert_eq!(first[0], [0., 1., 0., 0.]);
    assert!((first[1][3] - 2f32.ln()).abs() < 1e-6 && first[1][..3] == [0.; 3], "{:?}", first[1]);
    let second = grad(all[0].as_ref().expect("by a"), &[&a], None, false)?.remove(0).expect("it depends on a");
    assert_eq!(second.to_vec()?, [2., 0., 0., 0.]);
    let fourth = a.pow(4.0)?;
    let mut g = fourth;
    for _ in 0..4 {
        g = grad(&g, &[&a], None, true)?.remove(0).expect("it depends on a");
    }
    assert_eq!(g.to_vec()?, [24.; 4]);
    Ok(())
}
