//! The core's error in the two packages' own types.

use super::generated::holdfast::{index, models};
use holdfast_core::{Case, Error, wit_error};

wit_error!(index::types, log);
wit_error!(models::types, log);

/// The cause stays here: a component gets only what its caller may see.
fn log(error: &Error) {
    if matches!(error.case, Case::Corrupt | Case::Internal)
        && let Some(cause) = std::error::Error::source(error)
    {
        tracing::error!("{}: {error}: {cause}", error.reason);
    }
}
