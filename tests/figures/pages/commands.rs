//! The commands of `results/README.md` that gather tables write those that are committed.

use crate::common::{exgnet, root, text};
use regex_lite::Regex;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Files of tables, at the top of a sweep's folder.
fn tables(dir: &Path) -> Vec<PathBuf> {
    let is_table = |path: &PathBuf| path.extension().is_some_and(|end| ["md", "csv", "tex"].iter().any(|e| end == *e));
    let entries = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    entries.map(|entry| entry.unwrap().path()).filter(is_table).collect()
}

/// Folders of `results/` that hold variants with runs.
fn sweeps() -> BTreeSet<String> {
    let below = |dir: &Path| {
        std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let has_runs =
        |dir: &PathBuf| below(dir).iter().flat_map(|variant| below(variant)).any(|run| run.join("run.json").is_file());
    let name = |dir: PathBuf| format!("results/{}", dir.file_name().unwrap().to_string_lossy());
    below(&root("results")).into_iter().filter(has_runs).map(name).collect()
}

#[test]
fn collect_writes_the_committed_tables() {
    let page = std::fs::read_to_string(root("results/README.md")).unwrap();
    let variables = Regex::new(r#"(?m)^([A-Z]+)="([^"]*)"$"#).unwrap();
    let commands = Regex::new(r"exgnet collect ([^`#&\n]*)").unwrap();
    let mut gathered = BTreeSet::new();
    for command in commands.captures_iter(&page) {
        let mut args = command[1].to_owned();
        for variable in variables.captures_iter(&page) {
            args = args.replace(&format!("${}", &variable[1]), &variable[2]);
        }
        let mut args: Vec<&str> = args.split_whitespace().collect();
        let sweep = args[0];
        let out = args.iter().position(|arg| *arg == "--out").map(|at| args.drain(at..at + 2).nth(1).unwrap());
        let (from, scratch) = (root(sweep), tempfile::tempdir().unwrap());
        let to = scratch.path().join("tables");
        let (from_text, to_text) = (from.display().to_string(), to.display().to_string());
        args[0] = &from_text;
        let done = exgnet(&[&["collect"], args.as_slice(), &["--out", &to_text, "--quiet"]].concat());
        assert!(done.status.success(), "exgnet collect {}: {}", &command[1], text(&done.stderr));
        let committed = root(out.unwrap_or(sweep));
        for table in tables(&to) {
            let name = table.file_name().unwrap();
            let expected = committed.join(name);
            // of a further comparison some tables are committed
            if out.is_some() && !expected.exists() {
                continue;
            }
            let read =
                |path: &Path| std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert!(
                read(&table) == read(&expected),
                "{}: exgnet collect {} writes another",
                expected.display(),
                &command[1]
            );
        }
        gathered.insert(sweep.to_owned());
    }
    assert_eq!(gathered, sweeps(), "sweeps with a command, and all");
}

/// What a reader of the README makes is no change of the checkout.
#[test]
fn what_the_readme_writes_is_ignored() {
    let read = |path: &str| std::fs::read_to_string(root(path)).unwrap();
    let (readme, ignored) = (read("README.md"), read(".gitignore"));
    let written = Regex::new(r"--out ([\w./-]+)").unwrap();
    let written: BTreeSet<String> = written.captures_iter(&readme).map(|c| c[1].to_owned()).collect();
    assert!(written.len() > 5, "{written:?}");
    for path in written {
        let stem = path.split_once('.').map_or(&*path, |(stem, _)| stem);
        let lines = [format!("/{path}"), format!("/{path}/"), format!("/{stem}.*")];
        assert!(lines.iter().any(|line| ignored.lines().any(|l| l == line)), "{path}: no line in .gitignore");
    }
}
