//! Figures from run folders that the tests write themselves: what is drawn, what is reported of what cannot be, and the odd
//! runs: one epoch, a class missing in a fold, non-finite losses, ten thousand epochs.

use crate::common::drawing::{check, texts};
use crate::common::goldens::same_as_golden;
use crate::common::{exgnet, fails, path, text};
use exgnet::experiment::Experiment;
use exgnet::figures::catalogue::{Drawn, FIGURES, Kind};
use exgnet::plot::{Format, Look, Theme};
use exgnet::run::cost::{Cost, Inference};
use exgnet::run::examples::{Aligned, Example, ExampleCurves, ExampleFeatures, Examples};
use exgnet::run::folder::{EpochLog, RunFolder};
use exgnet::run::metrics::Metrics;
use exgnet::run::predictions;
use exgnet::run::predictions::Prediction;
use exgnet::run::read::{Found, read_all};
use exgnet::run::record::RunRecord;
use exgnet::run::set::RunSet;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const FS: f64 = 100.0;
const SAMPLES: usize = 1000;

/// A run to be written.
struct Fake {
    variant: &'static str,
    fold: usize,
    epochs: usize,
    /// Classes with test records.
    there: Vec<usize>,
    /// Losses of these epochs are NaN.
    broken: std::ops::Range<usize>,
    explained: bool,
    /// Strips are held out to follow the training.
    validation: bool,
}

impl Fake {
    fn new(variant: &'static str, fold: usize) -> Self {
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

    fn write(&self, root: &Path) -> PathBuf {
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

fn runs(paths: &[&Path]) -> Found {
    read_all(&paths.iter().map(|p| p.to_path_buf()).collect::<Vec<_>>()).expect("runs")
}

/// The figures of a group or a kind.
fn draw<'a>(name: &str, set: &'a RunSet<'a>, look: &Look) -> Drawn<'a> {
    let mut all = Drawn::default();
    for kind in Kind::named(name).expect("a kind") {
        let drawn = kind.of_runs(set, look);
        all.figures.extend(drawn.figures);
        all.missing.extend(drawn.missing);
    }
    all
}

fn groups() -> impl Iterator<Item = &'static str> {
    FIGURES.chunk_by(|a, b| a.group == b.group).map(|own| own[0].group)
}

/// Figures of a group by name, as SVG.
fn svgs(name: &str, runs: &Found, look: &Look) -> (BTreeMap<String, String>, Vec<String>) {
    let set = RunSet::new(runs).expect("a set of runs");
    let Drawn { figures, missing } = draw(name, &set, look);
    let what = format!("at {} mm, {}", look.width_mm, look.theme.name());
    let of = |f: &exgnet::plot::Figure| (f.stem.clone(), check(f, &format!("{} {what}", f.stem)));
    (figures.iter().map(of).collect(), missing.into_iter().map(|m| format!("{}: {}", m.figure, m.why)).collect())
}

/// Smallest font size of a drawing, pt; the drawing has 100 units to the millimetre.
fn smallest(svg: &str) -> f64 {
    let sizes = svg.split("font-size=\"").skip(1).filter_map(|p| p.split('"').next()?.parse::<f64>().ok());
    sizes.fold(f64::MAX, f64::min) / 100.0 * 72.0 / 25.4
}

/// What a drawing is made of: elements by kind, and the texts.
fn summary(svg: &str) -> String {
    let mut out = String::new();
    for element in ["rect", "line", "polyline", "polygon", "circle"] {
        let n = svg.matches(&format!("<{element} ")).count();
        write!(out, "{element} {n}  ").expect("written");
    }
    format!("{}\n  {}\n", out.trim_end(), texts(svg).join(" | "))
}

fn sweep(root: &Path) {
    for variant in ["plain", "both"] {
        for fold in 0..3 {
            Fake::new(variant, fold).write(root);
        }
    }
}

#[test]
fn the_structure_of_every_figure_of_a_sweep() {
    let tmp = tempfile::tempdir().expect("a folder");
    sweep(tmp.path());
    let runs = runs(&[tmp.path()]);
    assert_eq!(RunSet::new(&runs).expect("a set of runs").variants, ["plain", "both"]);
    for kind in groups().filter(|k| *k != "kernels") {
        let (found, missing) = svgs(kind, &runs, &Look::default());
        // these runs have no scores of maps, neither as trained nor with random weights, and one network
        let expected = match kind {
            "scores" => 2,
            "performance" => 1,
            _ => 0,
        };
        assert_eq!(missing.len(), expected, "{kind:?}: {missing:?}");
        let summaries: String = found.iter().map(|(stem, svg)| format!("{stem}: {}", summary(svg))).collect();
        same_as_golden(&format!("figures/{kind}.txt"), &summaries);
    }
}

#[test]
fn letters_are_readable_at_every_width_and_glyphs_are_there() {
    let tmp = tempfile::tempdir().expect("a folder");
    sweep(tmp.path());
    let runs = runs(&[tmp.path()]);
    for (width_mm, theme) in [(85.0, Theme::Paper), (180.0, Theme::Dark), (180.0, Theme::Slides)] {
        let look = Look { width_mm, theme, ..Look::default() };
        for kind in groups() {
            for (stem, svg) in svgs(kind, &runs, &look).0 {
                // laid out smaller and drawn larger
                let smallest = smallest(&svg) * theme.scale();
                assert!((5.9..13.0).contains(&smallest), "{stem} at {width_mm} mm: {smallest} pt");
                let page: f64 =
                    svg.split("width=\"").nth(1).and_then(|p| p.split("mm").next()?.parse().ok()).expect("a width");
                assert!(page <= width_mm + 1e-6, "{stem}: {page} mm");
                let height: f64 =
                    svg.split("height=\"").nth(1).and_then(|p| p.split("mm").next()?.parse().ok()).expect("a height");
                assert!(width_mm > 85.0 || height <= 120.0 + 1e-6, "{stem} at {width_mm} mm: {height} mm high");
                for text in texts(&svg) {
                    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
                    assert!(exgnet::plot::text::has_all(&plain), "{stem}: no glyph for all of '{plain}'");
                }
            }
        }
    }
}

#[test]
fn a_plain_run_shows_all_its_losses() {
    let tmp = tempfile::tempdir().expect("a folder");
    let dir = Fake::new("plain", 0).write(tmp.path());
    let (found, _) = svgs("training", &runs(&[&dir]), &Look::default());
    let words = texts(&found["losses"]);
    assert!(words.contains(&"cross-entropy = total loss".to_owned()), "{words:?}");
    assert!(!words.iter().any(|w| w.contains("gaps")), "{words:?}");
}

#[test]
fn non_finite_losses_are_gaps() {
    let tmp = tempfile::tempdir().expect("a folder");
    let run = Fake { epochs: 30, broken: 10..20, ..Fake::new("both", 0) };
    let dir = run.write(tmp.path());
    let (found, _) = svgs("training", &runs(&[&dir]), &Look::default());
    let losses = &found["losses"];
    assert_eq!(texts(losses).iter().filter(|w| *w == "gaps: no finite value").count(), 2, "ce and total, not xai");
    let whole = Fake { epochs: 30, ..Fake::new("both", 1) }.write(tmp.path());
    let (whole, _) = svgs("training", &runs(&[&whole]), &Look::default());
    let lines = |svg: &str| svg.matches("<polyline ").count();
    assert_eq!(lines(losses), lines(&whole["losses"]) + 2, "two curves are broken in two");
    // all of it
    let none = Fake { epochs: 3, broken: 0..9, ..Fake::new("plain", 2) }.write(tmp.path());
    let (none, missing) = svgs("training", &runs(&[&none]), &Look::default());
    assert!(!none.contains_key("losses") && missing[0].contains("no finite value among the losses"), "{missing:?}");
    // the mean of a sweep has a gap where one run has
    let (both, _) = svgs("training", &runs(&[&tmp.path().join("both")]), &Look::default());
    assert!(texts(&both["losses"]).contains(&"gaps: no finite value".to_owned()));
}

#[test]
fn training_and_validation_share_a_panel_and_rates_a_curve() {
    let tmp = tempfile::tempdir().expect("a folder");
    let write = |variant, validation| Fake { validation, ..Fake::new(variant, 0) }.write(tmp.path());
    let (plain, both) = (write("plain", true), write("both", true));
    let (found, _) = svgs("training", &runs(&[&plain]), &Look::default());
    let words = texts(&found["metrics"]);
    for word in ["accuracy", "macro-F1", "training", "validation", "a", "b"] {
        assert_eq!(words.iter().filter(|w| *w == word).count(), 1, "{word}: {words:?}");
    }
    assert!(!words.iter().any(|w| w.contains("dead maps")), "no map died: {words:?}");
    let found = runs(&[&plain, &both]);
    let set = RunSet::new(&found).expect("a set of runs");
    let drawn = draw("training", &set, &Look::default()).figures;
    let caption = |stem| drawn.iter().find(|f| f.stem == stem).map_or("", |f| f.caption.as_str());
    assert!(caption("metrics").contains("Dead maps: share of"), "{}", caption("metrics"));
    let losses = caption("losses");
    for part in ["same in all arms", "plain: n = 1 run", "NCC: normalised"] {
        assert!(losses.contains(part), "{part}: {losses}");
    }
}

#[test]
fn networks_of_several_sizes_are_compared_with_their_cost() {
    let tmp = tempfile::tempdir().expect("a folder");
    for (variant, widths, ms) in [("small", "[6, 8]", 1.5), ("large", "[24, 32]", 6.0)] {
        let dir = Fake { explained: false, ..Fake::new(variant, 0) }.write(tmp.path());
        let config = std::fs::read_to_string(dir.join("config.toml")).expect("a config");
        assert!(config.contains("widths = [6, 8]"), "{config}");
        std::fs::write(dir.join("config.toml"), config.replace("[6, 8]", widths)).expect("written");
        let cost = Cost {
            parameters: 1,
            multiply_adds: 1,
            samples: SAMPLES,
            adapter: Some("a card".into()),
            inference: vec![Inference { batch: 1, ms_per_strip: ms, passes: 9 }],
        };
        std::fs::write(dir.join(Cost::FILE), serde_json::to_string(&cost).expect("JSON")).expect("written");
    }
    let found = runs(&[tmp.path()]);
    for width_mm in [85.0, 180.0] {
        let (drawn, _) = svgs("performance", &found, &Look { width_mm, ..Look::default() });
        let words = texts(&drawn["networks"]);
        for word in ["small", "large", "parameters", "multiply-adds of a strip", "time of a strip (ms)", "2", "5"] {
            assert!(words.iter().any(|w| w == word), "{word}: {words:?}");
        }
        let (drawn, _) = svgs("network", &found, &Look { width_mm, ..Look::default() });
        let words = texts(&drawn["network"]);
        assert!(words.iter().any(|w| w.ends_with("multiply-adds, 1.50 ms") || w.ends_with("multiply-adds, 6.00 ms")));
    }
}

#[test]
fn one_epoch_and_ten_thousand() {
    let tmp = tempfile::tempdir().expect("a folder");
    let one = Fake { epochs: 1, ..Fake::new("one", 0) }.write(tmp.path());
    let (found, missing) = svgs("training", &runs(&[&one]), &Look::default());
    assert!(missing.is_empty() && found["losses"].contains("<circle "), "a single value is a mark");
    let long = Fake { epochs: 10_000, broken: 5000..5001, ..Fake::new("long", 0) }.write(tmp.path());
    let (found, missing) = svgs("training", &runs(&[&long]), &Look::default());
    let svg = &found["losses"];
    assert!(missing.is_empty() && svg.len() < 400_000, "{} bytes", svg.len());
    let ticks: Vec<_> = texts(svg).into_iter().filter(|w| w == "10000").collect();
    assert!(!ticks.is_empty(), "{:?}", texts(svg));
    // a run that has not begun
    let empty = Fake { epochs: 0, ..Fake::new("empty", 0) }.write(tmp.path());
    let (found, missing) = svgs("training", &runs(&[&empty]), &Look::default());
    assert!(found.is_empty() && missing.len() == 2 && missing[0].contains("no log.jsonl with an epoch"), "{missing:?}");
}

#[test]
fn a_class_missing_in_a_fold_is_reported_and_not_made_up() {
    let tmp = tempfile::tempdir().expect("a folder");
    let dir = Fake { there: vec![0, 2], ..Fake::new("plain", 0) }.write(tmp.path());
    let runs = runs(&[&dir]);
    let (found, _) = svgs("confusion", &runs, &Look::default());
    assert_eq!(texts(&found["confusion"]).iter().filter(|w| *w == "n/a").count(), 3, "the row of SB");
    let (found, _) = svgs("ranking", &runs, &Look::default());
    assert!(texts(&found["ranking"]).contains(&"no curve: SB".to_owned()));
    let (found, _) = svgs("performance", &runs, &Look::default());
    // no sensitivity, predictive value and F1
    assert_eq!(texts(&found["per-class"]).iter().filter(|w| *w == "–").count(), 3);
    let set = RunSet::new(&runs).expect("a set of runs");
    let drawn = draw("gradcam", &set, &Look::default());
    let panel = drawn.figures.iter().find(|f| f.stem == "gradcam").expect("strips");
    assert!(panel.caption.contains("No test record of SB"), "{}", panel.caption);
    let aligned = drawn.figures.iter().find(|f| f.stem == "gradcam-aligned").expect("means");
    assert!(aligned.caption.contains("No record of SB"), "{}", aligned.caption);
    let (found, _) = svgs("gradcam", &runs, &Look::default());
    let words = texts(&found["gradcam-aligned"]);
    assert!(!words.iter().any(|w| w.contains("SB")) && words.contains(&"AFIB/AFL".to_owned()), "{words:?}");
}

/// A figure of a kind with its caption.
fn one<'a>(found: &'a [exgnet::plot::Figure], stem: &str) -> &'a exgnet::plot::Figure<'a> {
    found.iter().find(|f| f.stem == stem).unwrap_or_else(|| panic!("{stem} of {found:?}"))
}

#[test]
fn wrong_strips_show_what_spoke_for_the_mistake_and_dead_maps_are_explained() {
    let tmp = tempfile::tempdir().expect("a folder");
    let dir = Fake::new("plain", 0).write(tmp.path());
    let found = runs(&[&dir]);
    let set = RunSet::new(&found).expect("a set");
    let drawn = draw("gradcam", &set, &Look::default()).figures;
    let svg = one(&drawn, "gradcam-wrong").svg().expect("drawn");
    let words = texts(&svg);
    for record in ["class 0 no. 1", "class 1 no. 0", "class 2 no. 0", "class 2 no. 1"] {
        assert_eq!(words.iter().filter(|w| *w == record).count(), 1, "{record}: {words:?}");
    }
    assert!(!words.iter().any(|w| w == "class 0 no. 0" || w == "class 1 no. 1"), "right ones: {words:?}");
    for (text, n) in [("map for the prediction", 4), ("map for the true class", 4)] {
        assert_eq!(words.iter().filter(|w| *w == text).count(), n, "{text}: {words:?}");
    }
    let words = texts(&one(&drawn, "gradcam-classes").svg().expect("drawn"));
    assert_eq!(words.iter().filter(|w| *w == "map for").count(), 6, "three classes, a right strip and a wrong one");
    for stem in ["gradcam", "gradcam-wrong", "gradcam-classes"] {
        let caption = &one(&drawn, stem).caption;
        assert!(caption.contains("n = 1 run") && !caption.contains("ead map"), "{caption}");
    }
    // the map for a class that was not predicted is dead
    let mut examples = found.runs[0].examples.clone().expect("strips");
    examples.strips.iter_mut().filter(|s| s.class == 2).for_each(|s| s.maps[2].fill(0.0));
    examples.write(&dir.join(Examples::FILE), None).expect("written");
    let found = runs(&[&dir]);
    let set = RunSet::new(&found).expect("a set");
    let drawn = draw("gradcam", &set, &Look::default()).figures;
    let figure = one(&drawn, "gradcam-wrong");
    let words = texts(&figure.svg().expect("drawn"));
    assert_eq!(words.iter().filter(|w| w.contains("dead map")).count(), 2, "{words:?}");
    assert!(figure.caption.contains("Dead map: "), "{}", figure.caption);
    // that of earlier versions
    examples.strips.iter_mut().for_each(|s| s.maps[(s.class + 1) % 3].clear());
    let alone = Found {
        runs: vec![exgnet::run::read::Run { examples: Some(examples), ..found.runs[0].clone() }],
        ..found.clone()
    };
    let set = RunSet::new(&alone).expect("a set");
    let missing = draw("gradcam", &set, &Look::default()).missing;
    let why: Vec<_> =
        missing.iter().filter(|m| m.why.contains("true classes alone")).map(|m| m.figure.as_str()).collect();
    assert_eq!(why, ["gradcam-wrong", "gradcam-classes"], "{missing:?}");
}

#[test]
fn embeddings_are_of_one_network_and_the_same_bytes() {
    let tmp = tempfile::tempdir().expect("a folder");
    sweep(tmp.path());
    let found = runs(&[tmp.path()]);
    let set = RunSet::new(&found).expect("a set");
    let look = Look { width_mm: 85.0, ..Look::default() };
    let (first, second) = (draw("features", &set, &look).figures, draw("features", &set, &look).figures);
    let figure = one(&first, "embedding-both");
    let svg = figure.svg().expect("drawn");
    assert_eq!(svg, one(&second, "embedding-both").svg().expect("drawn"));
    for part in ["fold 0", "n = 1 run", "30 records", "cannot be pooled", "perplexity 9"] {
        assert!(figure.caption.contains(part), "{part}: {}", figure.caption);
    }
    let words = texts(&svg);
    // 15 patients of two records: eight of them are grey
    assert!(words.contains(&"8 others (16)".to_owned()) && words.contains(&"SB (10)".to_owned()), "{words:?}");
    assert_eq!(words.iter().filter(|w| w.starts_with("t-SNE")).count(), 4, "{words:?}");
    // one row for each prediction, or none
    let mut run = found.runs[0].clone();
    run.examples.as_mut().expect("examples").embeddings.pop();
    let cut = Found { runs: vec![run], ..Found::default() };
    let missing = draw("features", &RunSet::new(&cut).expect("a set"), &look).missing;
    assert!(missing.iter().any(|m| m.figure == "embedding" && m.why.contains("every test record")), "{missing:?}");
}

#[test]
fn an_old_run_is_drawn_as_far_as_it_goes() {
    let tmp = tempfile::tempdir().expect("a folder");
    let dir = Fake { explained: false, ..Fake::new("plain", 0) }.write(tmp.path());
    let out = path(tmp.path(), "out");
    let done = exgnet(&["figures", &dir.to_string_lossy(), "--out", &out, "--format", "svg,pdf"]);
    let said = text(&done.stderr);
    assert!(done.status.success(), "{said}");
    for part in [
        "not drawn: gradcam: no explanations.safetensors of plain, fold 0",
        "not drawn: features:",
        "exgnet evaluate --model RUN",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for name in ["losses.svg", "confusion.svg", "ranking.svg", "network.svg", "losses.txt", "ranking.pdf"] {
        assert!(Path::new(&out).join(name).is_file(), "{name}");
    }
    assert!(!Path::new(&out).join("losses.png").exists());
    fails(
        &["figures", &dir.to_string_lossy(), "--only", "gradcam", "--out", &out],
        1,
        &["nothing could be drawn", "explanations"],
    );
    std::fs::remove_file(dir.join("predictions.csv")).expect("removed");
    let (found, missing) = svgs("ranking", &runs(&[&dir]), &Look::default());
    assert!(found.is_empty() && missing.iter().all(|m| m.contains("predictions.csv")), "{missing:?}");
    let runs = runs(&[&dir]);
    let drawn = draw("performance", &RunSet::new(&runs).expect("a set of runs"), &Look::default()).figures.len();
    assert_eq!(drawn, 1, "bars from metrics.json");
}

#[test]
fn bad_input_is_reported() {
    let tmp = tempfile::tempdir().expect("a folder");
    let dir = Fake::new("plain", 0).write(tmp.path());
    let run = dir.to_string_lossy().into_owned();
    let at = |name: &str| path(tmp.path(), name);
    fails(&["figures", &at("none")], 1, &["does not exist", "HINT"]);
    std::fs::create_dir(at("empty")).expect("made");
    fails(&["figures", &at("empty")], 1, &["no run folder", "HINT: give the folder of a run"]);
    fails(&["figures", &run, "--only", "pictures"], 2, &["one of training, confusion"]);
    fails(&["figures", &run, "--format", "eps"], 2, &["expected png, svg or pdf"]);
    for width in ["10", "NaN", "1e9"] {
        fails(&["figures", &run, "--width-mm", width], 1, &["--width-mm", "expected 80 to 400"]);
    }
    fails(&["figures", &run, "--width-mm", "85", "--theme", "slides"], 1, &["expected 120 to 400", "slides"]);
    fails(&["figures", &run, "--dpi", "0"], 1, &["--dpi 0: expected 50 to 1200"]);
    fails(&["figures", &run, "--fold", "3"], 1, &["fold 3", "expected one of the folds 0", "HINT"]);
    fails(&["figures", &run, "--records", "nobody"], 1, &["nobody", "they keep 6 records, such as class 0 no. 0"]);
    std::fs::write(at("odd.json"), b"{}").expect("written");
    fails(&["figures", &at("odd.json")], 1, &["no measurement of kernels"]);
    fails(&["figures", &run, "--only", "kernels"], 1, &["nothing there of what --only names"]);
}

/// A file that is broken, or cut off at a line and looks whole, is reported, and no figure shows some folds as if they were all:
/// none of those that need the file is drawn, all others are.
#[test]
fn a_damaged_file_is_reported_and_costs_its_own_figures() {
    let tmp = tempfile::tempdir().expect("a folder");
    sweep(tmp.path());
    let (root, fold) = (tmp.path().to_string_lossy().into_owned(), tmp.path().join("both/fold-1-seed-1"));
    // a file, how it is damaged, what is said, a figure that needs it, and one that does not
    let cut = |lines: usize| move |text: &str| text.lines().take(lines).map(|l| format!("{l}\n")).collect::<String>();
    type Damage<'a> = &'a dyn Fn(&str) -> String;
    let cases: [(&str, Damage, &[&str], &str, &str); 6] = [
        ("explanations.safetensors", &|_| "broken".into(), &["cannot be used"], "gradcam-both", "losses"),
        ("metrics.json", &|_| "{".into(), &["metrics.json cannot be used"], "confusion-both", "losses"),
        (
            "predictions.csv",
            &cut(20),
            &["has 19 records, expected the 30 of metrics.json", "cut off"],
            "ranking-both",
            "losses",
        ),
        ("log.jsonl", &cut(2), &["has 2 epochs, expected the 4 of config.toml", "cut off"], "losses", "ranking-both"),
        ("config.toml", &cut(30), &["is not whole", "[output]", "--force"], "losses", ""),
        ("run.json", &|_| "{}".into(), &["is no record of a run"], "losses", ""),
    ];
    for (file, damage, said, without, with) in cases {
        let at = fold.join(file);
        let before = std::fs::read(&at).expect("a file");
        std::fs::write(&at, damage(&String::from_utf8_lossy(&before))).expect("written");
        let out = tmp.path().with_extension(file);
        let args = ["figures", &root, "--format", "svg", "--out", &out.to_string_lossy()];
        fails(&args, 1, &[said, &[file, "both, fold 1, seed 1", "HINT"]].concat());
        assert!(!out.join(format!("{without}.svg")).exists(), "{file}: {without} is of some folds");
        assert!(with.is_empty() || out.join(format!("{with}.svg")).exists(), "{file}: {with} needs it not");
        fails(&["collect", &root], 1, said);
        std::fs::write(&at, before).expect("written");
        let _ = std::fs::remove_dir_all(&out);
    }
    // a run that lost its experiment, and one under way
    std::fs::remove_file(fold.join("config.toml")).expect("removed");
    fails(&["figures", &fold.to_string_lossy()], 1, &["config.toml", "cannot be read"]);
}

/// Arms are compared on the folds that all of them have, and on the same records; what is left out is reported.
#[test]
fn arms_are_compared_on_the_same_tests() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    let (root, out) = (tmp.path().join("sweep"), at("out"));
    sweep(&root);
    std::fs::remove_dir_all(root.join("both/fold-2-seed-1")).expect("removed");
    let shown = root.to_string_lossy().into_owned();
    let done = exgnet(&["figures", &shown, "--only", "per-class,ablation", "--format", "svg", "--out", &out]);
    let said = text(&done.stderr);
    assert!(
        done.status.success()
            && said.contains("plain, fold 2, seed 1: left out of comparisons: no finished run of both")
    );
    for name in ["per-class.txt", "ablation.txt"] {
        let caption = std::fs::read_to_string(Path::new(&out).join(name)).expect("a caption");
        assert!(caption.contains("(2 folds, 1 seed)"), "{caption}");
    }
    let done = exgnet(&["collect", &shown]);
    let (table, said) = (text(&done.stdout), text(&done.stderr));
    assert!(table.contains("over 2 folds") && said.contains("left out of comparisons"), "{table}{said}");
    // no fold in common
    let pair = ["plain/fold-1-seed-1", "both/fold-0-seed-1"].map(|name| root.join(name).to_string_lossy().into_owned());
    fails(&["figures", &pair[0], &pair[1], "--out", &at("none")], 1, &["found no fold and seed", "HINT"]);
    // arms of one name are distinguished; a run is not counted twice
    for name in ["a", "b"] {
        Fake::new("plain", 0).write(&tmp.path().join(name));
    }
    let twins = [at("a/plain"), at("b/plain")];
    let done =
        exgnet(&["figures", &twins[0], &twins[1], "--only", "confusion", "--format", "svg", "--out", &at("twins")]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let caption = std::fs::read_to_string(tmp.path().join("twins/confusion-a-plain.txt")).expect("a caption");
    assert!(
        caption.contains("n = 1 run") && caption.trim_end().ends_with("Drawn from: a/plain, b/plain."),
        "{caption}"
    );
    // other records
    Fake { there: vec![0, 1], ..Fake::new("both", 0) }.write(&tmp.path().join("c"));
    let other = at("c/both/fold-0-seed-1/predictions.csv");
    let rows = std::fs::read_to_string(&other).expect("rows");
    std::fs::write(&other, rows.replace("\nr", "\nq")).expect("written");
    fails(&["figures", &twins[0], &at("c/both"), "--out", &at("none")], 1, &["tests other records than", "HINT"]);
}

/// One record of one fold, and the caption says so.
#[test]
fn strips_and_folds_are_chosen() {
    let tmp = tempfile::tempdir().expect("a folder");
    sweep(tmp.path());
    let (root, out) = (tmp.path().to_string_lossy().into_owned(), path(tmp.path(), "out"));
    let args = ["--only", "gradcam", "--fold", "1", "--records", "class 1 no. 1", "--out", &out, "--format", "svg"];
    let done = exgnet(&[&["figures", &root][..], &args].concat());
    assert!(done.status.success(), "{}", text(&done.stderr));
    let caption = std::fs::read_to_string(Path::new(&out).join("gradcam-both.txt")).expect("a caption");
    assert!(caption.ends_with("(fold 1) (records class 1 no. 1).\n"), "{caption}");
    let drawn = std::fs::read_to_string(Path::new(&out).join("gradcam-both.svg")).expect("a figure");
    assert!(drawn.contains("class 1 no. 1") && !drawn.contains("no. 0"));
}

#[test]
fn files_and_captions_are_written() {
    let tmp = tempfile::tempdir().expect("a folder");
    sweep(tmp.path());
    let runs = runs(&[tmp.path()]);
    let look = Look { width_mm: 85.0, dpi: 100.0, theme: Theme::Paper };
    let set = RunSet::new(&runs).expect("a set of runs");
    let drawn = draw("performance", &set, &look);
    let ablation = drawn.figures.iter().find(|f| f.stem == "ablation").expect("an ablation figure");
    let out = tmp.path().join("out");
    let paths = ablation.write(&out, &[Format::Png, Format::Svg]).expect("written");
    let names: Vec<_> = paths.iter().filter_map(|p| p.file_name()).map(|n| n.to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["ablation.png", "ablation.svg", "ablation.txt"]);
    let caption = std::fs::read_to_string(out.join("ablation.txt")).expect("a caption");
    for part in ["single runs (3 folds, 1 seed)", "95 % t interval", "Wilcoxon", "cannot give less than 0.250"] {
        assert!(caption.contains(part), "{part}: {caption}");
    }
    let png = std::fs::read(out.join("ablation.png")).expect("a bitmap");
    assert_eq!(u32::from_be_bytes(png[16..20].try_into().expect("four bytes")), 335, "85 mm at 100 dpi");
}
