//! Names that a text declares and nobody gives, or uses and does not declare; with the nearest that there is.

use super::{Place, Template, includes, words};
use crate::error::{Error, alike, nearest};

/// What the host gives by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    Parameter,
    Override,
    Buffer,
}

impl Given {
    /// What it is called, and how a file has one of its own.
    fn in_words(self) -> (&'static str, &'static str) {
        match self {
            Self::Parameter => ("parameter", "A number of the file's own stands in its header: `//@ let NAME: EXPR`"),
            Self::Override => {
                ("override", "A constant of the file's own is a `const`, or `//@ let NAME: EXPR` in its header")
            }
            Self::Buffer => ("buffer", "A buffer of the file's own stands in its header: `//@ scratch NAME: SIZE`"),
        }
    }
}

/// A line without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Names that a text declares: those behind the words for it, and those with a type.
fn declared(text: &str) -> Vec<&str> {
    const WORDS: [&str; 7] = ["alias", "const", "fn", "let", "override", "struct", "var"];
    let mut all = Vec::new();
    for line in text.lines().map(code) {
        let mut before = "";
        for word in words(line) {
            let end = word.as_ptr() as usize - line.as_ptr() as usize + word.len();
            if WORDS.contains(&before) || line[end..].trim_start().starts_with(':') {
                all.push(word);
            }
            // of `var<storage, read> x: ...` the colon says it
            before = word;
        }
    }
    all
}

/// The name that naga did not find, out of its words.
fn undeclared(what: &str) -> Option<&str> {
    let begins = ["no definition in scope for identifier: `", "invalid field accessor `"];
    begins.iter().find_map(|begin| what.strip_prefix(begin)?.split('`').next())
}

impl Template<'_> {
    /// Names that the host gives, for messages.
    pub(crate) fn given<'n>(mut self, names: impl IntoIterator<Item = &'n String>) -> Self {
        self.given = names.into_iter().cloned().collect();
        self
    }

    /// The error of a name that the text declares and nobody gives; `known` are given.
    pub(crate) fn not_given<'n>(&self, kind: Given, name: &str, known: impl Iterator<Item = &'n str>) -> Error {
        let known: Vec<&str> = known.collect();
        let (kind, own) = kind.in_words();
        let near = nearest(name, known.iter().copied()).unwrap_or_default();
        self.error(
            self.first(name).as_ref(),
            &format!("found the {kind} `{name}`, expected one that the host gives"),
            format!("did you mean `{near}`? {own}. Given here are {}", known.join(", ")),
        )
    }

    /// The first line that has a name in its code: of the text, or of one that it includes.
    fn first(&self, name: &str) -> Option<Place> {
        let others = includes(self.source, &self.text);
        let own = std::iter::once((&self.name, self.text.as_ref()));
        own.chain(others.iter().map(|(name, text)| (name, text.as_ref()))).find_map(|(file, text)| {
            let line = text.lines().position(|line| words(code(line)).any(|word| word == name))?;
            Some(Place { name: file.clone(), line: 1 + line })
        })
    }

    /// What to do about a name that naga, in its words, did not find in an expanded text; a sentence.
    pub(super) fn advice(&self, what: &str, text: &str) -> Option<String> {
        let name = undeclared(what)?;
        let near = alike(name, declared(text).into_iter());
        let is_given = |name: &str| self.given.contains(name);
        match near {
            Some(near) if is_given(name) && !is_given(near) => {
                let line = self.first(near).map_or_else(String::new, |place| format!(" (line {})", place.line));
                Some(format!("the host gives `{name}`, and no `{near}`: declare it as `{name}`{line}."))
            }
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if is_given(name) => {
                Some(format!("the host gives `{name}`: declare it, as an override or as a field of the parameters."))
            }
            None => None,
        }
    }
}
