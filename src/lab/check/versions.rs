//! Every version of a family of kernels in all cases of the operations that run it.

use super::{Prepared, Report, texts};
use crate::error::{Error, Result, nearest};
use crate::gpu::{Forced, Gpu, Number, Plan, Version};
use crate::ops::family::Family;
use crate::ops::{FAMILIES, REGISTRY, Registered};
use crate::tensor::numel;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

/// A case of an operation that is about to run.
#[derive(Debug, Clone)]
pub struct UnderWay {
    /// The family's name and the version's, or the operation alone.
    pub version: String,
    /// Operation and case.
    pub case: String,
    /// How many of the version's cases were run before, and how many there are.
    pub at: [usize; 2],
}

/// A kernel that ran, with the constants that it was compiled with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ran {
    /// Family and version, `pooling/01_naive`.
    pub version: String,
    /// Kernel of the family.
    pub kernel: String,
    /// Sizes, knobs and numbers of its header.
    pub constants: BTreeMap<String, f64>,
}

/// What a case gave in one version.
#[derive(Debug, Clone, Serialize)]
pub struct CaseReport {
    /// Name of the operation.
    pub operation: &'static str,
    /// Elements of its inputs.
    pub elements: usize,
    /// What was found.
    #[serde(flatten)]
    pub report: Option<Report>,
    /// Label of a case that could not be run, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<[String; 2]>,
    /// Of a case that failed: kernels of the version that ran in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ran: Vec<Ran>,
}

impl CaseReport {
    /// Whether it ran, and everything is within tolerance.
    pub fn passed(&self) -> bool {
        self.error.is_none() && self.report.as_ref().is_some_and(Report::passed)
    }

    /// The error of one that could not be run.
    pub fn said(&self) -> Option<&str> {
        self.error.as_ref().map(|[_, said]| said.as_str())
    }

    /// The case's label.
    pub fn label(&self) -> &str {
        let failed = self.error.as_ref().map(|[label, _]| label.as_str());
        self.report.as_ref().map(|r| r.label.as_str()).or(failed).unwrap_or_default()
    }
}

/// One version of a family, or an operation that belongs to none.
#[derive(Debug, Clone, Serialize)]
pub struct VersionReport {
    /// The family, or the operation.
    pub family: String,
    /// The version, `04_subgroup_shuffle`; none for an operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its file, where it is not built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Texts that naga compiled.
    pub compiled: usize,
    /// What of its needs this adapter lacks: it was compiled only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
    /// Its cases.
    pub cases: Vec<CaseReport>,
    /// In how many of them each of its kernels ran.
    pub ran: BTreeMap<String, usize>,
    /// What is wrong with it beside its cases: it does not compile, or a kernel of it ran in no case.
    pub problems: Vec<String>,
    /// Time that it took.
    pub seconds: f64,
}

impl VersionReport {
    /// Whether nothing is wrong with it.
    pub fn passed(&self) -> bool {
        self.problems.is_empty() && self.cases.iter().all(CaseReport::passed)
    }

    /// `conv1d/04_subgroup_shuffle`, or the operation.
    pub fn name(&self) -> String {
        self.version.as_ref().map_or_else(|| self.family.clone(), |v| format!("{}/{v}", self.family))
    }
}

/// What to check of a family.
#[derive(Clone)]
pub struct Target {
    family: Option<&'static Family>,
    name: &'static str,
    operations: Vec<&'static Registered>,
}

/// Checks versions; what the oracle says is computed once for all of them.
#[derive(Default)]
pub struct Checker {
    prepared: HashMap<&'static str, Vec<Prepared>>,
    /// Only cases whose label, or operation, contains this.
    pub case: Option<String>,
    /// Whether to stop at the first thing that is wrong.
    pub fail_fast: bool,
}

fn operation(name: &str) -> Option<&'static Registered> {
    REGISTRY.iter().find(|r| r.name == name)
}

impl Target {
    fn of(family: &'static Family) -> Self {
        let operations = family.operations.iter().filter_map(|name| operation(name)).collect();
        Self { family: Some(family), name: family.name, operations }
    }

    /// All families, then the operations that run no kernel of a family.
    pub fn all() -> Vec<Self> {
        let alone = REGISTRY.iter().filter(|r| !FAMILIES.iter().any(|f| f.operations.contains(&r.name)));
        let alone = alone.map(|r| Self { family: None, name: r.name, operations: vec![r] });
        FAMILIES.iter().map(|f| Self::of(f)).chain(alone).collect()
    }

    /// A family by its name, or an operation: the families that run in it, in its cases.
    pub fn named(name: &str) -> Result<Vec<Self>> {
        if let Some(family) = FAMILIES.iter().find(|f| f.name == name) {
            return Ok(vec![Self::of(family)]);
        }
        let Some(operation) = operation(name) else {
            let known = || FAMILIES.iter().map(|f| f.name).chain(REGISTRY.iter().map(|r| r.name));
            let near = nearest(name, known()).unwrap_or("conv1d");
            let mut all: Vec<&str> = known().collect();
            all.sort_unstable();
            all.dedup();
            return Err(Error::config(
                format!("no family of kernels and no operation '{name}', expected one of {}", all.join(", ")),
                format!("did you mean {near}?"),
            ));
        };
        let families = FAMILIES.iter().filter(|f| f.operations.contains(&operation.name));
        let all: Vec<Self> =
            families.map(|f| Self { family: Some(f), name: f.name, operations: vec![operation] }).collect();
        match all.is_empty() {
            true => Ok(vec![Self { family: None, name: operation.name, operations: vec![operation] }]),
            false => Ok(all),
        }
    }

    /// The family's name, or the operation's.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its versions, or the one that is called so; none for an operation that runs no kernel of a family.
    pub fn versions(&self, gpu: &Gpu, named: Option<&str>) -> Result<Vec<Arc<Version>>> {
        match (self.family, named) {
            (None, None) => Ok(Vec::new()),
            (None, Some(named)) => Err(Error::config(
                format!("{} is an operation that runs no kernel of a family: it has no version '{named}'", self.name),
                "leave --version away",
            )),
            (Some(family), Some(named)) => Ok(vec![gpu.catalogue().named(family.name, named)?.0]),
            (Some(family), None) => Ok(gpu.versions(family.name).to_vec()),
        }
    }
}

/// Constants of a plan as numbers.
fn ran((kernel, plan): &(String, Arc<Plan>)) -> Ran {
    let number = |v: &Number| match *v {
        Number::Int(v) => v as f64,
        Number::Float(v) => v,
    };
    let constants = plan.values.iter().map(|(name, v)| (name.clone(), number(v))).collect();
    Ran { version: plan.chosen.version.file(), kernel: kernel.clone(), constants }
}

impl Checker {
    /// One that checks all cases to the end.
    pub fn new() -> Self {
        Self::default()
    }

    fn prepare(&mut self, operations: &[&'static Registered]) {
        for op in operations {
            self.prepared.entry(op.name).or_insert_with(|| (op.cases)().into_iter().map(Prepared::new).collect());
        }
    }

    /// The cases that are wanted of some operations.
    fn wanted(&self, operations: &[&'static Registered]) -> Vec<(&'static str, &Prepared)> {
        let wanted = |op: &str, label: &str| {
            self.case.as_ref().is_none_or(|text| format!("{op} {label}").contains(text.as_str()))
        };
        let all = operations.iter().flat_map(|op| self.prepared[op.name].iter().map(|p| (op.name, p)));
        all.filter(|(op, p)| wanted(op, &p.case.label)).collect()
    }

    /// Kernels that belong to no version are compiled: those of the measurements.
    pub fn others(&self, gpu: &Gpu) -> VersionReport {
        let start = Instant::now();
        let compiled = texts::compile_others(gpu);
        let problems = compiled.as_ref().err().map(ToString::to_string).into_iter().collect();
        VersionReport {
            family: "others".into(),
            version: None,
            path: None,
            compiled: compiled.unwrap_or(0),
            lacks: None,
            cases: Vec::new(),
            ran: BTreeMap::new(),
            problems,
            seconds: start.elapsed().as_secs_f64(),
        }
    }

    /// Compiles a version of a target and runs its cases with it; `None`: an operation as it is. `watch` hears what comes next.
    /// What is forced on the device afterwards is what was before.
    ///
    /// # Errors
    /// Those of the device that make continuing pointless; what is wrong with the version stands in the report.
    pub fn check(
        &mut self,
        gpu: &Gpu,
        target: &Target,
        version: Option<&Arc<Version>>,
        mut watch: impl FnMut(&UnderWay),
    ) -> Result<VersionReport> {
        let start = Instant::now();
        let before = gpu.forced();
        let mut report = VersionReport {
            family: target.name.to_owned(),
            version: version.map(|v| v.label()),
            path: version.and_then(|v| Some(v.path.as_ref()?.display().to_string())),
            compiled: 0,
            lacks: version.and_then(|v| v.lacks(gpu.report())).map(|need| need.to_string()),
            cases: Vec::new(),
            ran: BTreeMap::new(),
            problems: Vec::new(),
            seconds: 0.0,
        };
        if let (Some(version), Some(family)) = (version, target.family) {
            let known = |kernel: &str| family.kernels.iter().any(|k| k.name == kernel);
            for kernel in version.kernels() {
                report.ran.insert(kernel.to_owned(), 0);
                if !known(kernel) {
                    let names: Vec<&str> = family.kernels.iter().map(|k| k.name).collect();
                    let expected = names.join(", ");
                    report.problems.push(format!(
                        "{}: found the kernel {kernel}, expected one of {}: {expected}",
                        version.shown(),
                        family.name
                    ));
                }
            }
            let layouts: Vec<&str> = family.kernels.iter().flat_map(|k| k.layouts.iter().copied()).collect();
            for (operand, layout) in &version.layouts {
                let found = format!("{operand}={layout}");
                if layout != "plain" && !layouts.contains(&found.as_str()) {
                    let known = if layouts.is_empty() { "plain ones only".to_owned() } else { layouts.join(", ") };
                    let shown = version.shown();
                    report.problems.push(format!("{shown}: //@ layout: found {found}, {} offers {known}", family.name));
                }
            }
            match texts::compile_all(gpu, version, family.kernels) {
                Ok(n) => {
                    report.compiled = n;
                    let launch = |name: String| {
                        let shown = version.shown();
                        format!(
                            "{shown}: the function {name} has @compute, and no line `//@ threads {name}: ...` or \
                             `//@ groups {name}: ...` launches it"
                        )
                    };
                    report.problems.extend(version.not_launched().into_iter().map(launch));
                }
                Err(e) => report.problems.push(e.to_string()),
            }
        }
        if report.lacks.is_none() && report.problems.is_empty() {
            self.prepare(&target.operations);
            let forced = version.map_or_else(|| before.clone(), |v| Forced::family(target.name, v.label()));
            let run = self.run(gpu, target, version, &forced, &mut report, &mut watch);
            gpu.force(before)?;
            run?;
            // of an operation alone not every kernel of the family runs, and of one that could not be launched none
            let whole = target.family.is_some_and(|f| f.operations.len() == target.operations.len());
            let launched = report.cases.iter().all(|c| c.error.is_none());
            if whole && launched && self.case.is_none() && (report.passed() || !self.fail_fast) {
                idle(&mut report, version);
            }
        }
        report.seconds = start.elapsed().as_secs_f64();
        Ok(report)
    }

    fn run(
        &self,
        gpu: &Gpu,
        target: &Target,
        version: Option<&Arc<Version>>,
        forced: &Forced,
        report: &mut VersionReport,
        watch: &mut impl FnMut(&UnderWay),
    ) -> Result<()> {
        let wanted = self.wanted(&target.operations);
        let name = report.name();
        for (i, (operation, prepared)) in wanted.iter().enumerate() {
            let label = &prepared.case.label;
            let case = format!("{operation} {label}");
            watch(&UnderWay { version: name.clone(), case, at: [i, wanted.len()] });
            // which forgets what ran before
            gpu.force(forced.clone())?;
            let found = prepared.check(gpu, self.fail_fast);
            let plans = gpu.planned();
            let own: Vec<_> = plans.iter().filter(|(_, p)| Some(&p.chosen.version) == version).collect();
            for (kernel, count) in &mut report.ran {
                *count += usize::from(own.iter().any(|(k, _)| k == kernel));
            }
            let elements = prepared.case.inputs.iter().map(|input| numel(&input.shape)).sum();
            let mut case = CaseReport { operation, elements, report: None, error: None, ran: Vec::new() };
            match found {
                Ok(found) => case.report = Some(found),
                // whatever follows would say the same
                Err(e) if e.to_string().contains("device lost") => return Err(e),
                Err(e) => case.error = Some([label.clone(), e.to_string()]),
            }
            let failed = !case.passed();
            if failed {
                case.ran = own.into_iter().map(ran).collect();
            }
            report.cases.push(case);
            if failed && self.fail_fast {
                break;
            }
        }
        Ok(())
    }
}

/// Says so where a kernel of the version ran in no case: nothing was checked of it, which is a failure.
fn idle(report: &mut VersionReport, version: Option<&Arc<Version>>) {
    let Some(version) = version else { return };
    let n = report.cases.len();
    let idle: Vec<String> = report
        .ran
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(kernel, _)| {
            format!("{}: {kernel} ran in none of {n} cases: it fits none of their shapes", version.shown())
        })
        .collect();
    report.problems.extend(idle);
}
