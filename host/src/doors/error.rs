//! The core's error in the two packages' own types.

use super::generated::holdfast::{index, models};
use holdfast_core::{Case, Error};

macro_rules! errors {
    ($($package:ident)*) => {$(
        impl From<Error> for $package::types::Error {
            fn from(error: Error) -> Self {
                log(&error);
                let problem = $package::types::Problem {
                    reason: error.reason.to_owned(),
                    field: error.field,
                    detail: error.detail,
                    retry_after: error.retry_after,
                };
                match error.case {
                    Case::Invalid => Self::Invalid(problem),
                    Case::Denied => Self::Denied(problem),
                    Case::NotFound => Self::NotFound(problem),
                    Case::Conflict => Self::Conflict(problem),
                    Case::Exhausted => Self::Exhausted(problem),
                    Case::Unavailable => Self::Unavailable(problem),
                    Case::Corrupt => Self::Corrupt(problem),
                    Case::Internal => Self::Internal(problem),
                }
            }
        }
    )*};
}

errors! { index models }

/// The cause stays here: a component gets only what its caller may see.
fn log(error: &Error) {
    if matches!(error.case, Case::Corrupt | Case::Internal)
        && let Some(cause) = std::error::Error::source(error)
    {
        tracing::error!("{}: {error}: {cause}", error.reason);
    }
}
