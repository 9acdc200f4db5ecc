//! Which values of an experiment make sense.

use crate::ecg::SplitKind;
use crate::ecg::labels::{RHYTHM6, Scheme};
use crate::ecg::patients::PatientNames;
use crate::ecg::sources::{Kind, Source};
use crate::error::{Error, Result};
use crate::experiment::{AugmentConfig, DataConfig, Experiment, Fold, Select, TrainConfig};
use crate::explain::{nearest_layer, target_layers};
use crate::nn::config::{Problem, whole_number};
use std::ops::{Bound, RangeBounds};

type Checked = Result<(), Problem>;

impl Experiment {
    /// Checks every value, and how they fit together: an error names the key, what was found and what was expected.
    pub fn validate(&self) -> Result<()> {
        self.check().map_err(Problem::into_error)
    }

    /// [`Experiment::validate`] with the key still apart.
    pub(super) fn check(&self) -> Checked {
        self.data.check()?;
        self.network.check()?;
        between("losses.label_smoothing", self.losses.label_smoothing, 0.0..1.0, "0 is off")?;
        self.check_losses()?;
        self.check_guidance()?;
        self.augment.check(self.data.seconds)?;
        self.train.check(self.data.folds)?;
        for name in self.test.sources.names() {
            parse_source("test.sources", name)?;
        }
        let dir = &self.output.dir;
        Problem::unless(!dir.trim().is_empty() && !dir.contains('\0'), "output.dir", format!("{dir:?}"), || {
            ("the path of a folder".into(), "e.g. dir = \"results/run\"".into())
        })?;
        whole("output.gradcam", self.output.gradcam, 0, 1000, "0 draws none")?;
        whole("output.examples", self.output.examples, 0, 1000, "0 keeps none")
    }

    fn check_losses(&self) -> Checked {
        let losses = &self.losses;
        for (name, weight) in losses.weights() {
            between(&format!("losses.{name}"), weight, 0.0..=1000.0, "0 leaves the term out")?;
        }
        losses.layer(&self.network).map(drop).map_err(|_| {
            let maps = self.network.maps();
            let near = nearest_layer(&losses.target_layer, &maps);
            let near = near.map_or(String::new(), |near| format!("; did you mean \"{near}\"?"));
            let expected = format!("one of {}{near}", target_layers(&maps));
            Problem::new("losses.target_layer", format!("\"{}\"", losses.target_layer), expected, "name a layer")
        })
    }

    fn check_guidance(&self) -> Checked {
        self.guidance.problem().map_or(Ok(()), |(key, found, expected)| {
            Err(Problem::new(key, found.to_string(), expected, "or leave the key out for its default"))
        })
    }
}

/// A source as a key names it.
fn parse_source(key: &str, name: &str) -> Result<Source, Problem> {
    name.parse().map_err(|e| Problem::new(key, format!("\"{name}\""), Source::forms(), hint_of(&e)))
}

/// The hint of an error.
fn hint_of(e: &Error) -> String {
    e.to_string().split("HINT: ").last().unwrap_or_default().to_string()
}

impl DataConfig {
    fn check(&self) -> Checked {
        self.check_sources()?;
        if let Err(e) = Scheme::by_name(&self.classes) {
            return Err(Problem::new("data.classes", format!("\"{}\"", self.classes), "a class scheme", hint_of(&e)));
        }
        if let Err(e) = PatientNames::parse(&self.patient_pattern) {
            let found = format!("\"{}\"", self.patient_pattern);
            let expected = "auto, none or a regular expression with one group";
            return Err(Problem::new("data.patient_pattern", found, expected, hint_of(&e)));
        }
        between("data.fs", self.fs, 50.0..=2000.0, "the rate in Hz, e.g. fs = 500.0")?;
        between("data.seconds", self.seconds, (Bound::Excluded(0.0), Bound::Included(600.0)), "e.g. seconds = 10.0")?;
        let samples = self.fs * self.seconds;
        Problem::unless(
            (samples - samples.round()).abs() < 1e-6,
            "data.seconds",
            format!("{} s at {} Hz, which is {samples} samples", self.seconds, self.fs),
            || ("a whole number of samples".into(), "change data.fs or data.seconds".into()),
        )?;
        Problem::unless(samples >= 64.0, "data.seconds", format!("{samples} samples"), || {
            ("at least 64 samples".into(), "a rhythm needs seconds: 10 is usual".into())
        })?;
        Problem::unless(!self.lead.trim().is_empty(), "data.lead", "\"\"", || {
            ("the name of a lead".into(), "e.g. lead = \"II\"".into())
        })?;
        whole("data.min_class", self.min_class, 0, 1_000_000, "0 keeps every class")?;
        whole("data.min_patients", self.min_patients, 0, 1_000_000, "0 asks for none")?;
        whole("data.per_patient", self.per_patient, 0, 1_000_000, "0 keeps all, 16 is usual with a pool of databases")?;
        for (source, &weight) in &self.weights {
            between(
                &format!("data.weights.{source}"),
                weight,
                0.0..=1e6,
                "1 is usual, 0 leaves the source out of the training",
            )?;
        }
        whole("data.folds", self.folds, 2, 1000, "5 is usual")?;
        between("data.mains", self.mains, 40.0..=70.0, "50, or 60 in America")?;
        between("data.csv_fs", self.csv_fs, 20.0..=100_000.0, "the rate in Hz, e.g. 500")?;
        let sources = self.sources().unwrap_or_default();
        let synthetic = self.prepared.is_empty() && sources.iter().any(|s| s.kind == Kind::Synthetic);
        if synthetic { self.check_synthetic() } else { Ok(()) }
    }

    fn check_sources(&self) -> Checked {
        let names = self.source.names();
        if names.is_empty() {
            return Err(Problem::new("data.source", "an empty list", Source::forms(), "name at least one source"));
        }
        for name in names {
            let source = parse_source("data.source", name)?;
            // windows of one patient on both sides of a split would be learned by heart
            if source.kind == Kind::Mitbih && self.split != SplitKind::Grouped && self.prepared.is_empty() {
                return Err(Problem::new(
                    "data.split",
                    format!("\"{}\" for {name}, whose patients have many strips each", self.split.name()),
                    "\"grouped\"",
                    "set split = \"grouped\" in [data]",
                ));
            }
        }
        Ok(())
    }

    fn check_synthetic(&self) -> Checked {
        let s = &self.synthetic;
        for (i, class) in s.classes.iter().enumerate() {
            let known = RHYTHM6.classes.contains(&class.as_str()) && !s.classes[..i].contains(class);
            Problem::unless(known, "data.synthetic.classes", format!("\"{class}\""), || {
                (format!("each of {} at most once", RHYTHM6.classes.join(", ")), "mind upper and lower case".into())
            })?;
        }
        let count = s.classes.len();
        whole("data.synthetic.classes (how many)", count, 2, RHYTHM6.classes.len(), "two classes are the least")?;
        let least = self.folds.max(count);
        whole("data.synthetic.records", s.records, least, 1_000_000, "one record a fold and a class is the least")?;
        seed("data.synthetic.seed", s.seed)?;
        between("data.synthetic.noise", s.noise, 0.0..=100.0, "1 is usual, 0 is none")?;
        between("data.synthetic.ectopic", s.ectopic, 0.0..=1.0, "0.25 is usual, 0 is none")?;
        between("data.synthetic.overlap", s.overlap, 0.0..=1.0, "1 is usual, 0 is none")
    }
}

impl AugmentConfig {
    fn check(&self, seconds: f64) -> Checked {
        between("augment.probability", self.probability, 0.0..=1.0, "1 changes every strip")?;
        let half = seconds / 2.0;
        between("augment.shift", self.shift, 0.0..=half, "seconds; 0 is off, 0.5 is usual")?;
        between("augment.scale", self.scale, 0.0..=9.0, "0 is off, 0.2 is 20 % up or down")?;
        between("augment.wander", self.wander, 0.0..=10.0, "0 is off, 0.1 is a tenth of the sd")?;
        between("augment.noise", self.noise, 0.0..=10.0, "0 is off, 0.05 is a twentieth of the sd")
    }
}

impl TrainConfig {
    fn check(&self, folds: usize) -> Checked {
        whole("train.epochs", self.epochs, 1, 100_000, "60 is usual")?;
        whole("train.batch", self.batch, 2, 65_536, "BatchNorm needs two records at least; 32 is usual")?;
        between("train.lr", self.lr, (Bound::Excluded(0.0), Bound::Included(10.0)), "0.001 is usual")?;
        between("train.weight_decay", self.weight_decay, 0.0..=10.0, "0 is none")?;
        for (i, &beta) in self.betas.iter().enumerate() {
            between(&format!("train.betas[{i}]"), beta, 0.0..1.0, "[0.9, 0.999] is usual")?;
        }
        between("train.validation", self.validation, 0.0..0.51, "a share of the training fold, 0.1 is usual")?;
        let watched = self.select != Select::Best || self.validation > 0.0;
        Problem::unless(watched, "train.select", "\"best\" with train.validation = 0", || {
            let hint =
                "hold out a share of the training fold to select on (validation = 0.1), or use select = \"final\"";
            ("train.validation above 0".into(), hint.into())
        })?;
        between("train.warmup", self.warmup, 0.0..1.0, "a share of all steps, 0.03 is usual")?;
        between("train.clip", self.clip, 0.0..=1e9, "0 switches clipping off, 5 is usual")?;
        seed("train.seed", self.seed)?;
        if let Fold::Index(fold) = self.fold {
            Problem::unless(fold < folds, "train.fold", fold, || {
                (format!("0 to {} with data.folds = {folds}, or \"all\"", folds - 1), "folds count from 0".into())
            })?;
        }
        whole("train.log_every", self.log_every, 1, 1_000_000, "10 is usual")?;
        whole("train.checkpoint_steps", self.checkpoint_steps, 0, 1_000_000_000, "0 is off")?;
        let minutes = self.checkpoint_minutes;
        between("train.checkpoint_minutes", minutes, 0.0..=1e6, "5 is usual, 0 is off")
    }
}

/// A number within a range; NaN is within none.
fn between(key: &str, value: f64, range: impl RangeBounds<f64>, hint: &str) -> Checked {
    let end = |bound: Bound<&f64>, included: &str, excluded: &str| match bound {
        Bound::Included(x) => format!(" {included} {x}"),
        Bound::Excluded(x) => format!(" {excluded} {x}"),
        Bound::Unbounded => String::new(),
    };
    Problem::unless(range.contains(&value), key, value, || {
        let (from, to) = (end(range.start_bound(), "from", "above"), end(range.end_bound(), "to", "to below"));
        (format!("a number{from}{to}"), hint.into())
    })
}

/// A whole number within a range.
fn whole(key: &str, value: usize, low: usize, high: usize, hint: &str) -> Checked {
    Problem::unless((low..=high).contains(&value), key, value, || (whole_number(low, high), hint.into()))
}

/// A seed that TOML can write back.
fn seed(key: &str, value: u64) -> Checked {
    Problem::unless(i64::try_from(value).is_ok(), key, value, || {
        (format!("a whole number from 0 to {}", i64::MAX), "e.g. seed = 1".into())
    })
}
