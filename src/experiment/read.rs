//! From text to an experiment. Keys are compared with those of a default experiment as TOML, so
//! there is no second list of keys; a value of the wrong type is found by setting the keys one by one.

use crate::error::{Error, Result, alike};
use crate::experiment::unknown_key::unknown_key;
use crate::experiment::{Experiment, QUICKSTART, QUICKSTART_NAME};
use crate::nn::config::{NetworkConfig, Problem};
use crate::nn::models::{KINDS, PER_BLOCK, WIDTHS, for_blocks};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use toml::{Table, Value};

/// The table of the network.
pub(super) const NETWORK: &str = "network";
/// The key of the run's folder.
const FOLDER: &str = "output.dir";
/// An experiment file is a page of text; what is larger is something else.
const MOST_BYTES: u64 = 1 << 20;

impl Experiment {
    /// Reads, completes and checks an experiment; `origin` is the name that errors give the text.
    ///
    /// # Errors
    /// [`Error::Config`] with the line and key for broken TOML, an unknown key, a value of the wrong type or
    /// one that makes no sense.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        Self::parse_with(text, origin, &[])
    }

    /// [`Experiment::parse`] with settings such as `train.epochs=3` that go before the text. A value is read as TOML; what is no
    /// TOML is taken as text, so that `network.head=mlp` needs no quotes. A `network.kind` of another network than the text's
    /// has its usual sizes: of the text's `[network]` only the dropout stays.
    pub fn parse_with(text: &str, origin: &str, sets: &[String]) -> Result<Self> {
        let place = Place { text, origin, sets };
        let mut table: Table = text.parse().map_err(|e: toml::de::Error| {
            let line = e.span().map(|span| line_at(text, span.start));
            let line = line.map_or(String::new(), |line| format!(":{line}"));
            Error::config(
                format!("{origin}{line}: {}", e.message().replace('\n', " ")),
                "an experiment file is TOML: [table] headers and key = value lines, text in \"quotes\"",
            )
        })?;
        if let Some(key) = ["variant", "base"].into_iter().find(|key| table.contains_key(*key)) {
            let what = format!("{origin}: found the key `{key}` of a sweep's file, expected an experiment");
            let hint = format!(
                "run a sweep with `exgnet sweep {origin}`; an experiment has no base: give that one, with --set KEY=VALUE \
                 for what is to differ"
            );
            return Err(Error::config(what, hint));
        }
        let mut asked = Table::new();
        sets.iter().try_for_each(|set| apply_set(&mut asked, set))?;
        make_room_for_kind(&mut table, &asked);
        for set in sets {
            apply_set(&mut table, set)?;
        }
        let experiment = complete(&table).map_err(|p| place.error(p))?;
        experiment.check().map_err(|p| place.error(p))?;
        Ok(experiment)
    }

    /// Reads an experiment file, with `key=value` settings that go before it.
    pub fn load(path: impl AsRef<Path>, sets: &[String]) -> Result<Self> {
        let path = path.as_ref();
        crate::files::guard::reads(path);
        let hint = "give an experiment file (TOML), e.g. experiments/quickstart.toml or a run folder's config.toml";
        if path.is_dir() {
            return Err(Error::file(path, "is a folder, expected an experiment file", hint));
        }
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|e| Error::file(path, format!("cannot be read: {e}"), hint))?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(Error::file(path, "is larger than 1 MiB, which no experiment file is", hint));
        }
        let text = String::from_utf8(bytes).map_err(|e| {
            let at = e.utf8_error().valid_up_to();
            Error::file(path, format!("is not UTF-8 text (byte {at}), expected TOML"), hint)
        })?;
        Self::parse_with(&text, &path.display().to_string(), sets)
    }

    /// Reads an experiment file, or takes the embedded quick start where none is named.
    pub fn load_or_quickstart(path: Option<&Path>, sets: &[String]) -> Result<Self> {
        path.map_or_else(|| Self::quickstart(sets), |path| Self::load(path, sets))
    }

    /// The settings that another experiment, which is `asked` for, has otherwise, each with both values. Where a run goes is
    /// none of them: a folder may be moved.
    pub fn differences(&self, asked: &Self) -> Vec<String> {
        let [own, other] = [self, asked].map(|experiment| {
            let mut all = BTreeMap::new();
            settings("", &defaults(experiment), &mut all);
            all
        });
        let value = |all: &BTreeMap<String, Value>, key: &str| all.get(key).map_or("nothing".to_owned(), show);
        let keys: BTreeSet<&String> = own.keys().chain(other.keys()).collect();
        keys.into_iter()
            .filter(|key| *key != FOLDER && own.get(*key) != other.get(*key))
            .map(|key| format!("{key} is {}, asked for {}", value(&own, key), value(&other, key)))
            .collect()
    }

    /// The embedded quick start, with `key=value` settings that go before it.
    pub fn quickstart(sets: &[String]) -> Result<Self> {
        Self::parse_with(QUICKSTART, QUICKSTART_NAME, sets)
    }
}

/// The network that a kind is an arrangement of, as its place in [`KINDS`].
fn network_of(kind: &str) -> Option<usize> {
    KINDS.iter().position(|kinds| kinds.contains(&kind))
}

/// Where settings ask for another network than the table describes, its sizes are none of that one's: only the dropout, which
/// all have, stays.
fn make_room_for_kind(table: &mut Table, asked: &Table) {
    let kind_of = |table: &Table| Some(table.get(NETWORK)?.get("kind")?.as_str()?.to_owned());
    let own = kind_of(table).unwrap_or_else(|| KINDS[0][0].to_owned());
    if kind_of(asked).is_none_or(|kind| network_of(&kind) == network_of(&own)) {
        return;
    }
    if let Some(Value::Table(network)) = table.get_mut(NETWORK) {
        let (kept, left_out): (Table, Table) =
            std::mem::take(network).into_iter().partition(|(key, _)| key == "dropout");
        *network = kept;
        if !left_out.is_empty() {
            let keys: Vec<&str> = left_out.keys().map(String::as_str).collect();
            log::info!("another network is asked for: left out of the file's [network]: {}", keys.join(", "));
        }
    }
}

/// Puts `train.epochs=3` into the table of an experiment. Whether there is such a key is seen later.
pub(super) fn apply_set(table: &mut Table, set: &str) -> Result<()> {
    let fail = |what: String| {
        Err(Error::config(format!("--set {set}: {what}"), "write --set table.key=value, e.g. --set train.epochs=3"))
    };
    let Some((key, value)) = set.split_once('=') else {
        return fail("found no `=`, expected key=value".into());
    };
    let path: Vec<&str> = key.split('.').map(str::trim).collect();
    if path.iter().any(|part| part.is_empty()) {
        return fail(format!("found the key `{key}`, expected dotted names"));
    }
    let value = value.trim();
    let value = match value.parse::<Value>() {
        Ok(value) => value,
        // what opens like TOML was meant as TOML
        Err(e) if value.starts_with(['[', '{', '"', '\'']) => {
            return fail(format!("the value is broken: {}", e.message().replace('\n', " ")));
        }
        Err(_) => Value::String(value.into()),
    };
    let (last, tables) = path.split_last().expect("split gives at least one part");
    let mut table = table;
    for part in tables {
        let inner = table.entry(*part).or_insert_with(|| Value::Table(Table::new()));
        match inner {
            Value::Table(inner) => table = inner,
            _ => return fail(format!("`{part}` is a value and holds no key")),
        }
    }
    table.insert((*last).into(), value);
    Ok(())
}

/// Fills a table's gaps with the defaults and turns it into an experiment.
fn complete(given: &Table) -> Result<Experiment, Problem> {
    let mut given = given.clone();
    let mut base = defaults(&Experiment::default());
    if let Some(Value::Table(given)) = given.get_mut(NETWORK) {
        let kind = given.get("kind").and_then(Value::as_str).filter(|kind| KINDS.concat().contains(kind));
        let kind = kind.map(str::to_owned);
        let preset = given.remove("preset");
        let network = match &preset {
            None => NetworkConfig::default(),
            Some(name) => name.as_str().and_then(|name| NetworkConfig::preset(name).ok()).ok_or_else(|| {
                let known: Vec<&str> = NetworkConfig::presets().into_iter().map(|(known, _)| known).collect();
                let expected = format!("one of \"{}\"", known.join("\", \""));
                let near = name.as_str().and_then(|name| alike(name, known.into_iter()));
                let hint = near.map(|near| format!("did you mean {near}? "));
                let hint = hint.unwrap_or_default() + "or leave the preset out and give the sizes";
                Problem::new("network.preset", show(name), expected, hint)
            })?,
        };
        if let Some((preset, kind)) = preset.as_ref().zip(kind.as_deref())
            && network_of(kind) != network_of(&network.kind())
        {
            let expected = format!("a preset of {kind}, or none");
            let hint = "a network without presets has usual sizes; leave network.preset or network.kind out";
            return Err(Problem::new("network.preset", show(preset), expected, hint));
        }
        let mut sizes = defaults(&kind.map_or(network.clone(), |kind| network.of(&kind)));
        follow_widths(&mut sizes, given);
        *table_of(&mut base, NETWORK) = sizes;
    }
    let mut known = base.clone();
    table_of(&mut known, NETWORK).insert("preset".into(), Value::String(String::new()));
    known_only(&given, &known, &mut Vec::new())?;

    let mut merged = base.clone();
    merge(&mut merged, &given);
    match merged.clone().try_into() {
        Ok(experiment) => Ok(experiment),
        Err(error) => Err(culprit(&base, &given, &mut Vec::new())
            .unwrap_or_else(|| Problem::new("the file", error.message(), "an experiment", "see experiments/*.toml"))),
    }
}

/// Lists of a value for every block follow the number of blocks that is given, where they are not given themselves.
fn follow_widths(sizes: &mut Table, given: &Table) {
    let Some(Value::Array(widths)) = given.get(WIDTHS) else { return };
    for key in PER_BLOCK.iter().filter(|key| !given.contains_key(**key)) {
        if let Some(Value::Array(values)) = sizes.get_mut(*key) {
            *values = for_blocks(values, widths.len());
        }
    }
}

/// The values of a table and the tables in it, by dotted keys.
fn settings(above: &str, table: &Table, all: &mut BTreeMap<String, Value>) {
    for (key, value) in table {
        match value {
            Value::Table(inner) => settings(&format!("{above}{key}."), inner, all),
            value => drop(all.insert(format!("{above}{key}"), value.clone())),
        }
    }
}

/// A value of ours as a table.
fn defaults(value: &impl serde::Serialize) -> Table {
    Table::try_from(value).expect("defaults fit into TOML")
}

/// The table below `key`, which is ours and is there.
fn table_of<'a>(table: &'a mut Table, key: &str) -> &'a mut Table {
    table[key].as_table_mut().expect("a table of the defaults")
}

/// Refuses keys that are not in `known`, and a value where a table belongs or the reverse.
fn known_only(given: &Table, known: &Table, path: &mut Vec<String>) -> Result<(), Problem> {
    for (key, value) in given {
        path.push(key.clone());
        match (known_at(known, path), value) {
            (None, _) => return Err(unknown_key(path, known)),
            // a table of the user's own names, such as [data.weights]
            (Some(Value::Table(names)), Value::Table(_)) if names.is_empty() => {}
            (Some(Value::Table(_)), Value::Table(inner)) => known_only(inner, known, path)?,
            (Some(Value::Table(_)), other) => {
                let key = path.join(".");
                let hint = format!("write the header [{key}] and its keys below");
                return Err(Problem::new(key, show(other), "a table", hint));
            }
            (Some(example), Value::Table(_)) => {
                let (key, example) = (path.join("."), example.to_string());
                let hint = format!("write e.g. {} = {example}", path[path.len() - 1]);
                return Err(Problem::new(key, "a table", "a value", hint));
            }
            _ => {}
        }
        path.pop();
    }
    Ok(())
}

/// The value at a path.
fn known_at<'a>(table: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get(first)?, |value, key| value.get(key))
}

/// Puts every value of `given` over `base`.
fn merge(base: &mut Table, given: &Table) {
    for (key, value) in given {
        match (base.get_mut(key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value),
            _ => drop(base.insert(key.clone(), value.clone())),
        }
    }
}

/// The first value that, alone among defaults, is not understood.
fn culprit(base: &Table, given: &Table, path: &mut Vec<String>) -> Option<Problem> {
    for (key, value) in given {
        path.push(key.clone());
        if let Value::Table(inner) = value {
            if let Some(found) = culprit(base, inner, path) {
                return Some(found);
            }
        } else {
            let one = path.iter().rev().fold(value.clone(), |v, k| Value::Table(Table::from_iter([(k.clone(), v)])));
            let mut trial = base.clone();
            merge(&mut trial, one.as_table()?);
            if let Err(e) = trial.try_into::<Experiment>() {
                let default = known_at(base, path).map_or(String::new(), ToString::to_string);
                // the file may say another value than the default
                let usual = || format!("for example {key} = {default}, which is taken where a file says nothing");
                let hint = meant(value, e.message()).unwrap_or_else(usual);
                return Some(Problem::new(path.join("."), show(value), in_words(e.message()), hint));
            }
        }
        path.pop();
    }
    None
}

/// The name that was meant, of those that serde names in its message.
fn meant(value: &Value, message: &str) -> Option<String> {
    let (_, names) = message.split_once("expected ")?;
    // each stands between two marks
    let near = alike(value.as_str()?, names.split('`').skip(1).step_by(2))?;
    Some(format!("did you mean {near}?"))
}

/// What serde expected, for people.
fn in_words(message: &str) -> String {
    let message = message.lines().next().unwrap_or(message);
    let expected = message.rsplit_once("expected ").map_or(message, |(_, e)| e).trim_end_matches(" in the array");
    match expected {
        "usize" | "u64" | "u32" => "a whole number, 0 or more".into(),
        "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a string" => "text in quotes".into(),
        "a sequence" => "a list".into(),
        "an array of length 2" => "a list of two numbers".into(),
        other => other.replace('`', "\""),
    }
}

/// A value as it is written, cut where it is long.
fn show(value: &Value) -> String {
    let text = value.to_string().replace('\n', " ");
    if text.chars().count() <= 60 { text } else { text.chars().take(57).chain("...".chars()).collect() }
}

/// Where the keys of an experiment were written.
struct Place<'a> {
    text: &'a str,
    origin: &'a str,
    sets: &'a [String],
}

impl Place<'_> {
    fn error(&self, problem: Problem) -> Error {
        let what = match problem.found.as_str() {
            "" => format!("unknown key '{}'; did you mean '{}'?", problem.key, problem.expected),
            _ => problem.what(),
        };
        Error::config(format!("{}: {what}", self.of(&problem.key)), problem.hint)
    }

    /// `--set x=1` where the key came from there; else the file and, where the key stands in it, the line. Where the file is
    /// right without them, all settings that were made with `--set` are named before it.
    fn of(&self, key: &str) -> String {
        // `widths[2]` and `kernels (how many)` stand at `widths` and `kernels`
        let key = key.split([' ', '[']).next().unwrap_or(key);
        let sets_it = |set: &&String| set.split_once('=').is_some_and(|(k, _)| same_key(k, key));
        if let Some(set) = self.sets.iter().rev().find(sets_it) {
            return format!("--set {set}");
        }
        let file = match line_of(self.text, key) {
            Some(line) => format!("{}:{line}", self.origin),
            None => self.origin.to_string(),
        };
        if self.sets.is_empty() || Experiment::parse(self.text, self.origin).is_err() {
            return file;
        }
        let sets: Vec<String> = self.sets.iter().map(|set| format!("--set {set}")).collect();
        format!("{} with {file}", sets.join(" "))
    }
}

/// `set` names `key`, or a table above or a key below it.
fn same_key(set: &str, key: &str) -> bool {
    set.split('.').map(str::trim).zip(key.split('.')).all(|(a, b)| a == b)
}

/// The line, from 1, on which a dotted key stands.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let root = toml::de::DeTable::parse(text).ok()?;
    let mut table = root.get_ref();
    let mut line = None;
    for part in key.split('.') {
        let (name, value) = table.iter().find(|(name, _)| name.get_ref() == part)?;
        line = Some(line_at(text, name.span().start));
        match value.get_ref() {
            toml::de::DeValue::Table(inner) => table = inner,
            _ => return line,
        }
    }
    line
}

/// The line, from 1, of a byte.
fn line_at(text: &str, byte: usize) -> usize {
    1 + text.as_bytes().iter().take(byte).filter(|b| **b == b'\n').count()
}
