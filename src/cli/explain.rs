//! `exgnet explain`: where in a strip the network looked.

use super::look::LookArgs;
use super::predict::{ReadArgs, for_each, strip_json, upload};
use super::{Common, model, print_json, print_line};
use crate::ecg::labels::Scheme;
use crate::ecg::strip_input::expert_rhythm;
use crate::error::{Error, Result};
use crate::explain::scores::is_dead;
use crate::explain::{Explained, argmax, explain_strips, probabilities, resize_map, target_layer};
use crate::figures::{GradCamFigure, gradcam};
use crate::files::{guard, write_atomically};
use crate::plot::ecg_paper::Strip;
use clap::Args;
use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;

/// Draw the Grad-CAM map of strips and write it as .npy
#[derive(Args)]
#[command(after_help = "Example: exgnet explain --model results/mitbih mitdb/201@120 --out maps --layer blocks.2\n\n\
                  The page is wide enough for 10 s of true paper (25 mm/s, 10 mm/mV) unless --width-mm says otherwise.\n\
                  A map is not written over one of another class, layer or model: give each a folder of its own, such as\n\
                  maps/SR and maps/SB, or --force.")]
pub(super) struct ExplainArgs {
    /// Model file or run folder
    #[arg(long)]
    model: PathBuf,
    /// Strips, as for `predict`
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Folder for `<input stem>.npy` (f32, a value for each sample at the model's rate, the largest is 1) and the figure
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Class to explain; the predicted one where not given
    #[arg(long, value_name = "C")]
    class: Option<String>,
    /// Target layer, such as blocks.0 or stem; the last block where not given
    #[arg(long, value_name = "LAYER")]
    layer: Option<String>,
    #[command(flatten)]
    look: LookArgs,
    #[command(flatten)]
    read: ReadArgs,
}

/// A one-dimensional f32 array as a NumPy file (format 1.0).
fn npy(values: &[f32]) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", values.len());
    // Magic, version and length take 10 bytes; the data begins at a multiple of 64.
    let padded = (header.len() + 11).next_multiple_of(64) - 11;
    header.extend(std::iter::repeat_n(' ', padded - header.len()));
    header.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    out.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    out
}

pub(super) fn run(common: &Common, args: &ExplainArgs) -> Result<ExitCode> {
    let model = model::load(common, &args.model)?;
    let classes = &model.info.classes;
    let known = |name| {
        classes.iter().position(|c| c == name).ok_or_else(|| {
            let what = format!("--class {name}: the model has no such class, expected one of {}", classes.join(", "));
            Error::config(what, "leave --class out to see the map of the class that is predicted")
        })
    };
    let class = args.class.as_ref().map(known).transpose()?;
    let maps = model.info.config.maps();
    let layer = target_layer(args.layer.as_deref(), &maps)?;
    let name = maps[layer].as_str();
    let titled = if layer + 1 == maps.len() { format!("{name} (last)") } else { name.to_owned() };
    let gpu = common.gpu()?;
    let net = model.network(&gpu)?.folded()?;
    let mut written = HashSet::new();
    let to = &model.info.preprocessing;
    let look = args.look.look(gradcam::TRUE_MM)?;
    Ok(for_each(common, &args.inputs, &args.read, &model.info, |path, strip| {
        if !written.insert(strip.name.clone()) {
            return Err(Error::file(
                path,
                format!("another input is called {} too, and the map's name comes from it", strip.name),
                "explain the two into different folders",
            ));
        }
        let mut all = explain_strips(&net, &upload(&gpu, &strip.signal)?, layer, class)?;
        let Explained { logits, class: target, map } = all.pop().expect("one strip, one map");
        if map.len() < 2 && written.len() == 1 {
            common.say(format!(
                "warning: maps of {name} are 1 sample long and show no place: --layer names an earlier one"
            ));
        }
        let dead = is_dead(&map);
        let map = resize_map(&map, strip.signal.len());
        let p = probabilities(&logits);
        let predicted = argmax(&logits);
        let scheme = Scheme::by_name(&to.scheme).ok();
        let truth = scheme.and_then(|scheme| {
            let index = scheme.class_of(expert_rhythm(path, to.seconds)?)?;
            Some((scheme.classes[index], index))
        });
        let npy_path = args.out.join(format!("{}.npy", strip.name));
        let npy = npy(&map);
        // no picture of one map beside the values of another
        guard::check(&npy_path, Some(&npy))?;
        let class_name = |class: usize| (classes[class].as_str(), class);
        let pages = gradcam::figures(
            &look,
            &strip.name,
            &GradCamFigure {
                strip: Strip {
                    record: &strip.name,
                    signal: &strip.signal,
                    fs: to.fs,
                    in_mv: strip.in_mv,
                    r_peaks: &strip.r_peaks,
                    expert_beats: strip.expert_beats,
                },
                map: &map,
                true_class: truth,
                predicted: class_name(predicted),
                probability: p[predicted],
                target: class_name(target),
                layer: &titled,
            },
        )?;
        let mut figures = Vec::new();
        for page in &pages {
            figures.extend(page.write_drawings(&args.out, &args.look.format)?);
        }
        write_atomically(&npy_path, &npy)?;
        if args.read.json {
            let mut row = strip_json(path, &strip, &model, &logits);
            row["explained_class"] = classes[target].as_str().into();
            row["layer"] = name.into();
            row["dead_map"] = dead.into();
            row["map"] = npy_path.to_string_lossy().into();
            row["figure"] = figures[0].to_string_lossy().into();
            print_json(&row, false);
        } else {
            print_line(&format!(
                "{}: {} ({:.3})  map of {}{}  {}  {}",
                path.display(),
                classes[predicted],
                p[predicted],
                classes[target],
                if dead { " (dead: zero everywhere, nothing speaks for the class)" } else { "" },
                npy_path.display(),
                figures[0].display()
            ));
        }
        Ok(())
    }))
}
