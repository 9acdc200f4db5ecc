//! How deeply a text nests what parsers walk by recursion: naga bounds brackets and blocks, but neither the operators of an
//! expression nor a chain of `else if`, and an overflow of the stack ends the process.

/// Operators of an expression, and branches of an `if`, at most.
const MOST: usize = 1000;

/// Operators on the deepest path so far within a bracket: those of its part up to the last comma, and the most of any part.
#[derive(Clone, Copy, Default)]
struct Level {
    here: usize,
    most: usize,
}

impl Level {
    fn add(&mut self, n: usize) {
        self.here += n;
        self.most = self.most.max(self.here);
    }
}

/// What is too deep, and where.
pub(super) fn too_deep(text: &str) -> Option<(String, usize)> {
    let bytes = text.as_bytes();
    let mut levels = vec![Level::default()];
    // `else` of the chain that ends here, by block
    let mut chains = vec![0usize];
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let next = after_blank(text, at);
        if next > at {
            at = next;
            continue;
        }
        match byte {
            b';' | b'{' | b'}' => {
                levels = vec![Level::default()];
                match byte {
                    b'{' => chains.push(0),
                    b'}' => {
                        if chains.len() > 1 {
                            chains.pop();
                        }
                        let follows = text[after_blank(text, at + 1)..].starts_with("else");
                        let chain = chains.last_mut().expect("one is left");
                        *chain = if follows { *chain + 1 } else { 0 };
                    }
                    _ => {}
                }
            }
            b'(' | b'[' => levels.push(Level::default()),
            b')' | b']' if levels.len() > 1 => {
                let inner = levels.pop().expect("more than one");
                levels.last_mut().expect("one is left").add(inner.most + 1);
            }
            b',' => levels.last_mut().expect("never empty").here = 0,
            b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^' | b'<' | b'>' | b'!' | b'~' | b'.' => {
                levels.last_mut().expect("never empty").add(1);
            }
            _ => {}
        }
        let operators: usize = levels.iter().map(|level| level.here).sum();
        if operators > MOST {
            return Some((format!("found an expression of more than {MOST} operators, expected shorter ones"), at));
        }
        if chains.last().is_some_and(|chain| *chain > MOST / 2) {
            return Some((format!("found an `if` of more than {} branches, expected fewer", MOST / 2), at));
        }
        at += 1;
    }
    None
}

/// The first place from `at` on that is neither blank nor within a comment.
fn after_blank(text: &str, mut at: usize) -> usize {
    loop {
        let rest = &text.as_bytes()[at.min(text.len())..];
        let find = |end: &str, from: usize| text[from..].find(end).map(|i| from + i + end.len());
        at = match rest {
            [b'/', b'/', ..] => find("\n", at).unwrap_or(text.len()),
            [b'/', b'*', ..] => find("*/", at + 2).unwrap_or(text.len()),
            [byte, ..] if byte.is_ascii_whitespace() => at + 1,
            _ => return at,
        };
    }
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
    }

    #[test]
    fn deep_ones_are_found_where_they_become_so() {
        let (_, at) = too_deep(&format!("a = 1;\nb = {}c;", "- ".repeat(2000))).expect("found");
        assert_eq!(at, 7 + 4 + 2 * MOST);
        for deep in [" + a", ".xy", " && b", "/*,*/ + a", "[0]", " * f(1, 2)"] {
            assert!(refused(&format!("y = a{};", deep.repeat(MOST + 1))), "{deep}");
            assert!(!refused(&format!("y = a{};", deep.repeat(MOST / 2))), "{deep}");
        }
        // each bracket holds few, all together many; also where commas lie between them
        let nested = |inner: &str| (0..100).fold("a".to_owned(), |text, _| format!("f({text}{inner}, 1)"));
        assert!(refused(&nested(&" + 1".repeat(20))) && !refused(&nested(" + 1")));
        let branch = " else if a > 1.0 { if b { c = 1.0; } }";
        assert!(refused(&format!("if a {{ }}{}", branch.repeat(MOST))));
        assert!(refused(&format!("{{ if a {{ }}{} }}", branch.repeat(MOST))) && !refused(&branch.repeat(MOST / 4)));
    }
}
