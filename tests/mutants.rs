//! Whether `exgnet check` sees what is wrong: kernels are changed in the ways of a table (`mutants/table.rs`), and each change
//! must make it fail. By default every fifth; all of them with
//! `EXGNET_MUTANTS=all cargo test --release --test mutants -- --nocapture`, which prints a line for each.

#[path = "mutants/table.rs"]
mod table;

use exgnet::Result;
use exgnet::gpu::{AdapterChoice, Gpu, ShaderSource, embedded_shaders};
use exgnet::lab::check::{CaseReport, Checker, Target, VersionReport};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use table::{Kind, Mutant, mutants};

/// Tests that open devices go one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn embedded(file: &str) -> &'static str {
    let file = format!("{file}.wgsl");
    let found = embedded_shaders().iter().find(|(name, _)| *name == file);
    found.unwrap_or_else(|| panic!("shaders/{file} does not exist")).1
}

/// A device whose file below `shaders/` has another text.
fn open(dir: &Path, file: &str, text: &str) -> Result<Gpu> {
    let path = dir.join(format!("{file}.wgsl"));
    std::fs::create_dir_all(path.parent().expect("a family")).expect("a folder");
    std::fs::write(&path, text).expect("a file");
    Gpu::open(&AdapterChoice::from_env(), ShaderSource::folder(dir)?)
}

fn check(checker: &mut Checker, gpu: &Gpu, family: &str, version: &str) -> Result<VersionReport> {
    let target = Target::named(family)?.swap_remove(0);
    let version = target.versions(gpu, Some(version))?.swap_remove(0);
    checker.check(gpu, &target, Some(&version), |_| ())
}

impl Mutant {
    fn text(&self) -> String {
        let text = embedded(self.file);
        let n = text.matches(self.from).count();
        assert!(n == 1 || (self.all && n > 1), "{self}: found {n} occurrences of {:?}", self.from);
        assert_ne!(self.from, self.to, "{self}");
        text.replace(self.from, self.to)
    }

    /// Family and version that it is seen in.
    fn place(&self) -> (&'static str, &'static str) {
        self.at.unwrap_or_else(|| self.file.split_once('/').expect("family/version"))
    }

    /// What of it `exgnet check` sees; `None`: nothing.
    fn caught(&self, checker: &mut Checker) -> Option<String> {
        let dir = tempfile::tempdir().expect("a folder");
        let gpu = match open(dir.path(), self.file, &self.text()) {
            Ok(gpu) => gpu,
            Err(e) => return Some(first_line(&e.to_string())),
        };
        let (family, version) = self.place();
        match check(checker, &gpu, family, version) {
            Err(e) => Some(first_line(&e.to_string())),
            Ok(report) => report.problems.first().map(|p| first_line(p)).or_else(|| {
                let failed = report.cases.iter().find(|c| !c.passed())?;
                Some(format!("{} {}: {}", failed.operation, failed.label(), reason(failed)))
            }),
        }
    }
}

impl std::fmt::Display for Mutant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({:?}: {})", self.file, self.kind, self.what)
    }
}

fn first_line(said: &str) -> String {
    said.lines().next().unwrap_or_default().to_owned()
}

fn reason(case: &CaseReport) -> String {
    match (&case.error, &case.report) {
        (Some([_, said]), _) => first_line(said),
        (None, Some(report)) => report.wrong.as_ref().map_or("two runs differ".into(), |wrong| wrong.of.clone()),
        (None, None) => String::new(),
    }
}

/// The table is whole: every text is found, every version has a mutant, of every kind there is one.
#[test]
fn mutants_of_every_version() {
    let mutants = mutants();
    assert!(mutants.len() >= 64, "{} mutants", mutants.len());
    let equivalent = mutants.iter().filter(|m| m.equivalent.is_some()).count();
    assert!(100 * equivalent <= 3 * mutants.len(), "{equivalent} of {} mutants change nothing", mutants.len());
    let texts: BTreeSet<(&str, String)> = mutants.iter().map(|m| (m.file, m.text())).collect();
    let seen: BTreeMap<String, usize> = mutants.iter().fold(BTreeMap::new(), |mut seen, m| {
        *seen.entry(format!("{}/{}", m.place().0, m.place().1)).or_default() += 1;
        seen
    });
    // the same text may be looked at in two versions
    assert!(texts.len() >= 64);
    for (file, _) in embedded_shaders() {
        let name = file.trim_end_matches(".wgsl");
        let family = !name.starts_with("include/") && !name.starts_with("lab/");
        assert!(!family || seen.contains_key(name), "{name} has no mutant");
        let shared = name.starts_with("include/");
        assert!(!shared || mutants.iter().any(|m| m.file == name), "{name} has no mutant");
    }
    let kinds: BTreeSet<Kind> = mutants.iter().map(|m| m.kind).collect();
    assert_eq!(kinds.len(), Kind::ALL.len(), "of {:?} alone", kinds);
}

#[test]
fn mutants_are_caught() {
    let _alone = alone();
    let only = std::env::var("EXGNET_MUTANTS").unwrap_or_default();
    let chosen = |(i, m): &(usize, &Mutant)| match only.as_str() {
        "all" => true,
        "" => i % 5 == 0,
        text => m.file.contains(text),
    };
    let chosen: Vec<&Mutant> = mutants().into_iter().enumerate().filter(chosen).map(|(_, m)| m).collect();
    let mut checker = Checker::new();
    checker.fail_fast = true;
    let start = Instant::now();
    // what is caught is the change: unchanged, the same files pass
    let places: BTreeSet<(&str, &str)> = chosen.iter().map(|m| m.place()).collect();
    let unchanged = if only == "all" { places.len() } else { 3 };
    for (family, version) in places.into_iter().take(unchanged) {
        let dir = tempfile::tempdir().expect("a folder");
        let file = format!("{family}/{version}");
        let gpu = open(dir.path(), &file, embedded(&file)).expect("a device");
        let report = check(&mut checker, &gpu, family, version).expect("a report");
        assert!(report.passed(), "{file} as it is: {:?}", report.problems);
    }
    println!("unchanged: {unchanged} versions pass, {:.1} s", start.elapsed().as_secs_f64());
    let mut survivors = Vec::new();
    for mutant in &chosen {
        let since = Instant::now();
        let caught = mutant.caught(&mut checker);
        let said = caught.as_deref().unwrap_or("SURVIVED");
        println!("{:>5.1} s  {mutant}: {said}", since.elapsed().as_secs_f64());
        if caught.is_none() {
            survivors.push(*mutant);
        }
    }
    let (n, passed) = (chosen.len(), survivors.len());
    println!("{} of {n} mutants caught, {:.1} s", n - passed, start.elapsed().as_secs_f64());
    for mutant in &survivors {
        println!("survived: {mutant}: {}", mutant.equivalent.unwrap_or("not equivalent"));
    }
    let names = |all: Vec<&Mutant>| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = names(chosen.iter().copied().filter(|m| m.equivalent.is_some()).collect());
    assert_eq!(names(survivors), expected, "mutants that survive are those that change nothing");
}

/// Whether a shader includes a text, if need be by way of others.
fn includes(name: &str, included: &str) -> bool {
    let text = embedded(name);
    let of = |(file, _): &&(&str, &str)| text.contains(&format!("include \"{file}\""));
    let all: Vec<&str> = embedded_shaders().iter().filter(of).map(|(file, _)| file.trim_end_matches(".wgsl")).collect();
    all.contains(&included) || all.iter().any(|file| includes(file, included))
}

const GARBAGE: &str = "this line is no WGSL\n";

/// A line of garbage behind any file is an error before anything runs.
#[test]
fn garbage_is_refused() {
    let _alone = alone();
    let mut checker = Checker::new();
    // compiles, and runs nothing
    checker.case = Some("a case that does not exist".into());
    let mut unseen = Vec::new();
    for (file, text) in embedded_shaders() {
        let name = file.trim_end_matches(".wgsl");
        let dir = tempfile::tempdir().expect("a folder");
        let Ok(gpu) = open(dir.path(), name, &format!("{text}{GARBAGE}")) else { continue };
        let (folder, version) = name.split_once('/').expect("folder/file");
        let passes = |checker: &mut Checker, family: &str, version: &str| {
            check(checker, &gpu, family, version).is_ok_and(|r| r.passed())
        };
        let passed = match folder {
            "lab" => checker.others(&gpu).passed(),
            // where one of two texts is included, some of its users take the other
            "include" => {
                let users = embedded_shaders().iter().map(|(file, _)| file.trim_end_matches(".wgsl"));
                let users: Vec<_> =
                    users.filter(|user| includes(user, name)).filter_map(|u| u.split_once('/')).collect();
                assert!(!users.is_empty(), "{name}: nobody includes it");
                users.into_iter().filter(|(family, _)| *family != "include").all(|(f, v)| passes(&mut checker, f, v))
            }
            family => passes(&mut checker, family, version),
        };
        if passed {
            unseen.push(file);
        }
    }
    assert!(unseen.is_empty(), "garbage is not seen behind {unseen:?}");
}

/// And the program names the file and the line.
#[test]
fn garbage_is_named() {
    let text = embedded("dropout/02_octets");
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("dropout/02_octets.wgsl");
    std::fs::create_dir_all(path.parent().expect("a family")).expect("a folder");
    std::fs::write(&path, format!("{text}{GARBAGE}")).expect("a file");
    let run = Command::new(env!("CARGO_BIN_EXE_exgnet"))
        .args(["check", "dropout", "--shader-dir"])
        .arg(dir.path())
        .output()
        .expect("a run");
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert_eq!(run.status.code(), Some(1), "{said}");
    let place = format!("{}:{}", path.display(), text.lines().count() + 1);
    assert!(said.contains(&place), "expected {place} in:\n{said}");
}
