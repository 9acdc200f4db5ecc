use crate::ecg::sources::Kind;
use crate::experiment::read::apply_set;
use crate::experiment::*;
use crate::nn::models::KINDS;
use crate::nn::models::exgnet::{BlockKind, Head, Sizes};
use std::path::Path;
use toml::Table;

fn parse(text: &str) -> Result<Experiment> {
    Experiment::parse(text, "e.toml")
}

fn set(values: &[&str]) -> Result<Experiment> {
    let sets: Vec<String> = values.iter().map(|s| (*s).to_string()).collect();
    Experiment::parse_with("[train]\nepochs = 5\n", "e.toml", &sets)
}

#[track_caller]
fn fails(result: Result<Experiment>, parts: &[&str]) {
    let message = result.expect_err("expected an error").to_string();
    for part in parts.iter().chain(&["HINT: "]) {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

const MITBIH: &str = include_str!("../../experiments/mitbih.toml");

fn sizes(experiment: &Experiment) -> &Sizes {
    experiment.network.exgnet().expect("an EXGnet")
}

#[test]
fn nothing_is_the_default_and_the_default_is_valid() {
    assert_eq!(parse("").unwrap(), Experiment::default());
    let train = Experiment::default().train;
    assert_eq!((train.epochs, train.batch, train.lr, train.warmup, train.clip), (60, 32, 1e-3, 0.03, 5.0));
}

#[test]
fn experiments_that_come_along() {
    let quick = Experiment::quickstart(&[]).unwrap();
    assert_eq!((sizes(&quick).widths.len(), quick.train.epochs, quick.train.batch, quick.train.seed), (4, 12, 32, 1));
    assert_eq!(quick.data.synthetic.classes, ["SR", "SB", "ST", "AFIB/AFL"]);
    assert_eq!((quick.data.samples(), quick.data.split), (2500, SplitKind::Stratified));
    assert_eq!(quick.data.sources().unwrap(), [Source::new(Kind::Synthetic, "")]);
    assert_eq!(quick.output.dir, "results/quickstart");
    let mitbih = Experiment::parse(MITBIH, "experiments/mitbih.toml").unwrap();
    assert_eq!(mitbih.data.sources().unwrap(), [Source::new(Kind::Mitbih, "mitdb")]);
    assert_eq!((mitbih.data.min_class, mitbih.data.split, mitbih.train.epochs), (20, SplitKind::Grouped, 7));
    assert!(mitbih.losses.class_weights && mitbih.data.load_options().ectopic_keep);
}

#[test]
fn the_complete_file_parses_back() {
    for text in [QUICKSTART, MITBIH, ""] {
        let experiment = parse(text).unwrap();
        let complete = experiment.to_toml();
        assert!(!complete.contains("preset") && complete.contains("betas"), "{complete}");
        assert_eq!(parse(&complete).unwrap(), experiment);
    }
    let odd =
        "[data]\nsource = ['wfdb:a', \"wfdb:b\\\\c\"]\nfs = 360\n[train]\nfold = 'all'\n[network]\nkind = 'cascade'";
    let experiment = parse(odd).unwrap();
    assert_eq!(parse(&experiment.to_toml()).unwrap(), experiment);
    assert_eq!((experiment.train.fold, experiment.data.sources().unwrap().len()), (Fold::All, 2));
    let mut experiment = experiment;
    experiment.train.seed = u64::MAX;
    assert!(!experiment.to_toml().is_empty() && experiment.validate().is_err());
}

#[test]
fn a_pool_its_weights_and_its_test_sources() {
    let text = "[data.weights]\nmitdb = 2\n'a b' = 0.5\n[test]\nsources = 'wfdb:ludb'\n[train]\nsampler = 'patients'";
    let experiment = parse(text).unwrap();
    assert_eq!(experiment.data.weights, BTreeMap::from([("mitdb".to_string(), 2.0), ("a b".to_string(), 0.5)]));
    assert_eq!((experiment.test.sources().unwrap().len(), experiment.train.sampler), (1, SamplerKind::Patients));
    assert_eq!(parse(&experiment.to_toml()).unwrap(), experiment);
    assert_eq!(set(&["data.weights.mitdb=3"]).unwrap().data.weights["mitdb"], 3.0);
    fails(parse("[data.weights]\nmitdb = 'much'"), &["e.toml:2", "data.weights.mitdb", "a number"]);
    fails(parse("[data.weights]\nmitdb = -1"), &["e.toml:2", "data.weights.mitdb: found -1", "from 0"]);
    fails(parse("[data]\nweights = 1"), &["e.toml:2", "data.weights", "a table"]);
    fails(parse("[test]\nsources = ['wfdb:a', 'none']"), &["e.toml:2", "test.sources", "table:PATH"]);
    fails(parse("[data]\nleads = 'both'"), &["e.toml:2", "data.leads", "all"]);
    fails(parse("[data]\nper_patient = -1"), &["data.per_patient", "whole number"]);
}

#[test]
fn an_unknown_key_names_the_nearest_one_and_the_line() {
    fails(parse("\n[train]\nepoch = 5"), &["e.toml:3: unknown key 'train.epoch'; did you mean 'train.epochs'?"]);
    fails(parse("[trian]\nepochs = 5"), &["e.toml:1", "'trian'", "'train'"]);
    fails(parse("epochs = 5"), &["e.toml:1", "'epochs'", "'train.epochs'"]);
    fails(parse("[train]\ndropout = 0.5"), &["e.toml:2", "'train.dropout'", "'network.dropout'"]);
    fails(parse("[data.synthetic]\nsed = 1"), &["e.toml:2", "'data.synthetic.sed'", "'data.synthetic.seed'"]);
    fails(parse("[train]\nsede = 1"), &["'train.seed'"]);
    fails(parse("[network]\nprest = 'exgnet'"), &["'network.preset'"]);
    fails(parse("network.hed = 'mlp'"), &["e.toml:1", "'network.head'"]);
    fails(parse("[losses]\nxia = 0.5"), &["'losses.xia'", "'losses.xai'"]);
    fails(set(&["trian.epochs=3"]), &["configuration: --set trian.epochs=3: unknown key 'trian'", "'train'"]);
    fails(set(&["data.synthetc.records=3"]), &["configuration: --set data.synthetc.records=3", "'data.synthetic'"]);
    fails(set(&["epochs=3"]), &["configuration: --set epochs=3: unknown key 'epochs'", "'train.epochs'"]);
    // a setting that makes no sense with what the file has elsewhere
    let both = "network.widths = [6, 8]\nnetwork.strides = [1, 2]";
    fails(
        Experiment::parse_with(both, "e.toml", &["network.widths=[6, 8, 8]".into()]),
        &["configuration: --set network.widths=[6, 8, 8] with e.toml:2: network.strides", "network.strides=[1,2,2]"],
    );
    fails(set(&["\u{e4}=3"]), &["unknown key '\u{e4}'"]);
}

#[test]
fn a_value_of_the_wrong_type_is_told_with_its_key() {
    fails(parse("[train]\n\nepochs = 'x'"), &["e.toml:3: train.epochs: found \"x\"", "a whole number", "epochs = 60"]);
    fails(parse("[train]\nepochs = 3.5"), &["train.epochs: found 3.5, expected a whole number"]);
    fails(parse("[train]\nepochs = -1"), &["train.epochs: found -1, expected a whole number, 0 or more"]);
    fails(parse("[train]\nlr = true"), &["train.lr: found true, expected a number"]);
    fails(parse("[train]\nbetas = [0.9]"), &["train.betas: found [0.9], expected a list of two numbers"]);
    fails(parse("[train]\nfold = 'every'"), &["train.fold: found \"every\", expected the number of a fold"]);
    fails(parse("[train]\nfold = -1"), &["train.fold: found -1"]);
    fails(parse("[data]\nclean = 1"), &["data.clean: found 1, expected true or false"]);
    fails(parse("[data]\nsource = 3"), &["data.source: found 3", "mitbih:PATH"]);
    fails(parse("[data]\nlead = 2"), &["data.lead: found 2, expected text in quotes"]);
    fails(parse("[data]\nsplit_seed = 4294967296"), &["data.split_seed: found 4294967296"]);
    fails(parse("[network]\nwidths = 3"), &["network.widths: found 3, expected a list"]);
    fails(parse("[network]\nwidths = [16, 'x']"), &["network.widths: found [16, \"x\"]", "a whole number"]);
    fails(parse("[network]\nkernels = 'x'"), &["network.kernels: found \"x\", expected a whole number or a list"]);
    fails(parse("network = 3"), &["e.toml:1: network: found 3, expected a table"]);
    fails(parse("[train.epochs]\nx = 1"), &["train.epochs: found a table, expected a value", "epochs = 60"]);
    fails(parse("[[train]]\nepochs = 1"), &["train: found", "expected a table"]);
    fails(parse("[train]\nlr = 2024-01-01"), &["train.lr: found 2024-01-01"]);
}

#[test]
fn a_value_that_makes_no_sense_is_told_with_its_line() {
    fails(parse("[train]\nepochs = 0"), &["e.toml:2: train.epochs: found 0, expected a whole number from 1"]);
    fails(parse("[train]\nbatch = 1"), &["train.batch: found 1"]);
    fails(parse("[train]\nlr = 0"), &["train.lr: found 0, expected a number above 0"]);
    fails(parse("[train]\nlr = nan"), &["train.lr: found NaN"]);
    fails(parse("[train]\nclip = inf"), &["train.clip: found inf"]);
    fails(parse("[train]\nbetas = [0.9, 1]"), &["e.toml:2: train.betas[1]: found 1"]);
    fails(parse("[train]\nfold = 5"), &["train.fold: found 5, expected 0 to 4"]);
    fails(parse("[data]\nseconds = 4\n[augment]\nshift = 3"), &["e.toml:4: augment.shift: found 3", "0 to 2"]);
    fails(parse("[augment]\nnoise = -1"), &["augment.noise: found -1"]);
    fails(parse("[augment]\nnoize = 1"), &["'augment.noize'", "'augment.noise'"]);
    fails(parse("[train]\nselect = 'best'"), &["e.toml:2: train.select: found \"best\"", "validation = 0.1"]);
    fails(parse("[train]\nselect = 'first'"), &["train.select: found \"first\"", "\"final\"", "\"best\""]);
    assert_eq!(parse("[train]\nselect = 'best'\nvalidation = 0.2").unwrap().train.select, Select::Best);
    fails(parse("[data]\nfolds = 1"), &["data.folds: found 1"]);
    fails(parse("[data]\nfs = 49"), &["data.fs: found 49, expected a number from 50 to 2000"]);
    fails(parse("[data]\nseconds = -1"), &["data.seconds: found -1"]);
    fails(parse("[data]\nfs = 360\nseconds = 0.333"), &["e.toml:3: data.seconds", "a whole number of samples"]);
    fails(parse("[data]\nseconds = 0.1"), &["at least 64 samples"]);
    fails(parse("[data]\nclasses = 'rhythm7'"), &["data.classes: found \"rhythm7\"", "HINT: choose rhythm6", "af3"]);
    fails(parse("[data]\ndetector = 'best'"), &["data.detector", "adaptive"]);
    fails(parse("[data]\nmains = 55555"), &["data.mains: found 55555"]);
    fails(parse("[guidance]\ntolerance = 0"), &["guidance.tolerance: found 0"]);
    fails(parse("[guidance]\nsigma = 0.1"), &["'guidance.sigma'"]);
    fails(parse("[data]\nsource = 'mitdb'"), &["data.source: found \"mitdb\"", "mitbih:PATH"]);
    fails(parse("[data]\nsource = 'wfdb:'"), &["data.source"]);
    fails(parse("[data]\nsource = []"), &["an empty list"]);
    assert!(parse("[data]\nsource = ['synthetic', 'wfdb:x']").is_ok());
    fails(parse("[data]\nsource = 'mitbih:x'"), &["data.split: found \"kfold\" for mitbih:x", "\"grouped\""]);
    fails(parse("[data.synthetic]\nrecords = 3"), &["data.synthetic.records: found 3"]);
    fails(parse("[data.synthetic]\nclasses = ['SR']"), &["e.toml:2: data.synthetic.classes (how many): found 1"]);
    fails(parse("[data.synthetic]\nclasses = ['SR', 'sr']"), &["found \"sr\"", "AFIB/AFL"]);
    fails(parse("[data.synthetic]\nclasses = ['SR', 'SR']"), &["at most once"]);
    fails(parse("[losses]\nlabel_smoothing = 1.0"), &["losses.label_smoothing: found 1"]);
    fails(parse("[network]\nwidths = [16, 2]\nstrides = [1, 2]"), &["e.toml:2: network.widths[1]: found 2"]);
    fails(
        parse("[network]\nwidths = [16]\nstrides = [1, 2]"),
        &["e.toml:3: network.strides: found a list of length 2"],
    );
    fails(set(&["network.widths=[0,8]"]), &["network.widths[0]: found 0, expected a whole number from 3"]);
    fails(set(&["network.widths=[]"]), &["network.widths (its length): found 0"]);
    fails(parse("[output]\ndir = ' '"), &["output.dir: found \" \""]);
    fails(parse("[output]\ngradcam = 1001"), &["output.gradcam"]);
    fails(set(&["output.examples=1001"]), &["output.examples: found 1001"]);
    fails(set(&["train.fold=7"]), &["--set train.fold=7: train.fold: found 7"]);
}

#[test]
fn broken_text_is_told_with_its_line() {
    fails(parse("[train]\nepochs = = 3"), &["configuration: e.toml:2: "]);
    fails(parse("[train]\nepochs = 1\nepochs = 2"), &["e.toml:3"]);
    fails(parse("["), &["e.toml:1"]);
    fails(parse(&"[".repeat(100_000)), &["e.toml:1"]);
    fails(parse(&format!("x = {}", "[".repeat(100_000))), &["e.toml:1"]);
    assert!(parse("\u{feff}[train]\r\nepochs = 3\r\n").is_ok(), "as an editor on Windows writes it");
}

#[test]
fn a_setting_may_ask_for_another_network_than_the_file_has() {
    let file = "[network]\nwidths = [6, 8]\nstrides = [1, 2]\nhead = 'mlp'\ndropout = 0.3";
    let of = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        Experiment::parse_with(file, "e.toml", &sets)
    };
    let resnet = of(&["network.kind=resnet1d"]).unwrap().network;
    let usual = NetworkConfig::default().of("resnet1d").to_json();
    assert_eq!(resnet.to_json(), usual.replace("\"dropout\":0.0", "\"dropout\":0.3"));
    let sized = of(&["network.widths=[9]", "network.strides=[2]", "network.kind=resnet1d"]).unwrap().network;
    assert!(sized.to_json().contains("[9]"), "{}", sized.to_json());
    // another arrangement of the same network keeps its sizes
    let cascade = of(&["network.kind=cascade", "network.kernels=16"]).unwrap();
    assert_eq!(sizes(&cascade).widths, [6, 8]);
    // what the setting's network does not have stays an error, and so does a file of two minds
    fails(of(&["network.kind=cnn", "network.head=mlp"]), &["network.head"]);
    fails(Experiment::parse("[network]\nkind = 'cnn'\nhead = 'mlp'", "e.toml"), &["e.toml:3", "network.head"]);
    let two = of(&["network.preset=exgnet-small", "network.kind=resnet1d"]);
    fails(two, &["network.preset: found \"exgnet-small\"", "a preset of resnet1d"]);
    fails(parse("base = 'a.toml'\n[[variant]]\nname = 'a'"), &["e.toml", "sweep's file", "exgnet sweep"]);
    fails(parse("base = 'a.toml'\n[train]\nepochs = 1"), &["the key `base` of a sweep's file", "--set KEY=VALUE"]);
}

/// Strides that nobody gives are those of the preset or kind, the last one repeated.
#[test]
fn lists_of_a_value_a_block_follow_the_widths() {
    let strides = |sets: &[&str]| {
        let table = Table::try_from(set(sets).unwrap().network).unwrap();
        table["strides"].as_array().unwrap().iter().map(|v| v.as_integer().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(strides(&["network.widths=[8,16]"]), [1, 2]);
    assert_eq!(strides(&["network.widths=[8,8,8,8,8,8]", "network.preset=exgnet-small"]), [1, 2, 1, 2, 2, 2]);
    assert_eq!(strides(&["network.widths=[8,8,8,8]", "network.kind=resnet1d"]), [1, 2, 2, 2]);
    assert_eq!(strides(&["network.widths=[8]", "network.kind=cnn"]), [2]);
    assert_eq!(strides(&["network.widths=[8,8]", "network.strides=[4,1]"]), [4, 1]);
}

#[test]
fn a_key_of_another_kind_of_network_is_named_as_such() {
    fails(
        set(&["network.depth=3"]),
        &[
            "--set network.depth=3: network.depth: found a key of kind inceptiontime, expected one of kind parallel: ",
            "stem_kernel",
            "network.kind=inceptiontime",
        ],
    );
    let e = parse("[network]\nkind = 'cnn'\nstem_kernel = 3");
    fails(e, &["e.toml:3", "a key of kind parallel, cascade and resnet1d, expected one of kind cnn: ", "widths"]);
    fails(set(&["network.kind=cnn", "network.stridse=[1]"]), &["did you mean 'network.strides'?", "of kind cnn: "]);
}

#[test]
fn the_table_of_networks_has_every_key_with_its_default() {
    let text = include_str!("../../experiments/README.md");
    for kind in KINDS.concat() {
        let table: serde_json::Map<_, _> =
            serde_json::from_str(&NetworkConfig::default().of(kind).to_json()).expect("a table");
        let keys = table.iter().filter(|(key, _)| *key != "kind").map(|(key, value)| format!("`{key} = {value}`"));
        let row = format!("| `{kind}` | {} |\n", keys.collect::<Vec<_>>().join(", "));
        assert!(text.contains(&row), "expected in experiments/README.md: {row}");
    }
}

#[test]
fn presets_are_a_start_that_other_keys_override() {
    let network = parse("[network]\npreset = 'exgnet-small'\nhead = 'mlp'\ndropout = 0").unwrap();
    let network = sizes(&network);
    assert_eq!(
        (network.widths.as_slice(), network.head, network.dropout),
        ([16, 16, 32, 32].as_slice(), Head::Mlp, 0.0)
    );
    let network = parse("[network]\nkind = 'cascade'").unwrap();
    let network = sizes(&network);
    assert_eq!((network.kind, network.kernels.clone()), (BlockKind::Cascade, vec![16]));
    assert_eq!(sizes(&parse("[network]\nkind = 'cascade'\nkernels = 8").unwrap()).kernels, [8]);
    fails(parse("[network]\n\npreset = 'huge'"), &["e.toml:3: network.preset: found \"huge\"", "exgnet-small"]);
    fails(parse("[network]\npreset = 3"), &["network.preset: found 3"]);
}

#[test]
fn settings_go_before_the_file() {
    let sets =
        ["train.epochs=3", "network.head=mlp", "network.kind=\"cascade\"", "data.split = grouped", "train.lr=1e-2"];
    let e = set(&sets).unwrap();
    assert_eq!((e.train.epochs, sizes(&e).head, sizes(&e).kind, e.train.lr), (3, Head::Mlp, BlockKind::Cascade, 0.01));
    assert_eq!(e.data.split, SplitKind::Grouped);
    assert_eq!(set(&["train.epochs=3", "train.epochs=4"]).unwrap().train.epochs, 4);
    assert_eq!(set(&["data.source=['wfdb:a','wfdb:b=c']"]).unwrap().data.sources().unwrap()[1].path, Path::new("b=c"));
    assert_eq!(set(&["output.dir=a b/c"]).unwrap().output.dir, "a b/c");
    fails(set(&["train..epochs=3"]), &["dotted names"]);
    fails(set(&["=3"]), &["dotted names"]);
    fails(set(&["train.epochs.x=3"]), &["`epochs` is a value"]);
    fails(set(&["network.widths=[16,"]), &["--set network.widths=[16,: the value is broken"]);
    fails(set(&["train=3"]), &["--set train=3: train: found 3, expected a table"]);
    fails(set(&["train={epochs = 3, x = 1}"]), &["--set train={epochs = 3, x = 1}: unknown key 'train.x'"]);
    let mut table = Table::new();
    apply_set(&mut table, "data.synthetic.records=7").unwrap();
    assert_eq!(table["data"]["synthetic"]["records"].as_integer(), Some(7));
}

#[test]
fn files_that_are_no_experiment() {
    let dir = tempfile::tempdir().unwrap();
    fails(Experiment::load(dir.path(), &[]), &["is a folder"]);
    let path = dir.path().join("e.toml");
    std::fs::write(&path, [0x66, 0xff]).unwrap();
    fails(Experiment::load(&path, &[]), &["not UTF-8 text (byte 1)"]);
    std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    fails(Experiment::load(&path, &[]), &["larger than 1 MiB"]);
    std::fs::write(&path, QUICKSTART).unwrap();
    assert_eq!(Experiment::load(&path, &[]).unwrap(), Experiment::quickstart(&[]).unwrap());
    std::fs::write(&path, "[train]\nlr = 'x'").unwrap();
    fails(Experiment::load(&path, &[]), &["e.toml:2: train.lr"]);
}

proptest::proptest! {
    #[test]
    fn never_panics(at in 0..QUICKSTART.len(), cut in 0usize..40, put in ".{0,12}", value in ".{0,16}") {
        let end = (at + cut).min(QUICKSTART.len());
        let text = format!("{}{put}{}", &QUICKSTART[..at], &QUICKSTART[end..]);
        let _ = Experiment::parse_with(&text, "x", &[value.clone(), format!("train.lr={value}"), format!("{value}=1")]);
        let _ = parse(&text);
    }
}

#[test]
fn differences_are_settings_with_both_values() {
    let quick =
        |sets: &[&str]| Experiment::quickstart(&sets.iter().map(|&set| set.into()).collect::<Vec<String>>()).unwrap();
    let other = quick(&["train.epochs=3", "losses.xai=0", "output.dir=elsewhere"]);
    assert_eq!(quick(&[]).differences(&other), ["losses.xai is 0.5, asked for 0.0", "train.epochs is 12, asked for 3"]);
    // where a run goes is not what it is
    assert!(quick(&[]).differences(&quick(&[]).into_folder("elsewhere".as_ref())).is_empty());
}
