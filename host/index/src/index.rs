//! The handle that the host holds: sends each question to the thread that has its user.

use crate::bucket::AnyBucket;
use crate::settings::Settings;
use crate::shard::{Command, Shard};
use crate::shared::Shared;
use bytes::Bytes;
use holdfast_core::ports::Clock;
use holdfast_core::{Error, Result, Scope};
use holdfast_objects::Bucket;
use holdfast_view::{
    ChangePage, DifferencePage, Found, FoundThing, Knowledge, Message, MessagePage, Page, Part,
    Pending, Question, Reading, Recall, Selection, Session, SessionPage, ThingPage, ThingRecall,
    Timeline, UserFound, Wanted,
};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

/// The native index. Clones are the same index; it ends with [`shutdown`](Self::shutdown) or the last of them.
#[derive(Clone)]
pub struct Index(Arc<Inner>);

struct Inner {
    shards: RwLock<Vec<UnboundedSender<Command>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    shared: Arc<Shared>,
}

impl Index {
    /// Starts the threads. `open` makes each thread's own way to the bucket; nothing waits for the bucket here.
    ///
    /// # Errors
    /// `internal` when the machine has no more threads.
    pub fn start<B: Bucket + 'static>(
        settings: Settings,
        clock: impl Clock + Send + Sync + 'static,
        open: impl Fn() -> B + Send + Sync + 'static,
    ) -> Result<Self> {
        let (count, settings) = (settings.shards.max(1), Arc::new(settings));
        let shared = Arc::new(Shared::new(count, move || clock.now()));
        let open = Arc::new(open);
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..count).map(|_| unbounded_channel::<Command>()).unzip();
        let others: Vec<_> = senders.iter().map(UnboundedSender::downgrade).collect();
        let mut threads = Vec::new();
        for (number, commands) in receivers.into_iter().enumerate() {
            let (settings, shared, others) = (settings.clone(), shared.clone(), others.clone());
            let open = open.clone();
            let make = move || Shard::new(number, settings, shared, AnyBucket::new(open()), others);
            threads.push(thread(number, commands, make)?);
        }
        let (shards, threads) = (RwLock::new(senders), Mutex::new(threads));
        Ok(Self(Arc::new(Inner { shards, threads, shared })))
    }

    /// Takes no more questions, answers those that were asked, and ends the threads. Repeating is safe.
    pub async fn shutdown(&self) {
        self.0.shards.write().unwrap_or_else(PoisonError::into_inner).clear();
        let threads = {
            let mut threads = self.0.threads.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *threads)
        };
        let join = || threads.into_iter().for_each(|thread| drop(thread.join()));
        let _ = tokio::task::spawn_blocking(join).await;
    }

    /// What a writer should know before it mints an order. Never loads.
    ///
    /// # Errors
    /// `unavailable` while the index ends.
    pub async fn known(
        &self,
        scope: Scope,
        session: String,
        ids: Vec<String>,
    ) -> Result<Knowledge> {
        self.ask(&scope.clone(), async move |shard| Ok(shard.known(&scope, &session, &ids))).await
    }

    /// Takes in objects that were just written to the bucket: the next answer has them. Repeating is safe.
    ///
    /// # Errors
    /// `invalid` for a key that is not one of this user's journal; `corrupt` for bytes that are not what the key says.
    pub async fn upsert(&self, scope: Scope, objects: Vec<(String, Bytes)>) -> Result<()> {
        self.ask(&scope.clone(), async move |shard| shard.upsert(&scope, &objects)).await
    }

    /// Names of those who speak in the user's messages; none give an empty list.
    ///
    /// # Errors
    /// What a load may meet: `index_loading`, `store_unavailable`, `not_yet_visible`, `corrupt`.
    pub async fn participants(&self, scope: Scope) -> Result<Vec<String>> {
        self.ask(&scope.clone(), move |shard| shard.participants(scope)).await
    }

    /// Answers a question over the user's messages; nothing found is an empty list.
    ///
    /// # Errors
    /// What a load may meet; `not_yet_visible`; `invalid` for a filter or vector; `model_unavailable` without a vector
    /// where meaning alone ranks.
    pub async fn search(&self, scope: Scope, question: Question) -> Result<Recall> {
        self.ask(&scope.clone(), move |shard| shard.search(scope, question)).await
    }

    /// A session's messages in order; a session that does not exist has none.
    ///
    /// # Errors
    /// What a load may meet; `not_yet_visible`; `invalid` for a place that is none.
    pub async fn history(
        &self,
        scope: Scope,
        session: String,
        page: Page,
        reading: Reading,
    ) -> Result<MessagePage> {
        self.ask(&scope.clone(), move |shard| shard.history(scope, session, page, reading)).await
    }

    /// One message by its id.
    ///
    /// # Errors
    /// What a load may meet; `not_yet_visible`.
    pub async fn find_message(
        &self,
        scope: Scope,
        session: String,
        id: String,
        reading: Reading,
    ) -> Result<Found<Message>> {
        self.ask(&scope.clone(), move |shard| shard.find_message(scope, session, id, reading)).await
    }

    /// The user's sessions by last activity.
    ///
    /// # Errors
    /// What a load may meet; `not_yet_visible`; `invalid` for a place that is none.
    pub async fn list_sessions(
        &self,
        scope: Scope,
        page: Page,
        reading: Reading,
    ) -> Result<SessionPage> {
        self.ask(&scope.clone(), move |shard| shard.list_sessions(scope, page, reading)).await
    }

    /// One session by its id.
    ///
    /// # Errors
    /// What a load may meet; `not_yet_visible`.
    pub async fn find_session(
        &self,
        scope: Scope,
        id: String,
        reading: Reading,
    ) -> Result<Found<Session>> {
        self.ask(&scope.clone(), move |shard| shard.find_session(scope, id, reading)).await
    }

    /// What is said of the user as a whole, and what has passed of the user's messages.
    ///
    /// # Errors
    /// What a load may meet; `not_yet_visible`.
    pub async fn find_user(&self, scope: Scope, reading: Reading) -> Result<UserFound> {
        self.ask(&scope.clone(), move |shard| shard.find_user(scope, reading)).await
    }

    /// What was otherwise at a time. Reads the journal again where what was deleted since is wanted, and there is such.
    ///
    /// # Errors
    /// What a load may meet; `not_yet_visible`; `invalid` for a place that is none.
    pub async fn differences(
        &self,
        scope: Scope,
        wanted: Wanted,
        part: Part,
        reading: Reading,
    ) -> Result<DifferencePage> {
        self.ask(&scope.clone(), move |shard| shard.differences(scope, wanted, part, reading)).await
    }

    /// What came to the user since `place` of the page before, from the beginning when none.
    ///
    /// # Errors
    /// What a load may meet; `not_yet_visible`; `invalid_cursor`.
    pub async fn changes(
        &self,
        scope: Scope,
        place: Option<String>,
        limit: u32,
        reading: Reading,
    ) -> Result<ChangePage> {
        self.ask(&scope.clone(), move |shard| shard.changes(scope, place, limit, reading)).await
    }

    /// Things of a kind by when they were last changed; none give an empty page.
    ///
    /// # Errors
    /// What a load may meet; `not_yet_visible`; `invalid` for a kind, a filter or a place that is none.
    pub async fn list_things(
        &self,
        scope: Scope,
        selection: Selection,
        page: Page,
        reading: Reading,
    ) -> Result<ThingPage> {
        self.ask(&scope.clone(), move |shard| shard.list_things(scope, selection, page, reading))
            .await
    }

    /// One thing by its kind, session (none for a kind of no session) and id, with its history.
    ///
    /// # Errors
    /// What a load may meet; `not_yet_visible`; `invalid` for a kind that is none.
    pub async fn find_thing(
        &self,
        scope: Scope,
        kind: String,
        session: Option<String>,
        id: String,
        reading: Reading,
    ) -> Result<FoundThing> {
        let name = (session, id);
        self.ask(&scope.clone(), move |shard| shard.find_thing(scope, kind, name, reading)).await
    }

    /// Answers a question over the user's memories; nothing found is an empty list. With a session, only memories that
    /// were made of its messages.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub async fn recall_memories(&self, scope: Scope, question: Question) -> Result<ThingRecall> {
        self.ask(&scope.clone(), move |shard| shard.recall_memories(scope, question)).await
    }

    /// The user's sessions by last activity, of those that pass a filter.
    ///
    /// # Errors
    /// As [`list_sessions`](Self::list_sessions); `invalid` for a filter that is none.
    pub async fn select_sessions(
        &self,
        scope: Scope,
        filter: String,
        page: Page,
        reading: Reading,
    ) -> Result<SessionPage> {
        self.ask(&scope.clone(), move |shard| shard.select_sessions(scope, filter, page, reading))
            .await
    }

    /// All that the user has, newest first: messages, sessions and memories.
    ///
    /// # Errors
    /// What a load may meet; `not_yet_visible`; `invalid` for a place that is none.
    pub async fn timeline(&self, scope: Scope, page: Page, reading: Reading) -> Result<Timeline> {
        self.ask(&scope.clone(), move |shard| shard.timeline(scope, page, reading)).await
    }

    /// Messages whose searched text has this SHA-256 (64 hex digits), oldest first; none give an empty page.
    ///
    /// # Errors
    /// What a load may meet; `not_yet_visible`.
    pub async fn find_content(
        &self,
        scope: Scope,
        session: Option<String>,
        hash: String,
        reading: Reading,
    ) -> Result<MessagePage> {
        self.ask(&scope.clone(), move |shard| shard.find_content(scope, session, hash, reading))
            .await
    }

    /// Messages and memories of loaded users that wait for vectors, at most `limit`, users in turn. Storing the same message again
    /// with vectors, and upserting that object, ends the wait.
    ///
    /// # Errors
    /// `unavailable` while the index ends.
    pub async fn pending(&self, limit: usize) -> Result<Vec<(Scope, Pending)>> {
        let mut all = Vec::new();
        for shard in 0..self.shards() {
            let left = limit.saturating_sub(all.len());
            all.extend(self.ask_shard(shard, async move |s| Ok(s.pending(left))).await?);
        }
        Ok(all)
    }

    /// The store answered, has not refused us since, and its answers say that our clock can be trusted.
    pub fn ready(&self) -> bool {
        self.unready().is_none()
    }

    /// Why it is not [`ready`](Self::ready): the store has not answered yet, it refuses our credentials, or its answers say
    /// that our clock cannot be trusted. None when it is.
    pub fn unready(&self) -> Option<String> {
        let shared = &self.0.shared;
        let clock = || "this machine's clock is not known to be right: set its time".to_owned();
        shared.standing.reason().or_else(|| (!shared.clock_trusted()).then(clock))
    }

    /// Milliseconds to add to this machine's clock, by what the store's answers allow; none before the first.
    pub fn clock_offset(&self) -> Option<i64> {
        self.0.shared.offset()
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    pub(crate) fn shards(&self) -> usize {
        self.0.shards.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    async fn ask<T: Send + 'static, F: Future<Output = Result<T>> + 'static>(
        &self,
        scope: &Scope,
        run: impl FnOnce(Rc<Shard>) -> F + Send + 'static,
    ) -> Result<T> {
        self.ask_shard(shard_of(scope, self.shards()), run).await
    }

    pub(crate) async fn ask_shard<T: Send + 'static, F: Future<Output = Result<T>> + 'static>(
        &self,
        shard: usize,
        run: impl FnOnce(Rc<Shard>) -> F + Send + 'static,
    ) -> Result<T> {
        let ended = || Error::unavailable("the index has ended or could not answer: try again");
        let (reply, answer) = oneshot::channel();
        let command: Command = Box::new(move |shard| {
            let answer = run(shard);
            Box::pin(async move { drop(reply.send(answer.await)) })
        });
        {
            let shards = self.0.shards.read().unwrap_or_else(PoisonError::into_inner);
            shards.get(shard).and_then(|shard| shard.send(command).ok()).ok_or_else(ended)?;
        }
        answer.await.map_err(|_| ended())?
    }
}

/// The same user is always on the same thread: FNV-1a over tenant and user.
fn shard_of(scope: &Scope, shards: usize) -> usize {
    let bytes = scope.tenant.as_str().bytes().chain([0]).chain(scope.user.as_str().bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    usize::try_from(hash % shards.max(1) as u64).unwrap_or(0)
}

fn thread(
    number: usize,
    commands: UnboundedReceiver<Command>,
    make: impl FnOnce() -> Shard + Send + 'static,
) -> Result<JoinHandle<()>> {
    let failed = |e| Error::internal("a thread of the index cannot be started").caused_by(e);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(failed)?;
    let run = move || LocalSet::new().block_on(&runtime, async { make().run(commands).await });
    std::thread::Builder::new().name(format!("index-{number}")).spawn(run).map_err(failed)
}
