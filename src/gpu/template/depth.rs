//! How deeply a text nests what parsers walk by recursion: naga bounds brackets and blocks, but neither the operators of an
//! expression nor a chain of `else if`, and an overflow of the stack ends the process.

/// Operators of an expression, and branches of an `if`, at most.
const MOST: usize = 1000;

/// Operators on the deepest path within a bracket: of its part up to the last comma, and the most of any part.
#[derive(Clone, Copy, Default)]
struct Level {
    here: usize,
    most: usize,
}

/// The brackets that are open within a statement, and the operators of all of them.
struct Open {
    levels: Vec<Level>,
    operators: usize,
}

impl Open {
    fn new() -> Self {
        Self { levels: vec![Level::default()], operators: 0 }
    }

    fn last(&mut self) -> &mut Level {
        self.levels.last_mut().expect("one is always left")
    }

    fn add(&mut self, n: usize) {
        self.operators += n;
        let last = self.last();
        last.here += n;
        last.most = last.most.max(last.here);
    }

    /// What comes next stands beside what was there, not around it.
    fn comma(&mut self) {
        self.operators -= std::mem::take(&mut self.last().here);
    }

    fn open(&mut self) {
        self.levels.push(Level::default());
    }

    fn close(&mut self) {
        if self.levels.len() > 1 {
            let inner = self.levels.pop().expect("more than one");
            self.operators -= inner.here;
            self.add(inner.most + 1);
        }
    }
}

fn is_operator(byte: u8) -> bool {
    matches!(byte, b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^' | b'<' | b'>' | b'!' | b'~' | b'.')
}

/// What is too deep, and where.
pub(super) fn too_deep(text: &str) -> Option<(String, usize)> {
    let bytes = text.as_bytes();
    let mut open = Open::new();
    // `else` of the chain that ends here, by block, and of all that are open
    let (mut chains, mut branches) = (vec![0usize], 0);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            // a comment, perhaps
            b'/' if after_blank(text, at) > at => {
                at = after_blank(text, at);
                continue;
            }
            b';' => open = Open::new(),
            b'{' => {
                open = Open::new();
                chains.push(0);
            }
            b'}' => {
                open = Open::new();
                if chains.len() > 1 {
                    branches -= chains.pop().unwrap_or_default();
                }
                let follows = text[after_blank(text, at + 1)..].starts_with("else");
                let chain = chains.last_mut().expect("one is left");
                match follows {
                    true => (*chain, branches) = (*chain + 1, branches + 1),
                    false => branches -= std::mem::take(chain),
                }
                if branches > MOST / 2 {
                    let what = format!("found an `if` of more than {} branches, expected fewer", MOST / 2);
                    return Some((what, at));
                }
            }
            b'(' | b'[' => open.open(),
            b')' | b']' => open.close(),
            b',' => open.comma(),
            _ if is_operator(byte) => open.add(1),
            _ => {}
        }
        if open.operators > MOST {
            return Some((format!("found an expression of more than {MOST} operators, expected shorter ones"), at));
        }
        at += 1;
    }
    None
}

/// WGSL's line ends; they end a comment.
fn ends_line(c: char) -> bool {
    matches!(c, '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The first place from `at` on that is neither blank nor within a comment.
fn after_blank(text: &str, mut at: usize) -> usize {
    while let Some(rest) = text.get(at..) {
        at += if rest.starts_with("//") {
            rest.find(ends_line).unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else {
            match rest.chars().next() {
                Some(c) if ends_line(c) || matches!(c, ' ' | '\t' | '\u{200e}' | '\u{200f}') => c.len_utf8(),
                _ => break,
            }
        };
    }
    at
}

/// Bytes of the block comment that a text begins with; they nest.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while let Some(pair) = text.as_bytes().get(at..at + 2) {
        depth = match pair {
            b"/*" => depth + 1,
            b"*/" => depth - 1,
            _ => {
                at += 1;
                continue;
            }
        };
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> bool {
        too_deep(text).is_some()
    }

    #[test]
    fn long_lists_and_many_statements_are_not_deep() {
        assert!(!refused(&format!("const A = array<f32, 5000>({});", "-1.0, ".repeat(5000))));
        assert!(!refused(&"y[i] = x[i] * 2.0 + 1.0;\n".repeat(5000)));
        assert!(!refused(&"if a > 1.0 { b = 1.0; } else { b = 2.0; }\n".repeat(2000)));
        assert!(!refused(&"/* a-b */ // ---\n".repeat(5000)));
        assert!(!refused(&format!("/* a /* b */ {} */", "a + b - c * d ".repeat(5000))), "comments nest");
    }

    #[test]
    fn deep_ones_are_found_where_they_become_so() {
        let (_, at) = too_deep(&format!("a = 1;\nb = {}c;", "- ".repeat(2000))).expect("found");
        assert_eq!(at, 7 + 4 + 2 * MOST);
        for deep in [" + a", ".xy", " && b", "/*,*/ + a", "/*;*/ + a", "[0]", " * f(1, 2)"] {
            assert!(refused(&format!("y = a{};", deep.repeat(MOST + 1))), "{deep}");
            assert!(!refused(&format!("y = a{};", deep.repeat(MOST / 2))), "{deep}");
        }
        let terms = " + a".repeat(MOST + 1);
        for end in ["\r", "\u{2028}", "\u{b}"] {
            assert!(refused(&format!("// {end} y = a{terms};")), "{end:?} ends a comment");
        }
        assert!(refused(&format!("/* /* */ // */ y = a{terms};")) && !refused(&format!("/* /* */ y = a{terms};")));
        // each bracket holds few, all together many; also where commas lie between them
        let nested = |inner: &str| (0..100).fold("a".to_owned(), |text, _| format!("f({text}{inner}, 1)"));
        assert!(refused(&nested(&" + 1".repeat(20))) && !refused(&nested(" + 1")));
        let branch = " else if a > 1.0 { if b { c = 1.0; } }";
        assert!(refused(&format!("if a {{ }}{}", branch.repeat(MOST))));
        assert!(refused(&format!("if a {{ }}{}", branch.replace(" else", "\u{2028} else").repeat(MOST))));
        let inner = format!("if a {{ }}{} else {{", " else if a {}".repeat(200));
        assert!(refused(&inner.repeat(5)) && !refused(&inner));
        assert!(refused(&format!("{{ if a {{ }}{} }}", branch.repeat(MOST))) && !refused(&branch.repeat(MOST / 4)));
    }
}
