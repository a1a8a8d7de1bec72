//! What a journal costs at an object store: its real code over a store in memory that counts, under a simulated clock.

mod bill;
mod conversation;
mod meter;
mod month;
mod table;

pub use bill::Bill;
pub use month::{Load, month};
pub use table::{FOOT, HEAD, line, page};
