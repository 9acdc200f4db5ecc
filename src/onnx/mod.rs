//! The inference network as an ONNX file (operator set 17), for other programs to run.
//!
//! May use: `autograd`, `ecg`, `error`, `files`, `gpu`, `nn`, `ops`, `tensor`.
//!
//! In the graph: the z-scoring of every strip, the network with BatchNorm's running estimates, and the softmax. Not in
//! it: reading, resampling to the model's rate, cutting to its length and cleaning, which `exgnet predict` does before.
//! The weights are initialisers under their names in the model file, so that whoever edits one finds it in the other.

mod proto;

use crate::autograd::operations;
use crate::ecg::zscore::{EPS as ZSCORE_EPS, FLOOR as ZSCORE_FLOOR, SHARE as ZSCORE_SHARE};
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::gpu::{Gpu, ShaderSource};
use crate::nn::Mode;
use crate::nn::model_file::{ModelFile, ModelInfo, is_stored_in_half, metadata};
use crate::ops::{About, Branch, ConvSpec, MaxPool, Op};
use crate::tensor::{DType, Tensor};
use proto::{Attribute, DataType, Dim, Message, entry, node, tensor, value_info};
use std::collections::BTreeMap;
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
    let mut graph = Graph { model, half, input, nodes: Vec::new(), initializers: Vec::new(), names: BTreeMap::new() };
    graph.network()?;
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
    half: bool,
    /// Name of the input.
    input: &'static str,
    nodes: Vec<Message>,
    initializers: Vec<Message>,
    /// How often a name was asked for.
    names: BTreeMap<String, usize>,
}

/// What a tensor of the forward pass is in the graph.
#[derive(Clone)]
enum Value {
    /// The output of a node, or an initialiser.
    Node(String),
    /// A parameter that no node has read yet.
    Parameter(String, Vec<usize>),
    /// The sum of a node over n samples, and its mean.
    Sum(String, usize),
    Mean(String),
    /// The product of a node with a weight, which a bias will be added to.
    Product(String, String, Vec<usize>),
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

    /// A name that no other has.
    fn named(&mut self, name: &str) -> String {
        let count = self.names.entry(name.to_owned()).or_default();
        *count += 1;
        if *count == 1 { name.to_owned() } else { format!("{name}.{count}") }
    }

    /// The name of what a node reads.
    fn read(&mut self, value: &Value) -> Result<String> {
        match value {
            Value::Node(name) => Ok(name.clone()),
            Value::Parameter(name, shape) => Ok(self.parameter(name, shape)),
            _ => Err(unknown("a sum or a product by itself")),
        }
    }

    fn convolutions(&mut self, x: &Value, weights: &[&Value], spec: &ConvSpec) -> Result<String> {
        let x = self.read(x)?;
        let mut parts = Vec::new();
        for (weight, Branch { dilation, pad_left, pad_right }) in weights.iter().zip(&spec.branches) {
            let Value::Parameter(name, shape) = weight else { return Err(unknown("a kernel that is no parameter")) };
            let w = self.parameter(name, shape);
            let ints = |values: &[usize]| Attribute::Ints(values.iter().map(|&v| v as i64).collect());
            let attributes = [
                ("kernel_shape", ints(&[shape[2]])),
                ("strides", ints(&[spec.stride])),
                ("dilations", ints(&[*dilation])),
                ("pads", ints(&[*pad_left, *pad_right])),
                ("group", Attribute::Int(spec.groups as i64)),
            ];
            let out = self.named(layer(name));
            parts.push(self.node("Conv", &[&x, &w], &out, &attributes[..if spec.groups > 1 { 5 } else { 4 }]));
        }
        match &parts[..] {
            [one] => Ok(one.clone()),
            all => {
                let all: Vec<&str> = all.iter().map(String::as_str).collect();
                let out = self.named(all[0].rsplit_once('.').map_or(all[0], |(part, _)| part));
                Ok(self.node("Concat", &all, &out, &[("axis", Attribute::Int(1))]))
            }
        }
    }

    /// Batch normalisation of the first of five inputs.
    fn normalised(&mut self, inputs: &[&Value], eps: f32) -> Result<String> {
        let Value::Parameter(name, _) = inputs[1] else { return Err(unknown("a scale that is no parameter")) };
        let parts = inputs.iter().map(|input| self.read(input)).collect::<Result<Vec<_>>>()?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let out = self.named(layer(name));
        Ok(self.node("BatchNormalization", &parts, &out, &[("epsilon", Attribute::Float(eps))]))
    }

    /// What an operation of the forward pass is in the graph.
    fn operation(
        &mut self,
        op: &dyn Op,
        inputs: &[&Value],
        shapes: &[&[usize]],
        (shape, is_last): (&[usize], bool),
    ) -> Result<Value> {
        let node = match (op.about(), inputs) {
            (About::Convolutions { spec, biased: false }, [x, weights @ ..]) => self.convolutions(x, weights, spec)?,
            (About::Normalisation { eps, added, relu }, _) if inputs.len() >= 5 => {
                let mut y = self.normalised(&inputs[..5], eps)?;
                let z = match added {
                    0 => None,
                    1 => Some(self.read(inputs[5])?),
                    _ => Some(self.normalised(&inputs[5..10], eps)?),
                };
                if let Some(z) = z {
                    let out = self.named(&format!("{y}.sum"));
                    y = self.node("Add", &[&y, &z], &out, &[]);
                }
                match relu {
                    true => {
                        let out = self.named(&format!("{y}.relu"));
                        self.node("Relu", &[&y], &out, &[])
                    }
                    false => y,
                }
            }
            (About::MaxPool(MaxPool { kernel, stride, pad }), [x]) => {
                let x = self.read(x)?;
                let out = self.named(&format!("{x}.pool"));
                let ints = |values: &[usize]| Attribute::Ints(values.iter().map(|&v| v as i64).collect());
                let all =
                    [("kernel_shape", ints(&[kernel])), ("strides", ints(&[stride])), ("pads", ints(&[pad, pad]))];
                self.node("MaxPool", &[&x], &out, &all[..if pad > 0 { 3 } else { 2 }])
            }
            (About::Concat(dim), _) => {
                let parts = inputs.iter().map(|input| self.read(input)).collect::<Result<Vec<_>>>()?;
                let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                let out = self.named(&format!("{}.joined", parts[0]));
                self.node("Concat", &parts, &out, &[("axis", Attribute::Int(dim as i64))])
            }
            (About::Product([false, true]), [x, Value::Parameter(name, shape)]) => {
                return Ok(Value::Product(self.read(x)?, name.clone(), shape.clone()));
            }
            (_, [Value::Product(x, name, of), bias]) if op.name() == "add" => {
                let (w, b) = (self.parameter(name, of), self.read(bias)?);
                let out = if is_last { OUTPUTS[0].to_owned() } else { self.named(layer(name)) };
                self.node("Gemm", &[x, &w, &b], &out, &[("transB", Attribute::Int(1))])
            }
            (_, [x]) if op.name() == "sum" && shape.len() == 3 && shape[2] == 1 => {
                return Ok(Value::Sum(self.read(x)?, shapes[0][2]));
            }
            (About::Function([factor, _]), [Value::Sum(x, n)]) if op.name() == "scale" && factor == 1.0 / *n as f32 => {
                return Ok(Value::Mean(x.clone()));
            }
            (_, [value]) if op.name() == "reshape" && shapes[0] == shape => return Ok((*value).clone()),
            (_, [Value::Mean(x)]) if op.name() == "reshape" && shape.len() == 2 => {
                let out = self.named(&format!("{x}.mean"));
                let mean = self.node("GlobalAveragePool", &[x], &out, &[]);
                let out = self.named(&format!("{x}.flat"));
                self.node("Flatten", &[&mean], &out, &[("axis", Attribute::Int(1))])
            }
            (_, [x]) if op.name() == "reshape" && shape.len() == 3 && shape[2] == 1 => {
                if !self.names.contains_key(CONSTANTS[4]) {
                    let axis = self.named(CONSTANTS[4]);
                    self.initializers.push(tensor(&axis, DataType::Int64, &[1], 2i64.to_le_bytes().to_vec()));
                }
                let x = self.read(x)?;
                let out = self.named(&format!("{x}.factors"));
                self.node("Unsqueeze", &[&x, CONSTANTS[4]], &out, &[])
            }
            _ => {
                let known = ["relu", "sigmoid", "tanh", "add", "sub", "mul", "div", "exp", "log", "sqrt", "neg", "abs"];
                let name = op.name();
                if !known.contains(&name) {
                    return Err(unknown(&format!("the operation {name}")));
                }
                let parts = inputs.iter().map(|input| self.read(input)).collect::<Result<Vec<_>>>()?;
                let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                let out = self.named(&format!("{}.{name}", parts[0]));
                let first = name[..1].to_uppercase();
                self.node(&(first + &name[1..]), &parts, &out, &[])
            }
        };
        Ok(Value::Node(node))
    }

    /// All nodes, from the input to the outputs: those of the forward pass, which is run on a device of shapes alone.
    fn network(&mut self) -> Result<()> {
        let gpu = Gpu::of_shapes(None, ShaderSource::default())?;
        let net = self.model.network(&gpu)?;
        // a leaf, so that all that is made of it has a history
        let x = Tensor::empty(&gpu, &[1, 1, self.model.info.samples()], DType::F32)?.leaf();
        let out = net.forward(&x, &Mode::EVAL)?;
        let parameters = net.params().all();
        let mut values: BTreeMap<u64, Value> =
            parameters.map(|(name, t)| (t.id(), Value::Parameter(name.clone(), t.shape().to_vec()))).collect();
        values.insert(x.id(), Value::Node(self.zscore()));
        for t in operations(&out.logits) {
            let Some(history) = t.history() else { continue };
            let inputs: Vec<Value> =
                history.inputs.iter().filter_map(|input| values.get(&input.id()).cloned()).collect();
            if inputs.len() != history.inputs.len() {
                return Err(unknown("a constant tensor"));
            }
            let shapes: Vec<&[usize]> = history.inputs.iter().map(Tensor::shape).collect();
            let value = self.operation(
                &*history.op,
                &inputs.iter().collect::<Vec<_>>(),
                &shapes,
                (t.shape(), t.id() == out.logits.id()),
            )?;
            values.insert(t.id(), value);
        }
        let Some(logits) = values.get(&out.logits.id()).cloned() else { return Err(unknown("logits of nothing")) };
        let mut logits = self.read(&logits)?;
        if logits != OUTPUTS[0] {
            logits = self.node("Identity", &[&logits], OUTPUTS[0], &[]);
        }
        self.node("Softmax", &[&logits], OUTPUTS[1], &[("axis", Attribute::Int(1))]);
        Ok(())
    }
}

/// The name of a layer, from that of its weight.
fn layer(weight: &str) -> &str {
    weight.strip_suffix(".weight").unwrap_or(weight)
}

/// The error of a network that the graph has no words for.
fn unknown(what: &str) -> Error {
    let hint = "export it as .safetensors, or give the operation a node in src/onnx/mod.rs";
    Error::data("export", format!("found {what} in the network, which an ONNX graph is not made of here"), hint)
}
