//! A version of a kernel family: a `.wgsl` file `NN_name.wgsl` whose lines `//@ key: value` say what the host must know
//! (`shaders/README.md` lists them). Nothing here knows what a kernel computes.

mod header;

use super::expression::{Expression, Number, Values};
pub(super) use header::number_and_name;

use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

/// What an adapter may lack that a version needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Subgroup operations.
    Subgroups,
    /// 16-bit arithmetic.
    F16,
    /// 64-bit integers.
    Int64,
    /// Storage buffers of a kernel.
    Storage(u32),
    /// Bytes of workgroup memory.
    Shared(u32),
    /// Threads of a workgroup.
    Threads(u32),
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Subgroups => write!(f, "subgroups"),
            Self::F16 => write!(f, "16-bit arithmetic"),
            Self::Int64 => write!(f, "64-bit integers"),
            Self::Storage(n) => write!(f, "{n} storage buffers"),
            Self::Shared(n) => write!(f, "{n} bytes of workgroup memory"),
            Self::Threads(n) => write!(f, "workgroups of {n} threads"),
        }
    }
}

/// A constant of a version that may be set: the default, and the values that are allowed.
#[derive(Debug, Clone)]
pub struct Knob {
    /// Name of an override, a template variable or a number of the header.
    pub name: String,
    pub(super) default: Expression,
    /// Values that a table or the command line may give.
    pub values: Vec<i64>,
}

impl Knob {
    /// Its default, as the header has it.
    pub fn usual(&self) -> String {
        format!("{:?}", self.default)
    }
}

/// Settings that the tuner tries together.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Values of knobs.
    pub settings: BTreeMap<String, i64>,
    pub(super) condition: Option<Expression>,
}

/// How an entry point is launched.
#[derive(Debug, Clone)]
pub(super) enum Geometry {
    /// One thread each, in groups of `WG`.
    Threads(Expression),
    Groups(Expression),
}

/// Entries that make a kernel, one after the other, where the condition holds.
#[derive(Debug, Clone)]
pub(super) struct Stages {
    kernel: String,
    pub(super) entries: Vec<String>,
    pub(super) condition: Option<Expression>,
}

/// Other name of a version, with the knobs that it sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub name: String,
    /// What it sets.
    pub settings: BTreeMap<String, i64>,
}

/// A version of a kernel family.
#[derive(Debug, Clone, Default)]
pub struct Version {
    /// Folder of the file.
    pub family: String,
    /// Its place in the family's history.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// The file's first sentence: what changed against the version before, and why.
    pub change: String,
    /// Other names.
    pub aliases: Vec<Alias>,
    /// What the adapter must have.
    pub needs: Vec<Need>,
    /// Layouts of operands that are not plain, as (operand, layout).
    pub layouts: Vec<(String, String)>,
    /// Constants that may be set.
    pub knobs: Vec<Knob>,
    /// What the tuner tries; empty: every value of every knob.
    pub tries: Vec<Candidate>,
    /// The text, a template perhaps.
    pub text: String,
    /// A hash of the text.
    pub hash: u64,
    /// Where it was read; `None` for one that is built in.
    pub path: Option<PathBuf>,
    pub(super) fits: Option<Expression>,
    pub(super) default: Option<Expression>,
    /// Knobs (no expression) and numbers in the order of the header's lines.
    numbers: Vec<(String, Option<Expression>)>,
    pub(super) scratch: Vec<(String, Expression)>,
    pub(super) geometry: BTreeMap<String, Geometry>,
    stages: Vec<Stages>,
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        (self.hash, &self.family, &self.name) == (other.hash, &other.family, &other.name)
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

/// FNV-1a, 64 bits: the hash of kernels' texts in records and tables.
pub fn hash_of(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

impl Version {
    /// `04_subgroup_shuffle`.
    pub fn label(&self) -> String {
        format!("{:02}_{}", self.number, self.name)
    }

    /// Name of the file below `shaders/`, without `.wgsl`.
    pub fn file(&self) -> String {
        format!("{}/{}", self.family, self.label())
    }

    /// Where its text is, for messages.
    pub fn shown(&self) -> String {
        self.path.as_ref().map_or_else(|| format!("shaders/{}.wgsl", self.file()), |p| p.display().to_string())
    }

    /// Whether it is called so: by number, name, `NN_name` or alias; with what the alias sets.
    pub fn called(&self, name: &str) -> Option<BTreeMap<String, i64>> {
        let alias = || self.aliases.iter().find(|a| a.name == name).map(|a| a.settings.clone());
        if self.is_named(name) { Some(BTreeMap::new()) } else { alias() }
    }

    /// Whether this is its number, its name or both.
    pub(super) fn is_named(&self, name: &str) -> bool {
        name == self.name || name == self.label() || name.parse() == Ok(self.number)
    }

    /// Layout of an operand.
    pub fn layout(&self, operand: &str) -> &str {
        self.layouts.iter().find(|(o, _)| o == operand).map_or("plain", |(_, layout)| layout)
    }

    /// Buffers of its own.
    pub fn scratch(&self) -> impl Iterator<Item = &str> {
        self.scratch.iter().map(|(name, _)| name.as_str())
    }

    /// Kernels of its family that it implements.
    pub fn kernels(&self) -> Vec<&str> {
        let staged = self.stages.iter().flat_map(|s| &s.entries).collect::<Vec<_>>();
        let mut all: Vec<&str> = self.stages.iter().map(|s| s.kernel.as_str()).collect();
        for entry in self.geometry.keys().filter(|e| !staged.contains(e)) {
            all.push(if entry == "main" { &self.family } else { entry });
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Functions of its text with `@compute` that no line of its header launches.
    pub fn not_launched(&self) -> Vec<String> {
        let code: Vec<&str> = self.text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
        let code = code.join("\n");
        let names = code.split("@compute").skip(1).filter_map(|rest| rest.split_once("fn ")?.1.split('(').next());
        names.map(str::trim).filter(|name| !self.geometry.contains_key(*name)).map(str::to_owned).collect()
    }

    /// Whether it implements a kernel of its family.
    pub fn has(&self, kernel: &str) -> bool {
        self.kernels().contains(&kernel)
    }

    /// Entries of a kernel under these values.
    pub(super) fn entries(&self, kernel: &str, values: &Values) -> Result<Vec<String>> {
        let mut staged = false;
        for stages in self.stages.iter().filter(|s| s.kernel == kernel) {
            staged = true;
            if self.holds(&format!("kernel {kernel}"), stages.condition.as_ref(), values)? {
                return Ok(stages.entries.clone());
            }
        }
        if staged {
            let what = "found no stages whose condition holds, expected some for every shape";
            return Err(self.wrong(&format!("kernel {kernel}"), what));
        }
        let entry = if kernel == self.family && !self.geometry.contains_key(kernel) { "main" } else { kernel };
        Ok(vec![entry.to_owned()])
    }

    /// An error about the header, with the line of a key.
    pub(super) fn wrong(&self, key: &str, what: &str) -> Error {
        let (at, head) = match self.line_of(key) {
            Some((line, head)) => (format!(":{line}"), head),
            None => (String::new(), key),
        };
        let hint = "shaders/README.md says what a header holds; whole numbers are divided by //";
        Error::gpu(format!("{}{at}: //@ {head}: {what}", self.shown()), hint)
    }

    /// Line of the file, from 1, that says this, or launches an entry of this name, or makes a kernel of it; with what stands
    /// there before the colon.
    fn line_of(&self, key: &str) -> Option<(usize, &str)> {
        let all = self.text.lines().enumerate().filter_map(|(i, line)| Some((i + 1, line.trim().strip_prefix("//@")?)));
        let mut heads = all.filter_map(|(line, text)| Some((line, text.split_once(':')?)));
        let says = |&(_, (head, value)): &(usize, (&str, &str))| {
            let head = head.trim();
            let (kind, name) = head.split_once(' ').unwrap_or((head, ""));
            let named = ["threads", "groups", "let", "knob", "scratch", "kernel"].contains(&kind) && name.trim() == key;
            let main = ["threads", "groups"].contains(&kind) && name.is_empty() && key == "main";
            let entries = value.split(" if ").next().unwrap_or_default();
            let stage = kind == "kernel" && entries.split(',').any(|entry| entry.trim() == key);
            head == key || named || main || stage
        };
        heads.find(says).map(|(line, (head, _))| (line, head.trim()))
    }

    /// Whether its header has a constant or a number of this name.
    pub(crate) fn declares(&self, name: &str) -> bool {
        self.numbers.iter().any(|(n, _)| n == name)
    }

    /// What of its needs an adapter lacks.
    pub fn lacks(&self, report: &super::AdapterReport) -> Option<Need> {
        let missing = |need: &&Need| match **need {
            Need::Subgroups => !report.subgroups,
            Need::F16 => !report.shader_f16,
            Need::Int64 => !report.shader_int64,
            Need::Storage(n) => report.max_storage_buffers < n,
            Need::Shared(n) => report.max_workgroup_bytes < n,
            Need::Threads(n) => report.max_workgroup_threads < n,
        };
        self.needs.iter().find(missing).copied()
    }

    /// Whether a condition of a line of the header holds, as none does.
    fn holds(&self, key: &str, condition: Option<&Expression>, values: &Values) -> Result<bool> {
        condition.map_or(Ok(true), |c| c.holds(values)).map_err(|what| self.wrong(key, &what))
    }

    /// Whether it can do these sizes.
    pub fn fits(&self, values: &Values) -> Result<bool> {
        self.holds("fits", self.fits.as_ref(), values)
    }

    /// Whether the rule of thumb takes it.
    pub(super) fn by_rule(&self, values: &Values) -> Result<bool> {
        Ok((self.default.is_some() || self.number <= 1) && self.holds("default", self.default.as_ref(), values)?)
    }

    /// Adds its knobs, as `settings` say or by default, and its numbers to the sizes.
    pub(crate) fn resolve(&self, mut values: Values, settings: &BTreeMap<String, i64>) -> Result<Values> {
        if let Some(unknown) = settings.keys().find(|name| !self.knobs.iter().any(|k| k.name == **name)) {
            let names: Vec<&str> = self.knobs.iter().map(|k| k.name.as_str()).collect();
            return Err(
                self.wrong("knob", &format!("found the setting {unknown}, expected one of {}", names.join(", ")))
            );
        }
        // what another kernel's sizes would be needed for stays unknown
        for i in 0..self.numbers.len() {
            if let Ok(number) = self.number(i, &values, settings) {
                values.insert(self.numbers[i].0.clone(), number);
            }
        }
        Ok(values)
    }

    fn number(
        &self,
        i: usize,
        values: &Values,
        settings: &BTreeMap<String, i64>,
    ) -> std::result::Result<Number, String> {
        let (name, expression) = &self.numbers[i];
        match (expression, settings.get(name)) {
            (Some(expression), _) => expression.number(values),
            (None, Some(&v)) => Ok(Number::Int(v)),
            (None, None) => {
                self.knobs.iter().find(|k| k.name == *name).map_or(Ok(Number::Int(0)), |k| k.default.number(values))
            }
        }
    }

    /// An integer of at least 0 among `values`.
    pub fn int(&self, name: &str, values: &Values) -> Result<usize> {
        match values.get(name) {
            Some(Number::Int(v)) if *v >= 0 => Ok(*v as usize),
            None if self.numbers.iter().any(|(n, _)| n == name) => {
                Err(self.why_unknown(name, values).unwrap_or_else(|| self.wrong(name, "cannot be evaluated")))
            }
            found => {
                let found = found.map_or("none".to_owned(), ToString::to_string);
                let what = format!("found {found}, expected an integer of at least 0 that its layout asks for");
                Err(self.wrong(&format!("let {name}"), &what))
            }
        }
    }

    /// Why a number of the header is not among `values`; `None` if it has none of that name.
    pub(super) fn why_unknown(&self, name: &str, values: &Values) -> Option<Error> {
        let i = self.numbers.iter().position(|(n, _)| n == name)?;
        let what = self.number(i, values, &BTreeMap::new()).err()?;
        Some(self.wrong(&format!("let {name}"), &what))
    }

    /// What the tuner may try at these sizes: settings beside the default.
    pub(super) fn candidates(&self, values: &Values) -> Result<Vec<BTreeMap<String, i64>>> {
        if self.tries.is_empty() {
            let one = |k: &Knob| k.values.iter().map(|&v| BTreeMap::from([(k.name.clone(), v)])).collect::<Vec<_>>();
            return Ok(self.knobs.iter().flat_map(one).collect());
        }
        let mut all = Vec::new();
        for candidate in &self.tries {
            let mut own = values.clone();
            own.extend(candidate.settings.iter().map(|(n, &v)| (n.clone(), Number::Int(v))));
            if self.holds("try", candidate.condition.as_ref(), &own)? {
                all.push(candidate.settings.clone());
            }
        }
        Ok(all)
    }

    /// The settings that its header does not allow.
    pub fn refused<'a>(&self, settings: &'a BTreeMap<String, i64>) -> Option<(&'a str, i64)> {
        let allowed = |name: &str, v: i64| self.knobs.iter().any(|k| k.name == name && k.values.contains(&v));
        settings.iter().find(|(name, v)| !allowed(name, **v)).map(|(name, v)| (name.as_str(), *v))
    }
}
