//! What a network computes from one of its last two maps to the other, as a small graph: read from the operations on the tape,
//! with what one of them fuses taken apart again.

use super::network::Output;
use crate::autograd::operations;
use crate::ops::{About, Branch, MaxPool};
use crate::tensor::{DType, Tensor};
use std::collections::BTreeMap;

/// The last block of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// The name of the map that it gives.
    pub name: String,
    /// Its nodes, each behind those that it reads; the last one is its output.
    pub nodes: Vec<Node>,
    /// The node that gives the map: where Grad-CAM looks.
    pub map: usize,
}

/// A node of a [`Graph`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it computes.
    pub what: What,
    /// The nodes that it reads.
    pub inputs: Vec<usize>,
    /// Shape of its output for one strip.
    pub output: Vec<usize>,
    /// Its trainable values.
    pub parameters: usize,
}

/// What a node of a [`Graph`] computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Nothing: what the block reads, the output of the block before it.
    Input,
    /// Nothing: the output of an earlier part, by the name of its map.
    Map(String),
    /// Nothing: the strip.
    Strip,
    /// Nothing: what an earlier part has computed on the way to its output.
    Earlier,
    /// One convolution.
    Convolution {
        /// Channels of its input and its output.
        channels: [usize; 2],
        /// Its kernel, samples.
        kernel: usize,
        /// Samples from one output to the next.
        stride: usize,
        /// Samples from one tap to the next.
        dilation: usize,
    },
    /// Batch normalisation.
    BatchNorm,
    /// A linear layer, with its inputs and outputs.
    Linear([usize; 2]),
    /// The sum of what it reads.
    Sum,
    /// The product of what it reads, value by value.
    Product,
    /// All channels of what it reads.
    Concat,
    /// Max pooling.
    MaxPool(MaxPool),
    /// The average over time.
    Average,
    /// Squeeze-and-excitation with n hidden units: average, linear, ReLU, linear, sigmoid, and the product with its input.
    Squeeze(usize),
    /// Dropout, which is there only while training.
    Dropout,
    /// Another operation, by its name.
    Other(&'static str),
    /// Nothing: what the next part reads.
    Output,
}

/// What a tensor is for the graph.
#[derive(Debug, Clone, Copy)]
enum Value {
    /// The output of a node.
    Node(usize),
    /// Made of parameters alone, of which n are counted nowhere yet.
    Constant(usize),
}

struct Reader<'a> {
    nodes: Vec<Node>,
    /// By tensor.
    values: BTreeMap<u64, Value>,
    /// What earlier parts have computed, by tensor.
    sources: BTreeMap<u64, What>,
    /// The tensor that the block reads: what is not younger belongs to other parts.
    since: u64,
    trainable: &'a BTreeMap<u64, &'a str>,
}

impl Graph {
    /// Of a forward pass on `strip` in which dropout is an operation of its own and normalisation is by running estimates.
    /// `names` are those of the maps, `trainable` those of the parameters by their tensors.
    pub(super) fn last(
        names: &[String],
        out: &Output,
        strip: &Tensor,
        trainable: &BTreeMap<u64, &str>,
    ) -> Option<Self> {
        let (name, last) = (names.last()?, out.maps.last()?);
        let before = out.maps.iter().rev().nth(1).unwrap_or(strip);
        let mut sources = BTreeMap::from([(strip.id(), What::Strip)]);
        sources.extend(out.maps.iter().zip(names).map(|(map, name)| (map.id(), What::Map(name.clone()))));
        sources.insert(before.id(), What::Input);
        sources.remove(&last.id());
        let mut reader = Reader { nodes: Vec::new(), values: BTreeMap::new(), sources, since: before.id(), trainable };
        for t in operations(&out.logits) {
            // dropout of a map is what the next block reads of it
            let dropped = t.history().filter(|h| h.op.name() == "dropout").map(|h| h.inputs[0].id());
            match dropped.and_then(|id| Some((id, reader.sources.get(&id)?.clone()))) {
                Some((_, source)) => drop(reader.sources.insert(t.id(), source)),
                None if dropped == Some(last.id()) => {
                    let inputs = reader.node(last).into_iter().collect();
                    reader.push(What::Dropout, inputs, &t, 0);
                }
                None if t.id() > reader.since && t.id() <= last.id() => reader.read(&t),
                None => {}
            }
        }
        let map = reader.node(last)?;
        let dropout = reader.nodes.iter().rposition(|n| n.what == What::Dropout && n.inputs == [map]);
        reader.push(What::Output, vec![dropout.unwrap_or(map)], last, 0);
        Some(reader.graph(name, map))
    }
}

impl Reader<'_> {
    fn push(&mut self, what: What, inputs: Vec<usize>, like: &Tensor, parameters: usize) -> usize {
        self.nodes.push(Node { what, inputs, output: like.shape()[1..].to_vec(), parameters });
        self.nodes.len() - 1
    }

    /// The node that gives a tensor; `None` for a parameter.
    fn node(&mut self, t: &Tensor) -> Option<usize> {
        match self.values.get(&t.id()) {
            Some(Value::Node(node)) => return Some(*node),
            Some(Value::Constant(_)) => return None,
            None => {}
        }
        let source = match self.sources.get(&t.id()) {
            Some(source) => source.clone(),
            None if t.history().is_some() && t.rank() == 3 => What::Earlier,
            None => return None,
        };
        // a map and its dropout are one
        let known = self.nodes.iter().position(|n| n.what == source && source != What::Earlier);
        let node = known.unwrap_or_else(|| self.push(source, Vec::new(), t, 0));
        self.values.insert(t.id(), Value::Node(node));
        Some(node)
    }

    /// Trainable values behind a parameter that no node has counted yet.
    fn parameters(&mut self, t: &Tensor) -> usize {
        let all = if self.trainable.contains_key(&t.id()) { t.numel() } else { 0 };
        match self.values.insert(t.id(), Value::Constant(0)) {
            Some(Value::Constant(rest)) => rest,
            Some(node @ Value::Node(_)) => {
                self.values.insert(t.id(), node);
                0
            }
            None => all,
        }
    }

    fn parameters_of(&mut self, all: &[Tensor]) -> usize {
        all.iter().map(|t| self.parameters(t)).sum()
    }

    /// Batch normalisation of the first of five inputs.
    fn normalised(&mut self, inputs: &[Tensor]) -> usize {
        let x = self.node(&inputs[0]).into_iter().collect();
        let parameters = self.parameters_of(&inputs[1..5]);
        self.push(What::BatchNorm, x, &inputs[0], parameters)
    }

    /// Adds what an operation computes.
    fn read(&mut self, t: &Tensor) {
        let Some(history) = t.history() else { return };
        let (name, inputs) = (history.op.name(), &history.inputs[..]);
        let read: Vec<usize> = inputs.iter().filter_map(|input| self.node(input)).collect();
        let &[first, ..] = read.as_slice() else {
            let parameters = self.parameters_of(inputs);
            self.values.insert(t.id(), Value::Constant(parameters));
            return;
        };
        let node = match (history.op.about(), name) {
            (About::Convolutions { spec, biased }, _) => {
                let (c_in, convs) = (inputs[0].dim(1), inputs[1..].iter().zip(&spec.branches));
                let one = |(w, branch): (&Tensor, &Branch)| {
                    let parameters = self.parameters(w);
                    let (channels, kernel) = ([c_in, w.dim(0)], w.dim(2));
                    let (stride, dilation) = (spec.stride, branch.dilation);
                    let what = What::Convolution { channels, kernel, stride, dilation };
                    let node = self.push(what, vec![first], t, parameters);
                    self.nodes[node].output[0] = w.dim(0);
                    node
                };
                let parts: Vec<usize> = convs.map(one).collect();
                let node = if parts.len() > 1 { self.push(What::Concat, parts, t, 0) } else { parts[0] };
                match biased {
                    true => {
                        let parameters = self.parameters(&inputs[inputs.len() - 1]);
                        let node = self.push(What::Other("bias"), vec![node], t, parameters);
                        self.push(What::Other("relu"), vec![node], t, 0)
                    }
                    false => node,
                }
            }
            (About::Normalisation { added, relu, .. }, _) => {
                let mut node = self.normalised(inputs);
                let other = match added {
                    0 => None,
                    1 => self.node(&inputs[5]),
                    _ => Some(self.normalised(&inputs[5..])),
                };
                if let Some(other) = other {
                    node = self.push(What::Sum, vec![node, other], t, 0);
                }
                if relu {
                    node = self.push(What::Other("relu"), vec![node], t, 0);
                }
                if inputs.last().is_some_and(|state| state.dtype() == DType::U32) {
                    node = self.push(What::Dropout, vec![node], t, 0);
                }
                node
            }
            (About::MaxPool(pool), _) => self.push(What::MaxPool(pool), read, t, 0),
            (About::Concat(_), _) => {
                let flat = |&i: &usize| match self.nodes[i].what {
                    What::Concat => self.nodes[i].inputs.clone(),
                    _ => vec![i],
                };
                let all = read.iter().flat_map(flat).collect();
                self.push(What::Concat, all, t, 0)
            }
            (About::Product(_), _) if read.len() == 1 => {
                let widths = [inputs[0].shape().last(), t.shape().last()].map(|n| n.copied().unwrap_or(1));
                let parameters = self.parameters_of(inputs);
                self.push(What::Linear(widths), read, t, parameters)
            }
            (About::Function([factor, _]), "scale") if self.is_total(first, factor) => {
                let read = self.nodes[first].inputs.clone();
                self.push(What::Average, read, t, 0)
            }
            (_, "reshape") => first,
            (_, "dropout") => self.push(What::Dropout, vec![first], t, 0),
            (_, "add") if read.len() == 2 => self.push(What::Sum, read, t, 0),
            (_, "mul") if read.len() == 2 => match self.gate(read[0], read[1]) {
                Some((hidden, parameters)) => self.push(What::Squeeze(hidden), vec![first], t, parameters),
                None => self.push(What::Product, read, t, 0),
            },
            // a bias
            (_, "add") if matches!(self.nodes[first].what, What::Convolution { .. } | What::Linear(_)) => {
                self.nodes[first].parameters += self.parameters_of(inputs);
                first
            }
            _ => {
                let parameters = self.parameters_of(inputs);
                self.push(What::Other(name), read, t, parameters)
            }
        };
        self.values.insert(t.id(), Value::Node(node));
    }

    /// Whether a node is a sum over time, of which `factor` makes the average.
    fn is_total(&self, node: usize, factor: f32) -> bool {
        let length = self.nodes[node].inputs.first().and_then(|&x| self.nodes[x].output.get(1).copied());
        self.nodes[node].what == What::Other("sum")
            && self.nodes[node].output.get(1) == Some(&1)
            && length.is_some_and(|n| factor == 1.0 / n as f32)
    }

    /// Hidden units and parameters of `s` where it is what squeeze-and-excitation multiplies `y` by.
    fn gate(&self, y: usize, s: usize) -> Option<(usize, usize)> {
        let (mut at, mut chain) = (s, Vec::new());
        while at != y {
            let node = &self.nodes[at];
            chain.push(&node.what);
            let &[from] = node.inputs.as_slice() else { return None };
            at = from;
        }
        let &[What::Other("sigmoid"), What::Linear(_), What::Other("relu"), What::Linear([_, hidden]), What::Average] =
            chain.as_slice()
        else {
            return None;
        };
        let [last, first] = [s, self.nodes[self.nodes[s].inputs[0]].inputs[0]].map(|i| self.nodes[i].inputs[0]);
        Some((*hidden, self.nodes[last].parameters + self.nodes[first].parameters))
    }

    /// What leads to the last node.
    fn graph(self, name: &str, map: usize) -> Graph {
        let mut kept = vec![false; self.nodes.len()];
        kept.iter_mut().last().into_iter().for_each(|last| *last = true);
        for i in (0..kept.len()).rev() {
            if kept[i] {
                self.nodes[i].inputs.iter().for_each(|&input| kept[input] = true);
            }
        }
        let place = |i: usize| kept[..i].iter().filter(|k| **k).count();
        let nodes = self
            .nodes
            .iter()
            .zip(&kept)
            .filter(|(_, kept)| **kept)
            .map(|(node, _)| Node { inputs: node.inputs.iter().map(|&i| place(i)).collect(), ..node.clone() });
        Graph { name: name.to_owned(), nodes: nodes.collect(), map: place(map) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Gpu, ShaderSource};
    use crate::nn::{Added, ConvOptions, Mode, ParamBuilder};
    use crate::ops::{self, DropoutState, global_avg_pool};

    #[test]
    fn operations_are_taken_apart_and_named() {
        let gpu = Gpu::of_shapes(None, ShaderSource::default()).expect("a device of shapes");
        let mut p = ParamBuilder::new(0);
        let conv = p.conv1d("conv", 4, 6, 3, ConvOptions { bias: true, ..ConvOptions::default() });
        let (bn, drop) = (p.batch_norm("bn", 6), p.dropout("drop", 0.5));
        let params = p.init(&gpu).expect("parameters");
        let state = DropoutState::new(&gpu, 0).expect("a state");
        let mode = Mode { dropout: Some(&state), ..Mode::EVAL };

        let strip = Tensor::empty(&gpu, &[1, 4, 50], DType::F32).expect("a strip").leaf();
        let on_the_way = ops::tanh(&strip).expect("a tensor");
        let before = ops::sigmoid(&on_the_way).expect("a map");
        let y = conv.forward(&before).expect("a convolution");
        let y = bn.relu(&y, Added::Nothing, &mode, drop.at(&mode).as_ref()).expect("a pass");
        let gate = ops::sigmoid(&conv.forward(&on_the_way).expect("a convolution")).expect("a gate");
        let map = ops::mul(&y, &gate).expect("a map");
        let e = global_avg_pool(&ops::dropout(&map, 0.1, &state, 9).expect("dropout")).expect("an embedding");
        let out = Output { logits: e.clone(), embedding: e, maps: vec![before, map] };

        let names = params.trainable().iter().map(|(name, t)| (t.id(), name.as_str())).collect();
        let graph = Graph::last(&["a".into(), "b".into()], &out, &strip, &names).expect("a graph");
        let conv = || What::Convolution { channels: [4, 6], kernel: 3, stride: 1, dilation: 1 };
        let nodes: Vec<(What, Vec<usize>, usize)> =
            graph.nodes.iter().map(|n| (n.what.clone(), n.inputs.clone(), n.parameters)).collect();
        let expected = [
            (What::Input, vec![], 0),
            (conv(), vec![0], 4 * 6 * 3 + 6),
            (What::BatchNorm, vec![1], 12),
            (What::Other("relu"), vec![2], 0),
            (What::Dropout, vec![3], 0),
            (What::Earlier, vec![], 0),
            // its parameters are those of the first
            (conv(), vec![5], 0),
            (What::Other("sigmoid"), vec![6], 0),
            (What::Product, vec![4, 7], 0),
            (What::Dropout, vec![8], 0),
            (What::Output, vec![9], 0),
        ];
        assert_eq!((nodes.as_slice(), graph.map, graph.name.as_str()), (&expected[..], 8, "b"));
    }
}
