//! Tables of what was tuned: a file an adapter, with its driver and, for a software adapter, the kind of CPU.

use crate::error::{Error, Result, nearest};
use crate::files::cache_dir;
use crate::gpu::{AdapterReport, Catalogue, Choice, Choices, Gpu, Version, embedded_shaders, hash_of};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The committed tables by [`file_name`], of any version of the driver.
const BUILT_IN: [(&str, &str); 1] =
    [("llvmpipe-amd-avx512.json", include_str!("../../../results/tuning/llvmpipe-amd-avx512.json"))];
/// What to do about a table that cannot be used.
const HINT: &str = "name another file with --out; a table that was damaged is made again once it is deleted; --no-tuned ignores tables";

/// What was found for one shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Its family.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub family: String,
    /// The best candidate; `None` where none is worth leaving the rule of thumb.
    pub choice: Option<Choice>,
    /// Time of what is best, ms.
    pub ms: f64,
    /// That of the rule of thumb, ms.
    pub rule_ms: f64,
    /// That of the naive version, ms, where it was run.
    #[serde(alias = "plain_ms", default, skip_serializing_if = "Option::is_none")]
    pub naive_ms: Option<f64>,
    /// Candidates that were timed.
    pub timed: usize,
    /// Candidates that were rejected, for their values or because they do not compile.
    pub rejected: usize,
    /// Whether time was up before all candidates had been tried.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut_short: bool,
    /// Hash of the family's kernels.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kernels: String,
}

/// A table for one adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub adapter: String,
    /// Driver and version.
    pub driver: String,
    /// Kind of the CPU of a software adapter; `None` for hardware, and in tables of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// By shape.
    pub found: BTreeMap<String, Found>,
}

/// Name of an adapter's table.
pub fn file_name(report: &AdapterReport) -> String {
    format!("{}.json", report.slug())
}

/// The user's own table for an adapter, in the cache folder ([`cache_dir`]).
pub fn user_file(report: &AdapterReport) -> Option<PathBuf> {
    Some(cache_dir()?.join("tuning").join(file_name(report)))
}

fn parse(text: &str, path: &str) -> Result<Table> {
    serde_json::from_str(text).map_err(|e| Error::file(path, format!("not a tuning table: {e}"), HINT))
}

/// Reads a table; `None` if there is none.
pub fn read(path: &Path) -> Result<Option<Table>> {
    if !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).map_err(|e| Error::file(path, format!("cannot be read: {e}"), HINT))?;
    parse(&text, &path.display().to_string()).map(Some)
}

/// The choices of the committed table of an adapter; none where there is none.
pub fn built_in(gpu: &Gpu) -> Result<Choices> {
    let name = file_name(gpu.report());
    let Some((_, text)) = BUILT_IN.iter().find(|(file, _)| *file == name) else { return Ok(Choices::new()) };
    let path = format!("results/tuning/{name} (built in)");
    parse(text, &path)?.choices(gpu.catalogue(), &path)
}

/// Puts the committed table of this adapter, and the user's own over it, into force.
pub fn load(gpu: &Gpu) -> Result<()> {
    let mut choices = built_in(gpu)?;
    if let Some(path) = user_file(gpu.report())
        && let Some(table) = read(&path)?
    {
        let shown = path.display().to_string();
        match table.is_of(gpu.report()) {
            true => {
                // where the rule of thumb was found best, it goes before a built-in choice
                table.found.iter().filter(|(_, f)| f.choice.is_none()).for_each(|(key, _)| drop(choices.remove(key)));
                choices.extend(table.choices(gpu.catalogue(), &shown)?);
            }
            false => {
                log::warn!("{shown} is of another adapter, driver or CPU: not used; `exgnet tune` makes a new one")
            }
        }
    }
    gpu.set_choices(choices);
    Ok(())
}

/// Hash of what a family's kernels are made of: its versions, how operands are laid out, and shared text.
pub(super) fn kernels_hash(gpu: &Gpu, family: &str) -> String {
    let versions = ["layouts", family].into_iter().flat_map(|f| gpu.versions(f));
    let mut all: Vec<String> = versions.map(|v| format!("{} {:x}", v.file(), v.hash)).collect();
    for (file, _) in embedded_shaders().iter().filter(|(file, _)| file.starts_with("include/")) {
        let name = file.trim_end_matches(".wgsl");
        let text = gpu.shaders().text(name).unwrap_or_default();
        all.push(format!("{name} {:x}", hash_of(&text)));
    }
    format!("{:016x}", hash_of(&all.join("\n")))
}

impl Table {
    /// An empty one.
    pub fn new(report: &AdapterReport) -> Self {
        Self {
            adapter: report.name.clone(),
            driver: report.driver_and_version(),
            cpu: report.cpu.map(str::to_owned),
            found: BTreeMap::new(),
        }
    }

    /// Whether it was made on such an adapter, with this driver, and, for a software adapter, this kind of CPU.
    pub fn is_of(&self, report: &AdapterReport) -> bool {
        self.adapter == report.name && self.driver == report.driver_and_version() && self.cpu.as_deref() == report.cpu
    }

    /// Whether a shape was tuned, with the kernels that are there now.
    pub(super) fn has(&self, gpu: &Gpu, key: &str, family: &str) -> bool {
        self.found.get(key).is_some_and(|f| !f.cut_short && f.kernels == kernels_hash(gpu, family))
    }

    /// What to run, by shape. Versions that are not there (a file that was added then) are left to the rule of thumb.
    fn choices(&self, catalogue: &Catalogue, path: &str) -> Result<Choices> {
        let mut all = Choices::new();
        for (key, found) in &self.found {
            let Some(choice) = &found.choice else { continue };
            let versions = found.versions(catalogue, key);
            let Some(version) = versions.iter().find(|v| v.called(&choice.version).is_some()) else {
                log::info!("{path}: {key}: no version {} here, the rule of thumb decides", choice.version);
                continue;
            };
            if let Some((name, v)) = version.refused(&choice.settings) {
                return Err(refused(path, key, version, name, v));
            }
            all.insert(key.clone(), choice.clone());
        }
        Ok(all)
    }
}

impl Found {
    /// Versions of its family, which tables of earlier versions name by the beginning of the key only.
    fn versions<'a>(&self, catalogue: &'a Catalogue, key: &str) -> &'a [Arc<Version>] {
        let kernel = key.split(' ').next().unwrap_or_default();
        let named = |family: &&str| kernel == *family || kernel.starts_with(&format!("{family}_"));
        let by_key = || catalogue.families().filter(named).max_by_key(|family| family.len());
        let own = Some(self.family.as_str()).filter(|family| !family.is_empty());
        own.or_else(by_key).map_or(&[], |family| catalogue.versions(family))
    }
}

/// The error of a setting that a version's header does not allow: a table may have been edited.
fn refused(path: &str, key: &str, version: &Version, name: &str, v: i64) -> Error {
    let knob = version.knobs.iter().find(|k| k.name == name);
    let expected = match knob {
        Some(knob) => format!("one of {}", knob.values.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")),
        None => {
            let names = || version.knobs.iter().map(|k| k.name.as_str());
            let near = nearest(name, names()).map(|near| format!(" (the nearest is {near})")).unwrap_or_default();
            format!("a knob of {}: {}{near}", version.label(), names().collect::<Vec<_>>().join(", "))
        }
    };
    Error::file(path, format!("{key}: found the setting {name}={v}, expected {expected}"), HINT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::ShaderSource;

    #[test]
    fn committed_tables_fit_the_kernels() {
        let catalogue = ShaderSource::default().catalogue().expect("headers");
        for (name, text) in BUILT_IN {
            let table = parse(text, name).expect(name);
            let choices = table.choices(&catalogue, name).unwrap_or_else(|e| panic!("{e}"));
            let chosen = table.found.values().filter(|f| f.choice.is_some()).count();
            assert_eq!(choices.len(), chosen, "{name}: a choice is of no version that there is");
            assert!(!table.found.is_empty(), "{name}");
            assert_eq!(table.cpu.map(|cpu| format!("llvmpipe-{cpu}.json")).as_deref(), Some(name));
        }
    }

    #[test]
    fn tables_of_earlier_versions_are_read() {
        let text = r#"{"adapter": "a", "driver": "d", "found": {"conv1d 1->2": {"choice": {"variant": "tile",
            "settings": {"p": 16}}, "ms": 1, "rule_ms": 2, "plain_ms": 3, "timed": 4, "rejected": 5}}}"#;
        let table = parse(text, "a.json").expect("read");
        let found = &table.found["conv1d 1->2"];
        let settings = BTreeMap::from([("p".to_owned(), 16)]);
        assert_eq!(found.choice, Some(Choice { version: "tile".into(), settings }));
        assert_eq!((found.naive_ms, found.cut_short, table.cpu), (Some(3.0), false, None));
        assert!(parse("{}", "a.json").is_err_and(|e| e.to_string().contains("a.json")));
    }
}
