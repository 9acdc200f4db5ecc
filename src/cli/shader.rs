//! `exgnet shader`: the text of a kernel, with a template's constants filled in, and what naga makes of it.

use super::{Common, print_line};
use crate::error::{Error, Result};
use crate::files;
use crate::gpu::{embedded_shaders, expand, template_defaults};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// Print a kernel's WGSL, expanded, and write its SPIR-V
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet shader conv1d_tile --set oc=8 --set p=24\n  \
                  exgnet shader batch_norm --spirv batch_norm.spv\n  exgnet shader --list")]
pub(super) struct ShaderArgs {
    /// Name of a file in shaders/, without .wgsl
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// Set a constant of a template; may be repeated
    #[arg(long = "set", value_name = "NAME=N")]
    sets: Vec<String>,
    /// Write what naga makes of it
    #[arg(long, value_name = "FILE")]
    spirv: Option<PathBuf>,
    /// List the kernels; a template's constants stand beside it
    #[arg(long)]
    list: bool,
}

/// The first word of a SPIR-V module.
const SPIRV_MAGIC: u32 = 0x0723_0203;

pub(super) fn run(common: &Common, args: &ShaderArgs) -> Result<ExitCode> {
    let Some(name) = args.name.as_deref().filter(|_| !args.list) else {
        for (file, text) in embedded_shaders() {
            let constants: Vec<String> = template_defaults(text).iter().map(|(n, v)| format!("{n}={v}")).collect();
            print_line(format!("{:<26} {}", file.trim_end_matches(".wgsl"), constants.join(" ")).trim_end());
        }
        return Ok(ExitCode::SUCCESS);
    };
    let source = common.shaders()?;
    let text = source.text(name.trim_end_matches(".wgsl"))?;
    let known = template_defaults(&text);
    let mut settings = Vec::new();
    for set in &args.sets {
        let pair = set.split_once('=').and_then(|(n, v)| Some((n, v.parse::<usize>().ok()?)));
        let Some((n, v)) = pair.filter(|(n, v)| known.contains_key(*n) && *v <= 4096) else {
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            let hint = if names.is_empty() {
                "this kernel is no template".into()
            } else {
                format!("it has {}", names.join(" "))
            };
            return Err(Error::config(format!("--set {set}: not a constant of {name} with a number up to 4096"), hint));
        };
        settings.push((n, v));
    }
    let text = expand(&source, name, text, settings)?;
    if let Some(path) = &args.spirv {
        let words = spirv(name, &text)?;
        // a kernel that was changed since, or another one
        if std::fs::read(path).is_ok_and(|old| old.starts_with(&SPIRV_MAGIC.to_le_bytes())) {
            files::guard::replaces(path);
        }
        files::write_atomically(path, &words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>())?;
        common.say(format!("wrote {} ({} words)", path.display(), words.len()));
    } else {
        text.lines().for_each(print_line);
    }
    Ok(ExitCode::SUCCESS)
}

/// SPIR-V of a WGSL text, as naga writes it.
fn spirv(name: &str, text: &str) -> Result<Vec<u32>> {
    let bad = |what: String| Error::gpu(format!("shader {name}.wgsl: {what}"), "compare it with the built-in one");
    let module = naga::front::wgsl::parse_str(text).map_err(|e| bad(e.emit_to_string(text)))?;
    let allowed = naga::valid::Capabilities::SUBGROUP | naga::valid::Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), allowed);
    validator.subgroup_stages(naga::valid::ShaderStages::COMPUTE);
    validator.subgroup_operations(naga::valid::SubgroupOperationSet::all());
    let info = validator.validate(&module).map_err(|e| bad(e.emit_to_string(text)))?;
    // `override` constants get their defaults
    let (module, info) = naga::back::pipeline_constants::process_overrides(
        &module,
        &info,
        None,
        &naga::back::PipelineConstants::default(),
    )
    .map_err(|e| bad(e.to_string()))?;
    let options = naga::back::spv::Options { lang_version: (1, 3), ..Default::default() };
    naga::back::spv::write_vec(&module, &info, &options, None).map_err(|e| bad(e.to_string()))
}
