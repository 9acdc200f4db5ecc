//! Kernels that are made before they are asked for: while work is described on a device of shapes alone, another thread makes
//! what it names for the device that the work will run on. Between a kernel's text and its first launch lie naga's validation
//! and the driver's translation, which keep one core busy.

use super::kernel::{Key, Maker};
use super::lock;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Stack of the thread: the driver's translation recurses as deeply as on the main thread.
const STACK: usize = 8 << 20;

/// What a device will be asked for, and the thread that makes it.
pub(super) struct Making {
    queue: Arc<(Mutex<Queue>, Condvar)>,
    maker: Maker,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Queue {
    keys: Vec<Key>,
    under_way: Option<Key>,
    ended: bool,
}

impl Making {
    pub(super) fn new(maker: Maker) -> Self {
        Self { queue: Arc::default(), maker, thread: Mutex::default() }
    }

    /// Has a kernel made soon. One that is refused is left to whoever asks for it, with the error.
    pub(super) fn begin(&self, key: Key) {
        let (queue, changed) = &*self.queue;
        lock(queue).keys.push(key);
        changed.notify_all();
        let mut thread = lock(&self.thread);
        if thread.is_none() {
            let (queue, maker) = (self.queue.clone(), self.maker.clone());
            let builder = std::thread::Builder::new().name("kernels".into()).stack_size(STACK);
            // without it kernels are made when they are asked for
            *thread = builder.spawn(move || work(&queue, &maker)).ok();
        }
    }

    /// Leaves a kernel that is not begun to the caller; waits for one that is.
    pub(super) fn leave(&self, key: &Key) {
        let (queue, changed) = &*self.queue;
        let mut held = lock(queue);
        held.keys.retain(|k| k != key);
        while held.under_way.as_ref() == Some(key) {
            held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        let (queue, changed) = &*self.queue;
        lock(queue).ended = true;
        changed.notify_all();
        if let Some(thread) = lock(&self.thread).take() {
            // it only helps: what became of it is of no interest
            let _ = thread.join();
        }
    }
}

/// Makes kernels, the one that was named last first, until the device is gone: whoever launches them begins with the first.
fn work((queue, changed): &(Mutex<Queue>, Condvar), maker: &Maker) {
    /// A kernel under way; a panic in the driver or in naga must not leave others waiting for it.
    struct UnderWay<'a>(&'a Mutex<Queue>, &'a Condvar);
    impl Drop for UnderWay<'_> {
        fn drop(&mut self) {
            lock(self.0).under_way = None;
            self.1.notify_all();
        }
    }
    loop {
        let mut held = lock(queue);
        let key = loop {
            if held.ended {
                return;
            }
            match held.keys.pop() {
                Some(key) => break key,
                None => held = changed.wait(held).unwrap_or_else(PoisonError::into_inner),
            }
        };
        held.under_way = Some(key.clone());
        drop(held);
        let _under_way = UnderWay(queue, changed);
        // the error is that of whoever asks for it
        let _ = maker.ahead(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Gpu, Launch};
    use crate::ops::{Branch, conv1d};
    use crate::tensor::{DType, Tensor};

    impl Making {
        /// Waits until nothing is left to make.
        fn wait(&self) {
            let (queue, changed) = &*self.queue;
            let mut held = lock(queue);
            while !held.keys.is_empty() || held.under_way.is_some() {
                held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn alone() -> Gpu {
        let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
        gpu.beside(gpu.shaders().clone()).expect("with kernels of its own")
    }

    #[test]
    fn what_shapes_describe_is_made_for_the_device_before_it_asks() {
        let gpu = alone();
        let work = |gpu: &Gpu| {
            let x = Tensor::empty(gpu, &[2, 3, 40], DType::F32).expect("allocated");
            let w = Tensor::empty(gpu, &[4, 3, 5], DType::F32).expect("allocated");
            conv1d(&x, &w, 1, 1, Branch::same(5, 1)).expect("launched");
        };
        work(&gpu.shapes().expect("a device of shapes"));
        assert!(gpu.0.maker.all().is_empty(), "what is described for its own sake is not made");
        let describe = || {
            work(&gpu.shapes_of_next().expect("a device of shapes"));
            gpu.0.making.as_ref().expect("a device").wait();
            gpu.0.maker.all()
        };
        let made = describe();
        assert!(made.len() > 1, "{}", made.len());
        work(&gpu);
        assert_eq!(gpu.0.maker.all().len(), made.len(), "it asks for the same");
        let again = describe();
        assert!(again.iter().all(|kernel| made.iter().any(|k| Arc::ptr_eq(k, kernel))), "what is there is kept");
        gpu.finish().expect("they run");
    }

    #[test]
    fn a_kernel_that_is_refused_is_refused_where_it_is_launched() {
        // parsed, but not valid: nothing is returned
        let text = "struct P { n: u32 }\n@group(0) @binding(0) var<uniform> p: P;\n\
            @group(0) @binding(1) var<storage, read_write> y: array<f32>;\noverride WG: u32 = 8u;\nfn f() -> f32 { }\n\
            @compute @workgroup_size(WG)\nfn main() { y[p.n] = f(); }";
        let gpu = alone();
        let launch = |gpu: &Gpu| {
            let y = Tensor::empty(gpu, &[4], DType::F32).expect("allocated");
            Launch::from_text("wrong", text).uint([0]).bind(y.storage()).threads(gpu, 4, 8)
        };
        launch(&gpu.shapes_of_next().expect("a device of shapes")).expect("described");
        gpu.0.making.as_ref().expect("a device").wait();
        assert!(gpu.check().is_ok(), "nobody asked for it");
        let e = launch(&gpu).expect_err("refused").to_string();
        assert!(e.contains("wrong"), "{e}");
    }
}
