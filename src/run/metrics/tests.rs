use crate::run::metrics::*;

fn names(prefix: &str, n: usize) -> Vec<String> {
    (0..n).map(|i| format!("{prefix}{i}")).collect()
}

fn compute(k: usize, truth: &[usize], p: &[&[f64]], training: Option<&[usize]>) -> Result<Metrics> {
    let p: Vec<Vec<f64>> = p.iter().map(|row| row.to_vec()).collect();
    Metrics::compute(&names("C", k), &names("r", truth.len()), truth, &p, training)
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-12, "{a} {b}");
}

/// 12 records with tied scores.
const TRUTH: [usize; 12] = [0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 0];
const P: [&[f64]; 12] = [
    &[0.6, 0.3, 0.1],
    &[0.5, 0.25, 0.25],
    &[0.4, 0.4, 0.2],
    &[0.2, 0.7, 0.1],
    &[0.9, 0.05, 0.05],
    &[0.3, 0.6, 0.1],
    &[0.5, 0.3, 0.2],
    &[0.1, 0.8, 0.1],
    &[0.2, 0.2, 0.6],
    &[0.3, 0.5, 0.2],
    &[0.25, 0.25, 0.5],
    &[0.5, 0.1, 0.4],
];

#[test]
fn equals_scikit_learn() {
    // scikit-learn 1.9.1: confusion_matrix, precision_recall_fscore_support, recall_score of the negated class,
    // roc_auc_score(truth == c, p[:, c]) and, for the mean, multi_class="ovr"; baseline: class 1 throughout
    let m = compute(3, &TRUTH, &P, Some(&[1, 5, 2])).unwrap();
    assert_eq!(m.confusion, [[5, 1, 0], [1, 2, 0], [0, 1, 2]]);
    close(m.accuracy, 0.75);
    close(m.macro_f1, 0.734920634920635);
    close(m.macro_sensitivity, 0.7222222222222222);
    close(m.macro_specificity, (0.8333333333333334 + 0.7777777777777778 + 1.0) / 3.0);
    close(m.macro_auroc.unwrap(), 0.8472222222222222);
    let golden = [
        [0.8333333333333334, 0.8333333333333334, 0.8333333333333334, 0.8333333333333334, 0.8194444444444445],
        [0.6666666666666666, 0.7777777777777778, 0.5, 0.5714285714285714, 0.8333333333333333],
        [0.6666666666666666, 1.0, 1.0, 0.8, 0.8888888888888888],
    ];
    for ((_, c), [sensitivity, specificity, ppv, f1, area]) in m.per_class.iter().zip(golden) {
        close(c.sensitivity, sensitivity);
        close(c.specificity, specificity);
        close(c.ppv, ppv);
        close(c.f1, f1);
        close(c.auroc.unwrap(), area);
    }
    assert_eq!(m.per_class.iter().map(|(_, c)| c.support).collect::<Vec<_>>(), [6, 3, 3]);
    assert_eq!(m.per_class.iter().map(|(_, c)| c.training).collect::<Vec<_>>(), [Some(1), Some(5), Some(2)]);
    close(m.baseline.accuracy.unwrap(), 0.25);
    close(m.baseline.macro_f1.unwrap(), 0.13333333333333333);
}

#[test]
fn by_hand_with_a_class_that_never_occurs() {
    // truth 0 0 0 1, predicted 0 0 1 1, class 2 neither; three training records of class 1
    let p: [&[f64]; 4] = [&[0.9, 0.1, 0.0], &[0.8, 0.2, 0.0], &[0.4, 0.6, 0.0], &[0.1, 0.9, 0.0]];
    let m = compute(3, &[0, 0, 0, 1], &p, Some(&[2, 3, 3])).unwrap();
    assert_eq!(m.confusion, [[2, 1, 0], [0, 1, 0], [0, 0, 0]]);
    let c: Vec<ClassMetrics> = m.per_class.iter().map(|c| c.1).collect();
    close(m.accuracy, 0.75);
    close(c[0].sensitivity, 2.0 / 3.0);
    assert_eq!((c[0].specificity, c[0].ppv, c[0].auroc), (1.0, 1.0, Some(1.0)));
    close(c[1].f1, 2.0 / 3.0);
    close(c[1].specificity, 2.0 / 3.0);
    assert_eq!((c[2].sensitivity, c[2].ppv, c[2].f1, c[2].specificity, c[2].auroc), (0.0, 0.0, 0.0, 1.0, None));
    assert_eq!(m.macro_auroc, Some(1.0));
    close(m.macro_f1, f64::midpoint(0.8, 2.0 / 3.0));
    close(m.macro_sensitivity, f64::midpoint(2.0 / 3.0, 1.0));
    close(m.macro_specificity, f64::midpoint(1.0, 2.0 / 3.0));
    assert_eq!((m.absent_classes.as_slice(), m.lacking()), (&["C2".to_string()][..], vec!["C2"]));
    // always class 1, the first of two equally frequent: one record of four right; F1 2/5
    close(m.baseline.accuracy.unwrap(), 0.25);
    close(m.baseline.macro_f1.unwrap(), 0.2);
    // predicted, it counts as 0
    let p: [&[f64]; 4] = [&[0.9, 0.1, 0.0], &[0.8, 0.2, 0.0], &[0.4, 0.6, 0.0], &[0.1, 0.0, 0.9]];
    let m = compute(3, &[0, 0, 0, 1], &p, None).unwrap();
    close(m.macro_f1, 0.8 / 3.0);
    assert_eq!((m.absent_classes.len(), m.lacking()), (0, vec!["C2"]));
}

#[test]
fn folds_that_lack_classes_are_named() {
    let of = |truth: &[usize]| {
        let p: Vec<&[f64]> = truth.iter().map(|_| &[0.5, 0.25, 0.25][..]).collect();
        compute(3, truth, &p, None).unwrap()
    };
    let (whole, part, less) = (of(&[0, 1, 2]), of(&[0, 0, 1]), of(&[2, 2]));
    assert_eq!(lacking_by_fold([(0, &whole), (1, &whole)]), None);
    let named = lacking_by_fold([(3, &less), (0, &part), (1, &whole), (0, &part)]);
    assert_eq!(named.unwrap(), "fold 0 of C2; fold 3 of C0, C1");
}

#[test]
fn ties_and_single_classes() {
    assert_eq!((argmax(&[0.5, 0.5]), argmax(&[0.0, 0.5, 0.5]), argmax::<f64>(&[])), (0, 1, 0));
    assert_eq!(auroc(&[0.5, 0.5, 0.5], &[true, false, false]), Some(0.5));
    assert_eq!(auroc(&[0.0, -0.0], &[true, false]), Some(0.5));
    assert_eq!(auroc(&[0.1, 0.9], &[true, false]), Some(0.0));
    let m = compute(2, &[0, 0], &[&[0.9, 0.1], &[0.2, 0.8]], None).unwrap();
    assert_eq!((m.macro_auroc, m.per_class[0].1.auroc), (None, None));
    assert_eq!(m.baseline, Baseline::default());
    assert_eq!(m.per_class[0].1.specificity, 0.0);
}

#[test]
fn what_cannot_be_measured_is_an_error_with_the_record() {
    let good: &[f64] = &[0.5, 0.5];
    let message = |r: Result<Metrics>| r.unwrap_err().to_string();
    assert!(message(compute(2, &[], &[], None)).contains("0 records"));
    for bad in [f64::NAN, f64::INFINITY] {
        let text = message(compute(2, &[0, 1], &[good, &[bad, 0.5]], None));
        assert!(text.starts_with("r1: ") && text.contains("C0") && text.contains("HINT"), "{text}");
    }
    assert!(message(compute(2, &[0, 2], &[good, good], None)).contains("true class 2"));
    assert!(message(compute(2, &[0, 1], &[good, &[0.5]], None)).starts_with("r1"));
    assert!(message(compute(2, &[0, 1], &[good], None)).contains("1 rows"));
    assert!(message(compute(2, &[0, 1], &[good, good], Some(&[1]))).contains("1 training classes"));
}

#[test]
fn json_has_the_promised_keys_in_order() {
    let m = compute(3, &TRUTH, &P, None).unwrap();
    let json: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&serde_json::to_string(&m).unwrap()).unwrap();
    let keys: Vec<&str> = json.keys().map(String::as_str).collect();
    let promised = "classes records confusion accuracy macro_f1 macro_sensitivity macro_specificity macro_auroc \
                    absent_classes per_class baseline explanation";
    assert_eq!(keys, promised.split_whitespace().collect::<Vec<_>>());
    let inner = |name: &str| json[name].as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(inner("per_class"), "C0 C1 C2");
    assert_eq!(inner("baseline"), "accuracy macro_f1");
    assert_eq!(inner("explanation"), "ncc energy pointing deletion_auc insertion_auc");
    let class: Vec<&String> = json["per_class"]["C1"].as_object().unwrap().keys().collect();
    assert_eq!(class, ["sensitivity", "specificity", "ppv", "f1", "auroc", "support", "training"]);
    assert!(json["explanation"].as_object().unwrap().values().all(serde_json::Value::is_null));
    assert!(json["baseline"]["accuracy"].is_null());
    assert_eq!(serde_json::from_str::<Metrics>(&serde_json::to_string(&m).unwrap()).unwrap(), m);
}

#[test]
fn the_table_has_every_class_and_the_baseline() {
    let of = |p: &[&[f64]]| compute(3, &[0, 0], p, Some(&[3, 1, 1])).unwrap();
    let (own, better) = (of(&[&[0.9, 0.1, 0.0], &[0.2, 0.8, 0.0]]), of(&[&[0.9, 0.1, 0.0], &[0.8, 0.2, 0.0]]));
    assert!(!text_table(&own, None).contains("features"));
    let text = text_table(&own, Some(&better));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("class ") && lines[0].ends_with("AUROC"));
    assert!(lines[1].starts_with("C0") && lines[1].contains("0.500") && lines[1].ends_with(" -"));
    assert!(lines[4].starts_with("mean") && lines[8].contains("accuracy 0.500"), "{text}");
    assert!(lines[5].starts_with("lacking ") && lines[5].contains("no record of C1, but predictions"), "{text}");
    assert!(lines[6].starts_with("lacking ") && lines[6].contains("no record of C2, nor a prediction"), "{text}");
    assert!(lines[9].starts_with("baseline  accuracy 1.000  macro-F1 1.000"), "{text}");
    assert!(lines[10].starts_with("features  accuracy 1.000  macro-F1 1.000  (a perceptron"), "{text}");
    assert!(lines[..5].iter().all(|l| l.len() == lines[0].len()), "{text}");
}
