use crate::ecg::SplitKind;
use crate::experiment::{Experiment, Fold};
use crate::explain::scores::{MapScores, summary};
use crate::run::cost::Inference;
use crate::run::explanation::{Explanations, Perturbation};
use crate::run::metrics::Metrics;
use crate::run::predictions::Prediction;
use crate::run::read::{Found, Run};
use crate::run::sanity::{Chance, Sanity};
use crate::tables::by_database::{Pool, database_table};
use crate::tables::contents::*;
use crate::tables::methods::methods;

const CLASSES: [&str; 2] = ["SR", "AF"];

fn classes() -> Vec<String> {
    CLASSES.map(String::from).to_vec()
}

/// Certainty of a class.
fn certain(class: usize) -> Vec<f64> {
    (0..2).map(|k| f64::from(u8::from(k == class))).collect()
}

fn metrics_of(truth: &[usize], predicted: &[usize]) -> Metrics {
    let ids: Vec<String> = (0..truth.len()).map(|i| i.to_string()).collect();
    let p: Vec<Vec<f64>> = predicted.iter().map(|&c| certain(c)).collect();
    Metrics::compute(&classes(), &ids, truth, &p, Some(&[3, 1])).unwrap()
}

fn scores(ncc: f64) -> Option<MapScores> {
    Some(MapScores { ncc, ncc_beats: ncc, ncc_intervals: -ncc, energy: 0.5, pointing: false, dead: false })
}

/// A run whose patients of fold `f` are `f-0`, `f-1`, ... with `each` records; maps of NCC `ncc`. The features are right.
fn run(variant: &str, (fold, seed): (usize, u64), truth: &[usize], predicted: &[usize], each: usize, ncc: f64) -> Run {
    let row = |i: usize| Prediction {
        record: format!("r{fold}-{i}"),
        patient: format!("{fold}-{}", i / each),
        truth: truth[i],
        probabilities: certain(predicted[i]),
        explanation: None,
        areas: None,
        by_features: Some(truth[i]),
    };
    let maps = |ncc| summary(&truth.iter().map(|&c| (c, scores(ncc))).collect::<Vec<_>>(), &classes()).unwrap();
    let sanity = Sanity {
        uniform: maps(0.0),
        pointing_chance: Chance { overall: Some(0.25), per_class: vec![Some(0.125), Some(0.375)] },
        slope: maps(0.75),
        random_network: maps(0.0625),
        random_seed: 1001,
        features: Some(metrics_of(truth, truth)),
    };
    let perturbation = Perturbation { steps: 10, records: 0, dead: 0, per_class: Vec::new() };
    let explanation = Explanations { true_class: maps(ncc), predicted_class: maps(ncc), perturbation };
    let mut metrics = metrics_of(truth, predicted);
    (metrics.explanation.ncc, metrics.explanation.deletion_auc) = (Some(ncc), Some(0.5));
    let mut experiment = Experiment::default();
    (experiment.train.fold, experiment.train.seed) = (Fold::Index(fold), seed);
    experiment.data.split = SplitKind::Stratified;
    Run {
        variant: variant.into(),
        classes: Some(classes()),
        experiment: Some(experiment),
        metrics: Some(metrics),
        explanation: Some(explanation),
        sanity: Some(sanity),
        predictions: Some((0..truth.len()).map(row).collect()),
        ..Run::default()
    }
}

/// Two folds of `plain` (half right in fold 0, all in fold 1) and of `xai` (all right).
fn runs() -> Vec<Run> {
    let truth = [0, 0, 1, 1];
    vec![
        run("plain", (0, 1), &truth, &[0, 1, 1, 0], 2, 0.25),
        run("plain", (1, 1), &truth, &truth, 2, 0.75),
        run("xai", (0, 1), &truth, &truth, 2, 0.5),
        run("xai", (1, 1), &truth, &truth, 2, 1.0),
    ]
}

/// Rows of a table by column name.
fn rows(table: &Table) -> Vec<BTreeMap<String, String>> {
    let text = table.csv();
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    csv.deserialize().map(|row| row.unwrap()).collect()
}

/// What is made of their set.
fn of<T>(runs: &[Run], make: impl FnOnce(&RunSet<'_>, &[Method<'_>]) -> T) -> T {
    let found = Found { runs: runs.to_vec(), ..Found::default() };
    let set = RunSet::new(&found).unwrap();
    make(&set, &methods(&set))
}

fn main_of(runs: &[Run]) -> Result<Table> {
    of(runs, |set, methods| main_table("t", set, methods, &set.variants[0]))
}

fn main_rows(runs: &[Run]) -> Vec<BTreeMap<String, String>> {
    rows(&main_of(runs).unwrap())
}

fn class_rows(runs: &[Run]) -> Vec<BTreeMap<String, String>> {
    rows(&of(runs, |set, methods| class_table("t", set, methods)).unwrap())
}

#[test]
fn variants_and_what_they_are_compared_with() {
    let found = main_rows(&runs());
    let names: Vec<&str> = found.iter().map(|r| r["variant"].as_str()).collect();
    let expected = ["plain", "xai", "class prior", "17 features alone", "uniform map", "map |dx/dt|", "random weights"];
    assert_eq!(names, expected);
    let cell = |row: usize, column: &str| found[row][column].as_str();
    assert_eq!((cell(0, "runs"), cell(0, "macro-F1_mean"), cell(0, "NCC_mean")), ("2", "0.75", "0.5"));
    assert_eq!((cell(0, "deletion_mean"), cell(0, "insertion"), cell(0, "p")), ("0.5", "", ""));
    // the reference has 6 of 8 right: F1 0.75 of both classes
    assert_eq!((cell(0, "pooled macro-F1 (95 % CI)"), cell(0, "difference (95 % CI)")), ("0.75", ""));
    assert_eq!((cell(1, "difference (95 % CI)"), cell(3, "difference (95 % CI)")), ("0.25", "0.25"));
    assert!(cell(1, "difference_low (95 % CI)").parse::<f64>().unwrap() >= 0.0);
    assert_eq!((cell(1, "p"), cell(1, "effect")), ("1", "1"), "one difference of two is 0");
    assert_eq!((cell(2, "macro-F1_mean"), cell(2, "pooled macro-F1 (95 % CI)")), ("0.3333333333333333", ""));
    assert_eq!(found[0].get("no test record in"), None);
    assert_eq!((cell(3, "runs"), cell(3, "accuracy_mean"), cell(3, "NCC_mean")), ("", "1", ""));
    assert_eq!((cell(4, "pointing_mean"), cell(4, "NCC_mean"), cell(4, "energy_mean")), ("0.25", "0", "0.5"));
    assert_eq!((cell(5, "NCC_mean"), cell(5, "NCC_sd"), cell(6, "NCC_mean")), ("0.75", "0", "0.0625"));
}

#[test]
fn the_difference_is_paired_by_patient() {
    // the variant errs wherever the reference does: their difference is certain, whoever is drawn
    let truth = [0, 1, 0, 1, 0, 1, 0, 1];
    let same = [0, 1, 1, 1, 0, 0, 0, 1];
    let all = [run("plain", (0, 1), &truth, &same, 2, 0.5), run("twin", (0, 1), &truth, &same, 2, 0.5)];
    let found = main_rows(&all);
    let cell = |column: &str| found[1][column].parse::<f64>().unwrap();
    assert_eq!((cell("difference_low (95 % CI)"), cell("difference_high (95 % CI)")), (0.0, 0.0));
    assert!(cell("pooled macro-F1_low (95 % CI)") < cell("pooled macro-F1_high (95 % CI)"));
    // other test records are no pair
    let mut other = run("twin", (0, 1), &truth, &same, 2, 0.5);
    other.predictions.as_mut().unwrap().swap(0, 1);
    let all = [run("plain", (0, 1), &truth, &same, 2, 0.5), other];
    let text = main_of(&all).unwrap_err().to_string();
    assert!(text.starts_with("twin and plain: record 0") && text.contains("HINT"), "{text}");
}

#[test]
fn runs_without_scores_leave_cells_empty() {
    let mut all = runs();
    all.iter_mut().for_each(|r| (r.explanation, r.sanity) = (None, None));
    let found = main_rows(&all);
    assert_eq!(found.iter().map(|r| r["variant"].as_str()).collect::<Vec<_>>(), ["plain", "xai", "class prior"]);
    let found = class_rows(&all);
    assert!(found.len() == 4 && found[0]["NCC"].is_empty() && found[0]["F1_mean"] == "0.75", "{found:?}");
}

#[test]
fn seeds_are_averaged_where_folds_are_by_patient() {
    let cells = |shift: f64| -> crate::stats::Cells {
        (0..5).flat_map(|f| (1..3).map(move |s| ((f, s), shift * (1.0 + f as f64 + 0.1 * s as f64)))).collect()
    };
    let p = |grouped| crate::stats::paired_test(&cells(1.0), &cells(0.5), grouped).expect("several pairs").p_value;
    assert_eq!((p(true), p(false)), (2.0 / 32.0, 2.0 / 1024.0));
    let mut all = runs();
    let notes = |runs: &[Run]| main_of(runs).unwrap().markdown();
    assert!(notes(&all).contains("over the cells of fold and seed"));
    all.iter_mut().for_each(|r| r.experiment.as_mut().unwrap().data.split = SplitKind::Grouped);
    assert!(notes(&all).contains("seeds are averaged within a fold)."));
}

#[test]
fn classes_by_fold() {
    let all = [
        run("plain", (0, 1), &[0, 0, 1, 1], &[0, 1, 1, 1], 1, 0.5),
        run("plain", (1, 1), &[0, 0, 0], &[0, 0, 1], 1, 0.25),
    ];
    let found = class_rows(&all);
    let names: Vec<(&str, &str)> = found.iter().map(|r| (r["variant"].as_str(), r["class"].as_str())).collect();
    assert_eq!(&names[..3], [("plain", "SR"), ("plain", "AF"), ("17 features alone", "SR")]);
    assert_eq!(names.len(), 10);
    let cell = |row: usize, column: &str| found[row][column].as_str();
    assert_eq!((cell(0, "support"), cell(1, "support"), cell(4, "support")), ("5", "2", ""));
    assert_eq!((cell(0, "folds"), cell(1, "folds"), cell(4, "folds")), ("2", "1", ""));
    // fold 1 lacks AF, but predicts it: said in every form of the main table
    let main = main_of(&all).unwrap();
    let note = "No test record in fold 1 of AF. Macro means are over the classes that occur in a fold";
    assert!(main.markdown().contains(note) && main.latex("t").contains(note), "{}", main.markdown());
    let first = &rows(&main)[0];
    assert_eq!(first["no test record in"], "fold 1 of AF");
    let of_fold = |f1: [f64; 2]| f64::midpoint(f1[0], f1[1]);
    let expected = f64::midpoint(of_fold([2.0 / 3.0, 0.8]), of_fold([0.8, 0.0]));
    assert!((first["macro-F1_mean"].parse::<f64>().unwrap() - expected).abs() < 1e-12, "{first:?}");
    // neither true nor predicted: not in the mean
    let all =
        [run("plain", (0, 1), &[0, 0, 1, 1], &[0, 1, 1, 1], 1, 0.5), run("plain", (1, 1), &[0, 0], &[0, 0], 1, 0.5)];
    let first = &main_rows(&all)[0];
    let expected = f64::midpoint(of_fold([2.0 / 3.0, 0.8]), 1.0);
    assert!((first["macro-F1_mean"].parse::<f64>().unwrap() - expected).abs() < 1e-12, "{first:?}");
    // AF: the second fold has none, and counts for its specificity alone
    assert_eq!((cell(1, "sensitivity_mean"), cell(1, "sensitivity_sd")), ("1", ""));
    assert_eq!(cell(1, "specificity_mean").parse::<f64>().unwrap(), f64::midpoint(0.5, 2.0 / 3.0));
    assert_eq!((cell(0, "NCC_mean"), cell(1, "NCC_mean"), cell(1, "NCC with I_mean")), ("0.375", "0.5", "-0.5"));
    // the uniform map
    assert_eq!((cell(4, "pointing_mean"), cell(5, "pointing_mean"), cell(4, "F1_mean")), ("0.125", "0.375", ""));
}

#[test]
fn patients_with_several_records() {
    let mut all = runs();
    all.insert(2, run("plain", (0, 2), &[0, 0, 1, 1], &[0, 0, 1, 0], 2, 0.25));
    let found = rows(&of(&all, |set, _| patient_table("t", set)).unwrap().unwrap());
    let cell = |row: usize, column: &str| found[row][column].as_str();
    assert_eq!(found.iter().map(|r| r["patient"].as_str()).collect::<Vec<_>>(), ["0-0", "0-1", "1-0", "1-1"]);
    assert_eq!(
        (cell(0, "records"), cell(0, "records, SR"), cell(0, "records, AF"), cell(1, "records, AF")),
        ("2", "2", "0", "2")
    );
    // seeds 1 and 2 of the fold: 1 and 2 of two right
    assert_eq!((cell(0, "accuracy, plain"), cell(1, "accuracy, plain")), ("0.75", "0.5"));
    assert_eq!((cell(0, "accuracy, xai"), cell(2, "accuracy, plain")), ("1", "1"));
    let single = [run("plain", (0, 1), &[0, 1], &[0, 1], 1, 0.5), run("plain", (0, 2), &[0, 1], &[0, 1], 1, 0.5)];
    assert!(of(&single, |set, _| patient_table("t", set)).unwrap().is_none());
}

/// Records of fold 0 are of `b`, of fold 1 of `a`; plain's second seed gets all of fold 0 wrong.
#[test]
fn databases_with_seeds_averaged() {
    let truth = [0, 0, 1, 1];
    let mut all = runs();
    all.insert(2, run("plain", (0, 2), &truth, &[1, 1, 0, 0], 2, 0.5));
    all.insert(3, run("plain", (1, 2), &[0; 4], &[0; 4], 2, 0.25));
    all.push(run("xai", (0, 2), &truth, &truth, 2, 0.5));
    all.push(run("xai", (1, 2), &[0; 4], &[0; 4], 2, 0.5));
    // the second fold has class 0 alone
    for (at, seed) in [(1, 1), (5, 1)] {
        let variant = all[at].variant.clone();
        all[at] = run(&variant, (1, seed), &[0; 4], &[0; 4], 2, 0.75);
    }
    let rename = |run: &mut Run| {
        let database = if run.fold_and_seed().unwrap().0 == 0 { "b" } else { "a" };
        run.predictions.iter_mut().flatten().for_each(|p| p.record = format!("{database}/{}", p.record));
    };
    all.iter_mut().for_each(rename);
    let with = |runs: &[Run], pools: &[Pool]| of(runs, |set, _| database_table("t", set, pools, "plain"));
    let table = |runs: &[Run]| with(runs, &[]).unwrap();
    let found = rows(&table(&all).expect("two databases"));
    let cell = |row: usize, column: &str| found[row][column].as_str();
    let names: Vec<(&str, &str)> = found.iter().map(|r| (r["variant"].as_str(), r["database"].as_str())).collect();
    let expected = ["plain", "xai"].map(|v| ["a", "b", "pooled"].map(|d| (v, d))).concat();
    assert_eq!(names, expected);
    assert_eq!((cell(2, "records"), cell(2, "patients"), cell(0, "records")), ("8", "4", "4"));
    // plain on b: accuracy 0.5 and 0 of the two seeds
    assert_eq!((cell(1, "accuracy"), cell(1, "macro-F1 (95 % CI)"), cell(1, "F1, SR")), ("0.25", "0.25", "0.25"));
    // macro-F1 0.5 and 0 of the two seeds, of 1 and 1 by xai
    let sd = |row: usize, of: &str| cell(row, &format!("{of}, sd over seeds")).parse::<f64>().ok();
    let near = |found: Option<f64>, expected: f64| found.is_some_and(|found| (found - expected).abs() < 1e-9);
    assert!(near(sd(1, "macro-F1"), 0.125f64.sqrt()) && near(sd(4, "difference"), 0.125f64.sqrt()), "{:?}", found[1]);
    assert!(near(sd(4, "macro-F1"), 0.0) && sd(1, "difference").is_none());
    // a has class SR alone: the mean is over it
    assert_eq!((cell(0, "macro-F1 (95 % CI)"), cell(0, "F1, AF")), ("1", ""));
    assert_eq!((cell(4, "difference (95 % CI)"), cell(1, "difference (95 % CI)")), ("0.75", ""));
    assert_eq!(cell(4, "difference of F1, SR (95 % CI)"), "0.75");
    // two patients, one of whom has all of SR: some resample has none
    assert_eq!(cell(4, "difference of F1, SR_low (95 % CI)"), "");
    assert!(cell(4, "difference_low (95 % CI)").parse::<f64>().is_ok());
    assert!(table(&all).unwrap().markdown().contains("less that of plain"));
    // what is named together is a row, here all there is
    let pools: [Pool; 2] = ["all=b+a", "other=a"].map(|pool| pool.parse().unwrap());
    let pooled = rows(&with(&all, &pools).unwrap().expect("two databases"));
    let row = |database: &str| {
        let mut row =
            pooled.iter().find(|r| r["variant"] == "xai" && r["database"] == database).expect(database).clone();
        row.remove("database");
        row
    };
    assert_eq!((row("all"), row("other")), (row("pooled"), row("a")));
    let unknown = with(&all, &["x=c".parse().unwrap()]).unwrap_err().to_string();
    assert!(unknown.contains("--pool x=c: found no record") && unknown.contains("a, b, pooled"), "{unknown}");
    // a name that is mistyped, or that another row has
    for (pools, said) in [
        (&["x=a+c"][..], "no record of a database c"),
        (&["a=b"], "a is the name of another row"),
        (&["pooled=a+b"], "pooled is the name of another row"),
        (&["x=a", "x=b"], "x is the name of another row"),
    ] {
        let pools: Vec<Pool> = pools.iter().map(|pool| pool.parse().unwrap()).collect();
        let text = with(&all, &pools).unwrap_err().to_string();
        assert!(text.contains(said), "{text}");
    }
    assert!(["x", "x=", "=a", "x=a+"].iter().all(|text| text.parse::<Pool>().is_err()));
    // one database and one seed: the main table says all
    assert!(
        table(
            &runs()[..2]
                .iter()
                .map(|r| Run {
                    predictions: r.predictions.clone().map(|mut rows| {
                        rows.iter_mut().for_each(|p| p.record = format!("a/{}", p.record));
                        rows
                    }),
                    ..r.clone()
                })
                .collect::<Vec<_>>()
        )
        .is_none()
    );
}

#[test]
fn a_reference_moves_no_row() {
    let table = |against: &str| of(&runs(), |set, methods| main_table("t", set, methods, against)).unwrap();
    let [plain, xai] = ["plain", "xai"].map(|against| rows(&table(against)));
    let column = |rows: &[BTreeMap<String, String>], name: &str| -> Vec<String> {
        rows.iter().map(|row| row[name].clone()).collect()
    };
    for same in ["variant", "macro-F1_mean", "NCC_mean"] {
        assert_eq!(column(&plain, same), column(&xai, same));
    }
    let difference = "difference (95 % CI)";
    assert_eq!((plain[0][difference].as_str(), plain[1][difference].as_str()), ("", "0.25"));
    assert_eq!((xai[0][difference].as_str(), xai[1][difference].as_str()), ("-0.25", ""));
    assert!(table("xai").markdown().contains("less the one of xai"));
}

#[test]
fn baselines_are_never_bold_and_n_is_given() {
    let mut all = runs();
    // the features alone are all right, the maps |dx/dt| better than plain's
    let table = main_of(&all).unwrap().markdown();
    let row = |name: &str| table.lines().find(|l| l.starts_with(&format!("| {name} "))).unwrap().to_owned();
    assert!(row("xai").contains("**1.000 ± 0.000**") && !row("17 features alone").contains("**"), "{table}");
    assert!(!row(r"map \|dx/dt\|").contains("**"), "{table}");
    assert!(
        table.contains("n = 2 runs (2 folds, 1 seed) of each variant.") && table.contains("over 2 folds"),
        "{table}"
    );
    for spelled in ["normalised cross-correlation", "receiver operating characteristic", "positive predictive value"] {
        assert_eq!(table.matches(spelled).count(), 1, "{spelled}: {table}");
    }
    all.truncate(3);
    assert!(main_of(&all).unwrap().markdown().contains("n = plain 2 runs (2 folds, 1 seed); xai 1 run."));
}

#[test]
fn what_a_prediction_costs() {
    let mut all = runs();
    let names = COSTS.map(|cost| cost.0);
    assert!(main_of(&all).unwrap().only(&names).names().is_empty());
    for (i, run) in all.iter_mut().enumerate() {
        let inference = [(1, 4.0 + i as f64), (32, 0.5)];
        let inference = inference.map(|(batch, ms_per_strip)| Inference { batch, ms_per_strip, passes: 5 }).to_vec();
        let adapter = Some("card".to_owned());
        run.cost = Some(Cost { parameters: 1234, multiply_adds: 5_600_000, samples: 400, adapter, inference });
    }
    let table = main_of(&all).unwrap();
    let found = rows(&table.only(&names));
    let cell = |row: usize, column: &str| found[row][column].as_str();
    assert_eq!((found.len(), cell(0, "parameters"), cell(1, "multiply-adds (M)")), (2, "1234", "5.6"));
    assert_eq!((cell(0, "inference (ms)"), cell(1, "inference (ms)")), ("4.5", "6.5"));
    assert_eq!(cell(0, "inference in a batch (ms)"), "0.5");
    let [same, with] = [table.without(&MEASURED).markdown(), table.markdown()];
    assert!(with.contains("in a batch of 32, mean over the runs, on card.") && !same.contains("card"), "{with}");
}
