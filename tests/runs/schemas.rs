//! JSON that scripts read has the keys and types of `goldens/schemas`: a key that goes or gets another name fails here.

use crate::common::{exgnet, json, path, root, text, train};
use serde_json::{Value, json};

fn schema(name: &str) -> Value {
    let path = root(&format!("tests/goldens/schemas/{name}.json"));
    json(&std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

/// What of a value a JSON Schema does not allow, of the keywords that ours use; another keyword is a fault.
fn faults(at: &str, value: &Value, schema: &Value, all: &mut Vec<String>) {
    let schema = schema.as_object().unwrap_or_else(|| panic!("{at}: found the schema {schema}, expected an object"));
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{at}: found the type {other:?} in the schema"),
    };
    for (word, says) in schema {
        match (word.as_str(), says) {
            ("$schema" | "title", _) => {}
            ("type", Value::String(kind)) if is(kind) => {}
            ("type", Value::Array(kinds)) if kinds.iter().filter_map(Value::as_str).any(is) => {}
            ("type", expected) => all.push(format!("{at}: found {value}, expected {expected}")),
            ("items", items) => {
                let list = value.as_array().into_iter().flatten();
                list.enumerate().for_each(|(i, v)| faults(&format!("{at}/{i}"), v, items, all));
            }
            ("properties", Value::Object(named)) => {
                let there = named.iter().filter_map(|(key, of)| Some((key, value.get(key)?, of)));
                there.for_each(|(key, v, of)| faults(&format!("{at}/{key}"), v, of, all));
            }
            ("required", Value::Array(keys)) if value.is_object() => {
                let missing = keys.iter().filter_map(Value::as_str).filter(|key| value.get(key).is_none());
                all.extend(missing.map(|key| format!("{at}: found no key {key:?}")));
            }
            ("required", _) => {}
            ("additionalProperties", of) => {
                let named = |key: &String| schema.get("properties").is_some_and(|p| p.get(key).is_some());
                for (key, v) in value.as_object().into_iter().flatten().filter(|(key, _)| !named(key)) {
                    match of {
                        Value::Bool(false) => {
                            all.push(format!("{at}: found the key {key:?}, which the schema does not have"))
                        }
                        of => faults(&format!("{at}/{key}"), v, of, all),
                    }
                }
            }
            (word, _) => panic!("{at}: found {word:?} in the schema, which this check does not know"),
        }
    }
}

/// Fails where `value` does not follow the schema `name`.
pub fn follows(name: &str, what: &str, value: &Value) {
    let mut all = Vec::new();
    faults("", value, &schema(name), &mut all);
    assert!(all.is_empty(), "{what} against goldens/schemas/{name}.json:\n{}", all.join("\n"));
}

/// Every key of a schema, at any depth.
fn keys(schema: &Value) -> Vec<String> {
    let named = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let within = |word: &str| schema.get(word).into_iter().filter(|v| v.is_object()).flat_map(keys).collect::<Vec<_>>();
    let mut all: Vec<String> = named.flat_map(|(key, of)| [vec![key.clone()], keys(of)].concat()).collect();
    all.extend([within("items"), within("additionalProperties")].concat());
    all
}

#[test]
fn what_scripts_read_follows_its_schema() {
    let tmp = tempfile::tempdir().expect("a folder");
    let at = |name: &str| path(tmp.path(), name);
    let prints = |args: &[&str]| {
        let done = exgnet(args);
        assert!(done.status.success(), "{args:?}: {}", text(&done.stderr));
        text(&done.stdout)
    };
    let info = json(prints(&["info", "--json"]).as_bytes());
    follows("info", "info --json", &info);
    assert!(info["adapters"].as_array().is_some_and(|a| !a.is_empty()), "{info}");

    let run = tmp.path().join("run");
    let model = at("run");
    train(&run, &["--set", "train.epochs=1", "--set", "output.gradcam=0"]);
    follows("metrics", "metrics.json of train", &json(&std::fs::read(run.join("metrics.json")).expect("metrics")));

    let of_model = json(prints(&["info", &model, "--json"]).as_bytes());
    follows("model", "info MODEL --json", &of_model);
    let [samples, classes] = [&of_model["samples"], &of_model["trained_on"]["sources"]];
    assert!(*samples == 400 && *classes == json!(["synthetic"]), "{of_model}");
    let words = prints(&["info", &model]);
    for part in ["4 s at 100 Hz (400 samples)", "SR, SB, ST, AFIB/AFL", "parameters", "patients of synthetic"] {
        assert!(words.contains(part), "{part}: {words}");
    }

    // strips that name a lead and such that do not
    prints(&["synth", "--out", &at("ecg"), "--n", "3"]);
    std::fs::write(at("strip.txt"), "0.1 0.2\n".repeat(400).replace(' ', "\n")).expect("written");
    let lines = prints(&["predict", "--model", &model, &at("ecg"), &at("strip.txt"), "--json"]);
    assert!(lines.lines().count() > 3, "{lines}");
    for line in lines.lines() {
        follows("predict", "predict --json", &json(line.as_bytes()));
    }

    let evaluated = json(prints(&["evaluate", "--model", &model, "--json"]).as_bytes());
    follows("metrics", "evaluate --json", &evaluated);

    // every key stands in the help
    for (name, command) in [("info", "info"), ("model", "info"), ("predict", "predict"), ("metrics", "evaluate")] {
        let help = prints(&[command, "--help"]);
        for key in keys(&schema(name)) {
            let word = |w: &str| w.trim_matches(|c: char| !c.is_alphanumeric()) == key;
            assert!(help.split_whitespace().any(word), "{command} --help does not name {key}: {help}");
        }
    }
}

#[test]
fn a_key_that_goes_or_changes_is_found() {
    let of = |value: &Value| {
        let mut all = Vec::new();
        faults("", value, &schema("predict"), &mut all);
        all
    };
    let good = json!({
        "input": "a.npy", "class": "SR", "probabilities": {"SR": 1, "SB": 0.5}, "logits": [1.5], "lead": null,
        "lead_substituted": null, "notes": [],
    });
    assert_eq!(of(&good), [""; 0]);
    let changed = |change: fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        of(&value)
    };
    let gone = changed(|v| drop(v.as_object_mut().expect("an object").remove("class")));
    assert_eq!(gone, [": found no key \"class\""]);
    assert_eq!(changed(|v| v["rhythm"] = "SR".into()).len(), 1);
    assert_eq!(changed(|v| v["class"] = 1.into()).len(), 1);
    assert_eq!(changed(|v| v["logits"] = json!(["1.5"])).len(), 1);
    assert_eq!(changed(|v| v["probabilities"]["SR"] = json!(null)).len(), 1);
    assert_eq!(of(&json!([])), [r#": found [], expected "object""#]);
}
