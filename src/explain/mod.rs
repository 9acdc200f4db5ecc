//! Grad-CAM: where in the strip the network looked; [`scores`]: how well such maps agree with the guidance target;
//! [`perturbation`]: deletion and insertion.
//!
//! May use: `autograd`, `ecg`, `error`, `gpu`, `nn`, `ops`, `tensor`.

pub mod perturbation;
pub mod scores;

use crate::autograd::grad;
use crate::error::{Error, Result, edits, nearest};
use crate::nn::{Mode, Model, Output};
use crate::ops;
use crate::tensor::Tensor;

/// Grad-CAM of one batch.
#[derive(Debug)]
pub struct GradCam {
    /// Channel weights `[B, K]`: mean over time of the gradient of the class logit.
    pub alpha: Tensor,
    /// The map `[B, T]`, `relu(sum_k alpha_k A_kt)`, at the target layer's resolution.
    pub map: Tensor,
}

/// What may stand for a target layer of a network with these maps: `last, stem, blocks.0 to blocks.3`.
pub fn target_layers(maps: &[String]) -> String {
    let (blocks, others): (Vec<&str>, Vec<&str>) =
        maps.iter().map(String::as_str).partition(|m| m.starts_with("blocks."));
    let blocks = match blocks.as_slice() {
        [first, .., last] => vec![format!("{first} to {last}")],
        few => few.iter().map(ToString::to_string).collect(),
    };
    ["last"].into_iter().chain(others).map(str::to_owned).chain(blocks).collect::<Vec<_>>().join(", ")
}

/// The name of a target layer that `name` is probably meant to be.
pub(crate) fn nearest_layer<'a>(name: &str, maps: &'a [String]) -> Option<&'a str> {
    nearest(name, maps.iter().map(String::as_str).chain(["last"])).filter(|near| edits(name, near) <= 2)
}

/// Place of a target layer among the maps of a network ([`NetworkConfig::maps`](crate::nn::NetworkConfig::maps)): `stem`,
/// `blocks.3`, or the last one for `last` and `None`.
pub fn target_layer(name: Option<&str>, maps: &[String]) -> Result<usize> {
    let name = name.unwrap_or("last");
    if maps.is_empty() {
        return Err(Error::config("a network without maps, expected one or more", "see network.widths"));
    }
    if name == "last" {
        return Ok(maps.len() - 1);
    }
    maps.iter().position(|n| n == name).ok_or_else(|| {
        let near = nearest_layer(name, maps).map_or(String::new(), |near| format!("; did you mean '{near}'?"));
        Error::config(
            format!("no layer '{name}', expected {}{near}", target_layers(maps)),
            "name a layer of the network, for instance blocks.0",
        )
    })
}

/// Grad-CAM (Selvaraju et al. 2017) of a forward pass: the map at place `layer`, class `classes[b]` (integer `[B]`) of
/// record `b`; the logit is taken before the softmax. With `create_graph` the map can be differentiated further.
pub fn grad_cam(out: &Output, layer: usize, classes: &Tensor, create_graph: bool) -> Result<GradCam> {
    let Some(a) = out.maps.get(layer) else {
        return Err(Error::shape(
            "grad_cam",
            format!("layer {layer}"),
            format!("a layer below {}", out.maps.len()),
            "layers count from 0; target_layer gives the place of a name",
        ));
    };
    let score = ops::pick(&out.logits, classes)?;
    let with_history = score.requires_grad() && a.requires_grad();
    let gradient = if with_history { grad(&score, &[a], None, create_graph)?.pop().flatten() } else { None };
    let gradient = gradient.ok_or_else(|| {
        Error::shape(
            "grad_cam",
            "logits that do not depend on the layer",
            "a forward pass with history",
            "do not run it under no_grad",
        )
    })?;
    // without a graph the weights are constants of what is differentiated later
    let gradient = if create_graph { gradient } else { gradient.detach() };
    let alpha = ops::mean(&gradient, &[2])?;
    let weighted = ops::sum(&ops::mul(a, &alpha)?, &[1])?;
    let map = ops::reshape(&ops::relu(&weighted)?, &[a.dim(0), a.dim(2)])?;
    Ok(GradCam { alpha: ops::reshape(&alpha, &[a.dim(0), a.dim(1)])?, map })
}

/// A map of `T` bins resized linearly to `len` samples (bin centres at `(t + 1/2) len / T`, constant beyond the outer
/// ones) and divided by its maximum; all zero where the map is dead.
pub fn resize_map(map: &[f32], len: usize) -> Vec<f32> {
    let scale = map.len() as f64 / len as f64;
    let at = |i: usize| {
        let x = ((i as f64 + 0.5) * scale - 0.5).clamp(0.0, (map.len() - 1) as f64);
        let low = x.floor() as usize;
        let high = (low + 1).min(map.len() - 1);
        let part = x - low as f64;
        f64::from(map[low]) * (1.0 - part) + f64::from(map[high]) * part
    };
    let values: Vec<f64> = (0..len).map(at).collect();
    let top = values.iter().copied().fold(0.0, f64::max);
    values.iter().map(|v| if top > 0.0 { (v / top) as f32 } else { 0.0 }).collect()
}

/// What a network says of one strip, and where it looked.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// One logit a class.
    pub logits: Vec<f32>,
    /// The class that the map explains.
    pub class: usize,
    /// Grad-CAM at the target layer's resolution, `[T]`; see [`resize_map`].
    pub map: Vec<f32>,
}

/// Logits and map of each z-scored strip of `x` `[B, 1, L]` in evaluation mode; the class is `class` or, for `None`,
/// the predicted one.
pub fn explain_strips(net: &Model, x: &Tensor, layer: usize, class: Option<usize>) -> Result<Vec<Explained>> {
    let out = net.forward(x, &Mode::EVAL)?;
    let (batch, k) = (x.dim(0), net.classes());
    let logits = out.logits.to_vec()?;
    let rows: Vec<&[f32]> = logits.chunks(k).collect();
    let classes: Vec<u32> = rows.iter().map(|r| class.unwrap_or_else(|| argmax(r)) as u32).collect();
    let cam = grad_cam(&out, layer, &Tensor::from_u32(x.gpu(), &[batch], &classes)?, false)?;
    let maps = cam.map.to_vec()?;
    let t = cam.map.dim(1);
    let one = |b: usize| Explained {
        logits: rows[b].to_vec(),
        class: classes[b] as usize,
        map: maps[b * t..(b + 1) * t].to_vec(),
    };
    Ok((0..batch).map(one).collect())
}

/// Index of the largest value, the first of equals; 0 for an empty row.
pub fn argmax<T: PartialOrd>(values: &[T]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// Softmax of one record's logits, in f64.
pub fn probabilities(logits: &[f32]) -> Vec<f64> {
    softmax(&logits.iter().map(|&v| f64::from(v)).collect::<Vec<_>>())
}

/// Softmax.
pub fn softmax(logits: &[f64]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let e: Vec<f64> = logits.iter().map(|v| (v - top).exp()).collect();
    let total: f64 = e.iter().sum();
    e.iter().map(|v| v / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_resized_about_bin_centres() {
        // Centres at 0.5, 2.5, 4.5 of 6 samples: 0, 0.5, 1.5, 1.75, 1.25, 1, divided by the maximum.
        let expected = [0.0, 0.5, 1.5, 1.75, 1.25, 1.0].map(|v: f32| v / 1.75);
        let found = resize_map(&[0.0, 2.0, 1.0], 6);
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
        assert_eq!(resize_map(&[0.0, 0.0], 5), [0.0; 5]);
        assert_eq!(resize_map(&[3.0], 2), [1.0, 1.0]);
    }
}
