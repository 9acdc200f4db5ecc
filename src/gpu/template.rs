//! Kernel texts that are templates.

use super::ShaderSource;
use crate::error::{Error, Result};
use minijinja::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Whether a text is a template.
fn is_template(text: &str) -> bool {
    text.contains("{%") || text.contains("{{")
}

/// The text of a shader; a template (one that has `{%`) with its constants filled in: those given, and for the others
/// the ones that its line `{# defaults: a=1 b=2 #}` names. What it includes comes from `source` too.
///
/// # Errors
/// [`Error::Gpu`] with the template engine's words.
pub fn expand<'a>(
    source: &ShaderSource,
    shader: &str,
    text: Cow<'static, str>,
    settings: impl IntoIterator<Item = (&'a str, usize)>,
) -> Result<Cow<'static, str>> {
    let values = settings.into_iter().map(|(name, v)| (name.to_owned(), Value::from(v)));
    expand_values(source, shader, text, values.collect())
}

/// As [`expand`], of any values.
pub(super) fn expand_values(
    source: &ShaderSource,
    shader: &str,
    text: Cow<'static, str>,
    settings: BTreeMap<String, Value>,
) -> Result<Cow<'static, str>> {
    if !is_template(&text) {
        return Ok(text);
    }
    let mut env = minijinja::Environment::new();
    env.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    let source = source.clone();
    env.set_loader(move |name| Ok(source.text(name.trim_end_matches(".wgsl")).ok().map(Cow::into_owned)));
    let defaults = template_defaults(&text).into_iter().map(|(name, v)| (name, Value::from(v)));
    let values: BTreeMap<String, Value> = defaults.chain(settings).collect();
    env.render_str(&text, values).map(Cow::Owned).map_err(|e| {
        Error::gpu(
            format!("shader {shader}.wgsl: {e:#}, expected a template whose constants are all set"),
            "the template's constants are listed in its header comment",
        )
    })
}

/// Constants of a template with the values that `exgnet shader` prints it with; none for plain WGSL.
pub fn template_defaults(text: &str) -> BTreeMap<String, usize> {
    let line = text.lines().find_map(|l| l.trim().strip_prefix("{# defaults:")?.split("#}").next());
    let pairs = line.unwrap_or_default().split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.filter_map(|(name, v)| Some((name.to_owned(), v.parse().ok()?))).collect()
}

/// Names that a template, or what it includes, takes from outside.
pub(super) fn names(source: &ShaderSource, text: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    if !is_template(text) {
        return all;
    }
    let env = minijinja::Environment::new();
    if let Ok(template) = env.template_from_str(text) {
        all.extend(template.undeclared_variables(false));
    }
    let included = text.split("{%").skip(1).filter_map(|tag| {
        let tag = tag.split("%}").next()?.trim_matches(['-', ' ']).strip_prefix("include")?;
        Some(tag.trim().trim_matches(['"', '\'']).trim_end_matches(".wgsl").to_owned())
    });
    for name in included {
        if let Ok(text) = source.text(&name) {
            all.extend(names(source, &text));
        }
    }
    all
}
