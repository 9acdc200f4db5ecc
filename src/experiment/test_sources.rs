//! Sources that a run is tested on besides its test fold.

use crate::ecg::dataset::DROPPED;
use crate::ecg::prepared::through_cache;
use crate::ecg::sources::{Progress, check_names, count};
use crate::ecg::{Dataset, Exclusion, Leads, LoadOptions, Strip};
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use rayon::prelude::*;
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_64;

/// Adds the strips of `test.sources` to the end of the training pool: read as those are, of the classes that those have.
pub(super) fn add(experiment: &Experiment, pool: Dataset, watch: &(dyn Fn(Progress) + Sync)) -> Result<Dataset> {
    let sources = experiment.test.sources()?;
    if sources.is_empty() {
        return Ok(pool);
    }
    let data = &experiment.data;
    let trained = if data.prepared.is_empty() { data.sources()? } else { Vec::new() };
    check_names(&[&trained[..], &sources].concat())?;
    let names = |s: &Strip| sources.iter().find(|source| source.name() == s.source);
    if let Some(source) = pool.strips.iter().find_map(names) {
        let hint = "records are told apart by the source's name: write NAME=KIND:PATH for one of them";
        return Err(Error::config(format!("test.sources: {source} has the name of a source that trains"), hint));
    }
    // classes and leads are those of the pool and the first
    let options = LoadOptions { min_class: 0, min_patients: 0, leads: Leads::One, ..data.load_options() };
    let dir = crate::files::cache_dir().filter(|_| data.cache);
    let test = through_cache(&sources, &options, &experiment.guidance, dir.as_deref(), watch)?;
    join(pool, test)
}

fn join(mut pool: Dataset, test: Dataset) -> Result<Dataset> {
    let map: Vec<Option<usize>> = test.classes.iter().map(|c| pool.classes.iter().position(|p| p == c)).collect();
    let counts = test.counts();
    for ((class, n), _) in test.classes.iter().zip(counts).zip(&map).filter(|(_, known)| known.is_none()) {
        pool.notes.push(format!(
            "test sources: class {class} left out ({}), of which the training pool has none",
            count(n, "strip", "strips")
        ));
    }
    let same_targets = pool.guidance == test.guidance;
    let mut strips = Vec::new();
    for strip in test.strips {
        match map[strip.label] {
            Some(label) => {
                let target = strip.target.clone().filter(|_| same_targets);
                strips.push(Strip { label, target, tests_only: true, ..strip });
            }
            None => {
                let class = &test.classes[strip.label];
                pool.exclusions.push(Exclusion::strip(strip.id, format!("class {class} is not in the training pool")));
            }
        }
    }
    if strips.is_empty() {
        return Err(Error::data(
            "the test sources",
            format!("no strip is left of a class that the training pool has ({})", pool.classes.join(", ")),
            "name other sources in test.sources, or lower data.min_class and data.min_patients",
        ));
    }
    apart(&pool, &strips)?;
    // the classes without a strip: of those of the pool something is said already
    let said = |note: &String| !note.starts_with(DROPPED);
    pool.notes.extend(test.notes.into_iter().filter(said).map(|note| format!("test sources: {note}")));
    pool.exclusions.extend(test.exclusions);
    pool.strips.extend(strips);
    Ok(pool)
}

/// Nobody, and no recording, is on both sides. Patients are compared by their keys, which begin with the source's name where the
/// data does not name them otherwise: two copies of a database under two names are seen by their samples.
fn apart(pool: &Dataset, strips: &[Strip]) -> Result<()> {
    let patients: HashMap<&str, &Strip> = pool.strips.iter().map(|s| (s.patient.as_str(), s)).collect();
    if let Some((test, other)) = strips.iter().find_map(|s| Some((s, patients.get(s.patient.as_str())?))) {
        return Err(Error::data(
            "the test sources",
            format!(
                "patient {} is in the training pool ({}) and in a test source ({})",
                test.patient, other.id, test.id
            ),
            "leave that source out of data.source or test.sources, or give the two people different keys in the table",
        ));
    }
    let hash = |s: &Strip| xxh3_64(bytemuck::cast_slice(&s.signal));
    let of: Vec<u64> = pool.strips.par_iter().map(hash).collect();
    let known: HashMap<u64, &Strip> = of.into_iter().zip(&pool.strips).collect();
    let own: Vec<u64> = strips.par_iter().map(hash).collect();
    let same = own.iter().zip(strips).find_map(|(h, s)| Some((s, known.get(h).filter(|k| k.signal == s.signal)?)));
    let Some((test, other)) = same else { return Ok(()) };
    Err(Error::data(
        "the test sources",
        format!("{} of a test source has the samples of {} in the training pool", test.id, other.id),
        "two sources hold the same recordings: leave one of them out",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecg::{SyntheticOptions, synthesize};
    use crate::experiment::data::divide;

    fn set(source: &str, seed: u64) -> Dataset {
        let mut set = synthesize(&SyntheticOptions { records: 12, seed, ..SyntheticOptions::default() }).unwrap();
        for s in &mut set.strips {
            s.id = s.id.replacen("synthetic", source, 1);
            s.patient = s.patient.replacen("synthetic", source, 1);
            s.source = source.into();
        }
        set
    }

    #[test]
    fn test_sources_are_tested_and_nothing_else() {
        let mut pool = set("pool", 1);
        pool.strips.retain(|s| s.label > 0);
        pool = pool.without_small_classes(1, 0).unwrap();
        let joined = join(pool.clone(), set("test", 2)).unwrap();
        assert_eq!((joined.classes.len(), joined.pool(), joined.strips.len()), (5, &pool.strips[..], 20));
        assert_eq!(joined.exclusions_by_reason()["class SR is not in the training pool"], 2);
        assert!(joined.notes.iter().any(|n| n.contains("class SR left out (2 strips)")), "{:?}", joined.notes);
        for strip in &joined.strips[10..] {
            assert_eq!(strip.source, "test");
            let class = &joined.classes[strip.label];
            let own = set("test", 2);
            let was = own.strips.iter().find(|s| s.id == strip.id).unwrap();
            assert_eq!(class, &own.classes[was.label]);
        }
        let one = |sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|s| (*s).into()).collect();
            divide(&Experiment::quickstart(&sets).unwrap(), &joined)
        };
        let all = one(&["train.fold=all", "train.validation=0"]).unwrap();
        assert_eq!((all.train.len(), all.test, all.folds), (10, (10..20).collect::<Vec<_>>(), None));
        let fold = one(&["data.folds=2", "data.split=stratified", "train.validation=0"]).unwrap();
        assert_eq!((fold.train.len(), fold.test.len(), fold.folds.unwrap().records.len()), (5, 15, 10));
        let e = one(&["data.weights.test=2", "data.folds=2"]).unwrap_err().to_string();
        assert!(e.contains("data.weights.test") && e.contains("name one of pool"), "{e}");
    }

    #[test]
    fn nobody_is_on_both_sides() {
        let said = |test: Dataset| join(set("pool", 1), test).unwrap_err().to_string();
        let mut same = set("test", 2);
        same.strips[7].patient = "pool/000003".into();
        let mut pool = set("pool", 1);
        pool.strips[3].patient = "pool/000003".into();
        let e = join(pool, same).unwrap_err().to_string();
        assert!(e.contains("patient pool/000003 is in the training pool (pool/") && e.contains("(test/"), "{e}");
        let e = said(set("test", 1));
        assert!(e.contains("has the samples of pool/") && e.contains("HINT"), "{e}");
        let mut none = set("test", 2);
        none.classes = none.classes.iter().map(|c| format!("{c}x")).collect();
        assert!(said(none).contains("no strip is left"));
    }
}
