//! CSV tables of the layout that the EXGnet authors publish: samples, 17 features, one column a class.

#![allow(dead_code, reason = "each test file uses its own part")]

use exgnet::ecg::features;

/// Names of the columns of classes.
pub const CLASSES: [&str; 7] = [
    "Sinus Rhythm",
    "Sinus Bradycardia",
    "Sinus Tachycardia",
    "Sinus Irregularity",
    "Atrial Fibrillation_Atrial Flutter",
    "Supraventricular Tachycardia_Atrial Tachycardia",
    "Others",
];

/// The header row: samples 0 to `samples - 1`, the features, and these classes.
pub fn header(samples: usize, classes: &[&str]) -> String {
    let mut names: Vec<String> = (0..samples).map(|i| i.to_string()).collect();
    names.extend(features::NAMES.map(|f| if f == "bpm" { "ECG_Rate".into() } else { format!("HRV_{f}") }));
    names.extend(classes.iter().map(ToString::to_string));
    names.join(",")
}

/// A row: its samples, features from `first` + 0.5 on, and a 1 for its class; none for a class beyond `classes`.
pub fn row(samples: &str, first: usize, class: usize, classes: usize) -> String {
    let features: Vec<String> = (first..first + 17).map(|f| format!("{f}.5")).collect();
    let labels: Vec<&str> = (0..classes).map(|c| if c == class { "1" } else { "0" }).collect();
    format!("{samples},{},{}", features.join(","), labels.join(","))
}
