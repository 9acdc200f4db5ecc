//! Train a network of your own: data, network, loop, files, a recorded step, and where the network looked. Each piece is a
//! program that runs and is tested; what it takes from earlier pieces is folded away (the eye in its corner shows it).
//!
//! # A tensor, and its gradient
//!
//! A [`Gpu`](crate::gpu::Gpu) is the device; a [`Tensor`](crate::tensor::Tensor) lies on it. Operations are methods and
//! operators, and return a [`Result`](crate::Result), as shapes may not fit. [All of them](crate::ops#all-operations-by-kind) can
//! be differentiated by what is a [`leaf`](crate::tensor::Tensor::leaf).
//!
//! ```
//! use exgnet::prelude::*;
//!
//! let gpu = Gpu::from_env()?;
//! let x = Tensor::from_f32(&gpu, &[3], &[1., 2., 3.])?.leaf();
//! let y = (&x * &x)?.sum_all()?;
//! let slope = grad(&y, &[&x], None, false)?.remove(0).expect("y depends on x");
//! assert_eq!(slope.to_vec()?, [2., 4., 6.]);
//! # Ok::<(), Error>(())
//! ```
//!
//! Nothing runs before somebody reads: `to_vec` and `item` wait for the device, everything else only records what it is to do.
//!
//! # Data
//!
//! A [`Loader`](crate::nn::Loader) makes batches of arrays that you have in memory, from wherever: rows of any shape, with a
//! label or a target each. Here they are made up, in a function that the other pieces use too.
//!
//! ```
#![doc = include_str!("guide/data.rs")]
//!
//! use exgnet::prelude::*;
//!
//! let (x, labels, _) = signals(90);
//! let mut loader = Loader::new(&x, &[1, 48], 20)?.labels(&labels)?.shuffled(1);
//! let gpu = Gpu::from_env()?;
//! while let Some(batch) = loader.next_of_epoch(&gpu)? {
//!     assert_eq!(batch.x.dim(0), batch.labels()?.numel()); // 20, and 10 in the last of the epoch
//! }
//! assert_eq!(loader.batches(), 5);
//! # Ok::<(), Error>(())
//! ```
//!
//! # Network
//!
//! A network is a struct of layers, which it takes from a [`ParamBuilder`](crate::nn::ParamBuilder): each is declared once,
//! under a name by which it is found in files. `forward` is a function like any other, with the
//! [`Mode`](crate::nn::Mode) of what behaves otherwise in training: batch normalisation and dropout.
//!
//! ```
#![doc = include_str!("guide/network.rs")]
//!
//! let gpu = Gpu::from_env()?;
//! let mut p = ParamBuilder::new(1); // the seed of the starting values
//! let net = Net::new(&mut p);
//! let params = p.init(&gpu)?; // now the layers have their tensors
//! let (logits, maps) = net.forward(&Tensor::zeros(&gpu, &[5, 1, 48])?, &Mode::EVAL)?;
//! assert_eq!((logits.shape(), maps.shape()), (&[5, 3][..], &[5, 8, 48][..]));
//! assert_eq!(params.count(), 8 * 9 + 2 * 8 + 8 * 3 + 3);
//! # Ok::<(), Error>(())
//! ```
//!
//! A layer that is missing is a struct like this one, with a [`Parameter`](crate::nn::ParamBuilder::parameter) or two.
//!
//! # Loop
//!
//! A step: forward, loss, gradients of all parameters, optimiser. [`Optimizer`](crate::nn::Optimizer) is Adam, AdamW or SGD,
//! with groups of parameters where they want other rates; [`learning_rate`](crate::nn::learning_rate) is a schedule.
//!
//! ```
//! # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/data.rs")); }
//! # mod network { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/network.rs")); }
//! # use {data::*, exgnet::prelude::*, network::*};
//! # let gpu = Gpu::from_env()?;
//! # let mut p = ParamBuilder::new(1);
//! # let net = Net::new(&mut p);
//! # let params = p.init(&gpu)?;
//! let (x, labels, _) = signals(90);
//! let mut loader = Loader::new(&x, &[1, 48], 18)?.labels(&labels)?.shuffled(1);
//! let mut adam = Optimizer::new(&params, Hyper::default())?;
//! let even = Tensor::full(&gpu, &[3], 1.0)?; // weights of the classes
//! while loader.epoch() < 12 {
//!     let number = loader.batches();
//!     let batch = loader.next_batch(&gpu)?;
//!     let (logits, _) = net.forward(&batch.x, &params.train_mode(number)?)?;
//!     let loss = ops::cross_entropy(&logits, &ops::cross_entropy_targets(batch.labels()?, &even, 0.0)?)?;
//!     adam.step(&params, &params.gradients(&loss)?, learning_rate(2e-2, number as usize, 60, 0.1, true))?;
//! }
//!
//! let (x, labels, _) = signals(150);
//! let unseen: Vec<usize> = (90..150).collect();
//! let batch = Loader::new(&x, &[1, 48], 60)?.labels(&labels)?.only(&unseen)?.next_batch(&gpu)?;
//! let (logits, _) = no_grad(|| net.forward(&batch.x, &Mode::EVAL))?;
//! let found = logits.argmax(1, Keep::No)?.to_vec_u32()?;
//! let right = found.iter().zip(&labels[90..]).filter(|(found, label)| found == label).count();
//! assert!(right > 54, "{right} of 60");
//! # Ok::<(), Error>(())
//! ```
//!
//! A loss is whatever ends in one number: terms are added, and one may contain a gradient, if that was taken by
//! `grad(.., create_graph: true)`.
//!
//! # Save, load, resume
//!
//! Parameters and running estimates go to a safetensors file by name, as other programs read it; the optimiser's state goes to
//! one of its own. With the [state of the loader](crate::nn::Loader::state) a training resumes to the same bits.
//!
//! ```
//! # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/data.rs")); }
//! # mod network { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/network.rs")); }
//! # use {data::*, exgnet::prelude::*, network::*};
//! # let gpu = Gpu::from_env()?;
//! # let (x, labels, _) = signals(90);
//! # let even = Tensor::full(&gpu, &[3], 1.0)?;
//! # let dir = tempfile::tempdir().expect("a folder");
//! # let dir = dir.path();
//! let built = |seed| {
//!     let mut p = ParamBuilder::new(seed);
//!     let net = Net::new(&mut p);
//!     let params = p.init(&gpu)?;
//!     let adam = Optimizer::new(&params, Hyper::default())?;
//!     let loader = Loader::new(&x, &[1, 48], 18)?.labels(&labels)?.shuffled(1);
//!     Ok::<_, Error>((net, params, adam, loader))
//! };
//! let step = |net: &Net, params: &Params, adam: &mut Optimizer, loader: &mut Loader<'_>| {
//!     let mode = params.train_mode(loader.batches())?;
//!     let batch = loader.next_batch(&gpu)?;
//!     let targets = ops::cross_entropy_targets(batch.labels()?, &even, 0.0)?;
//!     let loss = ops::cross_entropy(&net.forward(&batch.x, &mode)?.0, &targets)?;
//!     adam.step(params, &params.gradients(&loss)?, 1e-2)?;
//!     loss.item()
//! };
//! let (net, params, mut adam, mut loader) = built(1)?;
//! step(&net, &params, &mut adam, &mut loader)?;
//! params.save(dir.join("net.safetensors"))?;
//! adam.save(&params, dir.join("adam.safetensors"))?;
//! let state = loader.state(); // implements serde's traits
//! let next = step(&net, &params, &mut adam, &mut loader)?;
//!
//! let (net, params, mut adam, mut loader) = built(1)?; // in another program
//! params.load(dir.join("net.safetensors"))?;
//! adam.load(&params, dir.join("adam.safetensors"))?;
//! loader.resume(&state)?;
//! assert_eq!(step(&net, &params, &mut adam, &mut loader)?, next);
//! # Ok::<(), Error>(())
//! ```
//!
//! # A step that is recorded once
//!
//! A small network spends most of its time on describing work to the device. [`Capture`](crate::gpu::Capture) keeps that: the step is
//! recorded once, and replayed with what is put into its inputs before. Batches are then all of one shape, and rate and dropout
//! are set before each replay.
//!
//! ```
//! # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/data.rs")); }
//! # mod network { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/network.rs")); }
//! # use {data::*, exgnet::prelude::*, network::*};
//! # let gpu = Gpu::from_env()?;
//! # let (values, classes, _) = signals(90);
//! # let even = Tensor::full(&gpu, &[3], 1.0)?;
//! # let mut p = ParamBuilder::new(1);
//! # let net = Net::new(&mut p);
//! # let params = p.init(&gpu)?;
//! # let mut adam = Optimizer::new(&params, Hyper::default())?;
//! let mut loader = Loader::new(&values, &[1, 48], 18)?.labels(&classes)?.shuffled(1).whole_batches()?;
//! let first = loader.next_batch(&gpu)?;
//! let (x, labels) = (first.x.clone(), first.labels()?.clone()); // the inputs of all steps
//! let mode = params.train_mode(0)?;
//! let step = Capture::new(&gpu, || {
//!     let targets = ops::cross_entropy_targets(&labels, &even, 0.0)?;
//!     let loss = ops::cross_entropy(&net.forward(&x, &mode)?.0, &targets)?;
//!     adam.update(&params, &params.gradients(&loss)?)?;
//!     Ok(loss.detach())
//! })?;
//! let mut losses = Vec::new();
//! while loader.epoch() < 8 {
//!     let number = loader.batches();
//!     let batch = loader.next_batch(&gpu)?;
//!     x.assign(&batch.x)?;
//!     labels.assign(batch.labels()?)?;
//!     params.train_mode(number)?;
//!     adam.begin(1e-2)?;
//!     let loss = step.replay()?;
//!     if number % 10 == 0 {
//!         losses.push(loss.item()?); // waits for the device, so not at each step
//!     }
//! }
//! assert!(losses.last() < losses.first(), "{losses:?}");
//! # Ok::<(), Error>(())
//! ```
//!
//! # Where it looked
//!
//! An explanation is a gradient: of a class's logit with respect to feature maps (Grad-CAM, Selvaraju et al. 2017), or to the
//! signal itself. Maps weighted by the mean of their gradients show what spoke for the class.
//!
//! ```
//! # mod data { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/data.rs")); }
//! # mod network { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/network.rs")); }
//! # use {data::*, exgnet::prelude::*, network::*};
//! # let gpu = Gpu::from_env()?;
//! # let mut p = ParamBuilder::new(1);
//! # let net = Net::new(&mut p);
//! # let params = p.init(&gpu)?;
//! # let (x, labels, places) = signals(90);
//! # let mut loader = Loader::new(&x, &[1, 48], 18)?.labels(&labels)?.shuffled(1);
//! # let mut adam = Optimizer::new(&params, Hyper::default())?;
//! # let even = Tensor::full(&gpu, &[3], 1.0)?;
//! # while loader.epoch() < 12 {
//! #     let mode = params.train_mode(loader.batches())?;
//! #     let batch = loader.next_batch(&gpu)?;
//! #     let targets = ops::cross_entropy_targets(batch.labels()?, &even, 0.0)?;
//! #     let loss = ops::cross_entropy(&net.forward(&batch.x, &mode)?.0, &targets)?;
//! #     adam.step(&params, &params.gradients(&loss)?, 2e-2)?;
//! # }
//! // a trained network, signals `x` [90, 1, 48], and where their bumps are
//! let batch = Loader::new(&x, &[1, 48], 90)?.labels(&labels)?.next_batch(&gpu)?;
//! let (logits, maps) = net.forward(&batch.x, &Mode::EVAL)?;
//! let class = logits.argmax(1, Keep::No)?;
//! let alpha = grad(&ops::pick(&logits, &class)?, &[&maps], None, false)?.remove(0).expect("they depend on the maps");
//! let cam = (&maps * &alpha.mean(&[2], Keep::Yes)?)?.sum(&[1], Keep::No)?.relu()?; // [90, 48]
//! let peaks = cam.argmax(1, Keep::No)?.to_vec_u32()?;
//! let near = |i: &usize| peaks[*i].abs_diff(places[*i] as u32) <= 4;
//! let found = (0..90).filter(|i| i % 3 > 0).filter(near).count(); // of 60 with a bump
//! assert!(found > 54, "{found}");
//! # Ok::<(), Error>(())
//! ```
//!
//! # From here
//!
//! - [`nn`](crate::nn) has the layers, [`ops`](crate::ops) all operations;
//! - an operation that is missing is a file with a kernel of its own: `experiments/examples/own_operation.rs`, and
//!   [`lab::check::check_case`](crate::lab::check::check_case) checks its values and derivatives;
//! - `experiments/examples/own_network.rs` is this chapter as one program, with a loss that differentiates a gradient.
//! - what a new version changes, and what stays: [`releases`].

#[doc = include_str!("guide/releases.md")]
pub mod releases {}
