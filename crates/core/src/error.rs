//! The one error table: every WIT error, HTTP status, MCP code and exit code comes from here.

use std::fmt;

/// What the caller can do about an error. A closed set: the cases of the WIT `error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Case {
    /// The request breaks a rule. The user must change it.
    Invalid,
    /// The credentials are missing, wrong or do not allow this. The user must use another key.
    Denied,
    /// The named thing does not exist in this scope.
    NotFound,
    /// The thing exists and differs, or was changed meanwhile. The user must read it again.
    Conflict,
    /// A limit per tenant or address is used up. The user must wait `retry_after`.
    Exhausted,
    /// A neighbour (store, index, model) cannot be reached now. The user may repeat the request.
    Unavailable,
    /// Stored bytes are not what was written. The operator must run `holdfast doctor`.
    Corrupt,
    /// A bug. The user should report the request id.
    Internal,
}

/// The fine print of a case, as text that programs may compare. Listed in [`REASONS`].
pub type Reason = &'static str;

/// One row of the error table: (case, reason, HTTP status, title).
pub struct Row {
    /// The case.
    pub case: Case,
    /// The reason; also the `code` of a problem.
    pub reason: Reason,
    /// HTTP status.
    pub status: u16,
    /// Title of the problem: short, the same for every occurrence.
    pub title: &'static str,
}

macro_rules! rows {
    ($($case:ident $reason:literal $status:literal $title:literal;)*) => {
        /// Every (case, reason) that Holdfast answers. The first row of a case is its default.
        pub const REASONS: &[Row] = &[$(Row { case: Case::$case, reason: $reason, status: $status, title: $title }),*];
    };
}

rows! {
    Invalid "invalid" 400 "the request is not valid";
    Invalid "malformed_json" 400 "the body is not valid JSON";
    Invalid "invalid_utf8" 400 "the text is not valid UTF-8";
    Invalid "unknown_field" 400 "a field is not known";
    Invalid "missing_scope" 400 "the request names no user";
    Invalid "contradicting_scope" 400 "the request names two scopes";
    Invalid "invalid_cursor" 400 "the cursor is not one of ours for this query";
    Invalid "invalid_token" 400 "the Holdfast-After token is not valid";
    Invalid "too_large" 413 "the request is too large";
    Invalid "unsupported_media_type" 415 "the body has a type that is not read here";
    Invalid "unprocessable" 422 "the body breaks a rule";
    Invalid "idempotency_mismatch" 422 "the Idempotency-Key was used with another body";
    Invalid "range_not_satisfiable" 416 "the range asks for nothing that is there";
    Invalid "method_not_allowed" 405 "the method is not allowed here";
    Denied "denied" 403 "the key does not allow this";
    Denied "unauthenticated" 401 "the request carries no valid key";
    NotFound "not_found" 404 "not found";
    NotFound "no_route" 404 "no such route";
    Conflict "conflict" 409 "it exists and differs";
    Conflict "precondition_failed" 412 "it was changed meanwhile";
    Conflict "gone" 410 "it was deleted and does not come back";
    Exhausted "exhausted" 429 "a limit is used up";
    Exhausted "budget_spent" 429 "what may be spent today is spent";
    Unavailable "unavailable" 503 "a part that this needs cannot be reached now";
    Unavailable "store_unavailable" 503 "the object store cannot be reached now";
    Unavailable "store_refused" 503 "the object store refuses our credentials or our request";
    Unavailable "outcome_unknown" 503 "it is not known whether the write happened";
    Unavailable "not_yet_visible" 503 "what the token promises cannot be shown yet";
    Unavailable "index_loading" 503 "the index is loading this user";
    Unavailable "model_unavailable" 503 "the embedding model cannot be reached now";
    Unavailable "model_refused" 503 "the generating model was not reached, or refused: nothing was spent";
    Unavailable "clock" 503 "the clock cannot be trusted";
    Corrupt "corrupt" 500 "stored bytes are not what was written";
    Corrupt "newer_format" 500 "stored bytes are of a newer version: upgrade";
    Internal "internal" 500 "an error inside Holdfast";
}

/// A typed error: what it is, what it concerns, and what to do.
///
/// The text is lower case without a full stop, names the thing, and never holds a cause or a secret:
/// the cause is [`std::error::Error::source`], for logs only.
#[derive(Debug)]
pub struct Error {
    /// What the caller can do.
    pub case: Case,
    /// Which row of [`REASONS`].
    pub reason: Reason,
    /// JSON pointer or name of the field at fault.
    pub field: Option<String>,
    /// The thing and what to do.
    pub detail: String,
    /// Seconds after which a repetition makes sense.
    pub retry_after: Option<u32>,
    /// The methods that the path takes, when the method was wrong: the header `Allow`.
    pub allow: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `case` with that case's default reason.
    pub fn new(case: Case, detail: impl Into<String>) -> Self {
        Self::because(case, case.default_reason(), detail)
    }

    /// An error of `case` for `reason`, one of [`REASONS`].
    pub fn because(case: Case, reason: Reason, detail: impl Into<String>) -> Self {
        let retry_after = matches!(case, Case::Exhausted | Case::Unavailable).then_some(1);
        Self {
            case,
            reason,
            field: None,
            detail: detail.into(),
            retry_after,
            allow: None,
            source: None,
        }
    }

    /// A request that breaks a rule.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Case::Invalid, detail)
    }

    /// A body that parses and breaks a rule at `field`.
    pub fn unprocessable(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::because(Case::Invalid, "unprocessable", detail).at(field)
    }

    /// A thing that does not exist in this scope.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Case::NotFound, detail)
    }

    /// A method that a path does not take; `allowed` are those that it does.
    pub fn method_not_allowed(path: &str, allowed: &[&str]) -> Self {
        let allowed = allowed.join(", ");
        let mut error =
            Self::because(Case::Invalid, "method_not_allowed", format!("{path} takes {allowed}"));
        error.allow = Some(allowed);
        error
    }

    /// A key that does not allow this.
    pub fn denied(detail: impl Into<String>) -> Self {
        Self::new(Case::Denied, detail)
    }

    /// A neighbour that cannot be reached now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(Case::Unavailable, detail)
    }

    /// Stored bytes that are not what was written.
    pub fn corrupt(detail: impl Into<String>) -> Self {
        Self::new(Case::Corrupt, detail)
    }

    /// A bug.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(Case::Internal, detail)
    }

    /// Names the field at fault.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Says when to repeat, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Says which thing the detail is about.
    #[must_use]
    pub fn about(mut self, thing: &dyn fmt::Display) -> Self {
        self.detail = format!("{thing}: {}", self.detail);
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// HTTP status of (case, reason).
    pub fn status(&self) -> u16 {
        self.row().map_or(self.case.default_status(), |row| row.status)
    }

    /// Title of the problem of (case, reason).
    pub fn title(&self) -> &'static str {
        self.row().map_or("an error inside Holdfast", |row| row.title)
    }

    /// The problem (RFC 9457) that a client sees.
    pub fn problem(&self, request_id: &str) -> serde_json::Map<String, serde_json::Value> {
        let mut members = serde_json::Map::new();
        let mut set = |name: &str, value: serde_json::Value| members.insert(name.to_owned(), value);
        set("type", format!("urn:holdfast:problem:{}", self.reason).into());
        set("title", self.title().into());
        set("status", self.status().into());
        set("code", self.reason.into());
        set("detail", self.detail.as_str().into());
        set("instance", format!("urn:holdfast:request:{request_id}").into());
        set("request_id", request_id.into());
        if let Some(field) = &self.field {
            set("pointer", field.as_str().into());
        }
        members
    }

    fn row(&self) -> Option<&'static Row> {
        REASONS.iter().find(|row| row.case == self.case && row.reason == self.reason)
    }
}

impl Case {
    /// All cases, in the order of the WIT variant.
    pub const ALL: [Case; 8] = [
        Case::Invalid,
        Case::Denied,
        Case::NotFound,
        Case::Conflict,
        Case::Exhausted,
        Case::Unavailable,
        Case::Corrupt,
        Case::Internal,
    ];

    /// Name as WIT and logs spell it.
    pub fn name(self) -> &'static str {
        match self {
            Case::Invalid => "invalid",
            Case::Denied => "denied",
            Case::NotFound => "not-found",
            Case::Conflict => "conflict",
            Case::Exhausted => "exhausted",
            Case::Unavailable => "unavailable",
            Case::Corrupt => "corrupt",
            Case::Internal => "internal",
        }
    }

    /// Exit code of the command line.
    pub fn exit_code(self) -> u8 {
        match self {
            Case::Internal => 1,
            Case::Invalid => 2,
            Case::Denied => 3,
            Case::NotFound => 4,
            Case::Conflict => 5,
            Case::Exhausted => 6,
            Case::Unavailable => 7,
            Case::Corrupt => 8,
        }
    }

    /// Code of a JSON-RPC error of MCP, where a resource cannot be read.
    pub fn mcp_code(self) -> i32 {
        match self {
            Case::Invalid => -32602,
            Case::Denied => -32001,
            Case::NotFound => -32002,
            Case::Conflict => -32003,
            Case::Exhausted => -32004,
            Case::Unavailable => -32005,
            Case::Corrupt | Case::Internal => -32603,
        }
    }

    /// Reason of the case when nothing finer is known.
    pub fn default_reason(self) -> Reason {
        REASONS.iter().find(|row| row.case == self).map_or("internal", |row| row.reason)
    }

    /// HTTP status of a reason that is not in the table (one from a newer neighbour).
    pub fn default_status(self) -> u16 {
        REASONS.iter().find(|row| row.case == self).map_or(500, |row| row.status)
    }

    /// May the same request succeed later?
    pub fn retryable(self) -> bool {
        matches!(self, Case::Exhausted | Case::Unavailable)
    }
}

/// The reason of the table that is spelled `text`; the case's default when a neighbour sends one we do not know.
pub fn reason(case: Case, text: &str) -> Reason {
    REASONS
        .iter()
        .find(|row| row.case == case && row.reason == text)
        .map_or(case.default_reason(), |row| row.reason)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_a_default_row_and_reasons_are_unique() {
        for case in Case::ALL {
            assert!(REASONS.iter().any(|row| row.case == case), "{case:?}");
        }
        for (at, row) in REASONS.iter().enumerate() {
            assert!(!REASONS[at + 1..].iter().any(|other| other.reason == row.reason));
        }
    }

    #[test]
    fn exit_codes_are_distinct() {
        let mut codes: Vec<u8> = Case::ALL.iter().map(|case| case.exit_code()).collect();
        codes.sort_unstable();
        assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
