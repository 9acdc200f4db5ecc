//! The kernel lab: tuned kernels give what plain ones give, the tuner does not trust, the commands say what they found.

use exgnet::gpu::{AdapterChoice, Choice, Choices, Gpu, ShaderSource, Variant, embedded_shaders};
use exgnet::lab::subjects::{Operation, Subject};
use exgnet::lab::tune;
use exgnet::train::Experiment;
use std::process::{Command, Output};

fn exgnet(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_exgnet")).args(args).output().expect("exgnet starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A table's entry decides which kernel runs.
#[test]
fn a_choice_is_taken() {
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    let conv1d = Operation::named("conv1d").expect("known");
    let subject = Subject::new(&gpu, conv1d, conv1d.shape("batch=1,in=3,len=50,out=4,k=5").expect("a shape"));
    let subject = subject.expect("a subject");
    let ready = subject.on(&gpu).expect("inputs");
    let kernels = |gpu: &Gpu| -> Vec<String> {
        let times = gpu.profiled(|| ready.run().map(drop)).expect("profiled").expect("timestamps");
        times.into_iter().map(|t| t.kernel.split_whitespace().next().unwrap_or_default().to_owned()).collect()
    };
    if !gpu.report().timestamps {
        return;
    }
    for (version, kernel) in [("naive", "conv1d/01_naive"), ("wide", "conv1d/06_workgroup_tiles")] {
        let choice = Choice::usual(version);
        gpu.set_choices(Choices::from([("conv1d 3->4 k5 s1 d1 g1".to_owned(), choice)]));
        assert!(kernels(&gpu).contains(&kernel.to_owned()), "{:?}", kernels(&gpu));
    }
}

/// With a kernel that is off by a thousandth, the tuner must not take it however fast it is.
#[test]
fn the_tuner_rejects_wrong_kernels() {
    let dir = tempfile::tempdir().expect("a folder");
    for name in ["conv1d_tile.wgsl", "conv1d_wide.wgsl", "batch_norm_back.wgsl"] {
        let (_, text) = embedded_shaders().iter().find(|(n, _)| *n == name).expect("embedded");
        let wrong = text.replace("s.x; }", "s.x * 1.001; }").replace("a{{ o }}[half];", "a{{ o }}[half] * 1.001;");
        let wrong = wrong.replace("dx[q] = select", "dx[q] = 1.001 * select");
        assert_ne!(&wrong, text, "{name}");
        std::fs::write(dir.path().join(name), wrong).expect("written");
    }
    let shaders = ShaderSource::folder(dir.path()).expect("a folder");
    let gpu = Gpu::open(&AdapterChoice::from_env(), shaders).unwrap_or_else(|e| panic!("{e}"));
    let sets = ["widths=[3]", "strides=[1]", "kernels=[3,3,3]", "stem_channels=3", "stem_kernel=3"];
    let sets: Vec<String> = sets.iter().map(|s| format!("network.{s}")).collect();
    let e = Experiment::quickstart(&sets).expect("a small network");
    let table = tune::tune(&gpu, &e.network, (2, 64), ("", 1), |_, _, _, _| {}).expect("tuned");
    let mut rejected = 0;
    for (key, found) in &table.found {
        // the sums' kernel is tried together with the wrong one
        if ["conv1d ", "conv1d_input_grad ", "batch_norm_back "].iter().any(|wrong| key.starts_with(wrong)) {
            assert_eq!(found.choice.variant, Variant::Plain, "{key}: {found:?}");
            assert_eq!(found.timed, 1, "{key}");
            rejected += found.rejected;
        }
    }
    assert!(rejected > 0, "{:?}", table.found.keys());
    assert!(gpu.choices().is_empty(), "the tuner left its candidates in force");
}

#[test]
fn shaders_are_printed_expanded() {
    let done = exgnet(&["shader", "conv1d_tile", "--set", "oc=2", "--set", "mo=2"]);
    let said = text(&done.stdout);
    assert!(done.status.success() && !said.contains("{%") && said.contains("var a1_0"), "{}", text(&done.stderr));
    assert!(!said.contains("var a2_0"));
    let list = text(&exgnet(&["shader", "--list"]).stdout);
    assert!(list.lines().count() == embedded_shaders().len() && list.contains("conv1d_tile"), "{list}");
    let dir = tempfile::tempdir().expect("a folder");
    for (name, _) in embedded_shaders() {
        let file = dir.path().join("out.spv");
        let done = exgnet(&["shader", name, "--spirv", file.to_str().expect("utf-8")]);
        assert!(done.status.success(), "{name}: {}", text(&done.stderr));
        let words = std::fs::read(&file).expect("written");
        assert_eq!(words[..4], [0x03, 0x02, 0x23, 0x07], "{name}: SPIR-V's magic number");
    }
    for wrong in [&["shader", "nonesuch"][..], &["shader", "conv1d_tile", "--set", "oc=no"]] {
        let done = exgnet(wrong);
        assert!(!done.status.success() && text(&done.stderr).contains("HINT"), "{wrong:?}");
    }
}
