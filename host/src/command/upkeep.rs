//! `holdfast upkeep`: has a running installation tend its journals, call by call until all is done.

use super::remote::{Call, Installation, json as read, key_with_admin, wait};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::Args;
use holdfast_core::Error;
use holdfast_core::ports::Clock;
use holdfast_objects::Transport;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  HOLDFAST_KEY=hf_… holdfast upkeep --url https://memory.example.com              seal and merge what has grown, write down what has expired
  HOLDFAST_KEY=hf_… holdfast upkeep --url https://memory.example.com --collect    and remove what was replaced long ago
  HOLDFAST_KEY=hf_… holdfast upkeep --url http://127.0.0.1:8080 --user ann        one user only

For installations without a host of their own, as Spin: from cron, once an hour or a day. The key needs the permission `admin`
and decides the tenant. Exit code 8 when an object in the bucket is not what was written, or a user's journal cannot be tended as
it is: all others are tended first.";

/// A call that is refused for now is made so many times.
const TRIES: u32 = 6;

/// Arguments of `holdfast upkeep`.
#[derive(Args)]
pub struct Upkeep {
    /// Where the installation answers: scheme, host, port.
    #[arg(long)]
    url: String,
    /// One user only.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Also remove what segments have replaced for longer than the grace.
    #[arg(long)]
    collect: bool,
}

/// Calls until there is no more to do.
pub fn run(upkeep: &Upkeep) -> Result<()> {
    let installation = Installation::new(&upkeep.url, key_with_admin()?)?;
    let (corrupt, failed) = wait(async {
        let mut calls = Calls::of(installation);
        let compacted = calls.all("compact", upkeep.user.as_deref()).await?;
        println!("compacted: {}", compacted.text());
        if upkeep.collect {
            let collected = calls.all("collect", upkeep.user.as_deref()).await?;
            println!("collected: {}", collected.text());
        }
        let expired = calls.all("expire", upkeep.user.as_deref()).await?;
        println!("expired: {} messages, {} other things", expired.expired, expired.ended);
        println!("failed: {} users", calls.failed.len());
        anyhow::Ok((calls.corrupt.len(), calls.failed.len()))
    })??;
    if corrupt > 0 {
        bail!(Error::corrupt(format!("{corrupt} objects are not what was written: see above")));
    }
    if failed > 0 {
        let detail =
            format!("the journals of {failed} users cannot be tended as they are: see above");
        bail!(Error::corrupt(detail));
    }
    Ok(())
}

/// What a call answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Done {
    has_more: bool,
    next_cursor: Option<String>,
    users: u64,
    sealed: u64,
    merged: u64,
    written_bytes: u64,
    removed: u64,
    removed_bytes: u64,
    expired: u64,
    ended: u64,
    corrupt: Vec<String>,
    failed: Vec<Failed>,
}

/// A user whose journal cannot be tended as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Failed {
    user_id: String,
    code: String,
    detail: String,
}

impl Done {
    fn add(&mut self, other: &Self) {
        self.users += other.users;
        self.sealed += other.sealed;
        self.merged += other.merged;
        self.written_bytes += other.written_bytes;
        self.removed += other.removed;
        self.removed_bytes += other.removed_bytes;
        self.expired += other.expired;
        self.ended += other.ended;
    }

    fn text(&self) -> String {
        let Self { users, sealed, merged, written_bytes, removed, removed_bytes, .. } = self;
        format!(
            "{users} users; {sealed} objects sealed, {merged} segments merged, {written_bytes} bytes written; {removed} \
             objects removed, {removed_bytes} bytes"
        )
    }
}

/// Calls of one installation.
struct Calls<T, C> {
    installation: Installation<T, C>,
    /// Objects that are not what was written.
    corrupt: BTreeSet<String>,
    /// Users whose journals cannot be tended as they are.
    failed: BTreeSet<String>,
}

impl<T, C> Calls<T, C> {
    fn of(installation: Installation<T, C>) -> Self {
        Self { installation, corrupt: BTreeSet::new(), failed: BTreeSet::new() }
    }
}

impl<T: Transport, C: Clock> Calls<T, C> {
    /// Calls `/v1/upkeep/<work>` until there is no more to do: what was done.
    async fn all(&mut self, work: &str, user: Option<&str>) -> Result<Done> {
        let (mut total, mut cursor) = (Done::default(), None::<String>);
        loop {
            let body = match (user, &cursor) {
                (Some(user), _) => json!({"user_id": user}),
                (None, Some(cursor)) => json!({"cursor": cursor}),
                (None, None) => json!({}),
            };
            let done = self.patiently(work, &Bytes::from(body.to_string())).await?;
            total.add(&done);
            if user.is_some() {
                total.users = 1;
            }
            eprintln!("{work}: {}", total.text());
            for key in done.corrupt {
                if !self.corrupt.contains(&key) {
                    eprintln!("  corrupt   {key}");
                    self.corrupt.insert(key);
                }
            }
            for Failed { user_id, code, detail } in done.failed {
                eprintln!("  failed    {user_id}: {code}: {detail}");
                self.failed.insert(user_id);
            }
            let more = if user.is_some() { done.has_more } else { done.next_cursor.is_some() };
            if !more {
                return Ok(total);
            }
            cursor = done.next_cursor;
        }
    }

    async fn patiently(&self, work: &str, body: &Bytes) -> Result<Done> {
        let call = Call::post(&format!("/v1/upkeep/{work}"), body.clone());
        let done = self.installation.patiently(&call, TRIES).await.and_then(|done| read(&done));
        done.with_context(|| format!("{}{}", self.installation.base, call.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::Case;
    use holdfast_objects::{Reach, TransportError};
    use http::{Request, Response, header};
    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;

    /// Answers in turn, and remembers what was asked.
    #[derive(Default)]
    struct Server {
        answers: RefCell<VecDeque<(u16, &'static str)>>,
        asked: RefCell<Vec<String>>,
    }

    impl Transport for Server {
        async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
            assert_eq!(request.headers()[header::AUTHORIZATION], "Bearer hf_k");
            let body = String::from_utf8(request.body().to_vec()).unwrap();
            self.asked.borrow_mut().push(format!("{} {body}", request.uri()));
            let next = self.answers.borrow_mut().pop_front();
            let (status, body) =
                next.ok_or_else(|| TransportError::new(Reach::NotSent, "refused"))?;
            Ok(Response::builder()
                .status(status)
                .body(Bytes::from_static(body.as_bytes()))
                .unwrap())
        }
    }

    #[derive(Default)]
    struct Slept(Cell<u64>);

    impl Clock for &Slept {
        fn now(&self) -> u64 {
            self.0.get()
        }
        async fn sleep(&self, milliseconds: u64) {
            self.0.set(self.0.get() + milliseconds);
        }
    }

    fn calls<'a>(server: &'a Server, slept: &'a Slept) -> Calls<&'a Server, &'a Slept> {
        let (base, key) = ("http://h".to_owned(), "hf_k".to_owned());
        let installation = Installation { transport: server, clock: slept, base, key };
        Calls::of(installation)
    }

    fn server(answers: &[(u16, &'static str)]) -> Server {
        Server { answers: RefCell::new(answers.iter().copied().collect()), ..Server::default() }
    }

    #[tokio::test]
    async fn calls_follow_the_cursor_to_its_end_and_add_up() {
        let server = server(&[
            (
                200,
                r#"{"has_more":true,"next_cursor":"c1","users":2,"sealed":10,"corrupt":["v1/x"]}"#,
            ),
            (
                200,
                r#"{"has_more":false,"next_cursor":null,"users":1,"sealed":5,"corrupt":["v1/x"]}"#,
            ),
        ]);
        let slept = Slept::default();
        let mut calls = calls(&server, &slept);
        let done = calls.all("compact", None).await.unwrap();
        assert_eq!((done.users, done.sealed, calls.corrupt.len()), (3, 15, 1));
        let asked = server.asked.borrow();
        assert_eq!(
            *asked,
            ["http://h/v1/upkeep/compact {}", r#"http://h/v1/upkeep/compact {"cursor":"c1"}"#,]
        );
    }

    #[tokio::test]
    async fn users_who_failed_are_counted_once_and_the_others_are_gone_on_with() {
        let failing = r#"{"has_more":true,"next_cursor":"c1","users":1,"failed":[{"user_id":"bob","code":"corrupt"}]}"#;
        let server =
            server(&[(200, failing), (200, r#"{"users":1}"#), (200, failing), (200, "{}")]);
        let slept = Slept::default();
        let mut calls = calls(&server, &slept);
        assert_eq!(calls.all("compact", None).await.unwrap().users, 2);
        calls.all("expire", None).await.unwrap();
        assert_eq!(calls.failed, BTreeSet::from(["bob".to_owned()]));
        assert_eq!(server.asked.borrow().len(), 4);
    }

    #[tokio::test]
    async fn one_user_is_called_for_until_there_is_no_more() {
        let server = server(&[
            (200, r#"{"has_more":true,"users":1,"removed":2}"#),
            (200, r#"{"removed":1}"#),
        ]);
        let slept = Slept::default();
        let done = calls(&server, &slept).all("collect", Some("ann")).await.unwrap();
        assert_eq!((done.users, done.removed), (1, 3));
        let asked = server.asked.borrow();
        assert_eq!(asked.len(), 2);
        assert!(asked.iter().all(|asked| asked.ends_with(r#"collect {"user_id":"ann"}"#)));
    }

    #[tokio::test]
    async fn a_refusal_for_now_is_waited_out_and_one_for_good_is_told() {
        let busy = (503, r#"{"detail":"busy"}"#);
        let denied = (403, r#"{"code":"denied","detail":"the key needs admin"}"#);
        let server = server(&[busy, busy, (200, "{}"), denied]);
        let slept = Slept::default();
        calls(&server, &slept).all("compact", None).await.unwrap();
        assert_eq!(slept.0.get(), 6_000);
        let error = calls(&server, &slept).all("compact", None).await.unwrap_err();
        assert!(format!("{error:#}").contains("the key needs admin"), "{error:#}");
        assert_eq!(error.downcast_ref::<Error>().unwrap().case, Case::Denied);
        // Nobody answers: it is tried some times, and then told.
        let error = calls(&server, &slept).all("compact", None).await.unwrap_err();
        assert_eq!(error.downcast_ref::<Error>().unwrap().case, Case::Unavailable);
        assert_eq!(server.asked.borrow().len(), 4 + 6);
    }
}
