//! What is said of a key that an experiment does not have.

use super::read::NETWORK;
use crate::error::edits;
use crate::nn::config::{NetworkConfig, Problem};
use crate::nn::models::KINDS;
use toml::{Table, Value};

/// A key that `known` has not. Its `expected` is the nearest one that there is, or the keys of the kind of network where
/// another kind has it.
pub(super) fn unknown_key(path: &[String], known: &Table) -> Problem {
    let key = path.join(".");
    let hint = "every key there is stands in the config.toml of a run and in experiments/*.toml";
    let near = || Problem { found: String::new(), expected: nearest(&key, known), key: key.clone(), hint: hint.into() };
    let [table, name] = path else { return near() };
    let network = known[NETWORK].as_table().filter(|_| table == NETWORK);
    let Some(kind) = network.and_then(|network| network.get("kind")?.as_str()) else { return near() };
    let keys = |kind: &str| NetworkConfig::default().of(kind).keys();
    let own = keys(kind).join(", ");
    match KINDS.concat().into_iter().filter(|other| keys(other).contains(name)).collect::<Vec<_>>()[..] {
        [] => Problem { hint: format!("the keys of kind {kind}: {own}"), ..near() },
        [ref others @ .., last] => {
            let kinds = if others.is_empty() { last.into() } else { format!("{} and {last}", others.join(", ")) };
            let hint =
                format!("network.kind={last} asks for such a network; experiments/README.md has the keys of all");
            Problem::new(key, format!("a key of kind {kinds}"), format!("one of kind {kind}: {own}"), hint)
        }
    }
}

/// The known key most like `key`: the same name in another table, or the fewest edits.
fn nearest(key: &str, known: &Table) -> String {
    let mut all = Vec::new();
    list_keys(known, "", &mut all);
    let name = |k: &str| k.rsplit('.').next().unwrap_or(k).to_string();
    let table = |k: &str| k.rsplit_once('.').map_or(String::new(), |p| p.0.to_string());
    let cost = |k: &String| {
        let tables = edits(&table(key), &table(k));
        (edits(&name(key), &name(k)) * 2 + usize::from(tables > 0), tables)
    };
    all.into_iter().min_by_key(cost).unwrap_or_default()
}

/// Dotted names of all tables and keys.
fn list_keys(table: &Table, prefix: &str, into: &mut Vec<String>) {
    for (key, value) in table {
        let dotted = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if let Value::Table(inner) = value {
            list_keys(inner, &dotted, into);
        }
        into.push(dotted);
    }
}
