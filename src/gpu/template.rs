//! Kernel texts: templates with their constants filled in, what naga makes of them, and where an error is: in the file and
//! line that somebody wrote, not in the expansion.

mod depth;
mod names;

pub(crate) use names::Given;

use super::ShaderSource;
use crate::error::{Error, Result, nearest};
use minijinja::{Environment, UndefinedBehavior, Value};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What kernels may use at most: WebGPU's core, which has `pack2x16float`, subgroups, f16 and 64-bit integers.
pub(super) const CAPABILITIES: Capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32
    .union(Capabilities::SHADER_FLOAT16)
    .union(Capabilities::SHADER_INT64)
    .union(Capabilities::SUBGROUP)
    .union(Capabilities::SUBGROUP_BARRIER);
/// Instructions of the template engine for a text at most: loops that do not end are an error.
const FUEL: u64 = 20_000_000;
/// Characters of a line in a message at most.
const LINE: usize = 160;
/// How a marker begins that stands for a line's end.
const MARK: &str = "/*@@";

/// A kernel's text with the values of its constants.
pub struct Template<'a> {
    source: &'a ShaderSource,
    name: String,
    text: Cow<'static, str>,
    values: BTreeMap<String, Value>,
    /// Names that could have values here, see [`Template::given`].
    given: BTreeSet<String>,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// Name below `shaders/`, without `.wgsl`.
    name: String,
    /// From 1.
    line: usize,
}

/// Whether a text is a template.
fn is_template(text: &str) -> bool {
    text.contains("{%") || text.contains("{{") || text.contains("{#")
}

/// The text of a shader; a template (one that has `{%`, `{{` or `{#`) with its constants filled in: those given, and for the
/// others the ones that its line `{# defaults: a=1 b=2 #}` names. What it includes comes from `source` too.
///
/// # Errors
/// [`Error::File`] with the line and, for a constant that is not set, its name.
pub fn expand<'a>(
    source: &ShaderSource,
    shader: &str,
    text: Cow<'static, str>,
    settings: impl IntoIterator<Item = (&'a str, usize)>,
) -> Result<Cow<'static, str>> {
    let values = settings.into_iter().map(|(name, v)| (name.to_owned(), Value::from(v)));
    Template::new(source, shader, text, values.collect()).expand()
}

/// Constants of a template with the values that `exgnet shader` prints it with; none for plain WGSL.
pub fn template_defaults(text: &str) -> BTreeMap<String, usize> {
    let line = text.lines().find_map(|l| l.trim().strip_prefix("{# defaults:")?.split("#}").next());
    let pairs = line.unwrap_or_default().split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.filter_map(|(name, v)| Some((name.to_owned(), v.parse().ok()?))).collect()
}

/// Names that a template, or what it includes, takes from outside.
pub(crate) fn names(source: &ShaderSource, text: &str) -> BTreeSet<String> {
    let files = includes(source, text);
    std::iter::once(text).chain(files.values().map(Cow::as_ref)).flat_map(undeclared).collect()
}

/// Files that a text includes, itself or by way of others, by name.
fn includes(source: &ShaderSource, text: &str) -> BTreeMap<String, Cow<'static, str>> {
    let (mut files, mut todo) = (BTreeMap::new(), vec![Cow::Borrowed(text)]);
    while let Some(text) = todo.pop() {
        for name in included(&text) {
            if let Ok(text) = source.text(name)
                && !files.contains_key(name)
            {
                files.insert(name.to_owned(), text.clone());
                todo.push(text);
            }
        }
    }
    files
}

/// Names that a template takes from outside, without those of the engine's functions; none for one that has mistakes.
fn undeclared(text: &str) -> BTreeSet<String> {
    let env = Environment::new();
    let mut all: BTreeSet<String> =
        env.template_from_str(text).map(|t| t.undeclared_variables(false)).unwrap_or_default().into_iter().collect();
    all.retain(|name| env.globals().all(|(global, _)| global != name));
    all
}

/// Names of the files that a template includes, without `.wgsl`.
fn included(text: &str) -> impl Iterator<Item = &str> {
    text.split("{%").skip(1).filter_map(|tag| {
        let tag = tag.split("%}").next()?.trim_matches(['-', '+', ' ']).strip_prefix("include")?;
        Some(tag.trim().split(' ').next()?.trim_matches(['"', '\'']).trim_end_matches(".wgsl"))
    })
}

/// Where the tags of a template are, `{% %}`, `{{ }}` and comments.
fn tags(text: &str) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find('{').map(|at| from + at) {
        let end = match text.as_bytes().get(start + 1) {
            Some(b'%') => "%}",
            Some(b'{') => "}}",
            Some(b'#') => "#}",
            _ => {
                from = start + 1;
                continue;
            }
        };
        let stop = text[start + 2..].find(end).map_or(text.len(), |at| start + 2 + at + 2);
        all.push(start..stop);
        from = stop;
    }
    all
}

/// A text with a marker at the end of every line that ends outside a tag.
fn marked(name: &str, text: &str) -> String {
    let tags = tags(text);
    let mut all = String::with_capacity(2 * text.len());
    let (mut at, mut tag) = (0, 0);
    for (i, line) in text.split_inclusive('\n').enumerate() {
        let body = line.trim_end_matches(['\n', '\r']);
        all.push_str(body);
        let end = at + body.len();
        while tags.get(tag).is_some_and(|t| t.end <= end) {
            tag += 1;
        }
        if tags.get(tag).is_none_or(|t| t.start >= end) {
            all.push_str(&format!("{MARK}{name}:{}*/", i + 1));
        }
        all.push_str(&line[body.len()..]);
        at += line.len();
    }
    all
}

/// The line that a place of a marked and expanded text comes from: the next marker's, or the last one's at the end.
fn marker(text: &str, at: usize) -> Option<Place> {
    let at = (0..=at.min(text.len())).rev().find(|&i| text.is_char_boundary(i))?;
    let from = text[at..].find(MARK).map(|i| at + i).or_else(|| text.rfind(MARK))?;
    let (name, line) = text[from + MARK.len()..].split_once("*/")?.0.rsplit_once(':')?;
    Some(Place { name: name.to_owned(), line: line.parse().ok()? })
}

/// An error with its causes.
pub(super) fn with_causes(e: &dyn std::error::Error) -> String {
    let (mut words, mut inner) = (e.to_string(), e.source());
    while let Some(cause) = inner {
        words += &format!(": {cause}");
        inner = cause.source();
    }
    words
}

/// naga's words on an error, and where it is.
struct Fault {
    what: String,
    at: Option<usize>,
}

impl Fault {
    fn of_parse(e: &naga::front::wgsl::ParseError, text: &str) -> Self {
        let labels = e.labels().map(|(_, label)| label).filter(|label| !e.message().contains(label));
        let words = std::iter::once(e.message()).chain(labels).chain(e.notes());
        let at = e.location(text).map(|l| l.offset as usize);
        Self { what: words.collect::<Vec<_>>().join("; "), at }
    }

    fn of_validation(e: &naga::WithSpan<naga::valid::ValidationError>, text: &str) -> Self {
        // the narrowest place: others are the function, or where something was declared
        let narrowest = e.spans().filter_map(|(span, _)| span.to_range()).min_by_key(|r| r.len());
        let at = narrowest.map(|r| r.start).or_else(|| e.location(text).map(|l| l.offset as usize));
        Self { what: with_causes(e.as_inner()), at }
    }
}

fn parsed(text: &str) -> Result<naga::Module, Fault> {
    if let Some((what, at)) = depth::too_deep(text) {
        return Err(Fault { what, at: Some(at) });
    }
    naga::front::wgsl::parse_str(text).map_err(|e| Fault::of_parse(&e, text))
}

fn validated(module: &naga::Module, text: &str, allowed: Capabilities) -> Result<ModuleInfo, Fault> {
    let mut validator = Validator::new(ValidationFlags::all(), allowed);
    validator.validate(module).map_err(|e| Fault::of_validation(&e, text))
}

/// Words of a text that may be names.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| w.starts_with(|c: char| !c.is_ascii_digit()))
}

impl<'a> Template<'a> {
    /// A text with values; `name` is that of its file below `shaders/`, without `.wgsl`. Values that its line
    /// `{# defaults: a=1 #}` names may be left out.
    pub fn new(
        source: &'a ShaderSource,
        name: impl Into<String>,
        text: Cow<'static, str>,
        values: BTreeMap<String, Value>,
    ) -> Self {
        Self { source, name: name.into(), text, values, given: BTreeSet::new() }
    }

    /// The WGSL.
    pub fn expand(&self) -> Result<Cow<'static, str>> {
        if !is_template(&self.text) {
            return Ok(self.text.clone());
        }
        self.render(&|_, text| text).map(Cow::Owned).map_err(|e| self.bad_template(&e))
    }

    /// The module that naga makes of the WGSL.
    pub fn module(&self) -> Result<naga::Module> {
        let text = self.expand()?;
        parsed(&text).map_err(|fault| self.bad_wgsl(fault, &text, &|marked| parsed(marked).err()))
    }

    /// What naga's validation finds out about [`Template::module`].
    pub fn validate(&self, module: &naga::Module) -> Result<ModuleInfo> {
        self.validate_for(module, CAPABILITIES)
    }

    /// The same for an adapter of these capabilities.
    pub fn validate_for(&self, module: &naga::Module, allowed: Capabilities) -> Result<ModuleInfo> {
        let text = self.expand()?;
        validated(module, &text, allowed).map_err(|fault| {
            self.bad_wgsl(fault, &text, &|marked| parsed(marked).and_then(|m| validated(&m, marked, allowed)).err())
        })
    }

    /// The command that shows the expansion.
    pub fn command(&self) -> String {
        let sets = self.values.iter().map(|(name, v)| format!(" --set {name}={v}"));
        let folder = self.source.dir().map(|dir| format!(" --shader-dir {}", dir.display()));
        std::iter::once(format!("exgnet shader {}", self.name)).chain(folder).chain(sets).collect()
    }

    /// An error about the whole text, with its path.
    pub(crate) fn about(&self, e: Error) -> Error {
        match e {
            Error::Gpu { what, hint } => Error::gpu(format!("{}: {what}", self.source.shown(&self.name)), hint),
            other => other,
        }
    }

    /// Expands the text, each file changed by `change` beforehand.
    fn render(&self, change: &dyn Fn(&str, String) -> String) -> Result<String, minijinja::Error> {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_fuel(Some(FUEL));
        let own = change(&self.name, self.text.clone().into_owned());
        // the loader must own what it uses: files are taken beforehand
        let files = includes(self.source, &self.text).into_iter();
        let files: BTreeMap<String, String> =
            files.map(|(name, text)| (name.clone(), change(&name, text.into_owned()))).collect();
        let source = self.source.clone();
        env.set_loader(move |name| {
            let name = name.trim_end_matches(".wgsl");
            let found = files.get(name).cloned();
            Ok(found.or_else(|| source.text(name).ok().map(Cow::into_owned)))
        });
        let defaults = template_defaults(&self.text).into_iter().map(|(name, v)| (name, Value::from(v)));
        let values: BTreeMap<String, Value> =
            defaults.chain(self.values.iter().map(|(n, v)| (n.clone(), v.clone()))).collect();
        env.render_named_str(&self.name, &own, values)
    }

    /// The text of a file that takes part.
    fn file(&self, name: &str) -> String {
        if name == self.name {
            return self.text.clone().into_owned();
        }
        self.source.text(name).map(Cow::into_owned).unwrap_or_default()
    }

    /// An error at a place, with its line.
    fn error(&self, place: Option<&Place>, what: &str, hint: String) -> Error {
        let shown = |name: &str| self.source.shown(name);
        let Some(place) = place else { return Error::file(shown(&self.name), what, hint) };
        let text = self.file(&place.name);
        let line = text.lines().nth(place.line - 1).unwrap_or_default().trim();
        let line = match line.char_indices().nth(LINE) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line.to_owned(),
        };
        let by = if place.name == self.name { String::new() } else { format!(", included by {}", shown(&self.name)) };
        Error::file(
            format!("{}:{}", shown(&place.name), place.line),
            format!("{}{by}\n  {:>4} | {line}", what.trim_end(), place.line),
            hint,
        )
    }

    /// The error of WGSL that naga refuses: `again` finds it in the text with markers.
    fn bad_wgsl(&self, fault: Fault, text: &str, again: &dyn Fn(&str) -> Option<Fault>) -> Error {
        let place = if is_template(&self.text) {
            let marked = self.render(&|name, text| marked(name, &text)).unwrap_or_default();
            // a marker may change what the template compares; then the error has no line
            let same = again(&marked).filter(|found| found.what == fault.what);
            same.and_then(|found| marker(&marked, found.at?))
        } else {
            let line = |at: usize| 1 + text.bytes().take(at).filter(|b| *b == b'\n').count();
            // an error at the end is behind the last line
            let last = text.lines().count().max(1);
            fault.at.map(|at| Place { name: self.name.clone(), line: line(at).min(last) })
        };
        let advice = self.advice(&fault.what, text).map_or_else(String::new, |advice| format!("{advice} "));
        let hint = format!("{advice}`{}` prints what is compiled and checks it", self.command());
        self.error(place.as_ref(), &fault.what, hint)
    }

    /// The error of a template that cannot be expanded.
    fn bad_template(&self, e: &minijinja::Error) -> Error {
        // the innermost one: those around it say that a file could not be included
        let (mut inner, mut cause) = (e, std::error::Error::source(e));
        while let Some(own) = cause {
            inner = own.downcast_ref().unwrap_or(inner);
            cause = own.source();
        }
        let name = inner.name().unwrap_or(&self.name).trim_end_matches(".wgsl").to_owned();
        let place = inner.line().filter(|line| *line > 0).map(|line| Place { name, line });
        let what = match (inner.kind(), inner.detail()) {
            (minijinja::ErrorKind::OutOfFuel, _) => {
                format!("found more than {FUEL} steps of the template, expected loops that end sooner")
            }
            (kind, Some(detail)) => format!("{kind}: {detail}"),
            (kind, None) => kind.to_string(),
        };
        let known = template_defaults(&self.text);
        let known: BTreeSet<&str> = self.values.keys().chain(known.keys()).map(String::as_str).collect();
        // a missing value is not always reported as one: `range(n)` says that it cannot convert
        let unknown = place.as_ref().and_then(|place| self.undefined(place, &known));
        let Some(unknown) = unknown else {
            let hint = format!("templates are minijinja's; `{}` expands it", self.command());
            return self.error(place.as_ref(), &what, hint);
        };
        let could = known.iter().copied().chain(self.given.iter().map(String::as_str));
        let near = nearest(&unknown, could).map(|near| format!("did you mean `{near}`? "));
        self.error(
            place.as_ref(),
            &format!("found no value for the constant `{unknown}`"),
            format!("{}`{} --set {unknown}=1` expands it with one", near.unwrap_or_default(), self.command()),
        )
    }

    /// The name in the tags of a line that has no value.
    fn undefined(&self, place: &Place, known: &BTreeSet<&str>) -> Option<String> {
        let text = self.file(&place.name);
        let start: usize = text.split_inclusive('\n').take(place.line - 1).map(str::len).sum();
        let end = start + text[start..].find('\n').unwrap_or(text.len() - start);
        let outside = undeclared(&text);
        // what the files that include this one set is known too
        let whole = self.text.split("set ").skip(1).filter_map(|after| words(after).next());
        let set: BTreeSet<&str> = if place.name == self.name { BTreeSet::new() } else { whole.collect() };
        let tags = tags(&text).into_iter().filter(|tag| tag.start < end && tag.end > start);
        let names = tags.flat_map(|tag| words(&text[tag]).map(str::to_owned).collect::<Vec<_>>());
        names.into_iter().find(|n| outside.contains(n) && !known.contains(n.as_str()) && !set.contains(n.as_str()))
    }
}

#[cfg(test)]
mod tests;
