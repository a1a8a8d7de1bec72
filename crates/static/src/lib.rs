//! Models without a neural network: a table of token vectors that is made from a sentence model's weights, summed by rarity,
//! and a count of tokens that never falls short.

mod make;
mod split;
mod table;
mod tokens;

pub use make::make;
pub use split::split;
pub use table::Table;
pub use tokens::count;
