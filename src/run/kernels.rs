//! Which kernels a run was made with, where they are others than the program's own: `kernels` in `run.json`.

use crate::error::Result;
use crate::gpu::{Catalogue, Choices, Forced as Asked, Gpu, ShaderSource, Taken, hash_of};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Hash of a text as records hold it.
fn shown(hash: u64) -> String {
    format!("{hash:016x}")
}

/// Kernels of a run: what was taken from a folder, what was forced, what was tuned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernels {
    /// Files of `--shader-dir` by name (`conv1d/90_mine.wgsl`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, File>,
    /// Versions of `--kernels` by family.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub forced: BTreeMap<String, Forced>,
    /// The tuning table.
    pub table: Table,
}

/// A file that was taken from a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Against the built-in files.
    pub is: Origin,
    /// Hash of its text (FNV-1a, 64 bits).
    pub hash: String,
}

/// A file against the built-in ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// There is no built-in one of its name.
    Added,
    /// In the place of the built-in one.
    Replacing,
    /// The built-in text.
    AsBuiltIn,
}

/// A version that was forced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forced {
    /// Its number and name.
    pub version: String,
    /// Hash of its text.
    pub hash: String,
}

/// Where tuned choices are from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The program's own, the user's, or none.
    pub from: TableOrigin,
    /// Whether that is what the program does by itself on this adapter.
    pub usual: bool,
    /// Shapes that it holds.
    pub shapes: usize,
    /// Hash of the choices.
    pub hash: String,
}

/// Whose a tuning table is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableOrigin {
    /// Rules of thumb alone.
    #[default]
    None,
    /// The one that the program brings for the adapter.
    BuiltIn,
    /// With what `exgnet tune` found here.
    User,
}

impl Kernels {
    /// The kernels of a device, of which `built_in` are the choices that the program brings.
    pub fn of(gpu: &Gpu, built_in: &Choices) -> Self {
        let choices = gpu.choices();
        let from = match choices.is_empty() {
            true => TableOrigin::None,
            false if choices == *built_in => TableOrigin::BuiltIn,
            false => TableOrigin::User,
        };
        let text = serde_json::to_string(&choices).expect("names and numbers always serialise");
        let table = Table { from, usual: choices == *built_in, shapes: choices.len(), hash: shown(hash_of(&text)) };
        Self { table, ..Self::asked(gpu.shaders(), gpu.catalogue(), &gpu.forced()) }
    }

    /// What is asked for, without a tuning table.
    fn asked(shaders: &ShaderSource, catalogue: &Catalogue, asked: &Asked) -> Self {
        let file = |t: &Taken| {
            let is = match (t.replaces, t.differs()) {
                (true, true) => Origin::Replacing,
                (true, false) => Origin::AsBuiltIn,
                (false, _) => Origin::Added,
            };
            (t.file.clone(), File { is, hash: shown(t.hash()) })
        };
        let forced = |family: &str| {
            let name = asked.families.get(family).or(asked.everywhere.as_ref())?;
            let version = catalogue.versions(family).iter().find(|v| v.called(name).is_some())?;
            Some((family.to_owned(), Forced { version: version.label(), hash: shown(version.hash) }))
        };
        Self {
            files: shaders.taken().iter().map(file).collect(),
            forced: catalogue.families().filter_map(forced).collect(),
            table: Table::default(),
        }
    }

    /// What differs between a run and what is asked for now, whatever the tuning table: for a run that is finished, before a
    /// device is opened.
    ///
    /// # Errors
    /// [`crate::Error::File`] for a kernel whose header cannot be read.
    pub fn differences_from_asked(&self, shaders: &ShaderSource, asked: &Asked) -> Result<Vec<String>> {
        let now = Self::asked(shaders, &shaders.catalogue()?, asked);
        Ok(Self { table: self.table.clone(), ..now }.differences(self))
    }

    /// Files that are not the built-in ones.
    fn foreign(&self) -> BTreeMap<&str, &str> {
        let foreign = self.files.iter().filter(|(_, f)| f.is != Origin::AsBuiltIn);
        foreign.map(|(name, f)| (name.as_str(), f.hash.as_str())).collect()
    }

    /// What differs from the program's own kernels and table, for people; `None` where nothing does.
    pub fn differences_from_built_in(&self) -> Option<String> {
        let mut all = Vec::new();
        let foreign = self.foreign();
        if !foreign.is_empty() {
            all.push(format!("files of --shader-dir ({})", foreign.into_keys().collect::<Vec<_>>().join(", ")));
        }
        if !self.forced.is_empty() {
            all.push(format!("forced versions ({})", self.forced_in_words()));
        }
        if !self.table.usual {
            all.push(self.table.in_words());
        }
        (!all.is_empty()).then(|| all.join("; "))
    }

    fn forced_in_words(&self) -> String {
        self.forced.iter().map(|(family, f)| format!("{family}={}", f.version)).collect::<Vec<_>>().join(",")
    }

    /// What differs from the kernels that a run was begun with, each as `what: then, now`.
    pub fn differences(&self, begun: &Self) -> Vec<String> {
        let mut all = Vec::new();
        let (then, now) = (begun.foreign(), self.foreign());
        let names = then.keys().chain(now.keys().filter(|name| !then.contains_key(**name)));
        for name in names {
            match (then.get(name), now.get(name)) {
                (Some(a), Some(b)) if a == b => {}
                (Some(a), Some(b)) => all.push(format!("{name}: then the text {a}, now {b}")),
                (Some(_), None) => all.push(format!("{name}: then of --shader-dir, now not")),
                (None, _) => all.push(format!("{name}: then not, now of --shader-dir")),
            }
        }
        if begun.forced != self.forced {
            let (then, now) = (begun.forced_in_words(), self.forced_in_words());
            // of one name, but another text
            if then == now {
                let other = self.forced.iter().filter(|(family, f)| begun.forced.get(*family) != Some(f));
                all.extend(other.map(|(family, f)| format!("{family}={}: another text than then", f.version)));
            } else {
                let word = |text: String| if text.is_empty() { "none".to_owned() } else { text };
                all.push(format!("--kernels: then {}, now {}", word(then), word(now)));
            }
        }
        if begun.table.hash != self.table.hash {
            all.push(format!("tuning: then {}, now {}", begun.table.in_words(), self.table.in_words()));
        }
        all
    }
}

impl Table {
    fn in_words(&self) -> String {
        match self.from {
            TableOrigin::None => "rules of thumb alone".into(),
            TableOrigin::BuiltIn => format!("the built-in table of {} shapes", self.shapes),
            TableOrigin::User => format!("a tuning table of {} shapes ({})", self.shapes, self.hash),
        }
    }
}

/// The entry of a record: earlier versions of the program wrote words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KernelsEntry {
    /// Names and hashes.
    Listed(Kernels),
    /// Words of an earlier version.
    Words(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mine(hash: &str) -> Kernels {
        let mut kernels = Kernels { table: Table { usual: true, ..Table::default() }, ..Kernels::default() };
        let file = |is, hash: &str| File { is, hash: hash.into() };
        kernels.files.insert("conv1d/90_mine.wgsl".into(), file(Origin::Added, hash));
        kernels.files.insert("conv1d/01_naive.wgsl".into(), file(Origin::AsBuiltIn, "7"));
        kernels.forced.insert("conv1d".into(), Forced { version: "90_mine".into(), hash: hash.into() });
        kernels
    }

    #[test]
    fn differences_are_named() {
        let usual = Kernels { table: Table { usual: true, ..Table::default() }, ..Kernels::default() };
        assert_eq!((usual.differences_from_built_in(), usual.differences(&usual)), (None, vec![]));
        let own = mine("1");
        assert_eq!(
            own.differences_from_built_in().as_deref(),
            Some("files of --shader-dir (conv1d/90_mine.wgsl); forced versions (conv1d=90_mine)")
        );
        assert_eq!(own.differences(&mine("1")), Vec::<String>::new());
        assert_eq!(
            own.differences(&mine("2")),
            ["conv1d/90_mine.wgsl: then the text 2, now 1", "conv1d=90_mine: another text than then"]
        );
        assert_eq!(
            usual.differences(&own),
            ["conv1d/90_mine.wgsl: then of --shader-dir, now not", "--kernels: then conv1d=90_mine, now none"]
        );
        // a file that is as built in makes no difference
        let mut copy = usual.clone();
        copy.files.insert("conv1d/01_naive.wgsl".into(), File { is: Origin::AsBuiltIn, hash: "7".into() });
        assert_eq!((copy.differences_from_built_in(), copy.differences(&usual)), (None, vec![]));
        let tuned = Table { from: TableOrigin::User, usual: false, shapes: 3, hash: "ab".into() };
        let tuned = Kernels { table: tuned, ..Kernels::default() };
        assert_eq!(tuned.differences_from_built_in().as_deref(), Some("a tuning table of 3 shapes (ab)"));
        assert_eq!(
            tuned.differences(&usual),
            ["tuning: then rules of thumb alone, now a tuning table of 3 shapes (ab)"]
        );
    }

    #[test]
    fn entries_of_earlier_versions_are_read() {
        let words: KernelsEntry = serde_json::from_str("\"rules of thumb\"").expect("words");
        assert_eq!(words, KernelsEntry::Words("rules of thumb".into()));
        let listed = KernelsEntry::Listed(mine("1"));
        let text = serde_json::to_string(&listed).expect("written");
        assert_eq!(serde_json::from_str::<KernelsEntry>(&text).expect("read"), listed);
    }
}
