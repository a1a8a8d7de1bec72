//! Sequential rounds to the store: a store in which every call takes one second.

use crate::compacting::eager;
use crate::world::{World, ledger, scope};
use bytes::Bytes;
use holdfast_core::ports::{Objects, Page};
use holdfast_core::token::Frontier;
use holdfast_core::{Key, Prefix, Result};
use holdfast_journal::{Journal, open, settle};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Calls that were begun in one round end together.
struct Paced {
    world: World,
    round: Rc<Cell<u32>>,
}

struct NextRound(Rc<Cell<u32>>, u32);

impl Future for NextRound {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        context.waker().wake_by_ref();
        if self.0.get() > self.1 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Paced {
    async fn pace(&self) {
        NextRound(self.round.clone(), self.round.get()).await;
    }
}

impl Objects for Paced {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()> {
        self.pace().await;
        self.world.put(key, bytes).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.pace().await;
        self.world.get(key).await
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        self.pace().await;
        self.world.get_range(key, start, length).await
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        self.pace().await;
        self.world.list(prefix, after).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.pace().await;
        self.world.delete(key).await
    }
}

/// Rounds that a fresh reader of this world takes.
fn rounds(world: World) -> u32 {
    let now = world.now.get();
    let store = Rc::new(Paced { world, round: Rc::default() });
    let journal = RefCell::new(Journal::new(scope()).with_ledger(&ledger()));
    let mut reader = std::pin::pin!(async {
        open(&*store, &journal, now).await.unwrap();
        settle(&*store, &journal, now, async |_| Ok(())).await.unwrap();
    });
    let mut context = Context::from_waker(Waker::noop());
    loop {
        // Whoever can begin a call in this round has begun it after a few turns.
        for _ in 0..50 {
            if reader.as_mut().poll(&mut context).is_ready() {
                return store.round.get();
            }
        }
        store.round.set(store.round.get() + 1);
    }
}

#[test]
fn a_fresh_reader_takes_two_rounds_without_segments_and_four_with_them() {
    let store = |world: &World, text| {
        futures::executor::block_on(world.store(&Frontier::default(), &[text])).unwrap();
        world.pass(1);
    };
    let plain = World::new();
    store(&plain, "a");
    store(&plain, "b");
    assert_eq!(rounds(plain), 2);
    let sealed = World::new();
    store(&sealed, "a");
    futures::executor::block_on(sealed.compact(&eager())).unwrap();
    store(&sealed, "b");
    assert_eq!(rounds(sealed), 4);
}
