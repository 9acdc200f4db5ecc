//! Whether some work fits into memory, before any of it is allocated.

use super::Gpu;
use super::pool::{SMALLER, mb, over_limit};
use crate::error::{Error, MemoryLimit, Result};

/// Bytes that some work takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Its largest tensor.
    pub largest: u64,
    /// All tensors that live at the same time.
    pub tensors: u64,
    /// What the host keeps beside them.
    pub host: u64,
}

impl Needs {
    /// Of tensors with `elements` elements each; the host keeps the first `host` of them too.
    pub fn of(elements: &[f64], host: usize) -> Self {
        let bytes = |n: f64| (4.0 * n) as u64;
        let most = elements.iter().copied().fold(0.0, f64::max);
        Self {
            largest: bytes(most),
            tensors: bytes(elements.iter().sum()),
            host: bytes(elements[..host.min(elements.len())].iter().sum()),
        }
    }

    /// Both at the same time.
    pub fn and(self, other: Self) -> Self {
        Self {
            largest: self.largest.max(other.largest),
            tensors: self.tensors.saturating_add(other.tensors),
            host: self.host.saturating_add(other.host),
        }
    }

    /// One after the other.
    pub fn or(self, other: Self) -> Self {
        Self {
            largest: self.largest.max(other.largest),
            tensors: self.tensors.max(other.tensors),
            host: self.host.max(other.host),
        }
    }
}

/// Most bytes of a tensor, whatever the adapter: fewer than 2^31 elements.
const MOST: u64 = 4 * ((1 << 31) - 1);

/// Bytes of memory that programs can still get on this machine; `None` where the system does not say.
fn host_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

impl Gpu {
    /// Refuses work that cannot fit: into the limit of [`Gpu::limit_memory`], the adapter's largest tensor, or this machine's
    /// memory (which a software adapter's tensors lie in too). `what` names the work.
    pub fn check_fits(&self, what: &str, needs: Needs) -> Result<()> {
        let held = self.pool_stats().in_use;
        if let Some(limit) = self.memory_limit().filter(|&limit| needs.tensors.saturating_add(held) > limit) {
            return Err(over_limit(what, needs.tensors, held, limit));
        }
        let report = self.report();
        let most = report.largest_tensor().min(MOST);
        if needs.largest > most {
            return Err(Error::memory(
                format!(
                    "{what} needs a tensor of {} ({} in all), the largest on {} is {}",
                    mb(needs.largest),
                    mb(needs.tensors),
                    report.name,
                    mb(most)
                ),
                MemoryLimit::Tensor { most, needed: needs.largest },
                SMALLER,
            ));
        }
        let on_host = needs.host.saturating_add(if report.is_software { needs.tensors } else { 0 });
        match host_memory().filter(|&free| on_host > free) {
            Some(free) => Err(Error::memory(
                format!("{what} needs {} of this machine's memory, {} are free", mb(on_host), mb(free)),
                MemoryLimit::Tensors(free.saturating_sub(needs.host)),
                SMALLER,
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_add_up_or_take_turns() {
        let (a, b) = (Needs::of(&[10.0, 2.0], 1), Needs::of(&[5.0], 1));
        assert_eq!(a, Needs { largest: 40, tensors: 48, host: 40 });
        assert_eq!(a.and(b), Needs { largest: 40, tensors: 68, host: 60 });
        assert_eq!(a.or(b), a);
        assert_eq!(Needs::of(&[1e30], 1).and(a).tensors, u64::MAX);
    }
}
