//! One thread and the users that live on it.

use crate::bucket::AnyBucket;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::user::User;
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use holdfast_core::clock::Skew;
use holdfast_core::ports::{Objects, Page};
use holdfast_core::{Key, Prefix, Result, Scope};
use holdfast_search::Scratch;
use holdfast_view::{Memory, Source, Space};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, WeakUnboundedSender};
use tokio::task::JoinSet;

/// What a handle sends to a shard.
pub(crate) type Command = Box<dyn FnOnce(Rc<Shard>) -> LocalBoxFuture<'static, ()> + Send>;

/// GETs of one shard at once.
const GETS: usize = 256;

/// A thread's share of the index.
pub(crate) struct Shard {
    pub(crate) number: usize,
    pub(crate) settings: Arc<Settings>,
    pub(crate) space: Rc<Space>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) users: RefCell<HashMap<Scope, Rc<User>>>,
    pub(crate) by_use: RefCell<BTreeMap<u64, Scope>>,
    pub(crate) memory: RefCell<Memory>,
    pub(crate) scratch: RefCell<Scratch>,
    pub(crate) others: Vec<WeakUnboundedSender<Command>>,
    bucket: AnyBucket,
    learned: Cell<Option<Skew>>,
    gets: Semaphore,
}

impl Shard {
    pub(crate) fn new(
        number: usize,
        settings: Arc<Settings>,
        shared: Arc<Shared>,
        bucket: AnyBucket,
        others: Vec<WeakUnboundedSender<Command>>,
    ) -> Self {
        Self {
            number,
            space: Rc::new(Space::new(&settings.space)),
            memory: RefCell::new(Memory::new(settings.remembered)),
            settings,
            shared,
            users: RefCell::default(),
            learned: Cell::default(),
            by_use: RefCell::default(),
            scratch: RefCell::default(),
            others,
            bucket,
            gets: Semaphore::new(GETS),
        }
    }

    /// Serves until every sender is gone, and ends what was begun.
    pub(crate) async fn run(self, mut commands: UnboundedReceiver<Command>) {
        let shard = Rc::new(self);
        let upkeep = tokio::task::spawn_local(shard.clone().upkeep());
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => drop(tasks.spawn_local(command(shard.clone()))),
                    None => break,
                },
                Some(_) = tasks.join_next() => {}
            }
        }
        while tasks.join_next().await.is_some() {}
        upkeep.abort();
    }

    /// The user's state; one that is not there begins empty, owing what is remembered of it.
    pub(crate) fn user(&self, scope: &Scope) -> Rc<User> {
        let user = self.users.borrow().get(scope).cloned();
        let user = user.unwrap_or_else(|| {
            let user = Rc::new(User::new(scope.clone(), &self.settings, self.space.clone()));
            let remembered = self.memory.borrow().keys(scope);
            let keys = remembered.iter().filter_map(|text| Key::below(&user.prefix, text));
            user.owe(keys);
            self.users.borrow_mut().insert(scope.clone(), user.clone());
            user
        });
        user.asked();
        self.use_now(&user);
        user
    }

    /// The user's state, when there is one.
    pub(crate) fn present(&self, scope: &Scope) -> Option<Rc<User>> {
        self.users.borrow().get(scope).cloned()
    }

    /// The bucket, whose answers also say what time it is.
    pub(crate) async fn ask_bucket<T>(
        &self,
        ask: impl AsyncFnOnce(&AnyBucket) -> Result<T>,
    ) -> Result<T> {
        let answer = ask(&self.bucket).await;
        // Where none came it says what may long be untrue.
        let skew = self.bucket.skew();
        if self.learned.replace(Some(skew)) != Some(skew) {
            self.shared.learn(self.number, skew);
        }
        answer
    }
}

/// The bucket, as far as the index may: so many GETs at once.
impl Objects for Shard {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()> {
        self.bucket.put(key, bytes).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        let _turn = self.gets.acquire().await;
        let got = self.ask_bucket(async |bucket| bucket.get(key).await).await?;
        if let Some(bytes) = &got {
            self.count_alone(key, bytes);
        }
        Ok(got)
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        let _turn = self.gets.acquire().await;
        self.ask_bucket(async |bucket| bucket.get_range(key, start, length).await).await
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        self.ask_bucket(async |bucket| bucket.list(prefix, after).await).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.bucket.delete(key).await
    }

    fn skew(&self) -> Skew {
        self.bucket.skew()
    }
}

impl Source for Shard {
    fn now(&self) -> u64 {
        self.shared.now()
    }

    async fn turn(&self) -> Result<()> {
        tokio::task::yield_now().await;
        Ok(())
    }
}
