//! What a store really does: measured on keys of its own below `v1/probe/`, never taken from a brand's name.

mod aspects;

use crate::answer;
use crate::fault::Fault;
use crate::operations::Call;
use crate::store::Store;
use crate::transport::Transport;
use aspects::{ASPECTS, Aspect, CONSOLE, shown};
use bytes::Bytes;
use futures::future::join_all;
use holdfast_core::ports::{Clock, Ids, Objects};
use holdfast_core::{Error, Key, Prefix, Result, key};
use http::{HeaderName, Method, Response, StatusCode, header};
use ulid::Ulid;

/// Calls of which the latencies are the median.
const CALLS: usize = 20;
/// Rounds of the race, and writers in each.
const RACES: usize = 20;
const RACERS: usize = 8;
/// An offset of our clock beyond this is worth a word, in milliseconds.
const CLOCK: i64 = 2_000;

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and something should be known or done.
    Warn,
    /// Memories are at risk, or nothing works.
    Bad,
}

impl Verdict {
    /// Its name, for people and programs.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Good => "ok",
            Verdict::Warn => "warning",
            Verdict::Bad => "bad",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub name: &'static str,
    /// How it is to be taken.
    pub verdict: Verdict,
    /// What was seen.
    pub found: String,
    /// What to do; empty when there is nothing.
    pub advice: &'static str,
}

fn good(name: &'static str, found: impl Into<String>) -> Finding {
    Finding { name, verdict: Verdict::Good, found: found.into(), advice: "" }
}

fn warn(name: &'static str, found: impl Into<String>, advice: &'static str) -> Finding {
    Finding { name, verdict: Verdict::Warn, found: found.into(), advice }
}

fn bad(name: &'static str, found: impl Into<String>, advice: &'static str) -> Finding {
    Finding { name, verdict: Verdict::Bad, found: found.into(), advice }
}

impl<T: Transport, C: Clock, I: Ids> Store<T, C, I> {
    /// Looks at everything; what was written is removed again. A store that cannot be reached, or refuses the
    /// credentials, is the first finding and the last.
    pub async fn probe(&self) -> Vec<Finding> {
        let mut findings = vec![self.reached().await];
        if findings.iter().any(|finding| finding.verdict == Verdict::Bad) {
            return findings;
        }
        let folder = Folder(self.fresh());
        findings.push(self.clock_finding());
        let written = self.round_trip(&folder).await;
        findings.extend(written);
        findings.push(self.latency(&folder).await);
        findings.extend(self.conditions(&folder).await);
        findings.push(self.public(&folder).await);
        for aspect in ASPECTS {
            findings.push(self.aspect(aspect).await);
        }
        findings.push(self.sweep(&folder).await);
        findings
    }

    /// As [`probe`](Self::probe), but writes nothing and takes a few requests: credentials, clock, and what the bucket is set to.
    pub async fn glance(&self) -> Vec<Finding> {
        let mut findings = vec![self.reached().await];
        if findings.iter().any(|finding| finding.verdict == Verdict::Bad) {
            return findings;
        }
        findings.push(self.clock_finding());
        for aspect in ASPECTS {
            findings.push(self.aspect(aspect).await);
        }
        findings
    }

    async fn reached(&self) -> Finding {
        const NAME: &str = "reach and credentials";
        match self.list(&key::formats(), None).await {
            Ok(_) => good(NAME, "the bucket answers and takes our key"),
            Err(error) => bad(NAME, error.detail.clone(), "correct the settings s3_…"),
        }
    }

    fn clock_finding(&self) -> Finding {
        const ADVICE: &str = "set this machine's clock (NTP): beyond 60 s nothing is written";
        match self.skew().offset() {
            Some(offset) if offset.abs() <= CLOCK => {
                good("clock", format!("within {offset} ms of the store's"))
            }
            Some(offset) if offset.abs() <= holdfast_core::clock::MAX_SKEW => {
                warn("clock", format!("{offset} ms off the store's"), ADVICE)
            }
            Some(offset) => bad("clock", format!("{offset} ms off the store's"), ADVICE),
            None => bad(
                "clock",
                "the store's answers carry no Date",
                "no order can be given: use another store",
            ),
        }
    }

    /// PUT, then GET, LIST, ranges and removal, each at once.
    async fn round_trip(&self, folder: &Folder) -> Vec<Finding> {
        let (key, text) = (folder.key("round-trip"), Bytes::from_static(b"0123456789"));
        let mut findings = Vec::new();
        let written = match self.once(Method::PUT, &key, &[], text.clone()).await {
            Ok(answer) if answer.status().is_success() => answer,
            Ok(answer) => {
                let found = format!("a PUT is answered {}", said(&answer));
                return vec![bad(
                    "write and read back",
                    found,
                    "give the key the right to write and read",
                )];
            }
            Err(error) => {
                return vec![bad("write and read back", error.detail.clone(), "see the log")];
            }
        };
        let etag = answer::etag(&written).unwrap_or_default().to_owned();
        findings.push(if etag == "781e5e245d69b566979b86e28d23f2c7" {
            good("ETag", "is the MD5 of what was written")
        } else if self.settings.etag_is_not_md5 {
            good("ETag", "is not the MD5: every write is read back (s3_etag_is_not_md5 is set)")
        } else {
            bad(
                "ETag",
                format!("{etag} is not the MD5 of what was written"),
                "set s3_etag_is_not_md5=true: writes are then read back",
            )
        });
        findings.push(match self.get(&key).await {
            Ok(Some(read)) if read == text => {
                good("write and read back", "what was written is read at once")
            }
            _ => bad(
                "write and read back",
                "what was just written is not read back",
                "use another store: nothing can be trusted here",
            ),
        });
        let listed = self.list(&folder.prefix(), None).await;
        findings.push(match listed {
            Ok(page) if page.objects.iter().any(|o| o.key == key.as_str() && o.size == 10) => {
                good("list", "shows a new object at once")
            }
            Ok(_) => warn(
                "list",
                "does not show a new object at once",
                "nothing: lists are never taken for complete",
            ),
            Err(error) => {
                bad("list", error.detail.clone(), "give the key the right to list the bucket")
            }
        });
        findings.extend(self.ranges(&key).await);
        findings
    }

    /// Parts of ten digits, counted from the start and from the end.
    async fn ranges(&self, key: &Key) -> [Finding; 2] {
        let part = async |range: &'static str| {
            let answer = self.once(Method::GET, key, &[(header::RANGE, range)], Bytes::new()).await;
            answer.ok().filter(|answer| answer.status().is_success()).map(Response::into_body)
        };
        let ranges = match self.get_range(key, 3, 4).await {
            Ok(Some(read)) if &read[..] == b"3456" => match part("bytes=3-6").await {
                Some(body) if body.len() > 4 => warn(
                    "ranges",
                    "ignored: the whole object is answered",
                    "reading a part costs the whole as egress: use another store where that is billed",
                ),
                _ => good("ranges", "exactly what was asked for"),
            },
            _ => bad("ranges", "a range is not what was asked for", "use another store"),
        };
        let suffix = match part("bytes=-4").await {
            Some(body) if &body[..] == b"6789" => {
                good("suffix range", "exactly the last bytes that were asked for")
            }
            _ => warn(
                "suffix range",
                "the last bytes are not what is answered when they are asked for",
                "nothing: ours are asked for from their start",
            ),
        };
        [ranges, suffix]
    }

    async fn latency(&self, folder: &Folder) -> Finding {
        let (mut puts, mut gets) = (Vec::new(), Vec::new());
        for number in 0..CALLS {
            let key = folder.key(&format!("latency/{number}"));
            let begun = self.local_now();
            if self.put(&key, Bytes::from(vec![b'x'; 1_000])).await.is_err() {
                return bad("latency", "a write failed", "look at the store's state, then repeat");
            }
            let put = self.local_now();
            let _ = self.get(&key).await;
            puts.push(put.saturating_sub(begun));
            gets.push(self.local_now().saturating_sub(put));
        }
        let found = format!(
            "PUT {} ms, GET {} ms (medians of {CALLS})",
            median(puts.clone()),
            median(gets)
        );
        match median(puts) {
            0..=250 => good("latency", found),
            _ => warn("latency", found, "run the host in the bucket's region"),
        }
    }

    /// Whether conditional writes are honoured. Nothing of ours rests on them: it is good to know who does.
    async fn conditions(&self, folder: &Folder) -> Vec<Finding> {
        const NONE: &[(HeaderName, &str)] = &[(header::IF_NONE_MATCH, "*")];
        const WRONG: &[(HeaderName, &str)] =
            &[(header::IF_MATCH, "\"00000000000000000000000000000000\"")];
        let key = folder.key("condition");
        let put = async |headers: &[(HeaderName, &str)], text: &'static str| {
            let answer =
                self.once(Method::PUT, &key, headers, Bytes::from_static(text.as_bytes())).await;
            answer.map(|answer| answer.status())
        };
        let first = put(NONE, "1").await;
        let again = put(NONE, "2").await;
        let wrong = put(WRONG, "3").await;
        let honoured = |status: &Result<StatusCode>| match status {
            Ok(StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT) => "honoured",
            Ok(status) if status.is_success() => "ignored in silence",
            Ok(_) => "refused",
            Err(_) => "not answered",
        };
        let mut findings =
            vec![good("put-if-absent", honoured(&again)), good("wrong If-Match", honoured(&wrong))];
        if first.is_ok_and(|status| status.is_success()) && honoured(&again) == "honoured" {
            findings.push(self.race(folder).await);
        }
        findings
    }

    /// Eight writers put the same new key at once; one may win.
    async fn race(&self, folder: &Folder) -> Finding {
        let mut fair = 0;
        for round in 0..RACES {
            let key = folder.key(&format!("race/{round}"));
            let put = async |racer: usize| {
                let headers = [(header::IF_NONE_MATCH, "*")];
                let answer =
                    self.once(Method::PUT, &key, &headers, Bytes::from(racer.to_string())).await;
                answer.is_ok_and(|answer| answer.status().is_success())
            };
            let won = join_all((0..RACERS).map(put)).await.into_iter().filter(|won| *won).count();
            fair += usize::from(won == 1);
        }
        good("put-if-absent race", format!("one winner in {fair} of {RACES} races of {RACERS}"))
    }

    /// Whether an object can be read without a signature.
    async fn public(&self, folder: &Folder) -> Finding {
        let key = folder.key("round-trip");
        match self.unsigned_get(&key).await {
            Ok(answer) if answer.status().is_success() => bad(
                "public access",
                "an object is read without any key",
                "close the bucket to the public now: everything in it can be read",
            ),
            Ok(answer) => good(
                "public access",
                format!("refused without a key ({})", answer.status().as_u16()),
            ),
            Err(error) => warn("public access", error.detail.clone(), CONSOLE),
        }
    }

    async fn aspect(&self, aspect: &Aspect) -> Finding {
        match self.bucket_once(aspect.query).await {
            Ok(answer) => aspect.finding(&answer),
            Err(error) => warn(aspect.name, error.detail.clone(), CONSOLE),
        }
    }

    /// Removes what was written.
    async fn sweep(&self, folder: &Folder) -> Finding {
        let mut after: Option<String> = None;
        loop {
            let Ok(page) = self.list(&folder.prefix(), after.as_deref()).await else { break };
            for listed in &page.objects {
                let Some(key) = Key::below(&folder.prefix(), &listed.key) else { continue };
                if let Err(error) = self.delete(&key).await {
                    return bad(
                        "delete",
                        error.detail.clone(),
                        "give the key the right to delete: erasure needs it",
                    );
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        match self.get(&folder.key("round-trip")).await {
            Ok(None) => good("delete", "what was removed is gone at once"),
            _ => warn(
                "delete",
                "what was removed is still read for a while",
                "nothing: no delete is relied on",
            ),
        }
    }

    fn fresh(&self) -> Ulid {
        Ulid::from_parts(self.now(), u128::from(self.random()))
    }

    /// One attempt at a request about an object, whatever the answer is.
    async fn once(
        &self,
        method: Method,
        key: &Key,
        headers: &[(HeaderName, &str)],
        body: Bytes,
    ) -> Result<Response<Bytes>> {
        let url = crate::address::object(&self.settings, key.as_str());
        self.try_once(&Call::probing(method, url, headers, body)?).await
    }

    async fn bucket_once(&self, query: &str) -> Result<Response<Bytes>> {
        let url = crate::address::aspect(&self.settings, query);
        self.try_once(&Call::probing(Method::GET, url, &[], Bytes::new())?).await
    }

    async fn try_once(&self, call: &Call<'_>) -> Result<Response<Bytes>> {
        let fault =
            |fault: Fault| Error::unavailable(format!("the object store did not answer: {fault}"));
        self.attempt(call, self.settings.policy.attempt).await?.map_err(fault)
    }
}

/// Where one probe writes.
struct Folder(Ulid);

impl Folder {
    fn key(&self, name: &str) -> Key {
        key::probe_object(self.0, name)
    }

    fn prefix(&self) -> Prefix {
        key::probe(self.0)
    }
}

fn said(answer: &Response<Bytes>) -> String {
    let code = shown(&answer::error(answer.body()).code);
    if code.is_empty() { answer.status().as_u16().to_string() } else { code }
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}
