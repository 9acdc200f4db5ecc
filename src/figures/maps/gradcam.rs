//! A strip of each class with its map and the guidance target under it.

use super::{Row, fullest, ncc, pages};
use crate::figures::catalogue::{Drawn, stem};
use crate::plot::Look;
use crate::run::examples::Example;
use crate::run::set::RunSet;

pub(in crate::figures) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    for arm in &set.variants {
        let stem = stem("gradcam", set, arm);
        let (run, shown) = match fullest(set, arm, |_| true) {
            Ok(found) => found,
            Err(why) => {
                drawn.miss(&stem, why);
                continue;
            }
        };
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
        let none = if absent.is_empty() || set.picked {
            String::new()
        } else {
            format!(" No test record of {}.", absent.join(", "))
        };
        let caption = format!(
            "Grad-CAM of {arm} for the true class ({}, n = 1 run; block {}): a strip of each class, one that is classified \
             right where there is one.{none}",
            run.cell(),
            shown.layer
        );
        drawn.add_pages(&stem, pages(look, &stem, rows, true, &caption));
    }
}
