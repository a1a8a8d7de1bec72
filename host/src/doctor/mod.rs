//! What `holdfast doctor` and `GET /v1/doctor` look at: the store itself, whose bucket it is, and what lies in it.

pub mod fleet;
pub mod installation;
mod route;

pub use route::Doctor;

use fleet::{Bounds, Users};
use holdfast_core::TenantId;
use holdfast_core::erase::Ledger;
use holdfast_core::{Error, Result, Scope};
use holdfast_objects::{Finding, Verdict};
use holdfast_ports::{Bucket, Period};
use serde_json::{Value, json};

/// What is to be looked at.
pub struct Look {
    /// The root secret, where it is known.
    pub root_secret: Option<String>,
    /// What a host read; none where none is asked.
    pub read: Option<Period>,
    /// How far.
    pub depth: Depth,
}

/// How far a look goes.
pub enum Depth {
    /// A few requests that write nothing, and the journals of these users.
    Glance(Vec<Scope>),
    /// The store is tried out, and everything is counted within bounds: of one tenant, or of all.
    Whole(Option<TenantId>, Bounds),
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report(pub Vec<Finding>);

impl Look {
    /// Looks. What fails is a finding too.
    pub async fn look(self, store: &Bucket) -> Report {
        let mut report = Report(match &self.depth {
            Depth::Glance(_) => store.glance().await,
            Depth::Whole(..) => store.probe().await,
        });
        if report.0.len() < 2 {
            // The bucket cannot be reached.
            return report;
        }
        let secret = self.root_secret.as_deref().filter(|secret| !secret.is_empty());
        let own = secret.map(installation::fingerprint);
        let marks = installation::marks(store).await;
        report.add("installations", marks, |marks| installation::judge(&marks, own.as_deref()));
        let ledger = Ledger::new(secret.unwrap_or_default());
        match self.depth {
            Depth::Glance(users) => {
                report.0.push(fleet::egress(self.read, None));
                report.0.push(fleet::compaction(store, &ledger, &users, false).await);
            }
            Depth::Whole(whose, bounds) => {
                // How much others have is not for one tenant to know.
                if whose.is_none() {
                    let stored = fleet::stored(store, bounds).await;
                    let known = stored.as_ref().ok().copied();
                    report.add("stored", stored, fleet::size);
                    report.0.push(fleet::egress(self.read, known));
                }
                match fleet::users(store, whose.as_ref(), bounds).await {
                    Ok(users) => {
                        let Users { named, more, .. } = &users;
                        report.0.push(fleet::compaction(store, &ledger, named, *more).await);
                        report.0.push(fleet::long_ids(&users));
                    }
                    Err(error) => {
                        report.0.push(unknown("compaction", &error));
                        report.0.push(unknown("long ids", &error));
                    }
                }
            }
        }
        report
    }
}

fn unknown(name: &'static str, error: &Error) -> Finding {
    Finding {
        name,
        verdict: Verdict::Warn,
        found: format!("not known: {}", error.detail),
        advice: "look at the store's state, then repeat",
    }
}

impl Report {
    fn add<T>(&mut self, name: &'static str, found: Result<T>, judge: impl FnOnce(T) -> Finding) {
        self.0.push(match found {
            Ok(found) => judge(found),
            Err(error) => unknown(name, &error),
        });
    }

    /// The worst of all.
    pub fn verdict(&self) -> Verdict {
        self.0.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Good)
    }

    /// What all of it means.
    pub fn summary(&self) -> &'static str {
        match self.verdict() {
            Verdict::Bad => {
                "This store is not fit for memories as it is: do what the lines marked bad say."
            }
            Verdict::Warn => "This store is fit for memories; mind the warnings.",
            Verdict::Good => "This store is fit for memories.",
        }
    }

    /// All of it for programs.
    pub fn json(&self) -> Value {
        json!({
            "verdict": self.verdict().name(),
            "summary": self.summary(),
            "findings": self.0.iter().map(finding).collect::<Vec<_>>(),
        })
    }
}

/// One finding for programs.
pub fn finding(finding: &Finding) -> Value {
    let Finding { name, verdict, found, advice } = finding;
    json!({"name": name, "verdict": verdict.name(), "found": found, "advice": advice})
}
