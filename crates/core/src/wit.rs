//! The error in the types that bindings of the WIT packages generate: one mapping for every package and side.

/// Implements `From<Error>` for the `Error` of a module that bindings generated; `log` sees each error first.
#[macro_export]
macro_rules! wit_error {
    ($($module:ident)::+) => { $crate::wit_error!($($module)::+, |_: &$crate::Error| ()); };
    ($($module:ident)::+, $log:expr) => {
        impl From<$crate::Error> for $($module)::+::Error {
            fn from(error: $crate::Error) -> Self {
                $log(&error);
                let problem = $($module)::+::Problem {
                    reason: error.reason.to_owned(),
                    field: error.field,
                    detail: error.detail,
                    retry_after: error.retry_after,
                };
                match error.case {
                    $crate::Case::Invalid => Self::Invalid(problem),
                    $crate::Case::Denied => Self::Denied(problem),
                    $crate::Case::NotFound => Self::NotFound(problem),
                    $crate::Case::Conflict => Self::Conflict(problem),
                    $crate::Case::Exhausted => Self::Exhausted(problem),
                    $crate::Case::Unavailable => Self::Unavailable(problem),
                    $crate::Case::Corrupt => Self::Corrupt(problem),
                    $crate::Case::Internal => Self::Internal(problem),
                }
            }
        }
    };
}
