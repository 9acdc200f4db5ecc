//! A data set as one file: a `safetensors` file, made once by [`prepare`] and read by memory map with [`read`].
//!
//! | tensor | shape | |
//! |---|---|---|
//! | `signals` | f32 `[N, L]` | mV where `in_mv`, resampled, cleaned if asked, not z-scored |
//! | `targets` | f32 `[N, L]` | the guidance target, 0 to 1; all zero where invalid |
//! | `features` | f32 `[N, 17]` | [`super::features::NAMES`], not standardised, NaN where not defined |
//! | `labels` | i32 `[N]` | index into `classes` |
//! | `r_peaks` | i32 | of all strips one after the other, samples |
//! | `r_peak_offsets` | i32 `[N + 1]` | those of strip `i` are `r_peaks[offsets[i]..offsets[i + 1]]` |
//!
//! Metadata (strings): `format`, `classes`, `record_ids`, `patient_ids`, `sources`, `expert_beats`, `exclusions`,
//! `notes` (JSON lists, the four in the middle with one entry a strip), `feature_names`, `patient_pattern`, `guidance`
//! (the target's constants as JSON), and the settings of [`super::preprocessing::Preprocessing::metadata`]: `scheme`, `fs`,
//! `seconds`, `lead`, `clean`, `mains`, `detector` (`patient_pattern` and the last two are not in files of version 0.1).
//!
//! Where the source of a strip states no unit, `in_mv` (a JSON list with one entry a row) is false; without the key all are in mV.
//!
//! Of a set with all leads (`leads` is `all`), the other leads of a window are rows behind it, for which `other_leads` (a JSON
//! list with one entry a row) is true.

mod cache;
mod reader;
mod writer;

use super::guidance::GuidanceConfig;
use super::sources::{self, Progress, Source};
use super::{Exclusion, LoadOptions};
use crate::error::Result;
use crate::files::{self, guard, write_atomically};
use std::path::{Path, PathBuf};

pub use cache::through_cache;
pub use reader::{is_prepared, read};
use writer::Writer;

/// Value of the metadata key `format`.
const FORMAT: &str = "exgnet-data-1";

/// Reads sources once and writes them as a prepared data set, and beside it `<name>.exclusions.csv`. Strips are
/// written as they come, so that a source may be larger than the memory. Both files appear whole or not at all. A command
/// replaces a data set of the same sources and settings; another file is refused without `--force`.
pub fn prepare(
    sources: &[Source],
    options: &LoadOptions,
    guidance: &GuidanceConfig,
    out: &Path,
    watch: &(dyn Fn(Progress) + Sync),
) -> Result<()> {
    sources.iter().for_each(Source::protect);
    let (meaning, beside) = (cache::meaning(sources, options, guidance), exclusions_path(out));
    if reader::File::open(out).is_ok_and(|file| file.mark() == meaning) {
        guard::replaces(out);
        guard::replaces(&beside);
    }
    // before the sources are read, which may take long
    guard::check(out, None)?;
    guard::check(&beside, None)?;
    let exclusions = prepare_marked(sources, options, guidance, out, watch, &meaning)?;
    write_exclusions(&beside, &exclusions)
}

/// [`prepare`] without the table of exclusions, with a text of the caller's in the metadata.
fn prepare_marked(
    sources: &[Source],
    options: &LoadOptions,
    guidance: &GuidanceConfig,
    out: &Path,
    watch: &(dyn Fn(Progress) + Sync),
    mark: &str,
) -> Result<Vec<Exclusion>> {
    guidance.check()?;
    options.check()?;
    let mut writer = Writer::new(out)?;
    let account = sources::read_all(sources, options, watch, &mut |strip| writer.push(&strip))?;
    writer.finish(options, guidance, account, mark)
}

/// What the name of a table of exclusions ends in, behind that of its set.
pub(crate) const EXCLUSIONS: &str = "exclusions.csv";

/// `set.exclusions.csv` of `set.safetensors`.
pub fn exclusions_path(out: &Path) -> PathBuf {
    out.with_extension(EXCLUSIONS)
}

/// Writes the table of exclusions: record, how many of what, reason.
pub fn write_exclusions(path: &Path, exclusions: &[Exclusion]) -> Result<()> {
    let rows =
        exclusions.iter().map(|e| vec![e.record.clone(), e.count.to_string(), e.unit.name().to_string(), e.why()]);
    write_atomically(path, &files::csv("record,count,unit,reason", rows))
}

#[cfg(test)]
mod tests;
