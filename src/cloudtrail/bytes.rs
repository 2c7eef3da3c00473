//! Where the bytes of a stream come from, a window at a time.

use std::cell::Cell;

/// Where the bytes come from.
pub trait Bytes {
    /// What is there and not yet consumed.
    fn window(&self) -> &[u8];
    /// Drops the first `n` bytes of the window.
    fn consume(&mut self, n: usize);
    /// Brings further bytes to the end of the window. `false`: there are no more.
    fn fill(&mut self) -> bool;
}

/// Bytes that are all there.
#[derive(Debug)]
pub struct Whole<'a>(pub &'a [u8]);

impl Bytes for Whole<'_> {
    fn window(&self) -> &[u8] {
        self.0
    }
    fn consume(&mut self, n: usize) {
        self.0 = self.0.get(n..).unwrap_or_default();
    }
    fn fill(&mut self) -> bool {
        false
    }
}

/// Bytes that end as soon as whoever reads them has had enough.
pub(super) struct Until<'s, B> {
    pub bytes: B,
    /// No more is wanted.
    pub stop: &'s Cell<bool>,
}

impl<B: Bytes> Bytes for Until<'_, B> {
    fn window(&self) -> &[u8] {
        if self.stop.get() { &[] } else { self.bytes.window() }
    }
    fn consume(&mut self, n: usize) {
        self.bytes.consume(n);
    }
    fn fill(&mut self) -> bool {
        !self.stop.get() && self.bytes.fill()
    }
}
