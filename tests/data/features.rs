//! Features and guidance target of R peaks against NeuroKit2 and against a plain reading of the formulas
//! (`goldens/ecg/make.py`), and what must hold for any peaks.

use exgnet::ecg::features::{self, NAMES, hrv};
use exgnet::ecg::guidance::{GuidanceConfig, guidance, pool};
use proptest::prelude::*;
use serde_json::Value;
use std::path::Path;

fn golden(key: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/ecg/ecg.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    all[key].as_array().unwrap_or_else(|| panic!("golden has no {key}")).clone()
}

/// Numbers of a list; null is NaN.
fn numbers(v: &Value) -> Vec<f64> {
    v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
}

fn peaks(v: &Value) -> Vec<u32> {
    numbers(&v["peaks"]).into_iter().map(|p| p as u32).collect()
}

fn close(found: f64, expected: f64, atol: f64, rtol: f64) -> bool {
    (found.is_nan() && expected.is_nan()) || (found - expected).abs() <= atol + rtol * expected.abs()
}

#[test]
fn features_equal_neurokit() {
    let cases = golden("features");
    assert!(cases.len() >= 40);
    let mut undefined = [0; 17];
    for case in cases {
        let expected = numbers(&case["values"]);
        let found = hrv(&peaks(&case), case["fs"].as_f64().unwrap());
        for (i, name) in NAMES.iter().enumerate() {
            // differences of equal intervals are 0 here and a rounding error there
            assert!(close(found[i], expected[i], 1e-9, 1e-12), "{name}: {} {} {case}", found[i], expected[i]);
            undefined[i] += usize::from(found[i].is_nan());
        }
    }
    // the cases reach what is undefined: SDNN, SDSD and RMSSD of few intervals, SDRMSSD of equal ones too
    assert!(undefined[2] > 0 && undefined[3] > undefined[2] && undefined[11] > undefined[4]);
    assert_eq!([0, 1, 7, 16].map(|i| undefined[i]), [0; 4]);
}

#[test]
fn features_of_the_data_description() {
    let peaks = [100, 512, 905, 1341, 1702, 2150, 2533, 2961, 3380, 3802, 4190, 4655];
    #[rustfmt::skip]
    let expected = [
        60_000.0 / 828.181_818_2, 828.181_818_2, 61.373_965_46, 112.641_22, 107.385_287_6, 0.074_106_873_77,
        0.129_663_903_8, 838.0, 77.0952, 0.091_999_045_35, 83.0, 0.571_530_484_4, 776.0, 872.0, 722.0, 930.0, 11.0,
    ];
    let two = [(2, 28.284_271_25), (4, 40.0), (3, f64::NAN), (10, 20.0), (8, 29.652), (12, 808.0), (16, 2.0)];
    let one = [(2, f64::NAN), (4, f64::NAN), (3, f64::NAN), (8, 0.0), (16, 1.0)];
    for (i, e) in expected.into_iter().enumerate() {
        assert!(close(hrv(&peaks, 500.0)[i], e, 0.0, 1e-9), "{}", NAMES[i]);
    }
    for (rr, values) in [(&[800.0, 840.0][..], &two[..]), (&[800.0], &one)] {
        for &(i, e) in values {
            assert!(close(features::hrv_of_rr(rr)[i], e, 0.0, 1e-9), "{} of {rr:?}", NAMES[i]);
        }
    }
    assert_eq!(features::hrv_of_rr(&[708.0, 736.0, 1250.0, 1210.0, 386.0, 256.0, 1244.0])[16], 3.5);
}

#[test]
fn equal_intervals_have_no_variability() {
    // 211 / 300 s: a rounded mean must not make a deviation of it
    let f = hrv(&(0..30).map(|i| i * 211).collect::<Vec<_>>(), 300.0);
    assert_eq!([2, 3, 4, 5, 6, 8, 9, 10].map(|i| f[i]), [0.0; 8]);
    assert!(f[11].is_nan() && f[16] == 1.0);
}

#[test]
fn guidance_equals_its_formulas() {
    let cases = golden("guidance");
    let valid = cases.iter().filter(|c| c["valid"] == true).count();
    assert!(valid >= 5 && valid + 2 <= cases.len());
    for case in cases {
        let config: GuidanceConfig = serde_json::from_value(case["config"].clone()).unwrap();
        let samples = case["samples"].as_u64().unwrap() as usize;
        let g = guidance(&peaks(&case), case["fs"].as_f64().unwrap(), samples, &config);
        assert_eq!(g.valid, case["valid"].as_bool().unwrap());
        assert!(close(g.irregularity, case["irregularity"].as_f64().unwrap(), 1e-12, 0.0));
        let every = case["every"].as_u64().unwrap() as usize;
        for (name, curve) in [("beats", &g.beats), ("intervals", &g.intervals), ("target", &g.target)] {
            let expected = numbers(&case[name]);
            let found: Vec<f64> = curve.iter().step_by(every).map(|&v| v.into()).collect();
            assert_eq!(found.len(), expected.len());
            for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
                assert!(close(*a, *b, 1e-6, 0.0), "{name} at {}: {a} {b}", i * every);
            }
        }
        for (bins, expected) in case["pooled"].as_object().unwrap() {
            let found = pool(&g.target, bins.parse().unwrap());
            let expected = numbers(expected);
            assert_eq!(found.len(), expected.len());
            assert!(found.iter().zip(&expected).all(|(a, b)| close((*a).into(), *b, 1e-6, 0.0)), "{bins} bins");
        }
    }
}

fn beats() -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(1..2000_u32, 0..30).prop_map(|gaps| {
        gaps.iter()
            .scan(0, |at, g| {
                *at += g;
                Some(*at)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn any_peaks_and_intervals_have_features(
        peaks in proptest::collection::vec(any::<u32>(), 0..12),
        fs in prop_oneof![any::<f64>(), 1e-3..1e4_f64],
        rr in proptest::collection::vec(prop_oneof![any::<f64>(), 0.0..3000.0_f64, Just(0.0)], 0..12),
        sort in any::<bool>(),
    ) {
        let mut peaks = peaks;
        if sort {
            peaks.sort_unstable();
        }
        for f in [hrv(&peaks, fs), features::hrv_of_rr(&rr)] {
            prop_assert!(f.iter().all(|v| !v.is_infinite()));
        }
    }

    #[test]
    fn order_statistics_are_in_order(peaks in beats(), fs in 100.0..1000.0_f64) {
        let f = hrv(&peaks, fs);
        prop_assert_eq!(f[0].is_nan(), peaks.len() < 2);
        if peaks.len() >= 2 {
            let ordered = [14, 12, 7, 13, 15].map(|i| f[i]);
            prop_assert!(ordered.is_sorted(), "{:?}", ordered);
            prop_assert!((1.0..=(peaks.len() - 1) as f64).contains(&f[16]));
        }
    }

    #[test]
    fn only_intervals_count(peaks in beats(), by in 0..100_000_u32) {
        let later: Vec<u32> = peaks.iter().map(|p| p + by).collect();
        let (a, b) = (hrv(&peaks, 360.0), hrv(&later, 360.0));
        prop_assert!(a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits()));
    }

    /// Twice the rate: half the times, the same ratios, twice the heart rate.
    #[test]
    fn times_scale_with_the_rate(peaks in beats()) {
        let (a, b) = (hrv(&peaks, 250.0), hrv(&peaks, 500.0));
        for (i, name) in NAMES.iter().enumerate().take(16) {
            let factor = match *name {
                "bpm" => 2.0,
                "CVNN" | "CVSD" | "MCVNN" | "SDRMSSD" => 1.0,
                _ => 0.5,
            };
            prop_assert!(close(b[i], factor * a[i], 0.0, 1e-15), "{}: {} {}", name, a[i], b[i]);
        }
    }

    /// Bins of equal values have that value; any bin lies between the least and the most of the target.
    #[test]
    fn pooling_averages(x in proptest::collection::vec(0.0..1.0_f32, 1..50), times in 1..5_usize, bins in 1..70_usize) {
        let target: Vec<f32> = x.iter().flat_map(|&v| std::iter::repeat_n(v, times)).collect();
        let pooled = pool(&target, x.len());
        prop_assert!(pooled.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-6));
        let (least, most) = x.iter().fold((1.0_f32, 0.0_f32), |(l, m), &v| (l.min(v), m.max(v)));
        let any = pool(&target, bins);
        prop_assert!(any.len() == bins && any.iter().all(|v| (least - 1e-6..=most + 1e-6).contains(v)));
    }
}
