//! The memory that the values of one body may take. It is checked before they are built.
//!
//! A piece of a body can need far more memory than its bytes: an element of a list takes 32 bytes, and two in JSON.

use std::fmt;

/// Memory per byte of the body. The body itself takes one more.
const BYTES_PER_BODY_BYTE: usize = 7;

/// Memory beside that, so that small bodies may have many small pieces: 10,000 ids of one digit for example.
const BASE_BYTES: usize = 640 << 10;

/// Memory of an element of a list, with the reserve of a growing vector.
pub(crate) const LIST_ENTRY: usize = 48;
/// Memory of the first element of a list, in addition.
pub(crate) const LIST: usize = 128;
/// Memory of an entry of a map without its key: the entry, its place in the hash table, and the reserve of both while
/// they grow.
pub(crate) const MAP_ENTRY: usize = 160;
/// Memory of the first entry of a map, in addition.
pub(crate) const MAP: usize = 256;

/// The pieces of a body would take too much memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputTooLarge;

impl fmt::Display for InputTooLarge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the body has too many pieces for its size")
    }
}

impl std::error::Error for InputTooLarge {}

/// The rest of the memory for the values of one body.
pub(crate) struct Budget {
    rest: usize,
}

impl Budget {
    /// Returns the budget of a body with this size.
    pub(crate) fn new(body_bytes: usize) -> Self {
        Self { rest: body_bytes.saturating_mul(BYTES_PER_BODY_BYTE).saturating_add(BASE_BYTES) }
    }

    /// Takes `bytes` for a piece that will be built.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), InputTooLarge> {
        self.rest = self.rest.checked_sub(bytes).ok_or(InputTooLarge)?;
        Ok(())
    }

    /// Takes the memory of a text.
    pub(crate) fn take_text(&mut self, length: usize) -> Result<(), InputTooLarge> {
        // An allocator hands out at least 32 bytes, 8 of them for itself.
        if length == 0 { Ok(()) } else { self.take(length.saturating_add(16).max(32)) }
    }
}
