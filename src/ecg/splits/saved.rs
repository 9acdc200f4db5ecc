//! A split kept in a file, so that any program can use the same folds again.

use super::SplitKind;
use crate::ecg::wfdb::read_limited;
use crate::error::{Error, Result};
use crate::files::write_atomically;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, json};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;

const FORMAT: &str = "exgnet-split-1";

/// Larger files than this are no splits: about a million records.
const MOST_BYTES: u64 = 256 << 20;

/// The fold of every record, and how it was drawn. As JSON:
/// `{"format": "exgnet-split-1", "kind": "grouped", "folds": 5, "seed": 42, "records": {"mitdb/100@0": 3, ...}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSplit {
    /// How records were dealt to folds.
    pub kind: SplitKind,
    /// Number of folds.
    pub k: usize,
    /// Seed of the shuffle, 32 bits.
    pub seed: u64,
    /// Ids of the records, each once.
    pub records: Vec<String>,
    /// Test fold of each record, 0 to `k - 1`.
    pub fold: Vec<usize>,
}

impl SavedSplit {
    /// A split made of its parts, checked.
    ///
    /// # Errors
    /// [`Error::Data`] for what [`super::folds`] never gives: lists of different lengths, a record twice, a fold out
    /// of range or without records, fewer than 2 folds, a seed beyond 32 bits.
    pub fn new(kind: SplitKind, k: usize, seed: u64, records: Vec<String>, fold: Vec<usize>) -> Result<Self> {
        let split = Self { kind, k, seed, records, fold };
        split
            .check()
            .map_err(|what| Error::data("split", what, "give each record of the data set the fold it tests in"))?;
        Ok(split)
    }

    fn check(&self) -> Result<(), String> {
        let Self { k, seed, records, fold, .. } = self;
        if *k < 2 {
            return Err(format!("{k} folds, expected at least 2"));
        }
        if *seed > u64::from(u32::MAX) {
            return Err(format!("seed {seed}, expected 0 to {}", u32::MAX));
        }
        if records.len() != fold.len() {
            return Err(format!("{} records but {} folds of records", records.len(), fold.len()));
        }
        // before anything of size k is made
        if records.len() < *k {
            return Err(format!("{} records for {k} folds", records.len()));
        }
        let mut seen = HashSet::new();
        let mut used = vec![false; *k];
        for (record, &f) in records.iter().zip(fold) {
            if !seen.insert(record) {
                return Err(format!("record `{record}` twice"));
            }
            *used.get_mut(f).ok_or_else(|| format!("record `{record}` in fold {f}, expected 0 to {}", k - 1))? = true;
        }
        match used.iter().position(|u| !u) {
            Some(f) => Err(format!("no record in fold {f}")),
            None => Ok(()),
        }
    }

    /// The split as JSON, one record a line.
    pub fn to_json(&self) -> String {
        let records: Map<_, _> = self.records.iter().cloned().zip(self.fold.iter().map(|&f| f.into())).collect();
        let (kind, k, seed) = (self.kind.name(), self.k, self.seed);
        let all = json!({ "format": FORMAT, "kind": kind, "folds": k, "seed": seed, "records": records });
        format!("{all:#}\n")
    }

    /// Writes the split, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        self.check().map_err(|what| Error::data("split", what, "make it with SavedSplit::new"))?;
        write_atomically(path, self.to_json().as_bytes())
    }

    /// Reads a split.
    pub fn read(path: &Path) -> Result<Self> {
        crate::files::guard::reads(path);
        Self::parse(&read_limited(path, MOST_BYTES, "split")?).map_err(|what| {
            let hint = "expected the file of an earlier run, {\"format\": \"exgnet-split-1\", \"kind\", \"folds\", \
                        \"seed\", \"records\": {id: fold, ...}}; without one the folds are drawn again";
            Error::file(path, format!("is not a usable split: {what}"), hint)
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let Written { format, kind, folds: k, seed, records } =
            serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if format != FORMAT {
            return Err(format!("format \"{format}\", expected \"{FORMAT}\""));
        }
        let (records, fold) = records.0.into_iter().unzip();
        let split = Self { kind, k, seed, records, fold };
        split.check()?;
        Ok(split)
    }

    /// The folds of a data set's records, in whatever order they come. The data set and the split must hold the
    /// same records: what is missing would change the folds without anybody noticing.
    pub fn apply(&self, records: &[String]) -> Result<Vec<usize>> {
        let of: HashMap<&str, usize> = self.records.iter().map(String::as_str).zip(self.fold.iter().copied()).collect();
        let mut left: HashSet<&str> = of.keys().copied().collect();
        let (mut folds, mut unknown, mut twice) = (Vec::with_capacity(records.len()), Vec::new(), Vec::new());
        for record in records {
            let Some(&fold) = of.get(record.as_str()) else {
                unknown.push(record.as_str());
                continue;
            };
            if !left.remove(record.as_str()) {
                twice.push(record.as_str());
            }
            folds.push(fold);
        }
        let missing: Vec<&str> = self.records.iter().map(String::as_str).filter(|r| left.contains(r)).collect();
        let problems: Vec<String> = [
            (unknown, "of the data set are not in the split"),
            (missing, "of the split are not in the data set"),
            (twice, "come twice in the data set"),
        ]
        .into_iter()
        .filter(|(list, _)| !list.is_empty())
        .map(|(list, what)| format!("{} records {what} ({})", list.len(), first_few(&list)))
        .collect();
        if problems.is_empty() {
            return Ok(folds);
        }
        Err(Error::data(
            "saved split",
            problems.join("; "),
            "use the sources, classes, length and lead that the split was made with, or make a new split",
        ))
    }
}

fn first_few(list: &[&str]) -> String {
    let names = list[..list.len().min(3)].join(", ");
    if list.len() > 3 { format!("{names}, ...") } else { names }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    kind: SplitKind,
    folds: usize,
    seed: u64,
    records: Pairs,
}

/// The entries of a JSON object in their order, repeated keys too: an ordinary map would keep the last silently.
struct Pairs(Vec<(String, usize)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of record ids and folds")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example() -> SavedSplit {
        let records = ["b/2", "a \"1\"", "c\n", "ä"].map(String::from).to_vec();
        SavedSplit::new(SplitKind::Grouped, 2, 42, records, vec![1, 0, 1, 0]).unwrap()
    }

    fn read(bytes: &[u8]) -> Result<SavedSplit> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("split.json");
        std::fs::write(&path, bytes).unwrap();
        SavedSplit::read(&path)
    }

    #[test]
    fn written_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deeper/split.json");
        example().write(&path).unwrap();
        assert_eq!(SavedSplit::read(&path).unwrap(), example());
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let expected = serde_json::json!({"format": "exgnet-split-1", "kind": "grouped", "folds": 2, "seed": 42,
            "records": {"b/2": 1, "a \"1\"": 0, "c\n": 1, "ä": 0}});
        assert_eq!(json, expected);
        assert!(SavedSplit::read(dir.path()).is_err() && SavedSplit::read(&dir.path().join("none")).is_err());
        let broken = SavedSplit { k: 3, ..example() };
        assert!(broken.write(&path).is_err());
        assert_eq!(SavedSplit::read(&path).unwrap(), example(), "the file was left alone");
    }

    #[test]
    fn applied_in_any_order() {
        let order = ["ä", "c\n", "b/2", "a \"1\""].map(String::from);
        assert_eq!(example().apply(&order).unwrap(), [0, 1, 1, 0]);
        let text = |records: &[String]| example().apply(records).unwrap_err().to_string();
        let missing = text(&order[1..]);
        assert!(missing.contains("1 records of the split are not in the data set (ä)"), "{missing}");
        let other: Vec<String> = (0..5).map(|i| format!("r{i}")).collect();
        let unknown = text(&[&order[..], &other].concat());
        assert!(unknown.contains("5 records of the data set are not in the split (r0, r1, r2, ...)"), "{unknown}");
        assert!(text(&[&order[..], &order[..1]].concat()).contains("come twice in the data set (ä)"));
        assert!(unknown.contains("HINT") && !unknown.contains("twice"));
    }

    #[test]
    fn inconsistent_splits_are_refused() {
        let good = example().to_json();
        for (from, to, expected) in [
            ("split-1", "split-2", "expected \"exgnet-split-1\""),
            ("grouped", "loocv", "unknown variant"),
            ("\"folds\": 2", "\"folds\": 1", "at least 2"),
            ("\"folds\": 2", "\"folds\": 4294967296000", "4 records for"),
            ("\"folds\": 2", "\"folds\": 3", "no record in fold 2"),
            ("\"folds\": 2", "\"folds\": -2", "invalid value"),
            ("\"seed\": 42", "\"seed\": 4294967296", "seed"),
            ("\"b/2\": 1", "\"b/2\": 2", "`b/2` in fold 2"),
            ("\"b/2\": 1", "\"ä\": 1", "`ä` twice"),
            ("\"seed\": 42", "\"seed\": 42, \"seed\": 1", "duplicate field"),
            ("\"seed\": 42", "\"seed\": 42, \"tail\": 1", "unknown field"),
            ("\"seed\": 42,", "", "missing field"),
            ("\n}\n", "", "EOF"),
            ("\n}\n", "} x", "trailing"),
        ] {
            assert!(good.contains(from), "{from}");
            let message = read(good.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
            assert!(
                message.contains(expected) && message.contains("HINT") && message.contains("split.json"),
                "{message}"
            );
        }
        for bytes in [&b""[..], b"[]", b"\xff\xfe", b"{\"records\": [1]}", &[b'['; 100_000]] {
            assert!(read(bytes).unwrap_err().to_string().contains("HINT"));
        }
        assert!(SavedSplit::new(SplitKind::KFold, 2, 0, vec!["a".into(), "b".into()], vec![0]).is_err());
    }

    proptest! {
        /// Any ids and folds survive the file.
        #[test]
        fn any_split_survives(ids in proptest::collection::hash_set(any::<String>(), 2..20), seed in any::<u32>()) {
            let fold = (0..ids.len()).map(|i| i % 2).collect();
            let split = SavedSplit::new(SplitKind::KFold, 2, seed.into(), ids.into_iter().collect(), fold).unwrap();
            prop_assert_eq!(SavedSplit::parse(split.to_json().as_bytes()).unwrap(), split);
        }
    }
}
