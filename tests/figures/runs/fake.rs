//! Run folders as the tests write them.

use exgnet::experiment::Experiment;
use exgnet::run::examples::{Aligned, Example, ExampleCurves, ExampleFeatures, Examples};
use exgnet::run::folder::{EpochLog, RunFolder};
use exgnet::run::metrics::Metrics;
use exgnet::run::predictions;
use exgnet::run::predictions::Prediction;
use exgnet::run::record::RunRecord;
use std::path::{Path, PathBuf};

const FS: f64 = 100.0;

pub(super) const SAMPLES: usize = 1000;

/// A run to be written.
pub(super) struct Fake {
    pub(super) variant: &'static str,
    pub(super) fold: usize,
    pub(super) epochs: usize,
    /// Classes with test records.
    pub(super) there: Vec<usize>,
    /// Losses of these epochs are NaN.
    pub(super) broken: std::ops::Range<usize>,
    pub(super) explained: bool,
    /// Strips are held out to follow the training.
    pub(super) validation: bool,
}

impl Fake {
    pub(super) fn new(variant: &'static str, fold: usize) -> Self {
        Self { variant, fold, epochs: 4, there: vec![0, 1, 2], broken: 0..0, explained: true, validation: false }
    }

    fn classes() -> Vec<String> {
        ["SR", "SB", "AFIB/AFL"].map(String::from).to_vec()
    }

    /// Numbers that look random and are the same everywhere.
    fn noise(i: usize) -> f64 {
        ((i * 7919 + 13) % 1009) as f64 / 1009.0
    }

    fn predictions(&self) -> Vec<Prediction> {
        let one = |i: usize| {
            let truth = self.there[i % self.there.len()];
            let mut p: Vec<f64> = (0..3).map(|k| 0.2 + Self::noise(i * 3 + k + self.fold)).collect();
            p[truth] += 0.7;
            let total: f64 = p.iter().sum();
            Prediction {
                record: format!("r{i}"),
                patient: format!("p{}", i / 2),
                truth,
                probabilities: p.iter().map(|v| v / total).collect(),
                explanation: None,
                areas: None,
                by_features: None,
            }
        };
        (0..30).map(one).collect()
    }

    fn strip(class: usize, i: usize) -> Example {
        let beat = 60 + 20 * class;
        let r_peaks: Vec<u32> = (0..SAMPLES / beat).map(|k| (k * beat + beat / 2) as u32).collect();
        let near = |t: usize| r_peaks.iter().map(|p| (*p as f64 - t as f64).abs()).fold(f64::MAX, f64::min);
        let wave = |width: f64| (0..SAMPLES).map(|t| (-(near(t) / width).powi(2)).exp() as f32).collect::<Vec<f32>>();
        Example {
            record: format!("class {class} no. {i}"),
            class,
            predicted: i % 3,
            probabilities: vec![0.5, 0.3, 0.2],
            ncc: 0.75,
            expert_beats: true,
            marked: None,
            signal: wave(2.0),
            in_mv: true,
            target: wave(5.0),
            maps: (0..3)
                .map(|c| (0..50).map(|t| Self::noise(t + i + 100 * (c + 3 - class)) as f32).collect())
                .collect(),
            patient: format!("patient {i}"),
            r_peaks,
        }
    }

    fn shown(&self) -> Examples {
        let strips = self.there.iter().flat_map(|&k| (0..2).map(move |i| Self::strip(k, i))).collect();
        let mean = |k: usize| {
            if !self.there.contains(&k) {
                return Aligned::default();
            }
            let values: Vec<f32> = (0..=100).map(|t| (-((t as f32 - 40.0) / 10.0).powi(2)).exp()).collect();
            Aligned {
                records: 10,
                beats: 90,
                unitless: 0,
                map_sd: vec![0.1; 101],
                target: values.clone(),
                signal: values.clone(),
                map: values,
            }
        };
        let curves = self.there.iter().flat_map(|&class| {
            (0..4).map(move |i| ExampleCurves {
                class,
                deletion: (0..=10).map(|s| 1.0 - 0.09 * s as f32 - 0.01 * i as f32).collect(),
                insertion: (0..=10).map(|s| 0.09 * s as f32 + 0.01 * i as f32).collect(),
            })
        });
        let features = (0..30).map(|i| {
            let measured: [f32; 17] = std::array::from_fn(|j| 800.0 + 100.0 * Self::noise(i + j) as f32);
            let regressed = (self.variant == "both").then_some(measured.map(|v| v * 0.9 + 80.0));
            ExampleFeatures { class: self.there[i % self.there.len()], measured, regressed }
        });
        let embedding = |i: usize| (0..4).map(|j| Self::noise(i * 4 + j + self.fold) as f32 + (i % 2) as f32).collect();
        Examples {
            embeddings: (0..30).map(embedding).collect(),
            classes: Self::classes(),
            fs: FS,
            layer: "blocks.1".into(),
            strips,
            aligned: (0..3).map(mean).collect(),
            curves: curves.collect(),
            features: features.collect(),
        }
    }

    fn log(&self, epoch: usize) -> EpochLog {
        let fall = 1.0 / (1.0 + epoch as f64 / 10.0) + 0.01 * Self::noise(epoch + self.fold);
        let ce = if self.broken.contains(&epoch) { f64::NAN } else { fall };
        let mut losses = vec![("ce".to_string(), ce)];
        if self.variant == "both" {
            losses.push(("xai".into(), fall / 2.0));
            losses.push(("total".into(), ce + fall / 4.0));
        } else {
            losses.push(("total".into(), ce));
        }
        let mut metrics =
            vec![("train_accuracy".into(), 1.0 - fall / 2.0), ("train_macro_f1".into(), 1.0 - fall / 1.5)];
        if self.validation {
            metrics.push(("validation_accuracy".into(), 0.9 - fall / 2.0));
            metrics.push(("validation_macro_f1".into(), 0.9 - fall / 1.5));
            metrics.push(("train_dead_maps".into(), if self.variant == "both" { 0.1 / epoch as f64 } else { 0.0 }));
        }
        EpochLog { epoch, step: epoch * 10, lr: 1e-3 / epoch as f64, losses, metrics, seconds: 1.0 }
    }

    pub(super) fn write(&self, root: &Path) -> PathBuf {
        let dir = root.join(self.variant).join(format!("fold-{}-seed-1", self.fold));
        let folder = RunFolder::create(&dir, false).expect("a folder");
        let guided = if self.variant == "both" { "0.5" } else { "0" };
        let experiment = Experiment::parse(
            &format!(
                "[data]\nfs = {FS:?}\nseconds = 10.0\nsplit = 'stratified'\n[network]\nwidths = [6, 8]\nstrides = [1, 2]\n\
                 stem_channels = 6\n[losses]\njoint = {guided}\nfeature = {guided}\nxai = {guided}\n\
                 [train]\nepochs = {}\nfold = {}\nseed = 1\n",
                self.epochs.max(1), self.fold
            ),
            "test",
        )
        .expect("an experiment");
        folder.write_config(&experiment).expect("written");
        let mut record = RunRecord::start(&experiment);
        record.finish(1.0);
        folder.write_run(&record).expect("written");
        let lines: String =
            (1..=self.epochs).map(|e| serde_json::to_string(&self.log(e)).expect("JSON") + "\n").collect();
        std::fs::write(dir.join("log.jsonl"), lines).expect("written");
        let rows = self.predictions();
        predictions::write(&dir.join("predictions.csv"), &Self::classes(), &rows, None).expect("written");
        let metrics = Metrics::of(&Self::classes(), &rows, Some(&[400, 120, 7])).expect("metrics");
        std::fs::write(dir.join("metrics.json"), serde_json::to_string(&metrics).expect("JSON")).expect("written");
        if self.explained {
            self.shown().write(&dir.join(Examples::FILE), None).expect("written");
        }
        dir
    }
}
