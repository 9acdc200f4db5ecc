//! What somebody meets who writes a version of their own: names that nobody gives, mistakes in templates, wrong values, a loop
//! that does not end.

use crate::common::{TINY, exgnet, fails, path, text};
use exgnet::gpu::{Gpu, ShaderSource, embedded_shaders};
use exgnet::lab::check::{Checker, Target};
use std::path::Path;

fn embedded(name: &str) -> &'static str {
    embedded_shaders().iter().find(|(n, _)| *n == name).expect("embedded").1
}

fn write(dir: &Path, changed: &str) {
    std::fs::create_dir_all(dir.join("conv1d")).expect("made");
    std::fs::write(dir.join("conv1d/90_mine.wgsl"), changed).expect("written");
}

/// A text whose code, without the comments, is changed.
fn changed(text: &str, from: &str, to: &str) -> String {
    let line = |line: &str| match line.split_once("//") {
        Some((code, comment)) if !line.contains("{{") => format!("{}//{comment}\n", code.replace(from, to)),
        _ => format!("{}\n", line.replace(from, to)),
    };
    let all: String = text.lines().map(line).collect();
    assert_ne!(all, text, "{from}");
    all
}

/// The line of a text, from 1, that begins so.
fn line_of(text: &str, begin: &str) -> usize {
    1 + text.lines().position(|line| line.trim().starts_with(begin)).unwrap_or_else(|| panic!("no {begin} in {text}"))
}

/// What is wrong with a text before anything runs; empty: nothing.
fn problems(text: &str) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), text);
    let shaders = ShaderSource::folder(dir.path()).expect("a folder");
    let gpu = Gpu::of_shapes(None, shaders).expect("no driver is needed");
    let target = Target::named("conv1d").expect("a family").swap_remove(0);
    let mine = target.versions(&gpu, Some("90")).expect("a version").swap_remove(0);
    let mut checker = Checker::new();
    checker.case = Some("a case that does not exist".into());
    let report = checker.check(&gpu, &target, Some(&mine), |_| ()).expect("checked");
    report.problems.join("\n").replace(&dir.path().display().to_string(), "mine")
}

#[test]
fn a_name_that_nobody_gives_is_named_with_its_line_and_the_nearest() {
    let naive = embedded("conv1d/01_naive.wgsl");
    let tile = embedded("conv1d/04_subgroup_shuffle.wgsl").replace("//@ alias: tile\n", "");
    for (text, from, to, line, words) in [
        // the declaration and its uses
        (naive, "relu", "rleu", "override relu", &["override `rleu`", "did you mean `relu`?"][..]),
        (naive, "out_g", "outg", "n: u32", &["parameter `outg`", "did you mean `out_g`?"]),
        (
            naive,
            " bias",
            " baas",
            "@group(0) @binding(3)",
            &["buffer `baas`", "`bias`?", "Given here are src, w, bias, dst"],
        ),
        (&tile, "if fast", "if fats", "{%- set each", &["constant `fats`", "did you mean `fast`?"]),
        // the declaration alone
        (naive, "override relu", "override rleu", "if relu", &["declare it as `relu` (line 19)"]),
        (naive, "out_g: u32", "outg: u32", "let o =", &["`out_g`", "declare it as `out_g` (line 10)"]),
        (naive, "read> w:", "read> ww:", "sum +=", &["`w`", "did you mean `ww`?"]),
        // used, and not declared
        (naive, "override relu: bool = false;", "", "if relu", &["the host gives `relu`: declare it"]),
    ] {
        let said = problems(&changed(text, from, to));
        let place = format!("mine/conv1d/90_mine.wgsl:{}: ", line_of(text, line));
        assert!(said.starts_with(&place) && said.contains("HINT"), "{from} -> {to}: no {place} in {said}");
        words.iter().for_each(|word| assert!(said.contains(word), "{from} -> {to}: no {word} in {said}"));
    }
    let said = problems(&changed(naive, "fn main", "fn mian"));
    for word in ["mine/conv1d/90_mine.wgsl: ", "found the entry points mian, expected `main`", "HINT: is it `mian`?"] {
        assert!(said.contains(word), "{said}");
    }
    // an entry that nobody launches
    let said = problems(&format!("{naive}\n@compute @workgroup_size(WG)\nfn idle() {{}}\n"));
    assert!(said.contains("the function idle has @compute") && said.contains("//@ threads idle"), "{said}");
    // a header that does not launch what it says, with its line as it stands there
    let threads = line_of(naive, "//@ threads");
    let said = problems(&naive.replace("//@ knob WG", "// knob WG"));
    let expected = format!("90_mine.wgsl:{threads}: //@ threads: found no knob WG");
    assert!(said.contains(&expected), "{said}");
    let said = problems(&naive.replace("//@ threads", "//@ kernel conv1d: first, main\n//@ threads"));
    let expected = format!("90_mine.wgsl:{threads}: //@ kernel conv1d: found no `//@ threads first: ...`");
    assert!(said.contains(&expected), "{said}");
    // constants of its own
    let own = "const TILE = 4u;\noverride TWICE: u32 = 2u * WG;\noverride WG";
    assert_eq!(problems(&changed(naive, "override WG", own)), "");
}

/// An override that nobody gives would stay as the file has it: not only the check sees that.
#[test]
fn a_misspelt_constant_is_an_error_wherever_the_kernel_runs() {
    let tmp = tempfile::tempdir().expect("a folder");
    let (dir, run) = (path(tmp.path(), "mine"), path(tmp.path(), "run"));
    write(Path::new(&dir), &changed(embedded("conv1d/01_naive.wgsl"), "relu", "rleu"));
    let words = ["found the override `rleu`", "did you mean `relu`?"];
    let done =
        exgnet(&["bench", "conv1d", "--shape", "batch=1,in=2,out=2,len=50", "--version", "mine", "--shader-dir", &dir]);
    let said = text(&done.stdout);
    assert!(done.status.code() == Some(1) && words.iter().all(|word| said.contains(word)), "{said}");
    let mine = ["--shader-dir", &dir, "--kernels", "conv1d=mine"];
    fails(&[&["train", "--out", &run][..], &TINY, &mine].concat(), 1, &words);
}

/// Before a command reads anything.
#[test]
fn a_version_that_is_not_there_is_refused_at_once() {
    let words = ["conv1d has no version 'mine'", "one of your own is read with --shader-dir DIR"];
    fails(&["evaluate", "--model", "none", "--kernels", "conv1d=mine"], 1, &words);
    fails(&["check", "conv1d", "--version", "mine"], 1, &words);
    fails(&["evaluate", "--model", "none", "--kernels", "niave"], 1, &["version 'niave'", "did you mean naive?"]);
}

/// What naga finds out behind the parser has the line of the file, too.
#[test]
fn every_error_of_naga_names_the_line_of_the_file() {
    for name in ["conv1d/01_naive.wgsl", "conv1d/04_subgroup_shuffle.wgsl"] {
        let text = embedded(name).replace("//@ alias: tile\n", "");
        let twice = changed(&text, "@binding(2)", "@binding(1)");
        let said = problems(&twice);
        let first = "mine/conv1d/90_mine.wgsl:";
        let lines = [1, 2].map(|i| format!("{first}{}: ", line_of(&text, &format!("@group(0) @binding({i})"))));
        assert!(lines.iter().any(|line| said.starts_with(line)), "{name}: {said}");
        assert!(said.contains("conflict") && said.contains("exgnet shader conv1d/90_mine"), "{name}: {said}");
        assert_eq!(said.matches("90_mine.wgsl").count(), 1, "{name}: {said}");
    }
}

fn check(dir: &Path, more: &[&str]) -> (String, String) {
    let dir = dir.to_str().expect("Unicode");
    let done = exgnet(&[&["check", "conv1d", "--shader-dir", dir, "--version", "mine"], more].concat());
    assert_eq!(done.status.code(), Some(1), "{}", text(&done.stderr));
    (text(&done.stdout), text(&done.stderr))
}

#[test]
fn the_smallest_wrong_cases_are_printed_and_an_error_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let naive = embedded("conv1d/01_naive.wgsl");
    write(dir.path(), &changed(naive, "] = sum;", "] = sum + 1.0;"));
    let wrong = |said: &str| said.lines().filter(|l| l.starts_with("    ") && l.ends_with("FAILED")).count();
    let found: serde_json::Value = serde_json::from_str(&check(dir.path(), &["--json"]).0).expect("JSON");
    let cases = found[0]["cases"].as_array().expect("cases");
    let (all, (few, said)) = (check(dir.path(), &["-v"]).0, check(dir.path(), &[]));
    assert_eq!((wrong(&all), wrong(&few)), (cases.len(), 3), "{few}");
    assert!(few.contains(&format!("    and {} more are wrong (-v lists them)", cases.len() - 3)), "{few}");
    assert!(few.lines().count() < 20, "{few}");
    // only those that fit no other way are left to the rule, which is expected here
    assert!(!said.contains("rule of thumb"), "{said}");
    let elements = |case: &serde_json::Value| case["elements"].as_u64().expect("a count");
    let mut sizes: Vec<u64> = cases.iter().map(elements).collect();
    sizes.sort_unstable();
    for case in cases.iter().filter(|case| elements(case) < sizes[3]) {
        let label = case["label"].as_str().expect("a label");
        assert!(few.contains(label), "no {label} in {few}");
    }
    // what only the driver refuses
    write(dir.path(), &changed(naive, "@group(0) @binding(2)", "@group(1) @binding(2)"));
    for more in [&[][..], &["-v"]] {
        let said = check(dir.path(), more).0;
        assert_eq!(said.matches("Caused by").count(), 1, "{said}");
        assert!(said.matches("the same error").count() >= 2, "{said}");
    }
}

/// Neither the template engine nor naga gives up by itself.
#[test]
fn texts_without_measure_are_refused_with_their_line() {
    let naive = embedded("conv1d/01_naive.wgsl");
    let endless = "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}";
    let terms = format!("var sum = 0.0{};", " + src[0]".repeat(50_000));
    let branches = format!("var sum = 0.0; if sum > 1.0 {{ }}{}", " else if sum > 2.0 { }".repeat(50_000));
    for (with, word) in [
        (endless, "more than 20000000 steps of the template"),
        (&terms, "more than 1000 operators"),
        (&branches, "500 branches"),
    ] {
        let said = problems(&changed(naive, "var sum = 0.0;", with));
        let place = format!("mine/conv1d/90_mine.wgsl:{}: ", line_of(naive, "var sum"));
        assert!(said.starts_with(&place) && said.contains(word) && said.contains("HINT"), "no {word} in {said}");
    }
}

/// Vulkan drivers take it, and may compute anything.
#[test]
fn workgroup_memory_beyond_the_adapter_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let naive = embedded("conv1d/01_naive.wgsl");
    let own = "var sum = 0.0;\n    tile[0] = sum;";
    let text = changed(naive, "var sum = 0.0;", own);
    write(dir.path(), &format!("{text}\noverride size: u32 = 131072u * WG;\nvar<workgroup> tile: array<f32, size>;\n"));
    let said = check(dir.path(), &[]).0;
    assert!(said.contains("90_mine.wgsl: found 4194304 bytes of workgroup memory, expected at most"), "{said}");
}

/// One of two lines would not count, and nobody would know which.
#[test]
fn a_header_says_everything_once() {
    let naive = embedded("conv1d/01_naive.wgsl");
    let refused = |text: &str| {
        let dir = tempfile::tempdir().expect("a folder");
        write(dir.path(), text);
        let done = ShaderSource::folder(dir.path()).and_then(|shaders| shaders.catalogue());
        done.expect_err("refused").to_string()
    };
    let knob = line_of(naive, "//@ knob WG");
    let twice = refused(&naive.replace("//@ knob WG", "//@ knob WG: 8 | 8\n//@ knob WG"));
    assert!(twice.contains(&format!("90_mine.wgsl:{}: ", knob + 1)) && twice.contains(&format!("line {knob} says it")));
    let launched = refused(&naive.replace("//@ threads", "//@ groups: 1\n//@ threads"));
    assert!(launched.contains("says it already"), "{launched}");
    let alias = refused(&naive.replace("//@ threads", "//@ alias: register_tile\n//@ threads"));
    assert!(alias.contains("'register_tile' is an alias of the one and the name of the other"), "{alias}");
    // a name that is another's number or label would never be found by it
    for file in ["90_4.wgsl", "90_04_subgroup_shuffle.wgsl"] {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(dir.path().join("conv1d")).expect("made");
        std::fs::write(dir.path().join("conv1d").join(file), naive).expect("written");
        let done = ShaderSource::folder(dir.path()).and_then(|shaders| shaders.catalogue());
        let said = done.expect_err("refused").to_string();
        assert!(said.contains(file) && said.contains("has the number or the name of"), "{said}");
    }
    // as some editors save it
    assert_eq!(problems(&format!("\u{feff}{naive}")), "");
}

/// The device is not waited for without an end, and the message names the kernel.
#[test]
fn a_loop_that_does_not_end_is_given_up() {
    let dir = tempfile::tempdir().expect("a folder");
    let endless = "var sum = 0.0;\n    while p.n > 0u { sum += src[0]; }";
    write(dir.path(), &changed(embedded("conv1d/01_naive.wgsl"), "var sum = 0.0;", endless));
    let dir = dir.path().to_str().expect("Unicode");
    let mine = ["--shader-dir", dir, "--version", "mine", "--limit", "5"];
    for (command, more) in [("check", &[][..]), ("bench", &["--shape", "batch=1,in=2,out=2,len=50"])] {
        let done = exgnet(&[&[command, "conv1d"], &mine[..], more].concat());
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{command}: {said}");
        let (error, hint) = said.split_once("\nHINT: a loop of the kernel does not end").expect("a hint");
        let error = error.lines().last().unwrap_or_default();
        assert!(error.starts_with("error: GPU: ") && hint.contains("--limit SECONDS"), "{command}: {said}");
        for word in ["has not answered for 5 seconds", "under way: conv1d/90_mine"] {
            assert!(error.contains(word), "{command}: no {word} in {error}");
        }
        assert_eq!(error.contains("conv1d/90_mine, case 'conv1d "), command == "check", "{error}");
        let refused = exgnet(&[command, "conv1d", "--limit", "0"]);
        assert!(text(&refused.stderr).contains("--limit 0: expected seconds, more than 0"), "{command}");
    }
}
