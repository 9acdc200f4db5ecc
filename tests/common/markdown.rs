//! Tables in Markdown.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeMap;
use std::ops::Range;

/// Where the cells of a line of a table are: between unescaped `|`, padding included.
pub fn cells(line: &str) -> Vec<Range<usize>> {
    let mut escaped = false;
    let mut bars = Vec::new();
    for (i, c) in line.char_indices() {
        if c == '|' && !escaped {
            bars.push(i);
        }
        escaped = c == '\\' && !escaped;
    }
    bars.windows(2).map(|w| w[0] + 1..w[1]).collect()
}

/// The cells of a line, without padding.
pub fn trimmed(line: &str) -> Vec<&str> {
    cells(line).into_iter().map(|cell| line[cell].trim()).collect()
}

/// The rows of all tables of a page by their columns, without bold print and escapes.
pub fn rows(page: &str) -> Vec<BTreeMap<String, String>> {
    let plain = |text: &str| text.replace("**", "").replace('\\', "");
    let (mut all, mut heads) = (Vec::new(), Vec::new());
    for line in page.lines() {
        let row: Vec<String> = match line.starts_with('|') {
            true => trimmed(line).into_iter().map(plain).collect(),
            false => Vec::new(),
        };
        if row.is_empty() || heads.is_empty() {
            heads = row.clone();
            // a name that stands twice belongs to the column before it
            for i in (1..row.len()).filter(|&i| row.iter().filter(|c| **c == row[i]).count() > 1) {
                heads[i] = format!("{}: {}", row[i - 1], row[i]);
            }
        } else if !row.iter().all(|c| c.trim_matches(':').trim_matches('-').is_empty() && !c.is_empty()) {
            all.push(heads.iter().cloned().zip(row).collect());
        }
    }
    all
}
