//! Signal files that are FLAC streams: WFDB's formats 508, 516 and 524, of up to 8, 16 and 24 bits. Each signal of the
//! file is a channel.

use super::format::Place;
use crate::error::{Error, Result};
use claxon::{FlacReader, FlacReaderOptions};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Gives the codes of a channel block by block: what a stream claims of its length allocates nothing. Every block has a
/// checksum; one that is damaged, or missing, is an error. Codes of at most `bits` bits; those of a channel from the `skip`th
/// on, `limit` of them or all there are. In `place` a frame is a code of each channel.
pub(super) fn read(
    path: &Path,
    file: File,
    bits: u32,
    place: Place,
    (skip, limit): (u64, Option<u64>),
    mut take: impl FnMut(&[i32]),
) -> Result<()> {
    let fault = |what: String, hint: &str| Error::file(path, what, hint);
    let damaged = |e: claxon::Error| {
        Error::file(path, format!("is no FLAC stream that can be read: {e}"), "fetch the signal file again")
    };
    let options = FlacReaderOptions { read_vorbis_comment: false, ..FlacReaderOptions::default() };
    let mut reader = FlacReader::new_ext(BufReader::new(file), options).map_err(damaged)?;
    let info = reader.streaminfo();
    if info.channels as usize != place.frame {
        return Err(fault(
            format!("holds {} channels, expected {} as in the header", info.channels, place.frame),
            "correct the header: each signal of a FLAC file is a channel",
        ));
    }
    if info.bits_per_sample > bits {
        let (found, format) = (info.bits_per_sample, 500 + bits);
        return Err(fault(
            format!("holds codes of {found} bits, expected at most {bits} in format {format}"),
            "correct the format in the header: 508, 516 or 524",
        ));
    }
    let wanted = limit.or(info.samples.map(|n| n.saturating_sub(skip)));
    let (mut seen, mut given) = (0_u64, 0_u64);
    let mut blocks = reader.blocks();
    let mut buffer = Vec::new();
    while wanted.is_none_or(|n| given < n) {
        let Some(block) = blocks.read_next_or_eof(buffer).map_err(damaged)? else { break };
        if block.channels() as usize != place.frame {
            return Err(fault(
                format!("holds a block of {} channels after others of {}", block.channels(), place.frame),
                "fetch the signal file again",
            ));
        }
        let codes = block.channel(place.before as u32);
        let before = skip.saturating_sub(seen).min(codes.len() as u64) as usize;
        seen += codes.len() as u64;
        let codes = &codes[before..];
        let left = wanted.map_or(u64::MAX, |n| n - given).min(codes.len() as u64) as usize;
        take(&codes[..left]);
        given += left as u64;
        buffer = block.into_buffer();
    }
    match wanted {
        Some(expected) if given < expected => Err(fault(
            format!("is truncated: {given} samples of a channel found, {expected} expected"),
            "fetch the file again, or correct the header",
        )),
        _ => Ok(()),
    }
}
