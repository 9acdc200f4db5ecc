//! `exgnet shader`: the text of a kernel, with its constants filled in, whether it is valid, and what naga makes of it.

use super::{Common, print_line};
use crate::error::{Error, Result, nearest};
use crate::files;
use crate::gpu::{
    Facts, Knob, Number, ShaderSource, Template, Values, Version, embedded_shaders, entries, settled,
    template_defaults, template_names,
};
use crate::ops::family::{is_given, kernels_of};
use clap::Args;
use naga::back::PipelineConstants;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Print a kernel's WGSL, expanded, check it, and write its SPIR-V
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet shader conv1d/04_subgroup_shuffle --set oc=8 --set p=24\n  \
                  exgnet shader conv1d/naive --spirv naive.spv\n  exgnet shader --list\n  \
                  exgnet shader --list conv1d")]
pub(super) struct ShaderArgs {
    /// family/version (by number, name or alias), or a file such as include/quad; with --list, a family
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// Set a size, a knob or another constant of the template; may be repeated
    #[arg(long = "set", value_name = "NAME=N")]
    sets: Vec<String>,
    /// Write what naga makes of it
    #[arg(long, value_name = "FILE")]
    spirv: Option<PathBuf>,
    /// List families, their versions with what changed, and knobs with default and values
    #[arg(long)]
    list: bool,
}

/// The first word of a SPIR-V module.
const SPIRV_MAGIC: u32 = 0x0723_0203;

pub(super) fn run(common: &Common, args: &ShaderArgs) -> Result<()> {
    let source = common.shaders()?;
    let Some(name) = args.name.as_deref().filter(|_| !args.list) else {
        return list(&source, args.name.as_deref());
    };
    let name = name.trim_end_matches(".wgsl");
    let found = Found::new(&source, name, &settings(&args.sets)?)?;
    let text = found.template.expand()?;
    if args.spirv.is_none() {
        // also where it is wrong: somebody wants to see why
        text.lines().for_each(print_line);
    }
    if found.is_part && args.spirv.is_none() {
        return Ok(());
    }
    let module = found.template.module()?;
    found.template.validate(&module)?;
    let constants = found.constants(&source)?;
    let points: Vec<String> = module.entry_points.iter().map(|e| e.name.clone()).collect();
    if let Some(path) = &args.spirv {
        let words = spirv(name, module, &constants)?;
        // a kernel that was changed since, or another one
        if std::fs::read(path).is_ok_and(|old| old.starts_with(&SPIRV_MAGIC.to_le_bytes())) {
            files::guard::replaces(path);
        }
        files::write_atomically(path, &words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>())?;
        common.say(format!("wrote {} ({} words)", path.display(), words.len()));
    }
    common.say(format!("valid: {} ({})", source.shown(&found.file), points.join(", ")));
    Ok(())
}

/// `NAME=N` each.
fn settings(sets: &[String]) -> Result<Values> {
    let one = |set: &String| {
        let (name, v) = set.split_once('=')?;
        let int = v.parse().ok().map(Number::Int);
        let number = int.or_else(|| v.parse().ok().filter(|v: &f64| v.is_finite()).map(Number::Float))?;
        Some((name.trim().to_owned(), number))
    };
    let all = sets.iter().map(|set| {
        one(set).ok_or_else(|| {
            Error::config(format!("--set {set}: expected NAME=N with a number"), "for example --set oc=8")
        })
    });
    all.collect()
}

/// A kernel's text, ready to be expanded.
struct Found<'a> {
    /// Name below `shaders/`, without `.wgsl`.
    file: String,
    template: Template<'a>,
    /// The version, with the values that it is expanded for.
    version: Option<(Arc<Version>, Values)>,
    /// Text that kernels share, which need not be whole.
    is_part: bool,
}

impl<'a> Found<'a> {
    fn new(source: &'a ShaderSource, name: &str, sets: &Values) -> Result<Self> {
        let catalogue = source.catalogue()?;
        let family = name.split_once('/').filter(|(folder, _)| !["include", "lab"].contains(folder));
        let Some((family, version)) = family else {
            if catalogue.families().any(|family| family == name) {
                let all: Vec<String> = catalogue.versions(name).iter().map(|v| v.file()).collect();
                return Err(Error::config(
                    format!("{name} is a family of kernels, expected one of its versions"),
                    format!("say one of {}", all.join(", ")),
                ));
            }
            let text = source.text(name)?;
            let mut values: Values =
                template_defaults(&text).into_iter().map(|(n, v)| (n, Number::Int(v as i64))).collect();
            known(name, sets, values.keys().cloned().chain(template_names(source, &text)))?;
            values.extend(sets.iter().map(|(n, v)| (n.clone(), *v)));
            return Ok(Self {
                file: name.to_owned(),
                template: template(source, name, text, &values),
                version: None,
                is_part: name.starts_with("include/"),
            });
        };
        let (version, mut knobs) = catalogue.named(family, version)?;
        let mut values = ADAPTER.values();
        for kernel in kernels_of(family) {
            let sample = kernel.sample();
            sample.into_iter().for_each(|(name, v)| {
                values.entry(name).or_insert(v);
            });
        }
        let named = version.resolve(values.clone(), &knobs)?.into_keys();
        known(name, sets, named.chain(template_names(source, &version.text)))?;
        values.extend(sets.iter().map(|(n, v)| (n.clone(), *v)));
        for (name, v) in sets {
            if let (Number::Int(v), true) = (*v, version.knobs.iter().any(|k| k.name == *name)) {
                knobs.insert(name.clone(), v);
            }
        }
        let mut values = version.resolve(values, &knobs)?;
        // what is set is final, also where the header computes with it
        values.extend(sets.iter().map(|(n, v)| (n.clone(), *v)));
        let file = version.file();
        let template = template(source, &file, Cow::Owned(version.text.clone()), &values);
        Ok(Self { file, template, version: Some((version, values)), is_part: false })
    }

    /// Values of the override constants; unknown names are errors.
    fn constants(&self, source: &ShaderSource) -> Result<PipelineConstants> {
        let mut all = PipelineConstants::default();
        if let Some((version, values)) = &self.version {
            let elsewhere = |name: &str| is_given(version, name);
            for kernel in version.kernels() {
                all.extend(
                    entries(source, version, kernel, values, &elsewhere)?.into_iter().flat_map(|e| e.constants()),
                );
            }
        }
        Ok(all)
    }
}

/// An adapter that has whatever a version may need.
const ADAPTER: Facts =
    Facts { software: true, intel: false, registers: 32, subgroups: true, f16: true, int64: true, lanes: 8 };

fn template<'a>(source: &'a ShaderSource, name: &str, text: Cow<'static, str>, values: &Values) -> Template<'a> {
    let used = template_names(source, &text);
    let used_values: BTreeMap<String, minijinja::Value> =
        values.iter().filter(|(name, _)| used.contains(*name)).map(|(name, v)| (name.clone(), v.value())).collect();
    Template::new(source, name, text, used_values).given(values.keys())
}

/// Refuses what is set and nobody knows.
fn known(file: &str, sets: &Values, known: impl Iterator<Item = String>) -> Result<()> {
    let known: Vec<String> = known.collect();
    let Some(unknown) = sets.keys().find(|name| !known.contains(name)) else { return Ok(()) };
    let near = nearest(unknown, known.iter().map(String::as_str)).map(|near| format!("did you mean {near}? "));
    let what = format!("--set {unknown}: {file} has no constant of this name");
    Err(Error::config(what, format!("{}`exgnet shader --list` names the knobs", near.unwrap_or_default())))
}

/// SPIR-V as naga writes it of what is compiled; `override` constants without a value get their defaults.
fn spirv(name: &str, module: naga::Module, constants: &PipelineConstants) -> Result<Vec<u32>> {
    let bad = |e: &dyn std::fmt::Display| {
        Error::gpu(format!("{name}: no SPIR-V can be made of it: {e}"), "compare it with the built-in one")
    };
    let module = settled(module, constants).map_err(|e| bad(&e))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module).map_err(|e| bad(&e))?;
    let options = naga::back::spv::Options { lang_version: (1, 3), ..Default::default() };
    naga::back::spv::write_vec(&module, &info, &options, None).map_err(|e| bad(&e))
}

/// Prints families, versions and knobs, of all or of one family.
fn list(source: &ShaderSource, only: Option<&str>) -> Result<()> {
    let catalogue = source.catalogue()?;
    if let Some(name) = only
        && !catalogue.families().any(|family| family == name)
    {
        // with the nearest name
        catalogue.named(name, "naive")?;
    }
    for family in catalogue.families().filter(|family| only.is_none_or(|only| only == *family)) {
        print_line(family);
        for kernel in kernels_of(family) {
            print_line(&format!("    {}: {}", kernel.name, kernel.formula));
        }
        for version in catalogue.versions(family) {
            let aliases: Vec<String> = version.aliases.iter().map(|a| format!(" ({})", a.name)).collect();
            let from = version.path.as_ref().map(|p| format!("  [{}]", p.display())).unwrap_or_default();
            let name = format!("{}{}", version.label(), aliases.concat());
            print_line(&format!("  {name:<30} {}{from}", version.change));
            version.knobs.iter().for_each(|knob| print_line(&format!("  {:<30}   {}", "", describe(knob))));
        }
    }
    if only.is_none() {
        let taken = source.taken().iter().map(|t| t.file.as_str());
        let mut files: Vec<&str> = embedded_shaders().iter().map(|(file, _)| *file).chain(taken).collect();
        files.sort_unstable();
        files.dedup();
        let is_other =
            |file: &&str| !catalogue.families().any(|f| file.split_once('/').is_some_and(|(own, _)| own == f));
        print_line("other files");
        for file in files.into_iter().filter(is_other) {
            let name = file.trim_end_matches(".wgsl");
            let constants: Vec<String> =
                template_defaults(&source.text(name)?).iter().map(|(n, v)| format!("{n}={v}")).collect();
            print_line(format!("  {name:<30} {}", constants.join(" ")).trim_end());
        }
    }
    Ok(())
}

/// A knob for people: `oc = EXPR, of 1 to 64`.
fn describe(knob: &Knob) -> String {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for &v in &knob.values {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == v => *last = v,
            _ => runs.push((v, v)),
        }
    }
    let run = |(first, last): (i64, i64)| match last - first {
        0 => vec![first.to_string()],
        1 => vec![first.to_string(), last.to_string()],
        _ => vec![format!("{first} to {last}")],
    };
    let values: Vec<String> = runs.into_iter().flat_map(run).collect();
    format!("{} = {}, of {}", knob.name, knob.usual(), values.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_version_is_valid() {
        let source = ShaderSource::default();
        let catalogue = source.catalogue().expect("headers");
        let mut seen = 0;
        for version in catalogue.families().flat_map(|f| catalogue.versions(f)) {
            let name = version.file();
            let check = || {
                let found = Found::new(&source, &name, &Values::new())?;
                let module = found.template.module()?;
                found.template.validate(&module)?;
                spirv(&name, module, &found.constants(&source)?)
            };
            check().unwrap_or_else(|e| panic!("{name}: {e}"));
            seen += 1;
        }
        assert!(seen > 15, "{seen} versions");
    }

    #[test]
    fn the_command_of_a_message_gives_the_same_text() {
        let source = ShaderSource::default();
        let none = Found::new(&source, "conv1d/tile", &Values::new()).expect("found");
        let command = none.template.command();
        let sets: Vec<String> = command.split(" --set ").skip(1).map(str::to_owned).collect();
        assert!(command.starts_with("exgnet shader conv1d/04_subgroup_shuffle ") && sets.len() > 5, "{command}");
        let again = Found::new(&source, "conv1d/4", &settings(&sets).expect("numbers")).expect("found");
        assert_eq!(again.template.expand().expect("expanded"), none.template.expand().expect("expanded"));
        // what is set counts, whatever the header would make of it
        let set = settings(&["oc=3".into(), "p=8".into()]).expect("numbers");
        let text = Found::new(&source, "conv1d/4", &set).and_then(|f| Ok(f.template.expand()?.into_owned()));
        let text = text.expect("expanded");
        assert!(text.contains("a2_0") && !text.contains("a3_0"), "{text}");
    }

    #[test]
    fn unknown_names_are_reported() {
        let source = ShaderSource::default();
        for (name, set, part) in [
            ("conv1d", "oc=8", "conv1d/01_naive"),
            ("conv1d/naiv", "oc=8", "did you mean naive?"),
            ("conv2d/naive", "oc=8", "did you mean conv1d?"),
            ("include/quat", "oc=8", "include/quad"),
            ("conv1d/tile", "pq=3", "--set pq"),
            ("conv1d/tile", "oc=many", "--set oc=many"),
        ] {
            let done = settings(&[set.to_owned()]).and_then(|sets| Found::new(&source, name, &sets).map(drop));
            let message = done.expect_err(name).to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
