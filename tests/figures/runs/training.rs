//! Losses, metrics and learning rates over the epochs, of runs that went well and of others.

use super::fake::Fake;
use super::{draw, runs, svgs};
use crate::common::drawing::texts;
use exgnet::plot::Look;
use exgnet::run::set::RunSet;

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
