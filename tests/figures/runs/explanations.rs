//! Maps of wrong predictions, and the map of the embeddings.

use super::fake::Fake;
use super::{draw, one, runs, sweep};
use crate::common::drawing::texts;
use exgnet::plot::Look;
use exgnet::run::examples::Examples;
use exgnet::run::read::Found;
use exgnet::run::set::RunSet;

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
