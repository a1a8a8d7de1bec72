//! An answer, and what every answer and every problem must have.

use serde_json::Value;

/// An answer that was read whole.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub text: String,
}

impl Answer {
    pub(crate) fn of(response: reqwest::blocking::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into())
            })
            .collect();
        let text = response.text().expect("the whole body, in UTF-8");
        Self { status, headers, text }
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Itself, when it has this status.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {:?}", self.text))
    }

    /// The items of a list.
    #[track_caller]
    pub fn data(&self) -> Vec<Value> {
        self.json()["data"].as_array().unwrap_or_else(|| panic!("no list: {}", self.text)).clone()
    }

    /// The problem that it must be.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.any_problem();
        assert_eq!((self.status, problem["code"].as_str()), (status, Some(code)), "{}", self.text);
        problem
    }

    /// The problem that it must be, whichever.
    #[track_caller]
    pub fn any_problem(&self) -> Value {
        let (text, status) = (&self.text, self.status);
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{status} {text}"
        );
        assert_eq!(self.header("cache-control"), Some("no-store"), "{status} {text}");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{text}");
        for field in ["type", "title", "code", "detail", "instance", "request_id"] {
            assert!(
                problem[field].as_str().is_some_and(|value| !value.is_empty()),
                "{field}: {text}"
            );
        }
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"), "{text}");
        problem
    }
}
