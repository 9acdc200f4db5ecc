//! What cannot fit is refused before anything is allocated, with what it would take and what there is. The memory limit is
//! what every machine can be given; beyond the largest tensor no machine goes.

use crate::common::{TINY, exgnet, fails, path, text};
use std::time::{Duration, Instant};

/// Refused at once, with both numbers and a hint.
fn refused(args: &[&str], words: &[&str]) {
    let start = Instant::now();
    let said = fails(args, 1, words);
    assert!(said.contains("memory: ") && said.matches(" MB").count() >= 2, "{args:?}: {said}");
    // noise for such sizes alone would take longer
    assert!(start.elapsed() < Duration::from_secs(20), "{args:?}: {:?}", start.elapsed());
}

#[test]
fn a_benchmark_that_cannot_fit_is_refused() {
    // 100000 records of 64 channels with 625 samples: 16 GB
    for op in ["conv1d", "conv1d_input_grad", "conv1d_weight_grad", "batch_norm_relu_grad", "sum", "dropout", "add"] {
        refused(&["bench", op, "--shape", "batch=100000,in=64,len=625"], &[op, "needs a tensor of 16000.000 MB"]);
    }
    // the batch that is named fits
    let limit = ["--memory-limit", "300M"];
    let said = fails(&[&["bench", "add", "--shape", "batch=4096"][..], &limit].concat(), 1, &["--shape batch="]);
    let batch: String =
        said.rsplit("--shape batch=").next().unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
    assert!((2..4096).contains(&batch.parse::<usize>().expect("a number")), "{said}");
    let shape = format!("batch={batch}");
    let out = exgnet(&[&["bench", "add", "--rounds", "1", "--shape", &shape][..], &limit].concat());
    assert!(out.status.success(), "{}", text(&out.stderr));
    // the output alone
    refused(&["bench", "conv1d", "--shape", "batch=1000,in=1,out=10000"], &["needs a tensor of 25000.000 MB"]);
    refused(&["bench", "matmul", "--shape", "in=1000000,len=1000000"], &["needs a tensor of 4000000.000 MB"]);
    refused(&["bench", "conv1d", "--shape", "batch=1048576,in=1048576,len=1048576"], &["needs a tensor"]);
    refused(&["bench", "conv1d", "--memory-limit", "1M"], &["conv1d", "the limit is 1.000 MB"]);
    // every convolution of a network
    refused(&["bench", "--set", "train.batch=4096", "--memory-limit", "64M"], &["batch of 4096"]);
    // a matrix product has no records
    let out = exgnet(&["bench", "matmul", "--shape", "in=8,len=64,out=8", "--rounds", "1"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
}

#[test]
fn profiles_tuning_and_trainings_are_refused_as_well() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (table, run) = (path(tmp.path(), "table.json"), path(tmp.path(), "run"));
    let limit = ["--memory-limit", "64M"];
    refused(
        &[&["profile", "--batch", "4096"][..], &limit].concat(),
        &["batch of 4096", "the limit is 64.000 MB", "train.batch="],
    );
    refused(&[&["tune", "--set", "train.batch=4096", "--out", &table][..], &limit].concat(), &["batch of 4096"]);
    refused(
        &[&["train", "--dry-run", "--set", "train.batch=4096"][..], &limit].concat(),
        &["batch of 4096", "the limit is 64.000 MB", "train.batch="],
    );
    // a batch takes no more records than there are
    let small =
        [&TINY[..], &["--set", "train.batch=4096", "--set", "train.epochs=1", "--memory-limit", "64M"]].concat();
    let out = exgnet(&[&["train", "--no-figures", "--out", &run][..], &small].concat());
    assert!(out.status.success(), "{}", text(&out.stderr));
}
