//! What `exgnet gpu-report` reports of an adapter: what other commands found there, as one JSON file and as one page.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Kernels of a step that the page names.
const KERNELS: usize = 12;

/// What `exgnet check` compares.
const KINDS: [&str; 3] = ["values", "gradient", "second"];

/// What one command found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// The command that measured it.
    pub command: String,
    /// How long that took.
    pub seconds: f64,
    /// Why there is nothing, or not everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// What the command printed.
    pub found: Value,
}

/// Of what a report is: parts of another adapter, program or size are not mixed with these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// The adapter, as `exgnet info --json` lists it.
    pub adapter: Value,
    /// The CPU, which a software adapter is.
    pub cpu: String,
    /// Version and commit.
    pub program: String,
    /// Whether it is the small network.
    pub small: bool,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GpuReport {
    /// Of what.
    pub of: Setup,
    /// Its parts, in their order.
    pub parts: Vec<Part>,
}

impl GpuReport {
    /// A part by its name, if it found something.
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|p| p.name == name && !p.found.is_null())
    }

    /// The page, in Markdown.
    pub fn page(&self) -> String {
        let Setup { adapter, cpu, program, small } = &self.of;
        let of = |key: &str| words(&adapter[key]);
        let driver: Vec<&str> = ["driver", "driver_info"]
            .iter()
            .filter_map(|key| adapter[key].as_str().filter(|said| !said.is_empty()))
            .collect();
        let mut page = format!(
            "# {}\n\n{}, {}, subgroups of {}, f16 in shaders: {}; a workgroup has at most {} threads and {} bytes, a binding {} \
             bytes; CPU: {cpu}. Program {program}, {} network.\n",
            of("name"),
            driver.join(" "),
            of("backend"),
            of("subgroup_size"),
            of("shader_f16"),
            of("max_workgroup_threads"),
            of("max_workgroup_bytes"),
            of("max_binding_bytes"),
            if *small { "small" } else { "large" },
        );
        let sections = [
            ("Kernels against f64", self.check()),
            ("Quick start, twice", self.quickstart()),
            ("Training step and inference", self.steps()),
            ("Where a step goes", self.kernels()),
            ("Beside PyTorch", self.pytorch()),
            ("Convolutions of the network", self.layers()),
            ("Versions of the convolution", self.ladder()),
            ("Tuning", self.tuning()),
        ];
        for (title, text) in sections {
            let text = text.unwrap_or_else(|| "Not measured.\n".into());
            // writing into a String cannot fail
            let _ = write!(page, "\n## {title}\n\n{text}");
        }
        let row = |p: &Part| {
            let failed = p.failed.as_deref().and_then(|said| said.lines().next()).unwrap_or("");
            vec![p.name.clone(), format!("`{}`", p.command), format!("{:.0}", p.seconds), failed.replace('|', "/")]
        };
        let rows = self.parts.iter().map(row).collect();
        let _ = write!(page, "\n## Parts\n\n{}", table(&["part", "command", "seconds", "what failed"], rows));
        page
    }

    fn check(&self) -> Option<String> {
        let rows = self.part("check")?.found.as_array()?;
        let cases = |row: &Value| row["cases"].as_array().cloned().unwrap_or_default();
        let worst = |key: &str| -> f64 {
            let of = |case: &Value| case[key]["ratio"].as_f64();
            rows.iter().flat_map(cases).filter_map(|case| of(&case)).fold(0.0, f64::max)
        };
        let all: usize = rows.iter().map(|row| cases(row).len()).sum();
        let bad = |row: &&Value| {
            let within = |case: &Value, key: &str| case[key]["ratio"].as_f64().is_none_or(|ratio| ratio <= 1.0);
            let wrong = |case: &Value| {
                let right = case["same_bits"] == true && KINDS.iter().all(|kind| within(case, kind));
                !right || case["values"].is_null()
            };
            cases(row).iter().any(wrong) || row["problems"].as_array().is_some_and(|said| !said.is_empty())
        };
        let wrong: Vec<String> = rows
            .iter()
            .filter(bad)
            .map(|row| format!("{}/{}", words(&row["family"]), words(&row["version"])))
            .collect();
        Some(format!(
            "{} versions in {all} cases; wrong: {}. Worst deviation as a share of what is allowed: values {:.2}, first \
             derivatives {:.2}, second derivatives {:.2}.\n",
            rows.len(),
            if wrong.is_empty() { "none".into() } else { wrong.join(", ") },
            worst(KINDS[0]),
            worst(KINDS[1]),
            worst(KINDS[2]),
        ))
    }

    fn quickstart(&self) -> Option<String> {
        let runs: Vec<&Part> = ["quickstart-1", "quickstart-2"].iter().filter_map(|name| self.part(name)).collect();
        let row = |p: &&Part| {
            let of = |key: &str| number(&p.found[key], 3);
            vec![p.name.clone(), format!("{:.1}", p.seconds), of("macro_f1"), of("accuracy"), words(&p.found["model"])]
        };
        let same = match runs.as_slice() {
            [] => return None,
            [a, b] if a.found["model"] == b.found["model"] => "Twice the same bits.",
            [_, _] => "Twice DIFFERENT BITS.",
            _ => "One run alone: whether the bits repeat is not known.",
        };
        let head = ["run", "seconds", "macro-F1", "accuracy", "hash of the model"];
        Some(format!("{}\n{same}\n", table(&head, runs.iter().map(row).collect())))
    }

    /// Parts that `exgnet profile` found.
    fn profiles(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|p| p.name.starts_with("step-") && !p.found.is_null())
    }

    fn steps(&self) -> Option<String> {
        let row = |p: &Part| {
            let found = &p.found;
            let rate = |ms: &Value| match (found["batch"].as_f64(), ms.as_f64()) {
                (Some(batch), Some(ms)) => format!("{:.0}", 1e3 * batch / ms),
                _ => "-".into(),
            };
            let xai = found["guidance"].as_array().into_iter().flatten().find(|g| g["name"] == "xai");
            let more = |ratio: &Value| Some(100.0 * (ratio.as_f64()? - 1.0));
            let xai = xai.and_then(|g| {
                let [low, high] = ["low", "high"].map(|end| more(&g["interval"][end]));
                Some(format!("{:+.1} % ({:+.1} to {:+.1})", more(&g["ratio"])?, low?, high?))
            });
            let memory = found["peak_memory_bytes"].as_f64().map_or("-".into(), |b| format!("{:.0}", b / 1_048_576.0));
            let precision = p.name.trim_start_matches("step-").rsplit_once('-').map_or("", |(precision, _)| precision);
            vec![
                precision.to_owned(),
                words(&found["batch"]),
                words(&found["samples"]),
                spread(&found["train_step"]),
                rate(&found["train_step"]["median"]),
                spread(&found["infer_batch"]),
                rate(&found["infer_batch"]["median"]),
                xai.unwrap_or("-".into()),
                memory,
            ]
        };
        let rows: Vec<_> = self.profiles().map(row).collect();
        let head = [
            "precision",
            "batch",
            "samples",
            "training step, ms",
            "strips/s",
            "inference batch, ms",
            "strips/s",
            "XAI guidance adds",
            "memory, MiB",
        ];
        let note = "Median (least to most; of what XAI guidance adds, its 95 % interval).";
        (!rows.is_empty()).then(|| format!("{}\n{note}\n", table(&head, rows)))
    }

    fn kernels(&self) -> Option<String> {
        let part = self.profiles().next()?;
        let all = part.found["by_kernel"].as_array()?;
        let total: f64 = all.iter().filter_map(|k| k["ms"].as_f64()).sum();
        let row = |k: &Value| {
            vec![
                words(&k["phase"]),
                words(&k["kernel"]),
                words(&k["shape"]),
                words(&k["count"]),
                number(&k["ms"], 3),
                k["ms"].as_f64().map_or("-".into(), |ms| format!("{:.1} %", 100.0 * ms / total)),
                number(&k["gflops"], 1),
                number(&k["gb_per_s"], 1),
            ]
        };
        let head = ["phase", "kernel", "shape", "dispatches", "ms", "of the step", "GFLOP/s", "GB/s"];
        let ceilings = &part.found["ceilings"];
        Some(format!(
            "{} of {} kernels of `{}`, longest first; kernels reach at most {} GFLOP/s of multiply-adds and {} GB/s of a copy.\n\n{}",
            all.len().min(KERNELS),
            all.len(),
            part.name,
            number(&ceilings["gflops"], 1),
            number(&ceilings["gb_per_s"], 1),
            table(&head, all.iter().take(KERNELS).map(row).collect())
        ))
    }

    fn pytorch(&self) -> Option<String> {
        let rows = self.part("pytorch")?.found.as_array()?;
        let row = |p: &Value| {
            let memory = p["memory_bytes"].as_f64().map_or("-".into(), |b| format!("{:.0}", b / 1_048_576.0));
            vec![
                words(&p["version"]),
                spread(&p["train_ms"]),
                number(&p["train_ratio"], 2),
                spread(&p["infer_ms"]),
                number(&p["infer_ratio"], 2),
                memory,
            ]
        };
        let head = ["", "training step, ms", "ours / its", "inference batch, ms", "ours / its", "memory, MiB"];
        Some(format!("{}\nIn turn, step by step.\n", table(&head, rows.iter().map(row).collect())))
    }

    fn layers(&self) -> Option<String> {
        let found = &self.part("layers")?.found;
        let row = |r: &Value| {
            vec![
                words(&r["layer"]),
                words(&r["operation"]),
                number(&r["ms"]["median"], 3),
                number(&r["gflops"], 0),
                r["share"].as_f64().map_or("-".into(), |s| format!("{:.0} %", 100.0 * s)),
            ]
        };
        let head = ["layer", "operation", "ms", "GFLOP/s", "of the ceiling"];
        Some(table(&head, found["rows"].as_array()?.iter().map(row).collect()))
    }

    fn ladder(&self) -> Option<String> {
        let found = &self.part("ladder")?.found;
        let mut text = String::new();
        for ladder in found["ladders"].as_array()? {
            let row = |r: &Value| {
                vec![
                    words(&r["version"]),
                    number(&r["ms"]["median"], 3),
                    number(&r["times_faster"], 1),
                    number(&r["gflops"], 0),
                    r["share"].as_f64().map_or("-".into(), |s| format!("{:.0} %", 100.0 * s)),
                    words(&r["status"]),
                ]
            };
            let head = ["version", "ms", "times faster", "GFLOP/s", "of the ceiling", "values"];
            let rows = ladder["rungs"].as_array()?.iter().map(row).collect();
            let _ = write!(text, "{}\n\n{}", words(&ladder["name"]), table(&head, rows));
        }
        Some(text)
    }

    fn tuning(&self) -> Option<String> {
        let found: BTreeMap<String, Value> = serde_json::from_value(self.part("tune")?.found["found"].clone()).ok()?;
        let chosen = found.values().filter(|f| !f["choice"].is_null());
        let ms = |key: &str| -> f64 { found.values().filter_map(|f| f[key].as_f64()).sum() };
        Some(format!(
            "{} shapes, {} of which leave the rule of thumb; each once takes {:.2} ms, by the rule {:.2} ms.\n",
            found.len(),
            chosen.count(),
            ms("ms"),
            ms("rule_ms"),
        ))
    }
}

/// A value as a cell.
fn words(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
        Value::String(text) => text.replace('|', "/"),
        Value::Array(all) => all.iter().map(words).collect::<Vec<_>>().join(" to "),
        other => other.to_string(),
    }
}

fn number(value: &Value, digits: usize) -> String {
    value.as_f64().map_or("-".into(), |v| format!("{v:.digits$}"))
}

/// Median and extremes.
fn spread(value: &Value) -> String {
    let of = |key: &str| number(&value[key], 2);
    if value.is_null() { "-".into() } else { format!("{} ({} to {})", of("median"), of("low"), of("high")) }
}

/// A table in Markdown.
fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let rule = format!("|{}\n", "---|".repeat(head.len()));
    let rows: String = rows.iter().map(|row| line(row)).collect();
    line(&head) + &rule + &rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(parts: Vec<(&str, Value)>) -> GpuReport {
        let part = |(name, found): (&str, Value)| Part {
            name: name.into(),
            command: format!("exgnet {name}"),
            seconds: 1.25,
            failed: None,
            found,
        };
        let adapter = json!({"name": "Card", "subgroup_size": [32, 32], "shader_f16": true});
        let of = Setup { adapter, cpu: "a CPU, 2 cores, avx2".into(), program: "0.1.0".into(), small: false };
        GpuReport { of, parts: parts.into_iter().map(part).collect() }
    }

    #[test]
    fn the_page_shows_what_was_found_and_what_was_not() {
        let case = |same: bool| json!({"same_bits": same, "values": {"ratio": 0.25}, "second": null});
        let step = json!({"batch": 32, "samples": 5000, "train_step": {"median": 16.0, "low": 15.0, "high": 20.0},
            "guidance": [{"name": "xai", "ratio": 1.02, "interval": {"low": 0.99, "high": 1.05}}],
            "by_kernel": [{"kernel": "conv1d/05_fast", "ms": 3.0}, {"kernel": "b", "ms": 1.0}], "peak_memory_bytes": 2097152});
        let run = |model: &str| json!({"macro_f1": 0.9, "accuracy": 0.8, "model": model});
        let mut report = report(vec![
            ("check", json!([{"family": "conv1d", "version": "01_naive", "cases": [case(true), case(false)]}])),
            ("step-f16-native-32", step),
            ("quickstart-1", run("a")),
            ("quickstart-2", run("b")),
        ]);
        let page = report.page();
        for said in [
            "# Card",
            "subgroups of 32 to 32",
            "2 cases; wrong: conv1d/01_naive",
            "values 0.25",
            "DIFFERENT BITS",
            "| f16-native | 32 | 5000 | 16.00 (15.00 to 20.00) | 2000 |",
            "+2.0 % (-1.0 to +5.0)",
            "75.0 %",
            "## Tuning\n\nNot measured.",
        ] {
            assert!(page.contains(said), "no '{said}' in {page}");
        }
        report.parts[3].found = run("a");
        assert!(report.page().contains("the same bits"));
        report.parts[3].found = Value::Null;
        assert!(report.page().contains("One run alone") && report.page().contains("| quickstart-1 |"));
        report.parts[3].failed = Some("error: a | b\nmore".into());
        assert!(report.page().contains("| error: a / b |"), "{}", report.page());
    }

    #[test]
    fn nothing_that_a_part_holds_breaks_the_page() {
        let names =
            ["check", "quickstart-1", "quickstart-2", "step-f32-32", "pytorch", "layers", "ladder", "tune", "step-"];
        for odd in
            [json!(null), json!([]), json!({}), json!(3), json!([[1, null]]), json!({"rows": [1], "ladders": [{}]})]
        {
            let page = report(names.iter().map(|&name| (name, odd.clone())).collect()).page();
            assert!(page.contains("## Parts"));
        }
    }
}
