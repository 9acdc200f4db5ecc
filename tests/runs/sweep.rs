//! A sweep of tiny runs: tasks, skipping, failures, the table.

use crate::common::{exgnet, fails, path, text};
use exgnet::run::RunFolder;
use std::path::Path;

const BASE: &str = "[data]\nfs = 100.0\nseconds = 4.0\nsplit = 'stratified'\nfolds = 2\n\
    [data.synthetic]\nrecords = 40\nclasses = ['SR', 'AFIB/AFL']\n\
    [network]\nwidths = [6, 8]\nstrides = [1, 2]\nstem_channels = 6\n[train]\nepochs = 1\nbatch = 8\n[output]\ngradcam = 0\n";
const SWEEP: &str = "base = 'base.toml'\nout = 'unused'\nfolds = [0, 1]\nseeds = [3]\n\
    [[variant]]\nname = 'plain'\nset = ['losses.joint=0', 'losses.feature=0', 'losses.xai=0']\n\
    [[variant]]\nname = 'both'\n";

#[test]
fn runs_are_listed_run_skipped_and_gathered() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    std::fs::write(at("base.toml"), BASE).expect("written");
    std::fs::write(at("sweep.toml"), SWEEP).expect("written");
    let (grid, out) = (at("sweep.toml"), at("runs"));
    let sweep = |more: &[&str]| exgnet(&[&["sweep", &grid, "--out", &out][..], more].concat());
    let list = text(&sweep(&["--list"]).stdout);
    assert_eq!(list.lines().count(), 4);
    assert!(list.starts_with("0\tplain\tfold 0\tseed 3\tto do"), "{list}");
    fails(&["collect", &out], 1, &["is not there, expected a run folder"]);

    assert!(sweep(&["--task", "2", "--quiet"]).status.success());
    assert!(Path::new(&at("runs/both/fold-0-seed-3/figures/losses.png")).is_file());
    let list = text(&sweep(&["--list"]).stdout);
    assert!(list.lines().nth(2).is_some_and(|l| l == "2\tboth\tfold 0\tseed 3\tfinished"), "{list}");
    fails(&["sweep", &grid, "--out", &out, "--task", "4"], 1, &["no task 4"]);

    // a run of other settings is neither finished nor to do, and is not passed over
    let (other, differs) = (at("other.toml"), "both/fold-0-seed-3/config.toml: is another experiment than asked for: ");
    let words = [differs, "train.epochs is 1, asked for 2", "choose another folder with --out"];
    std::fs::write(&other, format!("{SWEEP}set = ['train.epochs=2']\n")).expect("written");
    let list = text(&exgnet(&["sweep", &other, "--out", &out, "--list"]).stdout);
    let line = list.lines().nth(2).expect("a line");
    assert!(line.contains("\tfails: ") && words.iter().all(|word| line.contains(word)), "{list}");
    fails(&["sweep", &other, "--out", &out, "--task", "2"], 1, &words);
    // a folder that was moved holds the same runs
    let moved = at("moved");
    std::fs::rename(&out, &moved).expect("renamed");
    let list = text(&exgnet(&["sweep", &grid, "--out", &moved, "--list"]).stdout);
    assert!(list.lines().nth(2).is_some_and(|l| l.ends_with("\tfinished")), "{list}");
    std::fs::rename(&moved, &out).expect("renamed");

    // one run cannot be begun: the others are, and the failure is reported
    std::fs::create_dir_all(at("runs/plain")).expect("made");
    std::fs::write(at("runs/plain/fold-1-seed-3"), b"a file").expect("written");
    let done = sweep(&["--no-figures"]);
    let said = text(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("1 of 4 runs failed: task 1") && said.contains("finished already"), "{said}");
    std::fs::remove_file(at("runs/plain/fold-1-seed-3")).expect("removed");

    // one run is another process's for now, such as that of a sweep beside this one
    let lock = RunFolder::lock(at("runs/plain/fold-1-seed-3")).expect("a lock");
    for jobs in ["1", "2"] {
        let under_way = "1 of 4 runs are under way in other processes, the others are finished: task 1";
        fails(&["sweep", &grid, "--out", &out, "--jobs", jobs], 1, &[under_way, "the same command"]);
    }
    drop(lock);
    let done = sweep(&[]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(text(&done.stderr).contains(&format!("exgnet collect {out}")), "{}", text(&done.stderr));

    // runs that share a device give what a run of its own gives
    std::fs::remove_dir_all(at("runs/both")).expect("removed");
    assert!(sweep(&["--quiet", "--no-figures"]).status.success());
    let alone = at("alone");
    let done = exgnet(&["train", &at("base.toml"), "--fold", "1", "--seed", "3", "--out", &alone, "--no-figures"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let model = |dir: &str| std::fs::read(format!("{dir}/model.safetensors")).expect("a model");
    assert!(model(&at("runs/both/fold-1-seed-3")) == model(&alone), "the second run in one process differs");

    let done = exgnet(&["collect", &out]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let table = std::fs::read_to_string(at("runs/table.md")).expect("a table");
    let baselines =
        ["| class prior ", "| 17 features alone ", "| uniform map ", r"| map \|dx/dt\| ", "| random weights "];
    let heads = ["NCC", "macro-F1", "deletion", "insertion", "difference (95 % CI)", "over the cells of fold and seed"];
    for part in ["| plain ", "| both "].iter().chain(&baselines).chain(&heads) {
        assert!(table.contains(part), "{part}: {table}");
    }
    assert_eq!(text(&done.stdout).trim_end(), table.trim_end());
    assert!(table.find("| plain ") < table.find("| both "));
    let done = exgnet(&["collect", &out, "--reference", "both"]);
    let table = text(&done.stdout);
    assert!(table.find("| both ") < table.find("| plain ") && table.contains("the one of both"), "{table}");
    let figures = at("figures");
    let only = ["--only", "ablation", "--format", "svg", "--out", &figures];
    let done = exgnet(&[&["figures", &out, "--reference", "both"][..], &only].concat());
    assert!(done.status.success(), "{}", text(&done.stderr));
    let caption = std::fs::read_to_string(at("figures/ablation.txt")).expect("a caption");
    assert!(caption.contains("signed-rank test against both"), "{caption}");
    for command in ["collect", "figures"] {
        fails(&[command, &out, "--reference", "xai"], 1, &["'xai'", "plain, both"]);
    }
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    for name in ["runs/table.csv", "runs/table.tex", "runs/per_class.md", "runs/per_class.csv", "runs/per_class.tex"] {
        assert!(read(name).contains("plain") && read(name).contains("dx/dt"), "{name}");
    }
    let per_class = read("runs/per_class.csv");
    // two variants, the features and three maps, two classes each
    assert_eq!(per_class.lines().count(), 1 + 6 * 2, "{per_class}");
    assert!(per_class.starts_with("variant,class,support,sensitivity_mean,sensitivity_sd,"), "{per_class}");
    // for a paper
    assert!(read("runs/table.tex").contains("--latex-columns") && read("runs/table.tex").contains(r"\label{tab:runs}"));
    let chosen = exgnet(&["collect", &out, "--latex-columns", "NCC,Accuracy", "--latex-class-columns", "PPV"]);
    assert!(chosen.status.success(), "{}", text(&chosen.stderr));
    for (name, head) in [("table", r"variant & NCC & accuracy \\"), ("per_class", r"variant & class & PPV \\")] {
        let paper = read(&format!("runs/{name}.tex"));
        assert!(paper.contains(head) && !paper.contains("left out"), "{paper}");
    }
    fails(&["collect", &out, "--latex-columns", "NCC,F2"], 1, &["no column 'F2'", "macro-F1, accuracy"]);
    // a number in every cell of the maps' columns, the network's and those of no use
    let numbers = read("runs/table.csv");
    let row = |name: &str| numbers.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("{name}: {numbers}"));
    let head: Vec<&str> = numbers.lines().next().expect("a head").split(',').collect();
    let ncc = head.iter().position(|h| *h == "NCC_mean").expect("a column");
    for name in ["plain", "uniform map", "map |dx/dt|", "random weights"] {
        assert!(row(name).split(',').nth(ncc).is_some_and(|v| v.parse::<f64>().is_ok()), "{name}: {numbers}");
    }
    assert!(!std::path::Path::new(&at("runs/patients.md")).exists(), "every synthetic record is a patient");

    // tables are of whole runs or of none
    let run = format!("{out}/both/fold-1-seed-3");
    for (name, with, words) in [
        ("metrics.json", "{", ["metrics.json cannot be used", "exgnet evaluate --model"]),
        (
            "predictions.csv",
            "record,patient,true\n",
            ["predictions.csv: cannot be used: no column p_SR", "both, fold 1"],
        ),
        ("predictions.csv", "", ["no predictions.csv", "exgnet evaluate --model"]),
    ] {
        let path = format!("{run}/{name}");
        let whole = std::fs::read(&path).expect("there");
        match with {
            "" => std::fs::remove_file(&path).expect("removed"),
            _ => std::fs::write(&path, with).expect("written"),
        }
        fails(&["collect", &out], 1, &words);
        std::fs::write(&path, whole).expect("written");
    }
    // twice the same fold and seed
    std::fs::rename(&alone, at("runs/both/alone")).expect("renamed");
    fails(&["collect", &out], 1, &["both, fold 1, seed 3 is there twice", "leave one"]);

    // two at once: the same bytes
    let twice = at("twice");
    let done = exgnet(&["sweep", &grid, "--out", &twice, "--jobs", "2", "--no-figures"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    for run in ["plain/fold-0-seed-3", "both/fold-1-seed-3"] {
        let model = |dir: &str| std::fs::read(format!("{dir}/{run}/model.safetensors")).expect("a model");
        assert!(model(&out) == model(&twice), "{run} differs");
        assert!(!Path::new(&format!("{twice}/{run}/figures")).exists());
    }

    // an arm that was taken out of the file is no row any more, and that is said
    let (without, _) = SWEEP.rsplit_once("[[variant]]").expect("two arms");
    std::fs::write(&grid, without).expect("written");
    assert!(exgnet(&["sweep", &grid, "--out", &twice, "--quiet"]).status.success());
    let table = text(&exgnet(&["collect", &twice]).stdout);
    assert!(table.contains("| plain ") && !table.contains("| both "), "{table}");
    assert!(
        table.contains("Left out: both, fold 0, seed 3; both, fold 1, seed 3: the sweep's file does not"),
        "{table}"
    );
}
