//! Attachments: bytes before records, whoever dies in between; and which bytes go, when, and which never.

use crate::compacting::eager;
use crate::erasing::everything;
use crate::world::{DAY, MINUTE, World, ledger, scope, session, writer};
use futures::executor::block_on;
use holdfast_core::attachment::{Attachment, LONGEST, PART, read_piece};
use holdfast_core::graves::Of;
use holdfast_core::ports::Objects;
use holdfast_core::record::Kind;
use holdfast_core::thing::{ThingBody, ThingKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Key, Result, SessionId};
use holdfast_journal::{
    Draft, Next, Pen, Rules, SECOND_SWEEP, Upload, delete, erase, erasure, sweep, verify, write,
};
use sha2::{Digest, Sha256};

const CANARY: &str = "canary-bytes";

/// Brings bytes in, in pieces of an odd size, and writes their record.
async fn attach(world: &World, session: &str, name: &str, bytes: &[u8]) -> Result<Attachment> {
    let scope = scope();
    let mut upload = Upload::begin(world.outside(), &scope, ledger(), 0).await?;
    for piece in bytes.chunks(100_003) {
        upload.push(piece).await?;
    }
    let attachment = upload.finish("a/b").await?;
    put(world, session, name, &attachment).await?;
    upload.check().await?;
    world.pass(1);
    Ok(attachment)
}

async fn put(world: &World, session: &str, name: &str, attachment: &Attachment) -> Result<()> {
    let body = ThingBody::new(attachment, Vec::new())?.encode()?;
    let (kind, session) = (Kind::Thing(ThingKind::Attachment), SessionId::parse(session)?);
    let pen = Pen { scope: &scope(), by: writer(), known: &Frontier::default(), offset: 0 };
    write(&world.outside(), pen, vec![Draft { kind, id: name.to_owned(), session, body }])
        .await
        .map(|_| ())
}

async fn bury(world: &World, of: Of, id: &str, physical: bool) {
    let body = of.encode_as(physical).unwrap();
    let (kind, id, session) = (Kind::Tombstone, id.to_owned(), session());
    let pen = Pen { scope: &scope(), by: writer(), known: &Frontier::default(), offset: 0 };
    delete(&world.outside(), pen, vec![Draft { kind, id, session, body }], async |_| {})
        .await
        .unwrap();
    world.pass(1);
}

/// The bytes of an attachment as a fresh reader has them; none when there is none.
async fn read(world: &World, name: &str) -> Option<Vec<u8>> {
    let journal = world.read().await.unwrap().0;
    let found = journal.view().thing(ThingKind::Attachment, "s", name)?;
    let attachment = Attachment::read(&found.last().unwrap().text).unwrap();
    let mut bytes = Vec::new();
    for piece in attachment.pieces(&scope(), 0, attachment.size).unwrap() {
        bytes.extend_from_slice(&read_piece(world, &piece).await.unwrap());
    }
    assert_eq!(hex(&bytes), attachment.sha256);
    Some(bytes)
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parts(world: &World) -> Vec<Key> {
    world.keys_of("att")
}

async fn collected(world: &World, rules: &Rules) -> usize {
    let before = parts(world).len();
    while world.collect(rules).await.unwrap().next == Next::More {}
    before - parts(world).len()
}

#[test]
fn bytes_are_cut_into_parts_that_are_all_there_before_the_record() {
    block_on(async {
        let world = World::new();
        let bytes: Vec<u8> = (0..PART * 2 + 777).map(|at| (at % 251) as u8).collect();
        let attachment = attach(&world, "s", "a.db", &bytes).await.unwrap();
        let puts = world.puts.borrow().clone();
        let order: Vec<_> = puts.iter().map(|(key, _)| key.as_str().split('/').nth(5)).collect();
        assert_eq!(order, [Some("att"), Some("att"), Some("att"), Some("wal")]);
        assert!(puts.iter().all(|(_, bytes)| bytes.len() <= PART));
        assert_eq!((attachment.size, &attachment.sha256), (bytes.len() as u64, &hex(&bytes)));
        assert_eq!(read(&world, "a.db").await.unwrap(), bytes);
        attach(&world, "s", "empty", b"").await.unwrap();
        assert_eq!(read(&world, "empty").await.unwrap(), b"");
        assert_eq!(parts(&world).len(), 3);
    });
}

#[test]
fn no_record_is_without_its_bytes_wherever_the_machine_dies() {
    block_on(async {
        let bytes = vec![7; PART + 5];
        let mut seen = 0;
        for calls in 0..12 {
            for done in [false, true] {
                let world = World::new();
                world.dies_after.set(Some(calls));
                world.last_is_done.set(done);
                let answer = attach(&world, "s", "a", &bytes).await;
                world.dies_after.set(None);
                let read = read(&world, "a").await;
                assert!(answer.is_err() || read.is_some(), "acknowledged and not there");
                seen += usize::from(read.is_some());
                // What is left of one that has no record goes after the grace.
                world.pass(7 * DAY + 21 * MINUTE);
                let orphans = if read.is_some() { 0 } else { parts(&world).len() };
                assert_eq!(collected(&world, &eager()).await, orphans);
                assert_eq!(self::read(&world, "a").await, read);
            }
        }
        assert!((2..23).contains(&seen), "{seen} of 24 were there");
    });
}

#[test]
fn what_nothing_names_stays_for_the_grace() {
    block_on(async {
        let world = World::new();
        world.pass(1);
        let scope = scope();
        let mut upload = Upload::begin(world.outside(), &scope, ledger(), 0).await.unwrap();
        upload.push(&vec![1; PART]).await.unwrap();
        drop(upload);
        world.pass(7 * DAY);
        assert_eq!((collected(&world, &eager()).await, parts(&world).len()), (0, 1));
        world.pass(21 * MINUTE);
        assert_eq!((collected(&world, &eager()).await, parts(&world).len()), (1, 0));
    });
}

#[test]
fn who_withdraws_leaves_nothing() {
    block_on(async {
        let world = World::new();
        let scope = scope();
        let mut upload = Upload::begin(world.outside(), &scope, ledger(), 0).await.unwrap();
        upload.push(&vec![1; PART * 2 + 1]).await.unwrap();
        assert_eq!(parts(&world).len(), 2);
        upload.finish("a/b").await.unwrap();
        upload.withdraw().await;
        assert!(parts(&world).is_empty());
    });
}

#[test]
fn what_was_replaced_goes_a_grace_after_that_and_what_stands_stays() {
    block_on(async {
        for sealed in [false, true] {
            let world = World::new();
            attach(&world, "s", "a", b"first").await.unwrap();
            attach(&world, "s", "b", b"other").await.unwrap();
            world.pass(30 * DAY);
            assert_eq!(collected(&world, &eager()).await, 0);
            attach(&world, "s", "a", b"second").await.unwrap();
            if sealed {
                world.compact_all(&eager()).await;
            }
            world.pass(6 * DAY);
            assert_eq!(collected(&world, &eager()).await, 0);
            world.pass(2 * DAY);
            assert_eq!(collected(&world, &eager()).await, 1);
            assert_eq!(read(&world, "a").await.unwrap(), b"second");
            assert_eq!(read(&world, "b").await.unwrap(), b"other");
        }
    });
}

#[test]
fn a_delete_hides_and_only_a_physical_one_takes_the_bytes() {
    block_on(async {
        for (of, id) in [(Of::Thing(ThingKind::Attachment), "a"), (Of::Session, "s")] {
            for sealed in [false, true] {
                let world = World::new();
                attach(&world, "s", "a", CANARY.as_bytes()).await.unwrap();
                bury(&world, of, id, false).await;
                assert_eq!(read(&world, "a").await, None);
                if sealed {
                    world.compact_all(&eager()).await;
                }
                world.pass(99 * DAY);
                assert_eq!(collected(&world, &eager()).await, 0, "{of:?}");
                bury(&world, of, id, true).await;
                if sealed {
                    world.compact_all(&eager()).await;
                }
                world.pass(8 * DAY);
                assert!(everything(&world).await.contains(CANARY));
                assert_eq!(collected(&world, &eager()).await, 1, "{of:?}");
                assert!(!everything(&world).await.contains(CANARY));
            }
        }
    });
}

#[test]
fn nothing_goes_while_the_journal_cannot_be_read_whole() {
    block_on(async {
        let world = World::new();
        attach(&world, "s", "a", b"first").await.unwrap();
        attach(&world, "s", "a", b"second").await.unwrap();
        let damaged = world.keys_of("wal")[1].clone();
        let bytes = world.memory.get(&damaged).await.unwrap().unwrap();
        world.memory.damage(damaged.as_str());
        world.pass(30 * DAY);
        assert_eq!(collected(&world, &eager()).await, 0);
        world.memory.delete(&damaged).await.unwrap();
        world.memory.put(&damaged, bytes).await.unwrap();
        assert_eq!(collected(&world, &eager()).await, 1);
        assert_eq!(read(&world, "a").await.unwrap(), b"second");
    });
}

#[test]
fn segments_without_attachments_are_not_read_for_them() {
    block_on(async {
        let world = World::new();
        crate::compacting::filled(&world, 4).await;
        world.compact_all(&eager()).await;
        attach(&world, "s", "a", b"bytes").await.unwrap();
        world.pass(8 * DAY);
        world.collect(&eager()).await.unwrap();
        world.gets.borrow_mut().clear();
        assert_eq!(collected(&world, &eager()).await, 0);
        let segments = |key: &&Key| key.as_str().contains("/seg/");
        assert_eq!(world.gets.borrow().iter().filter(segments).count(), 0);
    });
}

async fn erased(world: &World) {
    let pen = Pen { scope: &scope(), by: writer(), known: &Frontier::default(), offset: 0 };
    erase(&world.outside(), &ledger(), pen, async |_| {}).await.unwrap();
}

async fn swept(world: &World) {
    while sweep(&world.outside(), &ledger(), &scope(), &writer(), &Rules::default()).await.unwrap()
        == Next::More
    {}
}

#[test]
fn an_erase_takes_the_bytes_at_once() {
    block_on(async {
        for pause in [0, MINUTE, DAY] {
            let world = World::new();
            attach(&world, "s", "a", CANARY.as_bytes()).await.unwrap();
            world.pass(pause);
            assert!(everything(&world).await.contains(CANARY));
            erased(&world).await;
            assert_eq!(read(&world, "a").await, None);
            swept(&world).await;
            assert!(!everything(&world).await.contains(CANARY), "after {pause} ms");
            assert!(parts(&world).is_empty());
        }
    });
}

#[test]
fn what_is_attached_right_after_an_erase_stays_through_both_sweeps_and_collections() {
    block_on(async {
        let world = World::new();
        attach(&world, "s", "a", CANARY.as_bytes()).await.unwrap();
        erased(&world).await;
        attach(&world, "s", "a", b"new").await.unwrap();
        swept(&world).await;
        assert_eq!(read(&world, "a").await.unwrap(), b"new");
        world.pass(SECOND_SWEEP + MINUTE);
        swept(&world).await;
        assert_eq!(read(&world, "a").await.unwrap(), b"new");
        world.pass(30 * DAY);
        assert_eq!(collected(&world, &eager()).await, 0);
        assert_eq!(read(&world, "a").await.unwrap(), b"new");
        assert!(!everything(&world).await.contains(CANARY));
    });
}

#[test]
fn an_erase_that_comes_into_an_upload_refuses_it() {
    block_on(async {
        let world = World::new();
        let scope = scope();
        let mut upload = Upload::begin(world.outside(), &scope, ledger(), 0).await.unwrap();
        upload.push(&vec![1; PART]).await.unwrap();
        erased(&world).await;
        let error = upload.finish("a/b").await.unwrap_err();
        assert_eq!(error.reason, "conflict");
        swept(&world).await;
        assert!(parts(&world).is_empty());
    });
}

/// An erase, its first sweep, and `new` as `a` by a writer who did not see it: its record lies above.
async fn attached_amid_an_erase(world: &World) {
    let scope = scope();
    let mut upload = Upload::begin(world.outside(), &scope, ledger(), 0).await.unwrap();
    upload.push(b"new").await.unwrap();
    let attachment = upload.finish("a/b").await.unwrap();
    // The mark is on its way all the time that the writer looks and writes.
    erased(world).await;
    world.pass(5);
    put(world, "s", "a", &attachment).await.unwrap();
    swept(world).await;
}

#[test]
fn a_record_that_lies_above_an_erase_which_its_writer_did_not_see_keeps_its_bytes() {
    block_on(async {
        let world = World::new();
        attached_amid_an_erase(&world).await;
        assert_eq!(read(&world, "a").await.unwrap(), b"new");
        world.pass(SECOND_SWEEP + MINUTE);
        swept(&world).await;
        world.pass(30 * DAY);
        assert_eq!(collected(&world, &eager()).await, 0);
        assert_eq!(read(&world, "a").await.unwrap(), b"new");
    });
}

#[test]
fn what_such_a_writer_attached_keeps_its_bytes_once_it_is_sealed_and_while_that_cannot_be_read() {
    block_on(async {
        let world = World::new();
        attach(&world, "s", "a", CANARY.as_bytes()).await.unwrap();
        attached_amid_an_erase(&world).await;
        let is_final = async || {
            let erasure = erasure(&world.memory, &ledger(), &scope()).await.unwrap().unwrap();
            erasure.receipt.unwrap().last
        };
        world.pass(SECOND_SWEEP + MINUTE);
        let named_in = world.keys_of("wal").pop().unwrap();
        let bytes = world.memory.get(&named_in).await.unwrap().unwrap();
        world.memory.damage(named_in.as_str());
        swept(&world).await;
        assert!(!is_final().await, "it may be named by what cannot be read");
        world.memory.delete(&named_in).await.unwrap();
        world.memory.put(&named_in, bytes).await.unwrap();

        world.compact_all(&eager()).await;
        world.pass(8 * DAY);
        world.collect(&eager()).await.unwrap();
        let wal = world.keys_of("wal");
        assert!(wal.is_empty(), "the second sweep finds the name in a segment alone: {wal:?}");
        swept(&world).await;
        assert!(is_final().await);
        assert_eq!(read(&world, "a").await.unwrap(), b"new");
        assert!(!everything(&world).await.contains(CANARY));
    });
}

#[test]
fn what_an_erase_left_of_an_upload_goes_once_the_erase_is_final() {
    block_on(async {
        let world = World::new();
        erased(&world).await;
        swept(&world).await;
        world.pass(SECOND_SWEEP + MINUTE);
        swept(&world).await;
        // By a clock that stood still.
        let late = holdfast_core::key::attachment_object(
            &scope(),
            ulid::Ulid::from_parts(crate::world::NOW, 1),
            b"late",
        );
        world.memory.put(&late, bytes::Bytes::from_static(b"late")).await.unwrap();
        assert_eq!(collected(&world, &eager()).await, 1);
    });
}

#[test]
fn an_upload_that_takes_too_long_is_refused() {
    block_on(async {
        let world = World::new();
        let scope = scope();
        let mut upload = Upload::begin(world.outside(), &scope, ledger(), 0).await.unwrap();
        upload.push(b"slow").await.unwrap();
        world.pass(LONGEST + 1);
        assert_eq!(upload.finish("a/b").await.unwrap_err().status(), 503);
    });
}

#[test]
fn a_look_at_everything_reads_the_bytes_of_attachments_that_stand() {
    block_on(async {
        let world = World::new();
        attach(&world, "s", "a", b"first").await.unwrap();
        attach(&world, "s", "a", b"second").await.unwrap();
        attach(&world, "s", "gone", b"third").await.unwrap();
        bury(&world, Of::Thing(ThingKind::Attachment), "gone", false).await;
        let look = async || verify(&world.outside(), &scope(), &Rules::default()).await.unwrap();
        let whole = look().await;
        assert!(whole.is_whole(), "{whole:?}");
        assert_eq!(whole.objects, 4 + 1);
        let [replaced, stands, hidden] = <[Key; 3]>::try_from(parts(&world)).unwrap();
        for unneeded in [&replaced, &hidden] {
            world.memory.delete(unneeded).await.unwrap();
        }
        assert!(look().await.is_whole());
        world.memory.damage(stands.as_str());
        assert_eq!(look().await.corrupt, std::slice::from_ref(&stands));
        world.memory.delete(&stands).await.unwrap();
        assert_eq!(look().await.missing, [stands]);
    });
}
