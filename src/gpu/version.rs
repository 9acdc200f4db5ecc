//! A version of a kernel family: a `.wgsl` file `NN_name.wgsl` whose lines `//@ key: value` say what the host must know
//! (`shaders/README.md` lists them). Nothing here knows what a kernel computes.

use super::expression::{Expression, Number, Values};
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
#[derive(Debug, Clone)]
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

/// Number and name out of `04_subgroup_shuffle.wgsl`.
pub(super) fn number_and_name(file: &str) -> Option<(u32, &str)> {
    let (number, name) = file.strip_suffix(".wgsl")?.split_once('_')?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let fits = number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit()) && name.chars().all(plain);
    (fits && !name.is_empty()).then(|| Some((number.parse().ok()?, name)))?
}

/// Keys of header lines.
const KEYS: [&str; 12] =
    ["alias", "needs", "fits", "default", "layout", "knob", "try", "let", "scratch", "kernel", "threads", "groups"];

/// `a=1 b=2` as settings.
fn pairs(text: &str) -> Option<BTreeMap<String, i64>> {
    let pair = |p: &str| p.split_once('=').and_then(|(n, v)| Some((n.to_owned(), v.parse().ok()?)));
    text.split_whitespace().map(pair).collect()
}

/// A value and the condition behind ` if `.
fn conditional(text: &str) -> (&str, Option<&str>) {
    text.split_once(" if ").map_or((text, None), |(value, condition)| (value, Some(condition)))
}

/// The first sentence of a file: its comment up to a full stop at the end of a word or a line that says something else.
fn first_sentence(text: &str) -> String {
    let lines = text.lines().map_while(|l| l.trim().strip_prefix("//").filter(|l| !l.starts_with('@')));
    let all: Vec<&str> = lines.take_while(|l| !l.trim().is_empty()).map(str::trim).collect();
    let all = all.join(" ");
    let end = all.find(". ").map_or(all.len(), |at| at + 1);
    all[..end].trim_end_matches(['.', ':']).to_owned()
}

impl Version {
    /// Reads a file's header.
    pub(super) fn parse(family: &str, file: &str, text: String, path: Option<PathBuf>) -> Result<Self> {
        let shown = path.clone().unwrap_or_else(|| PathBuf::from(format!("shaders/{family}/{file}")));
        let Some((number, name)) = number_and_name(file) else {
            return Err(Error::file(
                shown,
                "is no name of a version, expected NN_name.wgsl with two digits and small letters",
                "for example 90_mine.wgsl; text that versions share belongs in include/",
            ));
        };
        let mut version = Self {
            family: family.to_owned(),
            number,
            name: name.to_owned(),
            change: first_sentence(&text),
            aliases: Vec::new(),
            needs: Vec::new(),
            layouts: Vec::new(),
            knobs: Vec::new(),
            tries: Vec::new(),
            hash: hash_of(&text),
            path,
            fits: None,
            default: None,
            numbers: Vec::new(),
            scratch: Vec::new(),
            geometry: BTreeMap::new(),
            stages: Vec::new(),
            text: String::new(),
        };
        for (at, line) in text.lines().enumerate() {
            let Some(line) = line.trim().strip_prefix("//@") else { continue };
            version.line(line.trim()).map_err(|(what, hint)| {
                Error::file(format!("{}:{}", shown.display(), at + 1), format!("//@ {}: {what}", line.trim()), hint)
            })?;
        }
        if version.geometry.is_empty() {
            return Err(Error::file(
                shown,
                "does not say how it is launched, expected a line `//@ threads: ...` or `//@ groups: ...`",
                "for example `//@ threads: batch * channels * len`; shaders/README.md lists the lines of a header",
            ));
        }
        version.text = text;
        Ok(version)
    }

    /// Takes a line; the error is what is wrong with it, and a hint.
    fn line(&mut self, line: &str) -> std::result::Result<(), (String, String)> {
        let (head, value) = line.split_once(':').unwrap_or((line, ""));
        let (key, name) = head.trim().split_once(' ').unwrap_or((head.trim(), ""));
        let (name, value) = (name.trim(), value.trim());
        let hint = |text: &str| text.to_owned();
        let expression = |text: &str| {
            Expression::new(text).map_err(|what| (what, hint("expressions are those of minijinja, over integers")))
        };
        let named = || match name.is_empty() {
            true => Err((format!("{key} of what?"), format!("for example `//@ {key} NAME: ...`"))),
            false => Ok(name.to_owned()),
        };
        let settings = |text: &str| {
            pairs(text).ok_or_else(|| (format!("'{text}' is no list of settings"), hint("for example `oc=8 p=24`")))
        };
        match key {
            "alias" => {
                let (name, rest) = value.split_once(' ').unwrap_or((value, ""));
                self.aliases.push(Alias { name: name.to_owned(), settings: settings(rest)? });
            }
            "needs" => {
                for word in value.split_whitespace() {
                    let (what, number) = word.split_once('=').unwrap_or((word, ""));
                    let need = match (what, number.parse()) {
                        ("subgroups", _) => Need::Subgroups,
                        ("f16", _) => Need::F16,
                        ("storage", Ok(n)) => Need::Storage(n),
                        ("shared", Ok(n)) => Need::Shared(n),
                        ("threads", Ok(n)) => Need::Threads(n),
                        _ => {
                            let known = "known are subgroups, f16, storage=N, shared=BYTES and threads=N";
                            return Err((format!("'{word}' is nothing that an adapter has"), hint(known)));
                        }
                    };
                    self.needs.push(need);
                }
            }
            "fits" => self.fits = Some(expression(value)?),
            "default" => self.default = Some(expression(value)?),
            "layout" => {
                for pair in value.split_whitespace() {
                    let Some((operand, layout)) = pair.split_once('=') else {
                        return Err((format!("'{pair}' is no layout"), hint("for example `src=rows`")));
                    };
                    self.layouts.push((operand.to_owned(), layout.to_owned()));
                }
            }
            "knob" => {
                let (default, values) = value.rsplit_once('|').unwrap_or((value, ""));
                let values = values.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>();
                let values =
                    values.map_err(|_| (hint("values that are no integers"), hint("for example `| 8 16 32`")))?;
                let name = named()?;
                self.numbers.push((name.clone(), None));
                self.knobs.push(Knob { name, default: expression(default)?, values });
            }
            "try" => {
                let (value, condition) = conditional(value);
                let condition = condition.map(expression).transpose()?;
                self.tries.push(Candidate { settings: settings(value)?, condition });
            }
            "let" => self.numbers.push((named()?, Some(expression(value)?))),
            "scratch" => self.scratch.push((named()?, expression(value)?)),
            "kernel" => {
                let (value, condition) = conditional(value);
                let entries = value.split(',').map(|e| e.trim().to_owned()).collect();
                let condition = condition.map(expression).transpose()?;
                self.stages.push(Stages { kernel: named()?, entries, condition });
            }
            "threads" | "groups" => {
                let entry = if name.is_empty() { "main" } else { name };
                let value = expression(value)?;
                let geometry = if key == "threads" { Geometry::Threads(value) } else { Geometry::Groups(value) };
                self.geometry.insert(entry.to_owned(), geometry);
            }
            _ => {
                let near = crate::error::nearest(key, KEYS.into_iter()).unwrap_or("knob");
                return Err((
                    format!("'{key}' is no key of a header"),
                    format!("did you mean `{near}`? Known are {}", KEYS.join(", ")),
                ));
            }
        }
        Ok(())
    }

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
        let own = name == self.name || name == self.label() || name.parse() == Ok(self.number);
        let alias = || self.aliases.iter().find(|a| a.name == name).map(|a| a.settings.clone());
        if own { Some(BTreeMap::new()) } else { alias() }
    }

    /// Layout of an operand.
    pub fn layout(&self, operand: &str) -> &str {
        self.layouts.iter().find(|(o, _)| o == operand).map_or("plain", |(_, layout)| layout)
    }

    /// Kernels of its family that it implements.
    pub fn kernels(&self) -> Vec<&str> {
        let staged = self.stages.iter().flat_map(|s| &s.entries).collect::<Vec<_>>();
        let own = |entry: &str| if entry == "main" { self.family.as_str() } else { "" };
        let mut all: Vec<&str> = self.stages.iter().map(|s| s.kernel.as_str()).collect();
        for entry in self.geometry.keys().filter(|e| !staged.contains(e)) {
            all.push(if own(entry).is_empty() { entry } else { own(entry) });
        }
        all.sort_unstable();
        all.dedup();
        all
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
            let holds = stages.condition.as_ref().map_or(Ok(true), |c| c.holds(values));
            if holds.map_err(|what| self.wrong("kernel", &what))? {
                return Ok(stages.entries.clone());
            }
        }
        if staged {
            return Err(self.wrong(kernel, "found no stages whose condition holds, expected some for every shape"));
        }
        let entry = if kernel == self.family && !self.geometry.contains_key(kernel) { "main" } else { kernel };
        Ok(vec![entry.to_owned()])
    }

    /// An error about the header.
    pub(super) fn wrong(&self, key: &str, what: &str) -> Error {
        Error::gpu(format!("{}: //@ {key}: {what}", self.shown()), "shaders/README.md says what a header holds")
    }

    /// What of its needs an adapter lacks.
    pub fn lacks(&self, report: &super::AdapterReport) -> Option<Need> {
        let missing = |need: &&Need| match **need {
            Need::Subgroups => !report.subgroups,
            Need::F16 => !report.shader_f16,
            Need::Storage(n) => report.max_storage_buffers < n,
            Need::Shared(n) => report.max_workgroup_bytes < n,
            Need::Threads(n) => report.max_workgroup_threads < n,
        };
        self.needs.iter().find(missing).copied()
    }

    /// Whether it can do these sizes.
    ///
    /// # Errors
    /// [`Error::Gpu`] for a condition that cannot be evaluated.
    pub fn fits(&self, values: &Values) -> Result<bool> {
        self.fits.as_ref().map_or(Ok(true), |e| e.holds(values)).map_err(|what| self.wrong("fits", &what))
    }

    /// Whether the rule of thumb takes it.
    pub(super) fn by_rule(&self, values: &Values) -> Result<bool> {
        let rule = self.default.as_ref().map_or(Ok(self.number <= 1), |e| e.holds(values));
        rule.map_err(|what| self.wrong("default", &what))
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
    ///
    /// # Errors
    /// [`Error::Gpu`] where there is none.
    pub fn int(&self, name: &str, values: &Values) -> Result<usize> {
        match values.get(name) {
            Some(Number::Int(v)) if *v >= 0 => Ok(*v as usize),
            None if self.numbers.iter().any(|(n, _)| n == name) => {
                Err(self.why_unknown(name, values).unwrap_or_else(|| self.wrong(name, "cannot be evaluated")))
            }
            found => {
                let what = format!("found {found:?}, expected an integer of at least 0 that its layout asks for");
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
            let holds = candidate.condition.as_ref().map_or(Ok(true), |c| c.holds(&own));
            if holds.map_err(|what| self.wrong("try", &what))? {
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
