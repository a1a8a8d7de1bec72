//! Sequential rounds to the store: a store in which every call takes one second.

use crate::compacting::eager;
use crate::world::{World, draft, ledger, scope, writer};
use bytes::Bytes;
use futures::future::try_join;
use holdfast_core::clock::Skew;
use holdfast_core::ports::{Objects, Outside, Page};
use holdfast_core::token::Frontier;
use holdfast_core::{Key, Prefix, Result};
use holdfast_journal::{Journal, Pen, find_erase, open, poll, settle, write};
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

    fn skew(&self) -> Skew {
        Skew::default()
    }
}

/// Rounds that some work takes.
fn rounds_of<T>(round: &Cell<u32>, work: impl Future<Output = T>) -> (T, u32) {
    let (begun, mut work) = (round.get(), std::pin::pin!(work));
    let mut context = Context::from_waker(Waker::noop());
    loop {
        // Whoever can begin a call in this round has begun it after a few turns.
        for _ in 0..500 {
            if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
                return (done, round.get() - begun);
            }
        }
        round.set(round.get() + 1);
    }
}

fn paced(world: World) -> Paced {
    Paced { world, round: Rc::default() }
}

async fn loaded(store: &Paced) -> RefCell<Journal> {
    let now = store.world.now.get();
    let journal = RefCell::new(Journal::new(scope()).with_ledger(&ledger()));
    open(store, &journal, now).await.unwrap();
    settle(store, &journal, now, async |_| Ok(())).await.unwrap();
    journal
}

/// Rounds that a fresh reader of this world takes.
fn rounds(world: World) -> u32 {
    let store = paced(world);
    rounds_of(&store.round, loaded(&store)).1
}

fn filled(texts: &[&str]) -> World {
    let world = World::new();
    for text in texts {
        futures::executor::block_on(world.store(&Frontier::default(), &[text])).unwrap();
        world.pass(1);
    }
    world
}

#[test]
fn a_fresh_reader_takes_two_rounds_without_segments_and_four_with_them() {
    assert_eq!(rounds(filled(&["a", "b"])), 2);
    let sealed = filled(&["a"]);
    futures::executor::block_on(sealed.compact(&eager())).unwrap();
    futures::executor::block_on(sealed.store(&Frontier::default(), &["b"])).unwrap();
    assert_eq!(rounds(sealed), 4);
}

/// Of every kind of letter, so that little is saved at rest.
fn long(seed: u64) -> String {
    let mut state = seed + 1;
    let letter = |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from((state >> 33) % 90).unwrap())
    };
    (0..1 << 20).map(letter).collect()
}

#[test]
fn a_thousand_objects_are_read_in_three_times_the_rounds_of_what_they_are_sealed_to() {
    let texts: Vec<String> = (0..1000).map(|at| format!("message {at}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let loose = rounds(filled(&texts));
    let sealed = filled(&texts);
    futures::executor::block_on(sealed.compact_all(&eager()));
    let sealed = rounds(sealed);
    assert!(loose <= 3 * sealed, "{loose} rounds, sealed {sealed}");
}

#[test]
fn large_objects_are_read_a_few_at_a_time() {
    let texts: Vec<String> = (0..12).map(long).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let world = filled(&texts);
    let bytes = |key| futures::executor::block_on(world.memory.get(&key)).unwrap().unwrap().len();
    let largest = world.keys_of("wal").into_iter().map(bytes).max().unwrap();
    // Eight MiB at a time, behind the list.
    let (at_once, reads) = ((8 << 20) / largest, texts.len());
    assert!((2..reads / 2).contains(&at_once), "{at_once}");
    assert_eq!(rounds(world) as usize, 1 + reads.div_ceil(at_once));
}

#[test]
fn a_store_takes_one_round_whether_its_session_is_new_or_known() {
    let store = paced(World::new());
    let (scope, mut known) = (scope(), Frontier::default());
    for text in ["new", "known"] {
        let outside = Outside { objects: &store, clock: &store.world, ids: &store.world };
        let pen = Pen { scope: &scope, by: writer(), known: &known, offset: 0 };
        let calls = store.world.memory.calls();
        let (written, rounds) = rounds_of(&store.round, write(&outside, pen, vec![draft(text)]));
        assert_eq!(rounds, 1, "{text}");
        let after = store.world.memory.calls();
        assert_eq!((after.puts - calls.puts, after.gets, after.lists), (1, 0, 0), "{text}");
        known = written.unwrap().frontier;
        store.world.pass(1);
    }
}

#[test]
fn a_warm_reader_takes_no_round_for_what_it_has_and_one_to_see_that_there_is_no_more() {
    let store = paced(filled(&["a", "b"]));
    let (journal, _) = rounds_of(&store.round, loaded(&store));
    assert_eq!(journal.borrow().view().len(), 2, "what it has is at hand");
    let last = store.world.now.get();
    store.world.pass(1);
    let look = async || {
        try_join(poll(&store, &journal, last, last + 1), find_erase(&store, &journal)).await
    };
    let (seen, rounds) = rounds_of(&store.round, look());
    assert_eq!((seen.unwrap(), rounds), ((Vec::new(), None), 1));
    let more = futures::executor::block_on(store.world.store(&Frontier::default(), &["c"]));
    assert_eq!(rounds_of(&store.round, look()).0.unwrap().0, [more.unwrap().key]);
}
