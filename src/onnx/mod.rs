//! The inference network as an ONNX file (operator set 17), for other programs to run.
//!
//! In the graph: the z-scoring of every strip, the network with BatchNorm's running estimates, and the softmax. Not in
//! it: reading, resampling to the model's rate, cutting to its length and cleaning, which `exgnet predict` does before.
//! The weights are initialisers under their names in the model file, so that whoever edits one finds it in the other.

mod proto;

use crate::ecg::zscore::{EPS as ZSCORE_EPS, FLOOR as ZSCORE_FLOOR, SHARE as ZSCORE_SHARE};
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::nn::layers::EPS;
use crate::nn::model_file::{ModelFile, ModelInfo, is_stored_in_half, metadata};
use crate::nn::models::exgnet::{BRANCHES, BlockKind, Head, Sizes, branch_channels, branch_name, has_shortcut};
use crate::ops::Branch;
use proto::{Attribute, DataType, Dim, Message, entry, node, tensor, value_info};
use std::path::Path;

/// Operator set of the file: the last in which `ReduceMean` has its axes as an attribute.
const OPSET: i64 = 17;
/// Version of the format that goes with it.
const IR_VERSION: i64 = 8;
/// Protobuf's limit of a message, bytes.
const MOST_BYTES: usize = i32::MAX as usize;

/// Name of the graph's input, `[batch, 1, samples]`: strips of the model's length in any unit.
pub const INPUT: &str = "strips";
/// Its name where the strips must have been cleaned before.
pub const CLEANED_INPUT: &str = "cleaned_strips";
/// Names of its outputs, each `[batch, classes]`.
pub const OUTPUTS: [&str; 2] = ["logits", "probabilities"];
/// Initialisers that are no parameters: the z-score's constants, and the axis of squeeze-and-excitation's factors.
pub const CONSTANTS: [&str; 5] = ["zscore.epsilon", "zscore.share", "zscore.floor", "zscore.least", "se.axis"];

/// Writes the file; with `half`, convolutions and linear layers have their weights in 16 bits and are cast to 32 before use.
/// `cleaned` says that whoever runs it gives it cleaned strips (see [`crate::ecg::clean`]): the graph of a network that
/// was trained on such cannot clean them.
///
/// # Errors
/// [`Error::File`] where it cannot be written; [`Error::Data`] for a network over the format's 2 GiB, for weights
/// that 16 bits cannot hold, and where `cleaned` is not what the model takes.
pub fn export(model: &ModelFile, half: bool, cleaned: bool, path: &Path) -> Result<()> {
    write_atomically(path, &bytes(model, half, cleaned)?)
}

/// The bytes of the file, see [`export`].
pub fn bytes(model: &ModelFile, half: bool, cleaned: bool) -> Result<Vec<u8>> {
    let preprocessing = &model.info.preprocessing;
    if preprocessing.clean != cleaned {
        let (what, hint) = match cleaned {
            false => (
                "clean: the model takes cleaned strips (clean true), an ONNX graph takes them as they are (clean false)",
                "clean the strips before the graph and say so with --input cleaned, or export .safetensors",
            ),
            true => (
                "clean: the model takes strips as they are (clean false), not cleaned ones (clean true)",
                "leave --input cleaned away",
            ),
        };
        return Err(Error::data("export", what, hint));
    }
    let input = if cleaned { CLEANED_INPUT } else { INPUT };
    if half {
        model.check_half()?;
    }
    let size = if half { 2 } else { 4 } * model.inference_values();
    // names, shapes and nodes are a small part of the rest
    if size > MOST_BYTES / 16 * 15 {
        return Err(Error::data(
            "export",
            format!("the network has {size} bytes of weights, expected at most {}", MOST_BYTES / 16 * 15),
            "an ONNX file holds less than 2 GiB: export it as .safetensors",
        ));
    }
    let Some(sizes) = model.info.config.exgnet() else {
        let what = "found a network of another kind, expected an EXGnet (network.kind parallel or cascade)";
        return Err(Error::data("export", what, "export it as .safetensors"));
    };
    let mut graph = Graph { model, sizes, half, input, nodes: Vec::new(), initializers: Vec::new() };
    graph.network();
    let info = &model.info;
    let classes = info.classes.len();
    let outputs = OUTPUTS.map(|name| value_info(name, &[Dim::Free("batch"), Dim::Fixed(classes)]));
    let body_input = value_info(input, &[Dim::Free("batch"), Dim::Fixed(1), Dim::Fixed(info.samples())]);
    let body = Message::default().each(1, graph.nodes).bytes(2, "exgnet").each(5, graph.initializers);
    let cleaning = if cleaned {
        format!("cleaned as exgnet's `clean = true` does (mains {} Hz), ", preprocessing.mains)
    } else {
        String::new()
    };
    let text = format!(
        "strips of this lead at fs Hz, seconds long, {cleaning}in any unit: each is z-scored in the graph, \
         (x - mean) / max(sd + min(1e-8, 1e-7 sd), 1e-10 |mean|); resampling, cutting and cleaning are not in it"
    );
    // the scale of the features is of the train-only part
    let info = ModelInfo { features: None, ..info.clone() };
    let mut metadata = metadata("exgnet-onnx-1", &info, &model.assumed);
    metadata.push(("input", text));
    let opset = Message::default().bytes(1, "").int(2, OPSET);
    let model = Message::default()
        .int(1, IR_VERSION)
        .bytes(2, "exgnet")
        .bytes(3, env!("CARGO_PKG_VERSION"))
        .bytes(7, body.bytes(11, body_input).each(12, outputs))
        .bytes(8, opset)
        .each(14, metadata.iter().map(|(key, value)| entry(key, value)));
    Ok(model.finish())
}

/// A graph under construction. What makes a node returns the name of its output.
struct Graph<'a> {
    model: &'a ModelFile,
    sizes: &'a Sizes,
    half: bool,
    /// Name of the input.
    input: &'static str,
    nodes: Vec<Message>,
    initializers: Vec<Message>,
}

impl Graph<'_> {
    fn node(&mut self, op: &str, inputs: &[&str], output: &str, attributes: &[(&str, Attribute)]) -> String {
        self.nodes.push(node(op, inputs, output, attributes));
        output.to_owned()
    }

    /// A tensor of the model as an initialiser.
    fn parameter(&mut self, name: &str, shape: &[usize]) -> String {
        let values = &self.model.values[name];
        if self.half && is_stored_in_half(shape) {
            let raw = values.iter().flat_map(|&v| half::f16::from_f32(v).to_le_bytes()).collect();
            self.initializers.push(tensor(name, DataType::Float16, shape, raw));
            let to = [("to", Attribute::Int(DataType::Float as i64))];
            return self.node("Cast", &[name], &format!("{name}.f32"), &to);
        }
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.initializers.push(tensor(name, DataType::Float, shape, raw));
        name.to_owned()
    }

    fn conv(&mut self, x: &str, name: &str, shape: [usize; 3], stride: usize, dilation: usize, out: &str) -> String {
        let weight = self.parameter(name, &shape);
        let Branch { dilation, pad_left, pad_right } = Branch::same(shape[2], dilation);
        let ints = |values: &[usize]| Attribute::Ints(values.iter().map(|&v| v as i64).collect());
        let attributes = [
            ("kernel_shape", ints(&[shape[2]])),
            ("strides", ints(&[stride])),
            ("dilations", ints(&[dilation])),
            ("pads", ints(&[pad_left, pad_right])),
        ];
        self.node("Conv", &[x, &weight], out, &attributes)
    }

    fn batch_norm(&mut self, x: &str, name: &str, channels: usize) -> String {
        let parts = ["weight", "bias", "running_mean", "running_var"];
        let parts = parts.map(|part| self.parameter(&format!("{name}.{part}"), &[channels]));
        let [weight, bias, mean, variance] = &parts;
        let epsilon = [("epsilon", Attribute::Float(EPS))];
        self.node("BatchNormalization", &[x, weight, bias, mean, variance], name, &epsilon)
    }

    fn linear(&mut self, x: &str, name: &str, shape: [usize; 2], out: &str) -> String {
        let weight = self.parameter(&format!("{name}.weight"), &shape);
        let bias = self.parameter(&format!("{name}.bias"), &shape[..1]);
        self.node("Gemm", &[x, &weight, &bias], out, &[("transB", Attribute::Int(1))])
    }

    /// `[batch, C, T]` to `[batch, C]`.
    fn average(&mut self, x: &str, name: &str) -> String {
        let mean = self.node("GlobalAveragePool", &[x], &format!("{name}.mean"), &[]);
        self.node("Flatten", &[&mean], &format!("{name}.flat"), &[("axis", Attribute::Int(1))])
    }

    fn zscore(&mut self) -> String {
        let [epsilon, share, floor, least, _] = CONSTANTS;
        // the least keeps a strip of zeros from 0 / 0
        let least_value = f64::from(f32::MIN_POSITIVE);
        for (name, value) in [(epsilon, ZSCORE_EPS), (share, ZSCORE_SHARE), (floor, ZSCORE_FLOOR), (least, least_value)]
        {
            self.initializers.push(tensor(name, DataType::Float, &[], (value as f32).to_le_bytes().to_vec()));
        }
        let input = self.input;
        let over = [("axes", Attribute::Ints(vec![2])), ("keepdims", Attribute::Int(1))];
        // twice, as the mean of a strip far from zero is off by a rounding that may be large beside the strip's own size
        let mean = self.node("ReduceMean", &[input], "zscore.mean", &over);
        let near = self.node("Sub", &[input, &mean], "zscore.near", &[]);
        let rest = self.node("ReduceMean", &[&near], "zscore.rest", &over);
        let centred = self.node("Sub", &[&near, &rest], "zscore.centred", &[]);
        let square = self.node("Mul", &[&centred, &centred], "zscore.square", &[]);
        let variance = self.node("ReduceMean", &[&square], "zscore.variance", &over);
        let sd = self.node("Sqrt", &[&variance], "zscore.sd", &[]);
        let shared = self.node("Mul", &[&sd, share], "zscore.shared", &[]);
        let added = self.node("Min", &[&shared, epsilon], "zscore.added", &[]);
        let sum = self.node("Add", &[&sd, &added], "zscore.sum", &[]);
        let size = self.node("Abs", &[&mean], "zscore.size", &[]);
        let bound = self.node("Mul", &[&size, floor], "zscore.bound", &[]);
        let scale = self.node("Max", &[&sum, &bound, least], "zscore.scale", &[]);
        self.node("Div", &[&centred, &scale], "zscore", &[])
    }

    fn block(&mut self, x: &str, i: usize, (c_in, width, stride): (usize, usize, usize)) -> String {
        let config = self.sizes;
        let name = format!("blocks.{i}");
        let (kernels, dilations) = (config.branch_kernels(), config.branch_dilations());
        let channels = branch_channels(width);
        let cascade = config.kind == BlockKind::Cascade;
        let hidden = config.se_hidden(width);
        let mut parts: Vec<String> = Vec::with_capacity(BRANCHES);
        for j in 0..BRANCHES {
            // a cascade's convolutions read the one before, and only the first has the stride
            let (from, c_from, step) = match parts.last() {
                Some(last) if cascade => (last.clone(), channels[j - 1], 1),
                _ => (x.to_owned(), c_in, stride),
            };
            let shape = [channels[j], c_from, kernels[j]];
            let out = format!("{name}.branches.{j}");
            parts.push(self.conv(&from, &branch_name(i, j), shape, step, dilations[j], &out));
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let joined = self.node("Concat", &parts, &format!("{name}.branches"), &[("axis", Attribute::Int(1))]);
        let mut y = self.batch_norm(&joined, &format!("{name}.bn"), width);
        if let Some(hidden) = hidden {
            let mean = self.average(&y, &format!("{name}.se"));
            let h = self.linear(&mean, &format!("{name}.se.fc1"), [hidden, width], &format!("{name}.se.fc1"));
            let h = self.node("Relu", &[&h], &format!("{name}.se.relu"), &[]);
            let s = self.linear(&h, &format!("{name}.se.fc2"), [width, hidden], &format!("{name}.se.fc2"));
            let s = self.node("Sigmoid", &[&s], &format!("{name}.se.sigmoid"), &[]);
            let s = self.node("Unsqueeze", &[&s, CONSTANTS[4]], &format!("{name}.se.factors"), &[]);
            y = self.node("Mul", &[&y, &s], &format!("{name}.se"), &[]);
        }
        let shortcut = if has_shortcut(c_in, width, stride) {
            let at = format!("{name}.shortcut");
            let z = self.conv(x, &format!("{at}.conv.weight"), [width, c_in, 1], stride, 1, &format!("{at}.conv"));
            self.batch_norm(&z, &format!("{at}.bn"), width)
        } else {
            x.to_owned()
        };
        let sum = self.node("Add", &[&y, &shortcut], &format!("{name}.sum"), &[]);
        self.node("Relu", &[&sum], &name, &[])
    }

    /// All nodes, from the input to the outputs.
    fn network(&mut self) {
        let (config, classes) = (self.sizes, self.model.info.classes.len());
        if config.se_reduction > 0 {
            self.initializers.push(tensor(CONSTANTS[4], DataType::Int64, &[1], 2i64.to_le_bytes().to_vec()));
        }
        let x = self.zscore();
        let stem = config.stem_channels;
        let x = self.conv(&x, "stem.conv.weight", [stem, 1, config.stem_kernel], 2, 1, "stem.conv");
        let x = self.batch_norm(&x, "stem.bn", stem);
        let x = self.node("Relu", &[&x], "stem.relu", &[]);
        let two = || Attribute::Ints(vec![2]);
        let mut x = self.node("MaxPool", &[&x], "stem", &[("kernel_shape", two()), ("strides", two())]);
        let mut width = stem;
        for (i, sizes) in config.blocks().enumerate() {
            x = self.block(&x, i, sizes);
            width = sizes.1;
        }
        let e = self.average(&x, "embedding");
        let logits = match config.head {
            Head::Linear => self.linear(&e, "head", [classes, width], OUTPUTS[0]),
            Head::Mlp => {
                let h = self.linear(&e, "head.fc1", [config.head_hidden, width], "head.fc1");
                let h = self.node("Relu", &[&h], "head.relu", &[]);
                self.linear(&h, "head.fc2", [classes, config.head_hidden], OUTPUTS[0])
            }
        };
        self.node("Softmax", &[&logits], OUTPUTS[1], &[("axis", Attribute::Int(1))]);
    }
}
