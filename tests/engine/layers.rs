//! What a folder of `src` may use stands in its first lines, and is what it uses; there are no circles but the engine's core.

use crate::common::root;
use regex_lite::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Tensors hold what they were computed by, whose backward rules are operations on tensors.
const CORE: [&str; 3] = ["autograd", "ops", "tensor"];

type Uses = BTreeMap<String, BTreeSet<String>>;

/// Every file below a folder, without those of unit tests.
fn files(dir: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = entry.unwrap().path();
        if path.file_stem().is_some_and(|stem| stem == "tests") {
            continue;
        }
        if path.is_dir() {
            files(&path, all);
        } else if path.extension().is_some_and(|end| end == "rs") {
            all.push(path);
        }
    }
}

/// The code of a file: no comments, and nothing from its unit tests on.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Other modules of the crate that a text names.
fn named(code: &str, own: &str) -> BTreeSet<String> {
    let path = Regex::new(r"\bcrate::(?:(\w+)|\{([^}]*)\})").unwrap();
    let mut all = BTreeSet::new();
    for found in path.captures_iter(code) {
        let one = found.get(1).map(|m| m.as_str());
        let listed = found.get(2).map_or("", |m| m.as_str()).split(',').filter_map(|p| p.trim().split("::").next());
        all.extend(one.into_iter().chain(listed).map(str::to_owned));
    }
    let is_module = |name: &str| {
        !name.is_empty() && (root(&format!("src/{name}")).is_dir() || root(&format!("src/{name}.rs")).is_file())
    };
    all.retain(|name| name != own && is_module(name));
    all
}

/// What folders use, and what their first lines say of it.
fn found_and_said() -> (Uses, Uses) {
    let line = Regex::new(r"(?m)^//! May use: ([^.]*)\.$").unwrap();
    let (mut found, mut said) = (Uses::new(), Uses::new());
    for entry in std::fs::read_dir(root("src")).unwrap() {
        let dir = entry.unwrap().path();
        let head = [dir.join("mod.rs"), dir.with_extension("rs")].into_iter().find(|path| path.is_file());
        let (true, Some(head)) = (dir.is_dir(), head) else { continue };
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        let mut all = vec![head.clone()];
        files(&dir, &mut all);
        let uses: BTreeSet<String> = all.iter().flat_map(|path| named(&code(path), &name)).collect();
        let text = std::fs::read_to_string(&head).unwrap();
        let first: String = text.lines().take(20).flat_map(|line| [line, "\n"]).collect();
        let says = line.captures(&first).map_or_else(BTreeSet::new, |m| {
            m[1].split(", ").filter(|name| *name != "nothing").map(|name| name.trim_matches('`').to_owned()).collect()
        });
        if !uses.is_empty() || text.contains("May use") {
            said.insert(name.clone(), says);
            found.insert(name, uses);
        }
    }
    (found, said)
}

#[test]
fn folders_use_what_their_first_lines_say() {
    let (found, said) = found_and_said();
    assert!(found.len() > 15, "{found:?}");
    for (name, uses) in &found {
        let anything = said[name].iter().eq(["anything"]);
        assert!(anything || uses == &said[name], "src/{name} uses {uses:?}, its first lines say {:?}", said[name]);
    }
}

#[test]
fn no_circles_but_the_core() {
    let (mut open, _) = found_and_said();
    open.retain(|name, _| !CORE.contains(&name.as_str()));
    // the core rests on `gpu` and `error`, below all that is left
    open.values_mut().for_each(|uses| uses.retain(|name| !CORE.contains(&name.as_str())));
    while !open.is_empty() {
        let done: Vec<String> = open
            .iter()
            .filter(|(_, uses)| uses.iter().all(|u| !open.contains_key(u)))
            .map(|(n, _)| n.clone())
            .collect();
        assert!(!done.is_empty(), "these use each other: {:?}", open.keys());
        done.iter().for_each(|name| drop(open.remove(name)));
    }
    let (found, _) = found_and_said();
    for name in CORE {
        let below: Vec<&String> = found[name].iter().filter(|u| !CORE.contains(&u.as_str())).collect();
        assert!(below.iter().all(|u| *u == "error" || *u == "gpu"), "src/{name} uses {below:?}");
    }
}
