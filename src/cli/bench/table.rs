//! Measurements as text, at most 150 columns wide.

use crate::cli::print_line;
use crate::lab::ceilings::Ceilings;
use crate::lab::measure::{Kernel, Row, Status};
use crate::plot::text::grouped;

/// A number, or a dash where there is none.
fn cell(v: f64, digits: usize) -> String {
    if v.is_finite() { format!("{v:.digits$}") } else { "-".to_owned() }
}

/// A number with the unit's prefix: `819 M`.
fn si(v: f64) -> String {
    let all = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let (scale, prefix) = all.into_iter().find(|(scale, _)| v >= *scale).unwrap_or((1.0, ""));
    let digits = if v / scale >= 99.95 { 0 } else { 1 };
    format!("{:.digits$} {prefix}", v / scale)
}

/// Prints times and, where it is asked for, what runs.
pub(in crate::cli) fn print(c: &Ceilings, rows: &[Row], more: bool) {
    print_line(&format!(
        "ceilings, in turn with the rest: {:.1} GFLOP/s of multiply-adds, {:.1} GB/s of a copy",
        c.gflops, c.gb_per_s
    ));
    let named = |r: &Row| r.layer.as_ref().map_or_else(|| r.title.clone(), |layer| format!("{layer} {}", r.title));
    let wide = rows.iter().map(|r| named(r).len()).max().unwrap_or(0).clamp(12, 46);
    let version = rows.iter().map(|r| version(r).len()).max().unwrap_or(0).clamp(8, 30);
    print_line(&format!(
        "\n{:<wide$} {:<version$} {:>9} {:>17} {:>9} {:>8} {:>7} {:>10} {:>8}",
        "operation", "version", "ms", "5 % to 95 %", "least", "GFLOP/s", "GB/s", "share", "error"
    ));
    for r in rows {
        let head = format!("{:<wide$} {:<version$}", named(r), self::version(r));
        let Some(ms) = r.ms else {
            print_line(&format!("{head} {}", without_time(r)));
            continue;
        };
        print_line(&format!(
            "{head} {:>9.3} {:>17} {:>9.3} {:>8.1} {:>7.1} {:>10} {:>8.1e}",
            ms.median,
            format!("{:.3} to {:.3}", ms.p5, ms.p95),
            ms.low,
            r.gflops,
            r.gb_per_s,
            format!("{:.0} % {}", 100.0 * r.share, r.bound.name()),
            r.error,
        ));
    }
    against(rows);
    if more {
        details(rows);
    }
    print_line(
        "\nms: device time, median of the rounds, with the layout of what is read; GFLOP/s: floating-point operations of the direct \
         computation;\nGB/s: bytes that must be moved at least; share: of the ceiling that binds; error: largest against f64, \
         relative to the largest value",
    );
}

/// What was asked for and, where that is the default, what ran.
fn version(r: &Row) -> String {
    match (r.number, r.version.is_empty()) {
        // not an alias, and not of other texts
        (Some(_), false) if r.version.ends_with(&r.variant) => r.version.clone(),
        (_, false) => format!("{}: {}", r.variant, r.version),
        _ => r.variant.clone(),
    }
}

/// Why a row has no time.
fn without_time(r: &Row) -> String {
    let note = r.note.trim_end();
    match (r.status, &r.wrong) {
        (Status::Wrong, Some(wrong)) => format!("WRONG {wrong}"),
        (Status::Failed, _) => format!("FAILED {note}"),
        _ => format!("not run: {note}"),
    }
}

/// The speed-ups against a reference.
fn against(rows: &[Row]) {
    let mut said = false;
    for r in rows {
        let Some(s) = r.against else { continue };
        let Some(reference) = rows.iter().find(|o| o.against.is_none() && o.ms.is_some()) else { continue };
        if !said {
            print_line("");
            said = true;
        }
        let same = if r.same_texts(reference) { "; both run the same texts" } else { "" };
        print_line(&format!("{}{same}", s.in_words(&version(r), &version(reference))));
    }
}

/// What runs: least work, dispatches, and what the texts hold.
fn details(rows: &[Row]) {
    let kernels: Vec<(&Row, &Kernel)> = rows.iter().flat_map(|r| r.kernels.iter().map(move |k| (r, k))).collect();
    if kernels.is_empty() {
        return;
    }
    let shown = |k: &str| {
        if k.chars().count() > 50 { format!("{}…", k.chars().take(49).collect::<String>()) } else { k.to_owned() }
    };
    let name = kernels.iter().map(|(_, k)| shown(&k.kernel).chars().count()).max().unwrap_or(0).max(6);
    let mut before = "";
    for (r, k) in kernels {
        if before != r.variant {
            print_line(&format!(
                "\n{} {}: {}FLOP, {}B at least, {} FLOP/byte, dispatches {}, threads {}, compiled in {} ms",
                r.title,
                version(r),
                si(r.flops),
                si(r.bytes),
                cell(r.intensity, 1),
                r.dispatches,
                grouped(r.threads),
                cell(r.compile_ms, 0)
            ));
            print_line(&format!(
                "  {:<name$} {:>10} {:>12}   static: {:>6} {:>6} {:>6} {:>13} {:>8} {:>8}",
                "kernel", "dispatches", "threads", "loads", "stores", "shared", "multiply-adds", "shuffles", "barriers"
            ));
            before = &r.variant;
        }
        let counts = k.counts.map(|c| [c.loads, c.stores, c.shared, c.multiply_adds, c.shuffles, c.barriers]);
        let [loads, stores, shared, adds, shuffles, barriers] =
            counts.map_or_else(|| std::array::from_fn(|_| "-".to_owned()), |all| all.map(|n| n.to_string()));
        print_line(&format!(
            "  {:<name$} {:>10} {:>12}           {loads:>6} {stores:>6} {shared:>6} {adds:>13} {shuffles:>8} {barriers:>8}",
            shown(&k.kernel),
            k.dispatches,
            grouped(k.threads),
        ));
    }
}
