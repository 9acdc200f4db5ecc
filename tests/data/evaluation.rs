//! A test of a network: deletion and insertion against passes one by one, maps for the predicted class, what a network
//! is compared with.

use crate::common::golden::gpu;
use exgnet::ecg::guidance::guidance;
use exgnet::ecg::{SyntheticOptions, synthesize, zscore};
use exgnet::eval::Tested;
use exgnet::eval::evaluate;
use exgnet::experiment::Experiment;
use exgnet::experiment::data::Strips;
use exgnet::explain::perturbation::{Areas, Curves, Probe, area, curves, deletion_steps, insertion_steps};
use exgnet::explain::scores::{MapScores, slope_map, summary};
use exgnet::explain::{explain_strips, probabilities};
use exgnet::nn::models::exgnet::Sizes;
use exgnet::nn::{Mode, Model, NetworkConfig};
use exgnet::tensor::Tensor;

fn network(classes: usize) -> Model {
    let config =
        NetworkConfig::from(Sizes { widths: vec![6, 8], strides: vec![1, 2], stem_channels: 6, ..Sizes::default() });
    Model::new(gpu(), &config, classes, false, 3).expect("a network")
}

#[test]
fn areas_equal_those_of_passes_one_by_one() {
    let net = network(3);
    // two kinds of steps: several probes a pass, and more probes than one pass takes
    for (steps, n) in [(1, 3), (4, 10)] {
        let probe = |i: usize| {
            let value = |j: usize| (0.1 * j as f32 * (1.0 + i as f32)).sin() + 0.3 * (j % 50) as f32;
            let mut signal: Vec<f32> = (0..200).map(value).collect();
            zscore(&mut signal);
            Probe { map: slope_map(&signal, 200), signal, class: i % 3 }
        };
        let probes: Vec<Probe> = (0..n).map(probe).collect();
        let found: Vec<Areas> =
            curves(gpu(), &net, &probes, steps).expect("curves").iter().map(Curves::areas).collect();
        assert_eq!(found.len(), n);
        for (s, found) in probes.iter().zip(&found) {
            let curve = |strips: Vec<Vec<f32>>| {
                let one = |strip: &Vec<f32>| {
                    let x = Tensor::from_f32(gpu(), &[1, 1, 200], strip).expect("uploaded");
                    probabilities(&net.forward(&x, &Mode::EVAL).expect("forward").logits.to_vec().expect("read"))
                        [s.class]
                };
                area(&strips.iter().map(one).collect::<Vec<_>>())
            };
            let deletion = curve(deletion_steps(&s.signal, &s.map, steps).expect("strips"));
            let insertion = curve(insertion_steps(&s.signal, &s.map, steps).expect("strips"));
            assert!((found.deletion - deletion).abs() < 1e-6 && (found.insertion - insertion).abs() < 1e-6);
        }
        assert!(steps == 1 || found.iter().any(|a| (a.deletion - a.insertion).abs() > 1e-5), "{found:?}");
    }
}

/// The same but for the last digits of numbers.
fn near(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object};
    match (a, b) {
        (Number(a), Number(b)) => (a.as_f64().unwrap_or(0.0) - b.as_f64().unwrap_or(1.0)).abs() < 1e-6,
        (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b)),
        (Object(a), Object(b)) => a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| near(a, b))),
        _ => a == b,
    }
}

#[test]
fn a_network_and_what_it_is_compared_with() {
    let options = SyntheticOptions { records: 80, fs: 100.0, seconds: 4.0, ..SyntheticOptions::default() };
    let data = synthesize(&options).expect("synthetic ECG");
    let (strips, net) = (Strips::new(&data), network(data.classes.len()));
    let records: Vec<usize> = (0..80).filter(|r| r % 4 == 0).collect();
    let train: Vec<usize> = (0..80).filter(|r| r % 4 != 0).collect();
    let mut experiment = Experiment::default();
    experiment.losses.target_layer = "blocks.0".into();
    let tested = Tested {
        scale: None,
        gpu: gpu(),
        net: &net,
        data: &data,
        strips: &strips,
        records: &records,
        train: Some(&train),
        experiment: &experiment,
    };
    let found = evaluate(&tested, true).expect("tested");

    // maps for the predicted class, by the function that `explain` uses
    let x = strips.batch(gpu(), &records).expect("a batch");
    let explained = explain_strips(&net, &x, 1, None).expect("maps");
    let score = |(e, &r): (&exgnet::explain::Explained, &usize)| {
        let (s, fs) = (&data.strips[r], data.preprocessing.fs);
        let made = guidance(&s.r_peaks, fs, s.signal.len(), &experiment.guidance);
        (e.class, MapScores::against(&e.map, &made, &s.r_peaks, fs))
    };
    let rows: Vec<_> = explained.iter().zip(&records).map(score).collect();
    let wrong = rows.iter().zip(&records).filter(|((class, _), r)| *class != data.strips[**r].label).count();
    assert!(wrong > 3 && wrong < 20, "{wrong} of 20 are predicted wrong: both ways to a map are there");
    // scores are rounded to seven digits, as files have them
    let expected = summary(&rows, &data.classes).expect("means");
    let values = |s| serde_json::to_value(s).expect("JSON");
    assert!(near(&values(&found.explanation.predicted_class), &values(&expected)), "{expected:?}");
    assert_ne!(found.explanation.predicted_class.overall, found.explanation.true_class.overall);
    assert_eq!(found.metrics.explanation.ncc, found.explanation.true_class.overall.means.map(|m| m.ncc));

    // deletion and insertion of every record: no class has more than eight
    let p = &found.explanation.perturbation;
    assert_eq!((p.records, found.predictions.iter().filter(|p| p.areas.is_some()).count()), (20, 20 - p.dead));
    let areas = |p: &exgnet::run::predictions::Prediction| p.areas.map(|a| a.deletion);
    let all: Vec<f64> = found.predictions.iter().filter_map(areas).collect();
    assert!(all.iter().all(|v| *v > 0.0 && *v < 1.0) && !all.is_empty());
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    assert!((found.metrics.explanation.deletion_auc.expect("an area") - mean).abs() < 1e-12);

    // rows beside the network
    let sanity = found.sanity.expect("asked for");
    let of = |s: &exgnet::explain::scores::Summary| s.overall.means.expect("valid targets");
    assert_eq!((of(&sanity.uniform).ncc, sanity.random_seed), (0.0, experiment.train.seed + 1000));
    assert!(of(&sanity.slope).ncc > 0.3 && of(&sanity.slope).ncc > of(&sanity.random_network).ncc);
    let features = sanity.features.expect("the training fold is known");
    assert!(features.macro_f1 > found.metrics.macro_f1 + 0.2, "{} {}", features.macro_f1, found.metrics.macro_f1);
    let right = found.predictions.iter().filter(|p| p.by_features == Some(p.truth)).count();
    assert!((features.accuracy - right as f64 / 20.0).abs() < 1e-12);

    // neither training fold nor sanity: no baseline, the same network
    let alone = evaluate(&Tested { train: None, ..tested }, false).expect("tested");
    assert!(alone.sanity.is_none() && alone.metrics.baseline.accuracy.is_none());
    assert_eq!(alone.explanation, found.explanation);
}
