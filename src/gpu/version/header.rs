//! Reads what a file says of itself: its lines `//@ key: value`.

use super::{Alias, Candidate, Expression, Geometry, Knob, Need, Stages, Version, hash_of};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Number and name out of `04_subgroup_shuffle.wgsl`.
pub(in crate::gpu) fn number_and_name(file: &str) -> Option<(u32, &str)> {
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

/// Key, name and value of a line `KEY NAME: VALUE`; what is not there is empty.
fn parts(line: &str) -> [&str; 3] {
    let (head, value) = line.split_once(':').unwrap_or((line, ""));
    let (key, name) = head.trim().split_once(' ').unwrap_or((head.trim(), ""));
    [key, name.trim(), value.trim()]
}

/// What a line settles that no other may, by kind and name; a `let` may refine a knob or another `let`.
fn said_once(line: &str) -> Option<(&str, &str)> {
    let [kind, name, _] = parts(line);
    match (kind, name) {
        ("fits" | "default" | "knob" | "scratch", name) => Some((kind, name)),
        ("threads" | "groups", "") => Some(("launch", "main")),
        ("threads" | "groups", name) => Some(("launch", name)),
        _ => None,
    }
}

impl Version {
    /// Reads a file's header.
    pub(in crate::gpu) fn parse(family: &str, file: &str, text: String, path: Option<PathBuf>) -> Result<Self> {
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
            hash: hash_of(&text),
            path,
            ..Self::default()
        };
        let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (at, line) in text.lines().enumerate() {
            let Some(line) = line.trim().strip_prefix("//@") else { continue };
            let wrong = |(what, hint)| {
                Error::file(format!("{}:{}", shown.display(), at + 1), format!("//@ {}: {what}", line.trim()), hint)
            };
            version.line(line.trim()).map_err(wrong)?;
            if let Some(of) = said_once(line)
                && let Some(first) = seen.insert(of, at + 1)
            {
                let hint = "one of them would not count: take one away, or give it another name".to_owned();
                return Err(wrong((format!("line {first} says it already, expected one line"), hint)));
            }
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
        let [key, name, value] = parts(line);
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
                        ("int64", _) => Need::Int64,
                        ("storage", Ok(n)) => Need::Storage(n),
                        ("shared", Ok(n)) => Need::Shared(n),
                        ("threads", Ok(n)) => Need::Threads(n),
                        _ => {
                            let known = "known are subgroups, f16, int64, storage=N, shared=BYTES and threads=N";
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
}
