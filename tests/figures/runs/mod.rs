//! Figures from run folders that the tests write themselves: what is drawn, what is reported of what cannot be, and the odd
//! runs: one epoch, a class missing in a fold, non-finite losses, ten thousand epochs.

mod command;
mod explanations;
mod fake;
mod training;

use crate::common::drawing::{check, texts};
use crate::common::goldens::same_as_golden;
use exgnet::figures::catalogue::{Drawn, FIGURES, Kind};
use exgnet::plot::{Format, Look, Theme};
use exgnet::run::cost::{Cost, Inference};
use exgnet::run::read::{Found, read_all};
use exgnet::run::set::RunSet;
use fake::{Fake, SAMPLES};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

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
