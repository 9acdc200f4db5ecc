//! A strip of each class with its map and the guidance target under it.

use super::{Row, ncc, of_arms, place};
use crate::figures::catalogue::Drawn;
use crate::plot::Look;
use crate::run::examples::Example;
use crate::run::set::RunSet;

pub(crate) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    of_arms(
        drawn,
        set,
        look,
        ("gradcam", true),
        |_| true,
        |arm, run, shown| {
            let (mut rows, mut absent) = (Vec::new(), Vec::new());
            for (k, class) in shown.classes.iter().enumerate() {
                let own: Vec<&Example> = shown.strips.iter().filter(|s| s.class == k).collect();
                let first = own.iter().find(|s| s.is_right()).or(own.first());
                let wanted = if set.picked { &own[..] } else { first.map_or(&[][..], std::slice::from_ref) };
                if own.is_empty() {
                    absent.push(class.as_str());
                }
                rows.extend(wanted.iter().map(|strip| {
                    let mut row = Row::new(shown, strip);
                    row.facts.extend(ncc(strip));
                    row.push(strip, [], k, true);
                    row
                }));
            }
            let which = match set.picked {
                true => "",
                false => ": a strip of each class, one that is classified right where there is one",
            };
            let none = match set.picked || absent.is_empty() {
                true => String::new(),
                false => format!(" No test record of {}.", absent.join(", ")),
            };
            Ok((rows, format!("Grad-CAM of {arm} for the true class ({}){which}.{none}", place(run, shown))))
        },
    );
}
