//! Parameters in files, and files that are none.

use super::{Net, bits, says};
use crate::common::engine::gpu;
use exgnet::prelude::*;
use std::path::Path;

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
