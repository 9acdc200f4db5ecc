//! The tuner trusts nobody and forgets nothing; what was tuned is taken; kernels' texts are printed and checked.

use crate::common::{fails, path, program, text};
use exgnet::experiment::Experiment;
use exgnet::gpu::{AdapterChoice, Choice, Choices, Gpu, ShaderSource, embedded_shaders};
use exgnet::lab::tune::{Options, Own, Table, file_name, tune};
use exgnet::ops::{self, Branch, ConvSpec};
use exgnet::tensor::Tensor;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

/// A network of a few convolutions.
fn small() -> Experiment {
    let sets = ["widths=[3]", "strides=[1]", "kernels=[3,3,3]", "stem_channels=3", "stem_kernel=3"];
    let sets: Vec<String> = sets.iter().map(|s| format!("network.{s}")).collect();
    Experiment::quickstart(&sets).expect("a small network")
}

fn options() -> Options {
    Options { rounds: 1, worth_ms: Some(0.0), ..Options::default() }
}

fn embedded(name: &str) -> &'static str {
    embedded_shaders().iter().find(|(n, _)| *n == name).expect("embedded").1
}

fn write(dir: &Path, name: &str, text: &str) {
    let file = dir.join(name);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    std::fs::write(file, text).expect("written");
}

fn exgnet(cache: &Path, args: &[&str]) -> Output {
    program(args).env("EXGNET_CACHE", cache).output().expect("the program starts")
}

/// A drop-in version that is off by a thousandth must not be taken, even where the rule of thumb does; one that is right is
/// tried like any other. Then: what is in the table is left alone, unless asked to tune it again.
#[test]
fn the_tuner_rejects_wrong_kernels_and_resumes_where_it_stopped() {
    let dir = tempfile::tempdir().expect("a folder");
    let naive = embedded("conv1d/01_naive.wgsl");
    let (wrong, default) = (naive.replace("] = sum;", "] = sum * 1.001;"), "//@ default: true\n");
    assert_ne!(wrong, naive);
    write(dir.path(), "conv1d/91_wrong.wgsl", &format!("{wrong}\n{default}"));
    write(dir.path(), "conv1d/90_mine.wgsl", naive);
    let shaders = ShaderSource::folder(dir.path()).expect("a folder");
    let gpu = Gpu::open(&AdapterChoice::from_env(), shaders).unwrap_or_else(|e| panic!("{e}"));
    let (e, mut table) = (small(), Table::new(gpu.report()));
    let run = |table: &mut Table, options: &Options| {
        let mut saved = 0;
        let outcome = tune(&gpu, &e.network, (2, 64), options, table, &mut |progress, table| {
            let Some(found) = progress.found else { return Ok(()) };
            assert_eq!(&table.found[progress.key], found, "reported before it is in the table");
            saved += 1;
            Ok(())
        });
        let outcome = outcome.expect("tuned");
        assert_eq!(saved, outcome.tuned);
        outcome
    };

    // no time at all
    let none = run(&mut table, &Options { budget: Some(Duration::ZERO), ..options() });
    assert!(none.tuned == 0 && none.left > 0 && (none.left_share - 1.0).abs() < 1e-9, "{none:?}");
    let only = |only: &str| Options { only: vec![only.into()], ..options() };
    let first = run(&mut table, &only("conv1d"));
    assert!(first.tuned >= 2 && first.left == 0 && first.rejected == first.tuned, "{first:?}");
    let words: Vec<String> = first.own.iter().map(Own::in_words).collect();
    assert!(words[0].starts_with("conv1d/90_mine: ") && words[0].contains(" shape"), "{words:?}");
    let everywhere = format!("at {} shapes", first.tuned);
    assert!(words[1].starts_with("conv1d/91_wrong: WRONG ") && words[1].ends_with(&everywhere), "{words:?}");
    for (key, found) in &table.found {
        let choice = found.choice.as_ref().unwrap_or_else(|| panic!("{key}: the wrong rule of thumb stays"));
        assert!(choice.version != "wrong" && found.timed > 1, "{key}: {found:?}");
        assert!(found.family == "conv1d" && found.naive_ms.is_some(), "{key}: {found:?}");
    }
    assert!(gpu.choices().is_empty(), "the tuner left its candidates in force");

    let before = table.clone();
    let again = run(&mut table, &only("conv1d"));
    assert_eq!((again.tuned, again.known), (0, first.tuned));
    assert_eq!(table, before);
    assert!(again.own.iter().all(|own| own.in_words().contains("not tried: no shape of its kernels was tuned")));
    let gradients = run(&mut table, &only("conv1d_weight_grad"));
    assert!(gradients.tuned >= 2 && gradients.known == 0 && table.found.len() > before.found.len(), "{gradients:?}");
    let again = run(&mut table, &Options { again: true, ..only("conv1d") });
    assert_eq!((again.tuned, again.known), (first.tuned, 0));
}

/// A table's entry decides which kernel runs.
#[test]
fn a_choice_is_taken() {
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    let x = Tensor::full(&gpu, &[1, 3, 50], 1.0).expect("uploaded");
    let w = Tensor::full(&gpu, &[4, 3, 5], 1.0).expect("uploaded");
    let spec = ConvSpec::single(1, 1, Branch::same(5, 1));
    let run = || ops::branches(&x, &[&w], &spec).map(drop);
    for (version, label) in [("naive", "01_naive"), ("plain", "03_register_tile"), ("2", "02_positions")] {
        gpu.set_choices(Choices::from([("conv1d 3->4 k5 s1 d1 g1".to_owned(), Choice::usual(version))]));
        let seen = gpu.watched(run).expect("described");
        let seen = seen.iter().find(|s| s.family == "conv1d").expect("a convolution");
        assert_eq!((seen.chosen.version.label().as_str(), seen.calls), (label, 1));
        assert!(seen.versions.len() > 3, "{seen:?}");
    }
    if let Some(times) = gpu.profiled(run).expect("profiled") {
        let found = times.iter().find(|t| t.kernel == "conv1d/02_positions").unwrap_or_else(|| panic!("{times:?}"));
        assert_eq!(found.shape, "conv1d 3->4 k5 s1 d1 g1");
        assert!(found.cost[0] >= 2.0 * 4.0 * 50.0 * 3.0 * 5.0, "{found:?}");
    }
}

#[test]
fn edited_tables_are_refused_and_those_of_another_cpu_left_alone() {
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    let cache = tempfile::tempdir().expect("a folder");
    let mut table = serde_json::to_value(Table::new(gpu.report())).expect("JSON");
    let file = format!("tuning/{}", file_name(gpu.report()));
    let with = |table: &mut serde_json::Value, settings: &str| {
        let settings: serde_json::Value = serde_json::from_str(settings).expect("JSON");
        // as earlier versions wrote it
        table["found"]["conv1d 3->4 k5 s1 d1 g1"] = serde_json::json!({
            "choice": {"variant": "tile", "settings": settings},
            "ms": 1, "rule_ms": 1, "plain_ms": 1, "timed": 1, "rejected": 0
        });
        write(cache.path(), &file, &table.to_string());
        exgnet(cache.path(), &["bench", "matmul", "--shape", "in=8,out=4,len=16", "--rounds", "1"])
    };
    let done = with(&mut table, r#"{"oc": 5, "p": 16}"#);
    assert!(done.status.success(), "{}", text(&done.stderr));
    for (wrong, expected) in [(r#"{"p": 6}"#, "4, 8, 12, 16"), (r#"{"ox": 5}"#, "the nearest is oc")] {
        let done = with(&mut table, wrong);
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{said}");
        for word in [file.as_str(), "conv1d 3->4 k5 s1 d1 g1", expected, "HINT"] {
            assert!(said.contains(word), "no {word}: {said}");
        }
    }
    // the same of another CPU or driver is not even looked at
    for (field, value) in [("cpu", "z80"), ("driver", "another")] {
        let mut other = table.clone();
        other[field] = value.into();
        let done = with(&mut other, r#"{"p": 6}"#);
        let said = text(&done.stderr);
        assert!(done.status.success() && said.contains("not used"), "{field}: {said}");
    }
}

#[test]
fn shaders_are_printed_expanded_and_checked() {
    let said = |args: &[&str]| {
        let done = crate::common::exgnet(args);
        (done.status.success(), text(&done.stdout), text(&done.stderr))
    };
    let (done, out, err) = said(&["shader", "conv1d/tile", "--set", "oc=2", "--set", "mo=2"]);
    assert!(done && !out.contains("{%") && out.contains("a1_0") && !out.contains("a2_0"), "{err}");
    assert!(err.contains("valid: shaders/conv1d/04_subgroup_shuffle.wgsl"), "{err}");
    let (_, list, _) = said(&["shader", "--list"]);
    for word in ["conv1d\n", "01_naive", "04_subgroup_shuffle (tile)", "oc = ", "include/quad"] {
        assert!(list.contains(word), "no {word}: {list}");
    }
    let dir = tempfile::tempdir().expect("a folder");
    let file = path(dir.path(), "out.spv");
    for name in ["conv1d/naive", "conv1d_weight_grad/3", "lab/copy"] {
        let (done, _, err) = said(&["shader", name, "--spirv", &file]);
        assert!(done, "{name}: {err}");
        let words = std::fs::read(&file).expect("written");
        assert_eq!(words[..4], [0x03, 0x02, 0x23, 0x07], "{name}: SPIR-V's magic number");
    }
    // a drop-in version with a mistake: the file's path and line, and the command that shows the expansion
    let mine = format!("{}\nfn more() {{ nothing(); }}\n", embedded("conv1d/04_subgroup_shuffle.wgsl"));
    write(dir.path(), "conv1d/90_mine.wgsl", &mine.replace("//@ alias: tile\n", ""));
    let folder = path(dir.path(), "");
    let line = mine.lines().count() - 1;
    fails(
        &["shader", "conv1d/mine", "--shader-dir", &folder],
        1,
        &[&format!("conv1d/90_mine.wgsl:{line}: "), "nothing", "exgnet shader conv1d/90_mine --shader-dir"],
    );
    fails(&["shader", "nonesuch"], 1, &["nonesuch"]);
    fails(&["shader", "conv1d/tile", "--set", "oc=no"], 1, &["oc=no"]);
}
