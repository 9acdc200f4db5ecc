//! Batches of a loader: every row once, resumed anywhere, and arrays that do not fit.

use super::{data, says};
use crate::common::engine::gpu;
use exgnet::nn::LoaderState;
use exgnet::prelude::*;

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
