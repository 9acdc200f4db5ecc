//! Whole lines of a file, as many at a time as a buffer holds.

use std::io::{ErrorKind, Read, Result};

/// What comes next.
pub enum Piece<'a> {
    /// Whole lines; only the last of the file may lack its line feed.
    Lines(&'a [u8]),
    /// A line that the buffer cannot hold; it is passed over.
    TooLong,
}

/// Reads a file through one buffer of fixed size.
pub struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
    filled: usize,
    used: usize,
    ended: bool,
    /// Inside a line that is passed over.
    skipping: bool,
}

impl<R: Read> Lines<R> {
    pub fn new(from: R, size: usize) -> Self {
        Self { from, buffer: vec![0; size], filled: 0, used: 0, ended: false, skipping: false }
    }

    /// The next piece and how many bytes were read for it; `None` at the end.
    pub fn next(&mut self) -> Result<Option<(Piece<'_>, u64)>> {
        let mut read = 0;
        loop {
            read += self.fill()? as u64;
            let text = &self.buffer[..self.filled];
            if self.skipping {
                let feed = text.iter().position(|&b| b == b'\n');
                self.used = feed.map_or(self.filled, |i| i + 1);
                self.skipping = feed.is_none();
                if self.filled == 0 {
                    return Ok(None);
                }
                continue;
            }
            if text.is_empty() {
                return Ok(None);
            }
            let end =
                if self.ended { Some(self.filled) } else { text.iter().rposition(|&b| b == b'\n').map(|i| i + 1) };
            self.used = end.unwrap_or(self.filled);
            self.skipping = end.is_none();
            let piece = end.map_or(Piece::TooLong, |end| Piece::Lines(&self.buffer[..end]));
            return Ok(Some((piece, read)));
        }
    }

    /// Moves what was not used to the front and fills the rest.
    fn fill(&mut self) -> Result<usize> {
        self.buffer.copy_within(self.used..self.filled, 0);
        self.filled -= self.used;
        self.used = 0;
        let before = self.filled;
        while self.filled < self.buffer.len() && !self.ended {
            match self.from.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.ended = true,
                Ok(n) => self.filled += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(self.filled - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lines without their feeds, `None` for one that is too long; and the bytes told.
    fn all(text: &[u8], size: usize) -> (Vec<Option<Vec<u8>>>, u64) {
        let mut lines = Lines::new(text, size);
        let (mut found, mut bytes) = (Vec::new(), 0);
        while let Some((piece, read)) = lines.next().unwrap() {
            bytes += read;
            match piece {
                Piece::Lines(t) => {
                    let t = t.strip_suffix(b"\n").unwrap_or(t);
                    found.extend(t.split(|&b| b == b'\n').map(|l| Some(l.to_vec())));
                }
                Piece::TooLong => found.push(None),
            }
        }
        (found, bytes)
    }

    #[test]
    fn long_lines_are_passed_over() {
        let (found, bytes) = all(b"ab\nabcdefghijklm\nc\n\nlast", 6);
        let expected = [Some(&b"ab"[..]), None, Some(b"c"), Some(b""), Some(b"last")];
        assert_eq!(found, expected.map(|l| l.map(<[u8]>::to_vec)));
        assert_eq!(bytes, 24);
        assert_eq!(all(b"", 6).0.len(), 0);
        assert_eq!(all(b"abcdefghij", 6).0, [None]);
    }

    proptest! {
        #[test]
        fn every_line_comes_once(lines in proptest::collection::vec("[a-z]{0,7}", 1..40), size in 9_usize..40) {
            let text = lines.join("\n") + "\n";
            let (found, bytes) = all(text.as_bytes(), size);
            prop_assert_eq!(bytes, text.len() as u64);
            let found: Vec<String> = found.into_iter().map(|l| String::from_utf8(l.unwrap()).unwrap()).collect();
            prop_assert_eq!(found, lines);
        }
    }
}
