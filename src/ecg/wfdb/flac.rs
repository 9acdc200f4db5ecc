//! Signal files that are FLAC streams: WFDB's formats 508, 516 and 524, of up to 8, 16 and 24 bits. Each signal of the
//! file is a channel.

use crate::error::{Error, Result};
use claxon::{FlacReader, FlacReaderOptions};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// What of a stream is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// The most bits that a code may have.
    pub bits: u32,
    /// Channels that there must be, and the one to read.
    pub channels: usize,
    pub channel: usize,
    /// Codes of a channel that come before the record's first.
    pub skip: u64,
    /// Codes to read; `None` takes all there are.
    pub codes: Option<u64>,
}

/// Gives the codes of a channel block by block: what a stream claims of its length allocates nothing. Every block has a
/// checksum; one that is damaged, or missing, is an error.
pub(super) fn read(path: &Path, file: File, wanted: Wanted, mut take: impl FnMut(&[i32])) -> Result<()> {
    let fault = |what: String, hint: &str| Error::file(path, what, hint);
    let damaged = |e: claxon::Error| {
        Error::file(path, format!("is no FLAC stream that can be read: {e}"), "fetch the signal file again")
    };
    let options = FlacReaderOptions { read_vorbis_comment: false, ..FlacReaderOptions::default() };
    let mut reader = FlacReader::new_ext(BufReader::new(file), options).map_err(damaged)?;
    let info = reader.streaminfo();
    if info.channels as usize != wanted.channels {
        return Err(fault(
            format!("holds {} channels, expected {} as in the header", info.channels, wanted.channels),
            "correct the header: each signal of a FLAC file is a channel",
        ));
    }
    if info.bits_per_sample > wanted.bits {
        let format = 500 + wanted.bits;
        return Err(fault(
            format!(
                "holds codes of {} bits, expected at most {} in format {format}",
                info.bits_per_sample, wanted.bits
            ),
            "correct the format in the header: 508, 516 or 524",
        ));
    }
    let wanted_codes = wanted.codes.or(info.samples.map(|n| n.saturating_sub(wanted.skip)));
    let (mut seen, mut given) = (0_u64, 0_u64);
    let mut blocks = reader.blocks();
    let mut buffer = Vec::new();
    while wanted_codes.is_none_or(|n| given < n) {
        let Some(block) = blocks.read_next_or_eof(buffer).map_err(damaged)? else { break };
        if block.channels() as usize != wanted.channels {
            return Err(fault(
                format!("holds a block of {} channels after others of {}", block.channels(), wanted.channels),
                "fetch the signal file again",
            ));
        }
        let codes = block.channel(wanted.channel as u32);
        let before = wanted.skip.saturating_sub(seen).min(codes.len() as u64) as usize;
        seen += codes.len() as u64;
        let codes = &codes[before..];
        let left = wanted_codes.map_or(u64::MAX, |n| n - given).min(codes.len() as u64) as usize;
        take(&codes[..left]);
        given += left as u64;
        buffer = block.into_buffer();
    }
    match wanted_codes {
        Some(expected) if given < expected => Err(fault(
            format!("is truncated: {given} samples of a channel found, {expected} expected"),
            "fetch the file again, or correct the header",
        )),
        _ => Ok(()),
    }
}
