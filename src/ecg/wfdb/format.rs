//! Storage formats of WFDB signal files, after their manual page `signal(5)`: how many bytes codes take, which
//! code marks a missing sample, and how codes are packed.

/// A storage format that can be read.
///
/// All are two's complement but for 80 and 160, and the lowest code marks a missing sample but for 8. In a file the codes of all its signals follow one another, frame
/// by frame, and a pair (212) or triple (310, 311) may be of different signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// 8-bit differences.
    F8,
    /// 16-bit codes, low byte first.
    F16,
    /// 24-bit codes.
    F24,
    /// 32-bit codes.
    F32,
    /// 16-bit codes, high byte first.
    F61,
    /// 8-bit codes in offset binary.
    F80,
    /// 16-bit codes in offset binary.
    F160,
    /// 12-bit codes in pairs.
    F212,
    /// 10-bit codes in triples: two words of 16 bits, whose upper five bits hold the third code.
    F310,
    /// 10-bit codes in triples: the lower 30 of 32 bits.
    F311,
}

/// What a format packs together.
struct Packing {
    number: u32,
    /// Bytes of one group of codes.
    bytes: u64,
    /// Bytes that 0, 1, ... codes of an incomplete last group take; one entry for each code of a group.
    part: &'static [u64],
    missing: Option<i32>,
}

/// The place of one signal in the codes of its file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Codes in a frame, of all signals of the file.
    pub frame: usize,
    /// Codes in a frame before the signal's own.
    pub before: usize,
    /// Codes of the signal in a frame.
    pub per_frame: usize,
}

impl Format {
    /// All formats that can be read.
    pub const ALL: [Self; 10] = [
        Self::F8,
        Self::F16,
        Self::F24,
        Self::F32,
        Self::F61,
        Self::F80,
        Self::F160,
        Self::F212,
        Self::F310,
        Self::F311,
    ];

    /// Frames whose codes always fill whole groups: a common multiple of 1, 2 and 3.
    pub(super) const WHOLE: usize = 6;

    const fn packing(self) -> Packing {
        const fn row(number: u32, bytes: u64, part: &'static [u64], missing: Option<i32>) -> Packing {
            Packing { number, bytes, part, missing }
        }
        match self {
            Self::F8 => row(8, 1, &[0], None),
            Self::F16 => row(16, 2, &[0], Some(-1 << 15)),
            Self::F24 => row(24, 3, &[0], Some(-1 << 23)),
            Self::F32 => row(32, 4, &[0], Some(i32::MIN)),
            Self::F61 => row(61, 2, &[0], Some(-1 << 15)),
            Self::F80 => row(80, 1, &[0], Some(-1 << 7)),
            Self::F160 => row(160, 2, &[0], Some(-1 << 15)),
            Self::F212 => row(212, 3, &[0, 2], Some(-1 << 11)),
            // the second code of 310 is in a word of its own, that of 311 ends in the third byte
            Self::F310 => row(310, 4, &[0, 2, 4], Some(-1 << 9)),
            Self::F311 => row(311, 4, &[0, 2, 3], Some(-1 << 9)),
        }
    }

    /// The format with this number in a header; `None` for a number that is unknown or cannot be read.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.number() == number)
    }

    /// The format's number in a header.
    pub const fn number(self) -> u32 {
        self.packing().number
    }

    /// The numbers of all formats that can be read, for messages.
    pub fn numbers() -> String {
        Self::ALL.map(|f| f.number().to_string()).join(", ")
    }

    /// The code that marks a missing sample; format 8 has none.
    pub const fn missing(self) -> Option<i32> {
        self.packing().missing
    }

    /// Codes are differences, which have to be summed up.
    pub const fn is_difference(self) -> bool {
        matches!(self, Self::F8)
    }

    /// How many codes `bytes` bytes hold.
    pub fn codes_in(self, bytes: u64) -> u64 {
        let p = self.packing();
        let left = bytes % p.bytes;
        // at most 3 codes for every 4 bytes or more: the product cannot overflow
        bytes / p.bytes * p.part.len() as u64 + p.part.iter().rposition(|&b| b <= left).unwrap_or(0) as u64
    }

    /// How many bytes `codes` codes take; `None` past 64 bits.
    pub fn bytes_for(self, codes: u64) -> Option<u64> {
        let p = self.packing();
        let group = p.part.len() as u64;
        (codes / group).checked_mul(p.bytes)?.checked_add(p.part[(codes % group) as usize])
    }

    /// The codes (or differences) of one signal in `frames` frames. `bytes` starts with a whole group and holds at
    /// least `bytes_for(frames * place.frame)` bytes.
    pub(super) fn decode(self, bytes: &[u8], place: Place, frames: usize, out: &mut Vec<i32>) {
        out.clear();
        out.resize(frames * place.per_frame, 0);
        // The place within a group of 1, 2 or 3 codes is the same in each frame, or it repeats after n frames
        // for the n codes of a group: n runs, each with one way of decoding and one step in bytes.
        let (group, size) = (self.packing().part.len(), self.packing().bytes as usize);
        let period = if place.frame.is_multiple_of(group) { 1 } else { group };
        let (step, by) = (place.frame * period / group * size, period * place.per_frame);
        for (f, k) in (0..period.min(frames)).flat_map(|f| (0..place.per_frame).map(move |k| (f, k))) {
            let first = f * place.frame + place.before + k;
            let run = Run { bytes: &bytes[first / group * size..], step, out, at: f * place.per_frame + k, by };
            match (self, first % group) {
                (Self::F8, _) => run.fill(0, |[b]| i32::from(b as i8)),
                (Self::F16, _) => run.fill(0, |b| i16::from_le_bytes(b).into()),
                (Self::F24, _) => run.fill(0, |[a, b, c]| signed::<24>(i32::from_le_bytes([a, b, c, 0]))),
                (Self::F32, _) => run.fill(0, i32::from_le_bytes),
                (Self::F61, _) => run.fill(0, |b| i16::from_be_bytes(b).into()),
                (Self::F80, _) => run.fill(0, |[b]| i32::from(b) - 0x80),
                (Self::F160, _) => run.fill(0, |b| word(b) - 0x8000),
                // the middle byte holds the high four bits of the first code (low nibble) and of the second
                (Self::F212, 0) => run.fill(0, |b| signed::<12>(word(b))),
                (Self::F212, _) => run.fill(1, |[a, b]| signed::<12>(i32::from(a & 0xf0) << 4 | i32::from(b))),
                (Self::F310, 0) => run.fill(0, |b| signed::<10>(word(b) >> 1)),
                (Self::F310, 1) => run.fill(2, |b| signed::<10>(word(b) >> 1)),
                (Self::F310, _) => {
                    run.fill(0, |[a, b, c, d]| signed::<10>(word([a, b]) >> 11 | word([c, d]) >> 11 << 5));
                }
                // bits 0, 10 and 20 onwards
                (Self::F311, 0) => run.fill(0, |b| signed::<10>(word(b))),
                (Self::F311, 1) => run.fill(1, |b| signed::<10>(word(b) >> 2)),
                (Self::F311, _) => run.fill(2, |b| signed::<10>(word(b) >> 4)),
            }
        }
    }
}

/// Codes at equal distances, in the file and in the result.
struct Run<'a> {
    /// From the group of the first code onwards.
    bytes: &'a [u8],
    step: usize,
    out: &'a mut [i32],
    at: usize,
    by: usize,
}

impl Run<'_> {
    /// Makes each code of the `N` bytes from byte `skip` of its group.
    #[inline]
    fn fill<const N: usize>(self, skip: usize, code: impl Fn([u8; N]) -> i32) {
        let windows = self.bytes[skip..].chunks_exact(self.step);
        // the last code may have less than a whole step after it
        let last = windows.remainder().first_chunk::<N>();
        let mut at = self.at;
        for window in windows {
            if let (Some(out), Some(bytes)) = (self.out.get_mut(at), window.first_chunk::<N>()) {
                *out = code(*bytes);
            }
            at += self.by;
        }
        if let (Some(out), Some(bytes)) = (self.out.get_mut(at), last) {
            *out = code(*bytes);
        }
    }
}

fn word(bytes: [u8; 2]) -> i32 {
    u16::from_le_bytes(bytes).into()
}

/// The low `BITS` bits as two's complement.
fn signed<const BITS: u32>(v: i32) -> i32 {
    v << (32 - BITS) >> (32 - BITS)
}

/// Packs codes of -2048 to 2047 as format 212; a last single code takes two bytes.
pub(super) fn pack_212(mut codes: impl Iterator<Item = i16>) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(first) = codes.next() {
        let [low, high] = first.to_le_bytes();
        let second = codes.next();
        let [other_low, other_high] = second.unwrap_or(0).to_le_bytes();
        out.extend([low, high & 0x0f | other_high << 4]);
        out.extend(second.map(|_| other_low));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all_codes(format: Format, bytes: &[u8]) -> Vec<i32> {
        let mut out = Vec::new();
        let n = format.codes_in(bytes.len() as u64) as usize;
        format.decode(bytes, Place { frame: 1, before: 0, per_frame: 1 }, n, &mut out);
        out
    }

    #[test]
    fn sizes() {
        for (format, sizes) in [(Format::F212, [0, 2, 3, 5, 6, 8]), (Format::F310, [0, 2, 4, 4, 6, 8])] {
            assert_eq!([0, 1, 2, 3, 4, 5].map(|n| format.bytes_for(n).unwrap()), sizes, "{format:?}");
        }
        assert_eq!([0, 1, 2, 3, 4, 5].map(|n| Format::F311.bytes_for(n).unwrap()), [0, 2, 3, 4, 6, 7]);
        assert_eq!((Format::F32.bytes_for(u64::MAX / 2), Format::F24.codes_in(u64::MAX)), (None, u64::MAX / 3));
        for format in Format::ALL {
            assert_eq!(Format::from_number(format.number()), Some(format));
            for codes in 0..40 {
                let bytes = format.bytes_for(codes).unwrap();
                // four bytes of 310 may hold two codes or three
                let spare = u64::from(format == Format::F310 && codes % 3 == 2);
                assert_eq!(format.codes_in(bytes), codes + spare);
                assert!(codes == 0 || format.codes_in(bytes - 1) < codes, "{format:?} {codes}");
            }
        }
        assert_eq!(Format::from_number(516), None);
    }

    proptest! {
        #[test]
        fn a_signal_alone_is_its_part_of_all(bytes in proptest::collection::vec(any::<u8>(), 0..200), which in 0usize..10,
                                            before in 0usize..4, per_frame in 1usize..4, after in 0usize..4) {
            let format = Format::ALL[which];
            let all = all_codes(format, &bytes);
            let frame = before + per_frame + after;
            let mut found = Vec::new();
            format.decode(&bytes, Place { frame, before, per_frame }, all.len() / frame, &mut found);
            let expected: Vec<i32> = all.chunks_exact(frame).flat_map(|f| f[before..before + per_frame].to_vec()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
