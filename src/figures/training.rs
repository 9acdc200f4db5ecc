//! Training curves of one or several runs: a panel for every loss term or metric. A term never hides another, and where
//! several runs are drawn, each is a thin line and their mean a thick one.

use crate::error::{Error, Result};
use crate::plot::axes::{Axis, Entry, Frame, legend, legend_height};
use crate::plot::canvas::Canvas;
use crate::plot::figure::Figure;
use crate::plot::panels::{Grid, Line, band, line, title};
use crate::plot::style::{INK_SOFT, Look, MM_PER_PT, PT_AXIS, Rgb, arm_color};
use crate::run::folder::EpochLog;

/// Positive losses that span more than this factor are drawn on a logarithmic axis.
const LOG_FROM: f64 = 50.0;
/// Most groups of runs that can be told apart.
const MOST: usize = 8;
/// Epochs up to which every one gets a mark.
const MARKED: usize = 20;

/// Runs that belong together: those of one variant.
#[derive(Debug, Clone)]
pub struct Runs<'a> {
    /// Name of the variant.
    pub name: &'a str,
    /// The log of every run.
    pub logs: Vec<&'a [EpochLog]>,
}

/// What a panel shows of a row.
type Of<'a> = Box<dyn Fn(&EpochLog) -> Option<f64> + 'a>;

struct Panel<'a> {
    name: String,
    of: Of<'a>,
    log: bool,
}

/// Names in the order in which they first appear.
fn names<'a>(groups: &[Runs<'a>], of: impl Fn(&'a EpochLog) -> &'a Vec<(String, f64)>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in groups.iter().flat_map(|g| &g.logs).flat_map(|log| log.iter()).flat_map(of) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

/// The named value; `None` where a row does not have it, which is no gap.
fn value(values: &[(String, f64)], name: &str) -> Option<f64> {
    values.iter().find(|v| v.0 == name).map(|v| v.1)
}

/// Draws every loss term, and the learning rate. A term that is the same as another in every row shares its panel.
///
/// # Errors
/// Without an epoch or a loss term, with more than 8 groups.
pub fn losses<'a>(look: &Look, groups: &[Runs<'a>], caption: &str) -> Result<Figure<'a>> {
    let terms = names(groups, |row| &row.losses);
    let rows = || groups.iter().flat_map(|g| &g.logs).flat_map(|log| log.iter());
    let mut shared: Vec<Vec<&str>> = Vec::new();
    for term in terms {
        let nan = |v: Option<f64>| v.is_some_and(f64::is_nan);
        let same = |a: Option<f64>, b: Option<f64>| a == b || (nan(a) && nan(b));
        let twin = |other: &Vec<&str>| rows().all(|r| same(value(&r.losses, term), value(&r.losses, other[0])));
        match shared.iter_mut().find(|other| twin(other)) {
            Some(other) => other.push(term),
            None => shared.push(vec![term]),
        }
    }
    if shared.is_empty() {
        return Err(Error::data("losses", "the logs have no loss term", "train for at least one epoch"));
    }
    let mut panels: Vec<Panel> = shared
        .into_iter()
        .map(|terms| {
            let first = terms[0];
            let name = format!("loss: {}", terms.join(" = "));
            Panel { name, of: Box::new(move |row: &EpochLog| value(&row.losses, first)), log: true }
        })
        .collect();
    panels.push(Panel { name: "learning rate".into(), of: Box::new(|row| Some(row.lr)), log: false });
    draw(look, "losses", groups, panels, caption)
}

/// Draws every metric.
///
/// # Errors
/// As [`losses`].
pub fn metrics<'a>(look: &Look, groups: &[Runs<'a>], caption: &str) -> Result<Figure<'a>> {
    let panel = |name: &'a str| Panel {
        name: metric_name(name),
        of: Box::new(move |row: &EpochLog| value(&row.metrics, name)),
        log: false,
    };
    let panels: Vec<Panel> =
        names(groups, |row| &row.metrics).into_iter().filter(|name| is_drawn(name)).map(panel).collect();
    if panels.is_empty() {
        return Err(Error::data("metrics", "the logs have no metric", "train for at least one epoch"));
    }
    draw(look, "metrics", groups, panels, caption)
}

/// Sensitivity is nearly accuracy and specificity nearly 1: two curves a part tell enough.
fn is_drawn(metric: &str) -> bool {
    ["_accuracy", "_macro_f1", "_dead_maps"].iter().any(|end| metric.ends_with(end))
}

/// The log's name of a metric as people write it: `train_macro_f1` is macro-F1 (training). Others stay as they are.
fn metric_name(log: &str) -> String {
    let parts = [("train_", " (training)"), ("validation_", " (validation)"), ("test_", " (test)")];
    let found = parts.iter().find_map(|(start, part)| Some((log.strip_prefix(start)?, *part)));
    let (metric, part) = found.unwrap_or((log, ""));
    let name = match metric {
        "accuracy" => "accuracy",
        "macro_f1" => "macro-F1",
        "dead_maps" => "dead maps",
        _ => return log.to_owned(),
    };
    format!("{name}{part}")
}

/// A curve of every run of a group, their mean and what lies one standard deviation beside it.
struct Curves {
    color: Rgb,
    runs: Vec<Vec<(f64, f64)>>,
    mean: Vec<(f64, f64)>,
    band: Vec<(f64, f64, f64)>,
}

impl Curves {
    fn new(color: Rgb, logs: &[&[EpochLog]], of: &Of) -> Self {
        let runs: Vec<Vec<(f64, f64)>> =
            logs.iter().map(|log| log.iter().filter_map(|row| Some((row.epoch as f64, of(row)?))).collect()).collect();
        let runs: Vec<Vec<(f64, f64)>> = runs.into_iter().filter(|run: &Vec<_>| !run.is_empty()).collect();
        let mut mean = Vec::new();
        let mut band = Vec::new();
        let longest = runs.iter().max_by_key(|run| run.len()).cloned().unwrap_or_default();
        for (i, (epoch, _)) in longest.iter().enumerate() {
            // the mean of some runs is none of all: there it has a gap
            let values: Vec<f64> =
                runs.iter().filter_map(|r| r.get(i).filter(|p| p.0 == *epoch)).map(|p| p.1).collect();
            let n = values.len() as f64;
            let m = if values.len() == runs.len() { values.iter().sum::<f64>() / n } else { f64::NAN };
            let sd = (values.iter().map(|v| (v - m).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
            mean.push((*epoch, m));
            band.push((*epoch, m - sd, m + sd));
        }
        if runs.len() < 2 {
            band.clear();
        }
        Self { color, runs, mean, band }
    }
}

fn draw<'a>(look: &Look, stem: &str, groups: &[Runs<'a>], panels: Vec<Panel>, caption: &str) -> Result<Figure<'a>> {
    if groups.len() > MOST {
        let what = format!("{} variants, at most {MOST} can be told apart", groups.len());
        return Err(Error::data(stem, what, "give fewer folders"));
    }
    let epochs = || groups.iter().flat_map(|g| &g.logs).flat_map(|log| log.iter()).map(|row| row.epoch);
    let (Some(first), Some(last)) = (epochs().min(), epochs().max()) else {
        return Err(Error::data(stem, "the logs have no epoch", "train for at least one epoch"));
    };
    let x = Axis::whole_within(first, last, 5);
    // marks where they have room, dashes where they have not
    let few = last - first < MARKED;
    let width = look.width();
    let columns = ((width / 55.0) as usize).clamp(1, 3);
    let entries: Vec<Entry> = groups.iter().enumerate().map(|(i, g)| Entry::arm(g.name, i, few)).collect();
    let several = entries.len() > 1;
    let above = if several { 3.0 + legend_height(&entries, width - 16.0) } else { 1.0 };
    let grid = Grid { width, columns, left: 13.0, right: 4.0, top: 6.5, height: 30.0, bottom: 9.5 };
    let (frames, end) = grid.frames(panels.len(), above);
    let made: Vec<(String, Axis, Vec<Curves>, Frame)> = panels
        .into_iter()
        .zip(frames)
        .map(|(panel, frame)| {
            let curves: Vec<Curves> =
                groups.iter().enumerate().map(|(i, g)| Curves::new(arm_color(i), &g.logs, &panel.of)).collect();
            let values = curves.iter().flat_map(|c| c.runs.iter().flatten()).map(|p| p.1);
            let log = Axis::logarithmic(values.clone(), LOG_FROM).filter(|_| panel.log);
            let name = if log.is_some() { format!("{} (log scale)", panel.name) } else { panel.name };
            (name, log.unwrap_or_else(|| Axis::linear(values, 4)), curves, frame)
        })
        .collect();
    Ok(Figure::new(stem, look.page(end + 1.0), caption, move |c: &mut Canvas| {
        if several {
            legend(c, &entries, (13.0, 2.0), width - 16.0);
        }
        for (name, y, curves, frame) in &made {
            frame.draw(c, &x, y, Some("epoch"), "");
            title(c, frame, name);
            for group in curves {
                band(c, frame, (&x, y), &group.band, group.color, 0.16);
            }
            for group in curves.iter().filter(|g| g.runs.len() > 1) {
                let thin = Line { pt: PT_AXIS, ..Line::new(c.tint(group.color, 0.5)) };
                group.runs.iter().for_each(|run| line(c, frame, (&x, y), run, thin));
            }
            for (group, entry) in curves.iter().zip(&entries) {
                line(c, frame, (&x, y), &group.mean, Line::of(entry));
            }
            if curves.iter().all(|g| g.runs.iter().flatten().all(|p| !p.1.is_finite())) {
                crate::plot::panels::remark(c, frame, "no finite value");
            } else if curves.iter().any(|g| g.runs.iter().flatten().any(|p| !p.1.is_finite())) {
                let style = crate::plot::canvas::Type::new(crate::plot::style::PT_MIN).color(INK_SOFT).end();
                c.text((frame.x1, frame.y0 + style.pt * MM_PER_PT), "gaps: no finite value", &style);
            }
        }
        Ok(())
    }))
}
