//! A reader of ONNX files and an executor of their graphs in f64, written against the format's description alone: it
//! shares nothing with what writes the files.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeMap;

/// Fields of a message: number, and a number or bytes.
pub enum Value<'a> {
    Int(u64),
    Four([u8; 4]),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first().expect("a number is not cut off");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
        shift += 7;
    }
}

pub fn fields(mut bytes: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Value::Int(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Value::Bytes(value)
            }
            5 => {
                let (value, rest) = bytes.split_at(4);
                bytes = rest;
                Value::Four(value.try_into().expect("four"))
            }
            wire => panic!("wire type {wire}"),
        };
        all.push((key >> 3, value));
    }
    all
}

fn parts<'a>(bytes: &'a [u8], field: u64) -> Vec<&'a [u8]> {
    let of = |(number, value): (u64, Value<'a>)| match value {
        Value::Bytes(bytes) if number == field => Some(bytes),
        _ => None,
    };
    fields(bytes).into_iter().filter_map(of).collect()
}

fn ints(bytes: &[u8], field: u64) -> Vec<i64> {
    let of = |(number, value): (u64, Value<'_>)| match value {
        Value::Int(v) if number == field => Some(v as i64),
        _ => None,
    };
    fields(bytes).into_iter().filter_map(of).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn one(bytes: &[u8], field: u64) -> String {
    text(parts(bytes, field).first().unwrap_or_else(|| panic!("no field {field}")))
}

/// A node of the graph.
pub struct Node {
    pub op: String,
    pub inputs: Vec<String>,
    pub output: String,
    ints: BTreeMap<String, Vec<i64>>,
    floats: BTreeMap<String, f32>,
}

/// An array in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

/// A file, read.
pub struct Model {
    pub opset: i64,
    pub metadata: BTreeMap<String, String>,
    pub nodes: Vec<Node>,
    pub initializers: BTreeMap<String, Array>,
    /// Element types of the initialisers, as `TensorProto` numbers them.
    pub types: BTreeMap<String, i64>,
    /// Name and extents (a number or a name) of inputs and outputs.
    pub inputs: Vec<(String, Vec<String>)>,
    pub outputs: Vec<(String, Vec<String>)>,
}

fn tensor(bytes: &[u8]) -> (String, i64, Array) {
    let (kind, raw) = (ints(bytes, 2)[0], parts(bytes, 9)[0]);
    let values = match kind {
        1 => raw.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().expect("4")))).collect(),
        7 => raw.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().expect("8")) as f64).collect(),
        10 => raw.chunks_exact(2).map(|b| half::f16::from_le_bytes(b.try_into().expect("2")).to_f64()).collect(),
        kind => panic!("element type {kind}"),
    };
    let array = Array { shape: ints(bytes, 1).into_iter().map(|d| d as usize).collect(), values };
    assert_eq!(array.shape.iter().product::<usize>(), array.values.len(), "{}", one(bytes, 8));
    (one(bytes, 8), kind, array)
}

fn node(bytes: &[u8]) -> Node {
    let mut node = Node {
        op: one(bytes, 4),
        inputs: parts(bytes, 1).into_iter().map(text).collect(),
        output: one(bytes, 2),
        ints: BTreeMap::new(),
        floats: BTreeMap::new(),
    };
    assert_eq!(parts(bytes, 2).len(), 1, "{}: one output", node.output);
    for attribute in parts(bytes, 5) {
        let name = one(attribute, 1);
        match ints(attribute, 20)[..] {
            [1] => {
                let value = fields(attribute).into_iter().find_map(|(n, v)| match v {
                    Value::Four(b) if n == 2 => Some(f32::from_le_bytes(b)),
                    _ => None,
                });
                node.floats.insert(name, value.expect("a float"));
            }
            [2] => drop(node.ints.insert(name, ints(attribute, 3))),
            [7] => drop(node.ints.insert(name, ints(attribute, 8))),
            ref kind => panic!("attribute {name} of type {kind:?}"),
        }
    }
    node
}

fn value_info(bytes: &[u8]) -> (String, Vec<String>) {
    let tensor = parts(parts(bytes, 2)[0], 1)[0];
    assert_eq!(ints(tensor, 1), [1], "inputs and outputs are floats");
    let dims = parts(parts(tensor, 2)[0], 1);
    let dim = |d: &&[u8]| ints(d, 1).first().map_or_else(|| one(d, 2), ToString::to_string);
    (one(bytes, 1), dims.iter().map(dim).collect())
}

impl Model {
    pub fn read(bytes: &[u8]) -> Self {
        let graph = parts(bytes, 7)[0];
        let tensors: Vec<_> = parts(graph, 5).into_iter().map(tensor).collect();
        Self {
            opset: ints(parts(bytes, 8)[0], 2)[0],
            metadata: parts(bytes, 14).into_iter().map(|e| (one(e, 1), one(e, 2))).collect(),
            nodes: parts(graph, 1).into_iter().map(node).collect(),
            types: tensors.iter().map(|(name, kind, _)| (name.clone(), *kind)).collect(),
            initializers: tensors.into_iter().map(|(name, _, array)| (name, array)).collect(),
            inputs: parts(graph, 11).into_iter().map(value_info).collect(),
            outputs: parts(graph, 12).into_iter().map(value_info).collect(),
        }
    }

    /// All values of the graph by name, for one input.
    pub fn run(&self, input: Array) -> BTreeMap<String, Array> {
        self.run_rounded(input, |v| v)
    }

    /// The same with every value passed through `round` as it is made: `|v| f64::from(v as f32)` computes with floats.
    pub fn run_rounded(&self, input: Array, round: impl Fn(f64) -> f64) -> BTreeMap<String, Array> {
        let mut values = self.initializers.clone();
        values.insert(self.inputs[0].0.clone(), input);
        for node in &self.nodes {
            let of = |name: &String| values.get(name).unwrap_or_else(|| panic!("{name} is used before it is made"));
            let inputs: Vec<&Array> = node.inputs.iter().map(of).collect();
            let mut out = node.run(&inputs);
            out.values.iter_mut().for_each(|v| *v = round(*v));
            assert!(values.insert(node.output.clone(), out).is_none(), "{} is made twice", node.output);
        }
        values
    }
}

/// `f` on two arrays, extents of 1 stretched.
fn broadcast(a: &Array, b: &Array, f: impl Fn(f64, f64) -> f64) -> Array {
    let rank = a.shape.len().max(b.shape.len());
    let full = |x: &Array| [vec![1; rank - x.shape.len()], x.shape.clone()].concat();
    let (sa, sb) = (full(a), full(b));
    let shape: Vec<usize> = sa.iter().zip(&sb).map(|(&p, &q)| p.max(q)).collect();
    assert!(sa.iter().zip(&sb).all(|(&p, &q)| p == q || p == 1 || q == 1), "{sa:?} with {sb:?}");
    let at = |flat: usize, own: &[usize]| {
        let (mut rest, mut index, mut step) = (flat, 0, 1);
        for d in (0..rank).rev() {
            index += if own[d] == 1 { 0 } else { rest % shape[d] * step };
            (rest, step) = (rest / shape[d], step * own[d]);
        }
        index
    };
    let n: usize = shape.iter().product();
    let values = (0..n).map(|i| f(a.values[at(i, &sa)], b.values[at(i, &sb)])).collect();
    Array { shape, values }
}

impl Node {
    fn int(&self, name: &str) -> usize {
        self.ints[name][0] as usize
    }

    fn run(&self, inputs: &[&Array]) -> Array {
        let x = inputs[0];
        let map =
            |f: fn(f64) -> f64| Array { shape: x.shape.clone(), values: x.values.iter().map(|&v| f(v)).collect() };
        match self.op.as_str() {
            "Cast" => x.clone(),
            "Relu" => map(|v| v.max(0.0)),
            "Sqrt" => map(f64::sqrt),
            "Abs" => map(f64::abs),
            "Sigmoid" => map(|v| 1.0 / (1.0 + (-v).exp())),
            "Add" => broadcast(x, inputs[1], |a, b| a + b),
            "Sub" => broadcast(x, inputs[1], |a, b| a - b),
            "Mul" => broadcast(x, inputs[1], |a, b| a * b),
            "Div" => broadcast(x, inputs[1], |a, b| a / b),
            "Min" => inputs[1..].iter().fold(x.clone(), |all, one| broadcast(&all, one, f64::min)),
            "Max" => inputs[1..].iter().fold(x.clone(), |all, one| broadcast(&all, one, f64::max)),
            "Conv" => self.conv(x, inputs[1]),
            "MaxPool" => self.max_pool(x),
            "Gemm" => self.gemm(x, inputs[1], inputs[2]),
            "BatchNormalization" => {
                let eps = f64::from(self.floats["epsilon"]);
                let t = x.shape[2];
                let one = |(i, &v): (usize, &f64)| {
                    let c = i / t % x.shape[1];
                    let [weight, bias, mean, variance] = [1, 2, 3, 4].map(|k| inputs[k].values[c]);
                    (v - mean) / (variance + eps).sqrt() * weight + bias
                };
                Array { shape: x.shape.clone(), values: x.values.iter().enumerate().map(one).collect() }
            }
            "ReduceMean" | "GlobalAveragePool" => {
                assert!(self.op == "GlobalAveragePool" || (self.ints["axes"] == [2] && self.int("keepdims") == 1));
                let rows = x.values.chunks(x.shape[2]).map(|row| row.iter().sum::<f64>() / row.len() as f64);
                Array { shape: vec![x.shape[0], x.shape[1], 1], values: rows.collect() }
            }
            "Flatten" => {
                assert_eq!(self.int("axis"), 1);
                Array { shape: vec![x.shape[0], x.shape[1..].iter().product()], values: x.values.clone() }
            }
            "Unsqueeze" => {
                assert_eq!((inputs[1].values.as_slice(), x.shape.len()), (&[2.0][..], 2));
                Array { shape: vec![x.shape[0], x.shape[1], 1], values: x.values.clone() }
            }
            "Concat" => {
                assert_eq!(self.int("axis"), 1);
                let rows = |a: &Array, b: usize| {
                    let size = a.shape[1..].iter().product::<usize>();
                    a.values[b * size..(b + 1) * size].to_vec()
                };
                let values = (0..x.shape[0]).flat_map(|b| inputs.iter().flat_map(move |a| rows(a, b))).collect();
                let channels = inputs.iter().map(|a| a.shape[1]).sum();
                Array { shape: vec![x.shape[0], channels, x.shape[2]], values }
            }
            "Softmax" => {
                assert_eq!(self.int("axis"), 1);
                let row = |row: &[f64]| {
                    let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = row.iter().map(|v| (v - top).exp()).sum();
                    row.iter().map(|v| (v - top).exp() / sum).collect::<Vec<f64>>()
                };
                Array { shape: x.shape.clone(), values: x.values.chunks(x.shape[1]).flat_map(row).collect() }
            }
            op => panic!("{op} is not known here"),
        }
    }

    fn conv(&self, x: &Array, w: &Array) -> Array {
        let ([batch, c_in, len], [c_out, per, k]) = (three(x), three(w));
        assert_eq!((c_in, self.ints["kernel_shape"].as_slice()), (per, &[k as i64][..]), "no groups");
        let (stride, dilation) = (self.int("strides"), self.int("dilations"));
        let [left, right] = [0, 1].map(|i| self.ints["pads"][i] as usize);
        let out = (len + left + right - dilation * (k - 1) - 1) / stride + 1;
        let mut values = Vec::with_capacity(batch * c_out * out);
        for (b, o, t) in (0..batch).flat_map(|b| (0..c_out).flat_map(move |o| (0..out).map(move |t| (b, o, t)))) {
            let mut sum = 0.0;
            for (c, j) in (0..c_in).flat_map(|c| (0..k).map(move |j| (c, j))) {
                let at = (t * stride + j * dilation).wrapping_sub(left);
                if at < len {
                    sum += x.values[(b * c_in + c) * len + at] * w.values[(o * c_in + c) * k + j];
                }
            }
            values.push(sum);
        }
        Array { shape: vec![batch, c_out, out], values }
    }

    fn max_pool(&self, x: &Array) -> Array {
        let (kernel, stride) = (self.int("kernel_shape"), self.int("strides"));
        let [left, right] = [0, 1].map(|i| self.ints.get("pads").map_or(0, |pads| pads[i] as usize));
        let len = x.shape[2];
        let out = (len + left + right - kernel) / stride + 1;
        let window = |t: usize| (t * stride).saturating_sub(left)..(t * stride + kernel - left).min(len);
        let row = |row: &[f64]| {
            let most = |t| row[window(t)].iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (0..out).map(most).collect::<Vec<_>>()
        };
        let values = x.values.chunks(len).flat_map(row).collect();
        Array { shape: vec![x.shape[0], x.shape[1], out], values }
    }

    fn gemm(&self, x: &Array, w: &Array, bias: &Array) -> Array {
        assert_eq!((self.int("transB"), x.shape[1]), (1, w.shape[1]));
        let (inner, outputs) = (w.shape[1], w.shape[0]);
        let dot = |row: &[f64], o: usize| {
            let products = row.iter().zip(&w.values[o * inner..(o + 1) * inner]).map(|(a, b)| a * b);
            products.sum::<f64>() + bias.values[o]
        };
        let rows = x.values.chunks(inner).flat_map(|row| (0..outputs).map(move |o| dot(row, o)));
        Array { shape: vec![x.shape[0], outputs], values: rows.collect() }
    }
}

fn three(x: &Array) -> [usize; 3] {
    x.shape.clone().try_into().expect("three dimensions")
}
