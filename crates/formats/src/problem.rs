//! What is wrong with a body: a list of places, each with a code of the error table and what to do.

use holdfast_core::error::{Reason, reason};
use holdfast_core::{Case, Error};
use serde::Serialize;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// JSON pointer (RFC 6901) into the request's body.
    pub pointer: String,
    /// A reason of the error table, of the case `invalid`.
    pub code: Reason,
    /// The thing and what to do.
    pub detail: String,
}

impl Problem {
    pub(crate) fn new(pointer: impl Into<String>, code: Reason, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }

    pub(crate) fn rule(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(pointer, "unprocessable", detail)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Error::because(Case::Invalid, reason(Case::Invalid, problem.code), problem.detail)
            .at(problem.pointer)
    }
}

/// All that is wrong with a body: never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problems(pub Vec<Problem>);

impl From<Problems> for Error {
    /// One problem, or problems of one code, answer by that code; a mixture is `unprocessable`.
    fn from(problems: Problems) -> Self {
        let count = problems.0.len();
        let mut rest = problems.0.into_iter();
        let Some(first) = rest.next() else {
            return Error::internal("a body was refused without a reason");
        };
        if count == 1 {
            return first.into();
        }
        let code = if rest.all(|p| p.code == first.code) { first.code } else { "unprocessable" };
        let detail = format!("{count} problems, the first at {}: {}", first.pointer, first.detail);
        Problem::new(first.pointer, code, detail).into()
    }
}

/// `pointer` with one more reference token.
pub(crate) fn below(pointer: &str, token: &str) -> String {
    format!("{pointer}/{}", token.replace('~', "~0").replace('/', "~1"))
}
