//! Scores of maps, deletion and insertion against NumPy (`tests/goldens/explain/make.py`).

use exgnet::ecg::guidance::{GuidanceConfig, guidance, pool};
use exgnet::explain::perturbation::{area, deletion_steps, insertion_steps};
use exgnet::explain::scores::{MapScores, energy, is_dead, ncc, pointing, slope_map};
use serde_json::Value;
use std::path::Path;

fn golden(key: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/explain/scores.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    all[key].as_array().unwrap_or_else(|| panic!("golden has no {key}")).clone()
}

fn number(v: &Value, key: &str) -> f64 {
    v[key].as_f64().unwrap_or_else(|| panic!("golden has no number {key}"))
}

fn values(v: &Value) -> Vec<f32> {
    v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

fn assert_close(found: &[f32], expected: &Value, tolerance: f32, what: &str) {
    let expected = values(expected);
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
        assert!((a - b).abs() <= tolerance, "{what} at {i}: {a}, expected {b}");
    }
}

#[test]
fn scores_equal_numpy() {
    let config = GuidanceConfig::default();
    let (mut scored, mut hits, mut invalid) = (0, 0, 0);
    for case in golden("scores") {
        let (fs, samples, bins) =
            (number(&case, "fs"), number(&case, "samples") as usize, number(&case, "bins") as usize);
        let peaks: Vec<u32> = case["peaks"].as_array().unwrap().iter().map(|p| p.as_u64().unwrap() as u32).collect();
        let what = format!("{} peaks, {bins} bins", peaks.len());
        let made = guidance(&peaks, fs, samples, &config);
        let target = pool(&made.target, bins);
        assert_close(&pool(&made.beats, bins), &case["beats"], 1e-6, &format!("B of {what}"));
        assert_close(&pool(&made.intervals, bins), &case["intervals"], 1e-6, &format!("I of {what}"));
        assert_close(&target, &case["target"], 1e-6, &format!("G of {what}"));
        assert!((made.irregularity - number(&case, "irregularity")).abs() < 1e-9, "{what}");
        assert_eq!(made.valid, case["valid"].as_bool().unwrap(), "{what}");
        if !made.valid {
            invalid += 1;
            assert_eq!(MapScores::against(&vec![1.0; bins], &made, &peaks, fs), None);
        }
        for (i, expected) in case["maps"].as_array().unwrap().iter().enumerate() {
            let map = values(&expected["map"]);
            let s = MapScores::against(&map, &made, &peaks, fs).unwrap();
            for (key, found) in
                [("ncc", s.ncc), ("ncc_beats", s.ncc_beats), ("ncc_intervals", s.ncc_intervals), ("energy", s.energy)]
            {
                let reference = number(expected, key);
                assert!((found - reference).abs() <= 2e-6, "{key} of map {i}, {what}: {found}, expected {reference}");
            }
            assert_eq!((Some(s.pointing), Some(s.dead)), (expected["pointing"].as_bool(), expected["dead"].as_bool()));
            assert_eq!((s.dead, s.ncc), (is_dead(&map), ncc(&map, &target)));
            assert_eq!(s.energy, energy(&map, &target));
            assert_eq!(s.pointing, pointing(&map, fs, samples, &peaks, &target));
            (scored, hits) = (scored + 1, hits + usize::from(s.pointing));
        }
    }
    assert!(scored > 60 && hits > 20 && scored - hits > 20 && invalid > 1, "{scored} maps, {hits} hits, {invalid}");
}

#[test]
fn deletion_and_insertion_equal_numpy() {
    for case in golden("perturbation") {
        let (signal, map) = (values(&case["signal"]), values(&case["map"]));
        let steps = number(&case, "steps") as usize;
        for (name, found) in [
            ("deletion", deletion_steps(&signal, &map, steps).unwrap()),
            ("insertion", insertion_steps(&signal, &map, steps).unwrap()),
        ] {
            let expected = case[name].as_array().unwrap();
            assert_eq!((found.len(), expected.len()), (steps + 1, steps + 1));
            for (k, (strip, expected)) in found.iter().zip(expected).enumerate() {
                assert_close(strip, expected, 2e-6, &format!("{name}, {} samples, step {k}", signal.len()));
            }
        }
    }
}

#[test]
fn areas_and_slopes_equal_numpy() {
    for case in golden("area") {
        let curve: Vec<f64> = case["curve"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        assert!((area(&curve) - number(&case, "area")).abs() < 1e-12);
    }
    for case in golden("slope") {
        let map = slope_map(&values(&case["signal"]), case["map"].as_array().unwrap().len());
        assert_close(&map, &case["map"], 2e-6, "slope map");
    }
}
