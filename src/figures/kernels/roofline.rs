//! How near each layer comes to what the adapter can do.

use super::marks::{log_axis, place};
use super::{KernelData, adapter_note, drawable, intensity, missing_note, pass, passes, three};
use crate::figures::network::fitting;
use crate::lab::ceilings::Ceilings;
use crate::lab::measure::{Row, Table};
use crate::plot::axes::{Axis, Frame};
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::figure::Figure;
use crate::plot::legend::{Entry, legend, legend_height};
use crate::plot::style::{INK, INK_SOFT, Look, PT_CURVE, PT_LABEL, PT_MIN, PT_SMALL, series_color};

/// Most passes with a mark of their own.
const MOST: usize = 6;

/// The roofline: rate of every layer and pass against its arithmetic intensity, below the measured ceilings. `None`
/// without an operation that has both numbers. Of several versions of an operation the fastest is drawn.
pub fn roofline(data: &KernelData, look: &Look) -> Option<Figure<'static>> {
    let (table, fastest) = match (&data.layers, &data.variants) {
        (Some(table), _) => (table, false),
        (None, Some(table)) => (table, true),
        (None, None) => return None,
    };
    let rows = if fastest { fastest_of(table) } else { table.rows.iter().collect() };
    let has_place = |r: &&Row| drawable(r.gflops) && drawable(intensity(r));
    let drawn: Vec<Row> = rows.iter().copied().filter(has_place).cloned().collect();
    if drawn.is_empty() {
        return None;
    }
    let missing = rows.len() - drawn.len();
    let ceilings = Some(table.ceilings).filter(|c| drawable(c.gflops) || drawable(c.gb_per_s));
    let caption = caption(table, ceilings, &drawn, missing, fastest);
    let names = passes(drawn.iter());
    let marks: Vec<Entry> =
        names.iter().enumerate().map(|(i, name)| Entry::mark(pass(name), i, series_color(i.min(MOST - 1)))).collect();
    let page = look.page(if look.is_wide() { 92.0 } else { 74.0 });
    let (left, right) = (14.0, page.width_mm - 3.0);
    let top = 2.0 + legend_height(&marks, right - left) + 1.0;
    let frame = Frame { x0: left, y0: top, x1: right, y1: page.height_mm - 10.5 };
    let ridge = ceilings.map(|c| c.gflops / c.gb_per_s).filter(|v| drawable(*v));
    let xs = || drawn.iter().map(intensity).chain(ridge.map(|r| r / 4.0));
    let ys = || drawn.iter().map(|r| r.gflops).chain(ceilings.map(|c| 1.15 * c.gflops).filter(|v| drawable(*v)));
    let axis = |low: f64, high: f64, mm: f64, apart: f64| log_axis(low, high, apart / mm);
    let range =
        |v: &mut dyn Iterator<Item = f64>| v.fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
    let ((x_low, x_high), (y_low, y_high)) = (range(&mut xs()), range(&mut ys()));
    let x = axis(x_low, x_high, frame.x1 - frame.x0, 7.0);
    let y = axis(y_low, y_high, frame.y1 - frame.y0, 4.5);
    let x_labels = ["arithmetic intensity (FLOP per byte)", "intensity (FLOP per byte)"];
    let x_label = fitting(&x_labels, &Type::new(PT_LABEL), frame.x1 - frame.x0);
    Some(Figure::new("roofline", page, caption, move |c| {
        legend(c, &marks, (left, 2.0), right - left);
        frame.draw(c, &x, &y, Some(&x_label), "rate (GFLOP/s)");
        let at = |r: &Row| frame.at(&x, &y, (intensity(r), r.gflops));
        let points: Vec<Point> = drawn.iter().filter_map(at).collect();
        let mut taken = ceilings.map_or(Vec::new(), |ceilings| roof(c, frame, (&x, &y), ceilings, &points));
        // the first pass lies on top
        for row in drawn.iter().rev() {
            let index = names.iter().position(|n| *n == row.operation).unwrap_or(0);
            if let (Some(p), Some(mark)) = (at(row), marks.get(index)) {
                mark.draw_mark(c, p);
            }
        }
        let by_rate = |a: &&Row, b: &&Row| a.gflops.total_cmp(&b.gflops);
        let (slowest, fastest) = (drawn.iter().min_by(by_rate), drawn.iter().max_by(by_rate));
        for row in fastest.iter().chain(slowest.iter().filter(|_| drawn.len() > 1)) {
            if let Some(p) = at(row) {
                taken.extend(name(c, frame, p, &super::name(row), (&points, &taken)));
            }
        }
        Ok(())
    }))
}

/// The fastest version of every operation, in the order of the table.
fn fastest_of(table: &Table) -> Vec<&Row> {
    let mut best: Vec<&Row> = Vec::new();
    let mut index = std::collections::HashMap::new();
    for row in &table.rows {
        let at = *index.entry((&row.layer, &row.operation, row.shape)).or_insert(best.len());
        match best.get_mut(at) {
            Some(found) if row.gflops > found.gflops || found.gflops.is_nan() => *found = row,
            Some(_) => {}
            None => best.push(row),
        }
    }
    best
}

/// The place of a text: left end of its baseline, width and height.
type Taken = (Point, f64, f64);

/// Draws the ceilings with their labels; gives the labels' places.
fn roof(c: &mut Canvas, frame: Frame, (x, y): (&Axis, &Axis), most: Ceilings, points: &[Point]) -> Vec<Taken> {
    let mut taken = Vec::new();
    let small = Type::new(PT_SMALL);
    let ridge = Some(most.gflops / most.gb_per_s).filter(|v| drawable(*v));
    let (right, bottom) = (x.max, y.min);
    if drawable(most.gflops) {
        let from = ridge.unwrap_or(x.min).max(x.min);
        if let (Some(a), Some(b)) = (frame.at(x, y, (from, most.gflops)), frame.at(x, y, (right, most.gflops))) {
            c.polyline(&[a, b], PT_CURVE, INK);
            let rate = format!("{} GFLOP/s", three(most.gflops));
            let text = fitting(&[format!("multiply-adds: {rate}"), rate], &small, b.0 - a.0);
            let wide = small.width(&text);
            let height = 2.0 * small.drop();
            let above = [a.0 + 2.0, (a.0 + b.0 - wide) / 2.0, b.0 - wide].map(|left| (left.max(a.0), a.1 - 1.2));
            let below = [b.0 - wide, a.0 + 2.0].map(|left| (left, a.1 + 1.4 + height));
            let places: Vec<Point> = above.into_iter().chain(below).collect();
            if let Some(p) = place(&places, (wide, height), points) {
                c.text(p, &text, &small);
                taken.push((p, wide, height));
            }
        }
    }
    if drawable(most.gb_per_s) {
        // from where the line enters the frame to the ridge, or to where it leaves
        let low = (bottom / most.gb_per_s).max(x.min);
        let high = ridge.unwrap_or(right).min(right).min(y.max / most.gb_per_s);
        if let (Some(a), Some(b)) =
            (frame.at(x, y, (low, low * most.gb_per_s)), frame.at(x, y, (high, high * most.gb_per_s)))
            && high > low
        {
            c.polyline(&[a, b], PT_CURVE, INK);
            let texts = ["copy:".to_owned(), format!("{} GB/s", three(most.gb_per_s))];
            let wide = small.width(&texts[1]).max(small.width(&texts[0]));
            let height = 2.0 * small.drop();
            // beside the middle of the line: to the right below it, or to the left above it
            let middle = |t: f64| (a.0 + t * (b.0 - a.0), a.1 + t * (b.1 - a.1));
            let places: Vec<Point> = [0.35, 0.2, 0.5]
                .map(middle)
                .iter()
                .flat_map(|m| [(m.0 + 2.0, m.1 + 3.6 + height), (m.0 - wide - 1.5, m.1 - 1.5)])
                .filter(|p| p.0 > frame.x0 + 0.8 && p.1 < frame.y1 - 0.8)
                .collect();
            if let Some(p) = place(&places, (wide, 2.0 * height + 1.2), points) {
                c.text((p.0, p.1 - height - 1.2), &texts[0], &small);
                c.text(p, &texts[1], &small);
                taken.push((p, wide, 2.0 * height + 1.2));
            }
        }
    }
    taken
}

/// The name of a layer beside its mark, where no other text is; gives its place.
fn name(c: &mut Canvas, frame: Frame, p: Point, name: &str, (points, taken): (&[Point], &[Taken])) -> Option<Taken> {
    let style = Type::new(PT_MIN).color(INK_SOFT);
    let text = style.shorten(name, 26.0);
    let (wide, height) = (style.width(&text), 2.0 * style.drop());
    let apart = |q: &Point, (at, w, h): &Taken| {
        q.0 > at.0 + w + 0.8 || q.0 + wide + 0.8 < at.0 || q.1 - height - 0.6 > at.1 || q.1 + 0.6 < at.1 - h
    };
    let inside = |q: &Point| {
        q.0 > frame.x0 + 0.5 && q.0 + wide < frame.x1 + 1.0 && q.1 - height > frame.y0 - 1.0 && q.1 < frame.y1 - 0.5
    };
    let places: Vec<Point> = [
        (p.0 - wide / 2.0, p.1 - 2.0),
        (p.0 - wide - 2.2, p.1 + style.drop()),
        (p.0 + 2.2, p.1 + style.drop()),
        (p.0 - wide / 2.0, p.1 + 2.0 + height),
    ]
    .into_iter()
    .filter(|q| inside(q) && taken.iter().all(|t| apart(q, t)))
    .collect();
    let at = place(&places, (wide, height), points)?;
    c.text(at, &text, &style);
    Some((at, wide, height))
}

fn caption(table: &Table, ceilings: Option<Ceilings>, drawn: &[Row], missing: usize, fastest: bool) -> String {
    let layers: std::collections::HashSet<String> = drawn.iter().map(super::name).collect();
    let mut batches = drawn.iter().map(|r| r.shape.batch).filter(|b| *b > 0);
    let batch = batches.next().filter(|first| batches.all(|b| b == *first));
    let batch = batch.map_or(String::new(), |b| format!(", batch {b}"));
    let roof = match ceilings {
        Some(c) if drawable(c.gflops) && drawable(c.gb_per_s) => format!(
            "Lines: what kernels of the same program reach at most on this adapter, {} GFLOP/s of multiply-adds and {} GB/s \
             of a copy; left of their meeting at {} FLOP per byte the copy would be the limit.",
            three(c.gflops),
            three(c.gb_per_s),
            three(c.gflops / c.gb_per_s)
        ),
        Some(c) if drawable(c.gflops) => {
            format!("Line: most multiply-adds that kernels reach here, {} GFLOP/s.", three(c.gflops))
        }
        Some(c) => format!("Line: most that a copy reaches here, {} GB/s.", three(c.gb_per_s)),
        None => "Ceilings were not recorded.".into(),
    };
    let version = if fastest { " in the fastest of their versions" } else { "" };
    let above = ceilings.map_or(0, |c| drawn.iter().filter(|r| r.gflops > c.gflops).count());
    let above = if above > 0 { format!(" ({above} here)") } else { String::new() };
    format!(
        "Roofline: {} measurements of {} layers{batch}{version}, each mark the median over the rounds. Arithmetic intensity: \
         floating-point operations of the direct sum per byte that must be moved at least (input, weights and output once). \
         {roof} The rate counts the multiplications of the direct sum; fast (Toom-Cook) convolutions do fewer, so they may \
         lie above the ceiling{above}. Named, where there is room: the fastest and the slowest. {}{}",
        drawn.len(),
        layers.len(),
        adapter_note(&table.adapter),
        missing_note(missing)
    )
}
