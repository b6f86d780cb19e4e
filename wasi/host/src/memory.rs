//! `Memory`: how large the linear memory of an instance may grow, and whether that was too little.

use wasmtime::ResourceLimiter;

/// The limit of one instance, as its store asks for it.
pub(crate) struct Memory {
    limit_bytes: usize,
    refused: bool,
}

impl Memory {
    pub(crate) const fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, refused: false }
    }

    /// Lets it grow so far from now on. It never shrinks, and neither does the limit.
    pub(crate) fn allow(&mut self, limit_bytes: usize) {
        self.limit_bytes = self.limit_bytes.max(limit_bytes);
    }

    /// Whether it was refused more at any time.
    pub(crate) const fn ran_out(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = desired <= maximum.map_or(self.limit_bytes, |most| most.min(self.limit_bytes));
        self.refused |= !fits;
        Ok(fits)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        _desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // The table of functions is as large as the component says and never grows.
        Ok(true)
    }
}
