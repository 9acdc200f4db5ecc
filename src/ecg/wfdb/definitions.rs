//! What the comments at the start of an annotation file say about it, after the manual page `annot(5)`.

use super::annotation::{code_of_symbol, is_usual};

/// The meaning that an annotation file gives to a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The code as in the file.
    pub code: u8,
    /// Its symbol, one or more characters.
    pub symbol: String,
}

impl Label {
    /// The code that usually has this symbol. Without one: the code itself where it has no usual meaning, else 0.
    pub(super) fn meaning(&self) -> u8 {
        code_of_symbol(&self.symbol).unwrap_or(if is_usual(self.code) { 0 } else { self.code })
    }
}

#[derive(Debug, Default)]
pub(super) struct Definitions {
    /// Times a second in Hz.
    pub fs: Option<f64>,
    pub labels: Vec<Label>,
    /// Between the first and the last line of definitions of codes.
    inside: bool,
}

impl Definitions {
    /// Reads one comment; says what is wrong with it.
    pub fn read(&mut self, text: &str) -> Result<(), String> {
        if let Some(value) = text.strip_prefix("## time resolution:") {
            // `360`, `360.5`, `360 Hz`
            let number = value.split_whitespace().next().unwrap_or_default();
            let fs = number.parse().ok().filter(|fs| (0.001..=1e9).contains(fs));
            let fs = fs.ok_or_else(|| format!("its time resolution is `{}`, expected a rate in Hz", value.trim()))?;
            self.fs = self.fs.or(Some(fs));
        } else if text == "## annotation type definitions" {
            self.inside = true;
        } else if text == "## end of definitions" {
            self.inside = false;
        } else if let Some(label) = label(text) {
            // outside the block a comment may begin with any number: there only free codes get a meaning
            if self.inside || !is_usual(label.code) {
                self.labels.push(label);
            }
        }
        Ok(())
    }
}

/// `42 N Normal beat`; the words after the symbol may miss.
fn label(text: &str) -> Option<Label> {
    let mut fields = text.trim().splitn(3, char::is_whitespace);
    let code = fields.next()?.parse().ok().filter(|code| (1..=49).contains(code))?;
    let symbol = fields.next().filter(|s| !s.is_empty())?.to_string();
    Some(Label { code, symbol })
}
