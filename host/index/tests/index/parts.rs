//! Index parts: an instance that starts from one gives every answer that a whole load gives, whatever came since.

use crate::world::*;
use holdfast_core::graves::Of;
use holdfast_core::memory::{Event, Memory};
use holdfast_core::message::Message;
use holdfast_core::ports::Objects;
use holdfast_core::record::{Kind, Record, Stamp};
use holdfast_core::retention::UserFields;
use holdfast_core::session::SessionFields;
use holdfast_core::thing::{Source, ThingBody, ThingKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Hlc, Key, Order, SessionId};
use holdfast_journal::{Draft, Next};
use holdfast_view::{Limits, Page, Part, Portable, Reading, Selection, Wanted, unpack};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::fmt::Debug;
use std::fmt::Write;

type Instance = Portable<World, Jumping>;

/// Looks for a part whatever is to be read, and leaves one after every load.
fn eager() -> Limits {
    Limits { part_worth: 0, part_least: 0, ..Limits::default() }
}

/// Knows no parts.
fn without() -> Limits {
    Limits { part_worth: u64::MAX, ..Limits::default() }
}

fn parts(world: &World) -> Vec<String> {
    world.memory.keys().into_iter().filter(|key| key.contains("/idx/")).collect()
}

async fn seal_all(world: &World) {
    while world.seal("u").await.next == Next::More {}
}

async fn everything(instance: &Instance, until: Hlc) -> String {
    let user = &scope("u");
    let mut all = String::new();
    let mut note = |what: &str, answer: &dyn Debug| writeln!(all, "{what}: {answer:#?}").unwrap();
    for number in 0..12 {
        let question = ask(&format!("word{number} word{} m{number}", number + 7));
        note("search", &instance.search(user, question.clone()).await.unwrap());
        note("recall", &instance.recall_memories(user, question).await.unwrap());
    }
    note("participants", &instance.participants(user).await.unwrap());
    let past = Reading { as_of: Some(until), ..latest() };
    for reading in [latest(), past] {
        for descending in [false, true] {
            let page = Page { limit: 9, descending, ..Page::default() };
            note("sessions", &instance.list_sessions(user, &page, &reading).await.unwrap());
            for number in 0..12 {
                let session = format!("s{number}");
                let history = instance.history(user, &session, &page, &reading).await.unwrap();
                note(&session, &history);
            }
            for kind in ["memory", "context"] {
                let session = (kind == "context").then(|| "s1".to_owned());
                let wanted = Selection { kind: kind.to_owned(), session, filter: None };
                note(kind, &instance.list_things(user, &wanted, &page, &reading).await.unwrap());
            }
        }
        for number in 0..6 {
            let id = format!("m{number}");
            note(&id, &instance.find_message(user, "s1", &id, &reading).await.unwrap());
            note(&id, &instance.find_thing(user, "memory", (None, &id), &reading).await.unwrap());
        }
    }
    let page = Page { limit: 500, descending: true, ..Page::default() };
    note("timeline", &instance.timeline(user, &page, &latest()).await.unwrap());
    // Of what is hidden only those know who met it before it was purged.
    let mut changes = instance.changes(user, None, 5_000, &latest()).await.unwrap();
    changes.items.retain(|change| !change.hidden);
    note("changes", &changes);
    note("user", &instance.find_user(user, &latest()).await.unwrap());
    let wanted = Wanted { until, session: None, deleted: true };
    let part = Part { after: None, limit: 1_000 };
    note("then", &instance.differences(user, &wanted, &part, &latest()).await.unwrap());
    for id in ["m0", "m1", "m2"] {
        note(id, &instance.known(user, "s1", &[id.to_owned()]));
    }
    all
}

fn thing(kind: ThingKind, random: &mut StdRng, sources: Vec<Source>) -> ThingBody {
    let memory = Memory {
        text: format!("word{} kept", random.random_range(0..20)),
        category: None,
        importance: "0.5".to_owned(),
        metadata: None,
        expires_at: None,
        event: Event::Saved,
    };
    let mut body = ThingBody::new(&memory, sources).unwrap();
    body.vectors = match kind {
        ThingKind::Memory if random.random_bool(0.7) => vec![vectors(&memory.text, 0)],
        _ => Vec::new(),
    };
    body
}

/// A record or two of any kind.
async fn write(world: &World, random: &mut StdRng, met: &mut Vec<(String, String, Order)>) {
    let none = Frontier::default();
    let (session, id) =
        (format!("s{}", random.random_range(0..12)), format!("m{}", random.random_range(0..9)));
    let words: Vec<String> =
        (0..6).map(|_| format!("word{}", random.random_range(0..20))).collect();
    let text = words.join(" ");
    let linked = random.random_bool(0.25);
    let other = format!("m{}", random.random_range(0..9));
    let drafts = match random.random_range(0..40) {
        0 => vec![tombstone(Of::Session, &session, &session)],
        1 | 2 => vec![tombstone(Of::Message, &session, &id)],
        3 | 4 => {
            let fields = SessionFields { name: Some(text), ..SessionFields::default() };
            let (id, session) = (session.clone(), SessionId::parse(&session).unwrap());
            vec![Draft { kind: Kind::Session, id, session, body: fields.encode().unwrap() }]
        }
        5..=8 => {
            let kind = [ThingKind::Memory, ThingKind::Context][random.random_range(0..2)];
            let source = (!met.is_empty() && random.random_bool(0.5)).then(|| {
                let (session, id, order) = met[random.random_range(0..met.len())].clone();
                let session = SessionId::parse(&session).unwrap();
                Source { session, message: Some(id), order, start: None, end: None }
            });
            let body = thing(kind, random, source.into_iter().collect());
            let record = |stamp: &Stamp| {
                let session = SessionId::parse("s1").unwrap();
                let lies_in = kind.in_session().then_some(&session);
                Ok(vec![Record::thing(kind, (lies_in, &id), stamp, &body)?])
            };
            world.write_as("u", record, &none).await;
            return;
        }
        9 => {
            let record = |stamp: &Stamp| {
                Ok(vec![Record::tombstone(Of::Thing(ThingKind::Memory), (None, &id), stamp)?])
            };
            world.write_as("u", record, &none).await;
            return;
        }
        10 => {
            let fields = UserFields { no_train: random.random_bool(0.5), ..UserFields::default() };
            let body = fields.encode().unwrap();
            let record = |stamp: &Stamp| Ok(vec![Record::of_user(Kind::User, "user", stamp, body)]);
            world.write_as("u", record, &none).await;
            return;
        }
        11 => {
            let until = Hlc(world.now().0.saturating_sub(random.random_range(0..(4_000 << 16))));
            let body = Of::encode_until(until).unwrap();
            let record = |stamp: &Stamp| {
                Ok(vec![Record::of_user(Kind::Tombstone, &until.to_string(), stamp, body)])
            };
            world.write_as("u", record, &none).await;
            return;
        }
        12 => vec![draft_of(&session, &id, said("m1 said alike"), vec![vectors("alike", 1)])],
        13 => vec![draft_of(&session, &id, said("m1 said alike"), vec![])],
        14 | 15 => {
            let call =
                Message { tool_calls: Some(format!("[{{\"id\":\"c{id}\"}}]")), ..said(&text) };
            vec![draft_of(&session, &id, call, vec![])]
        }
        16 | 17 => {
            let answer = Message { tool_call_id: Some(format!("c{other}")), ..said(&text) };
            vec![draft_of(&session, &id, answer, vec![vectors(&text, 0)])]
        }
        _ => {
            let parent_id = linked.then(|| other.clone());
            let metadata = linked.then(|| "{\"archived\":true,\"n\":[1,2.50]}".to_owned());
            let message = Message { parent_id, metadata, ..said(&text) };
            let given = if random.random_bool(0.2) { vec![] } else { vec![vectors(&text, 0)] };
            vec![draft_of(&session, &id, message, given)]
        }
    };
    let is_message = drafts[0].kind == Kind::Message;
    let written = world.write("u", drafts, &none).await;
    if is_message {
        met.push((session, id, written.orders[0]));
    }
}

#[tokio::test]
async fn who_starts_from_a_part_answers_everything_as_who_reads_the_journal() {
    for seed in 0..12 {
        let (world, mut random) = (World::new(), StdRng::seed_from_u64(seed));
        let mut met = Vec::new();
        let mut moments = vec![world.now()];
        for stage in 0..6 {
            for _ in 0..random.random_range(5..90) {
                write(&world, &mut random, &mut met).await;
            }
            match random.random_range(0..4) {
                0 => seal_all(&world).await,
                1 => {
                    seal_all(&world).await;
                    world.remove_wal().await;
                }
                2 if seed % 4 == 3 => drop(world.erase("u", async |_| {}).await),
                _ => drop(world.seal("u").await),
            }
            world.pass(2_000);
            let then = moments[random.random_range(0..moments.len())];
            moments.push(world.now());
            let whole = everything(&world.instance(without()), then).await;
            let from_part = everything(&world.instance(eager()), then).await;
            assert!(
                whole == from_part,
                "seed {seed}, stage {stage}\n{}",
                parted(&whole, &from_part)
            );
            // None that a collection would take at once: it may not know of the erase.
            let erased = seed % 4 == 3;
            assert!(erased || parts(&world).len() == 1, "the one takes the place of the other");
        }
    }
}

/// The first lines that differ.
fn parted(one: &str, other: &str) -> String {
    let (one, other): (Vec<_>, Vec<_>) = (one.lines().collect(), other.lines().collect());
    let at = one.iter().zip(&other).position(|(one, other)| one != other).unwrap_or_default();
    let around = at.saturating_sub(30)..at + 10;
    let show = |lines: &[&str]| lines[around.start..around.end.min(lines.len())].join("\n");
    format!("{}\n--- from a part:\n{}", show(&one), show(&other))
}

async fn talk(world: &World, count: u32) {
    for number in 0..count {
        let text = format!("word{} in the harbour, said for the {number}th time", number % 9);
        world.say("u", &format!("m{number}"), &text).await;
    }
}

async fn count(instance: &Instance) -> usize {
    let page = page(1_000);
    instance.history(&scope("u"), "s", &page, &latest()).await.unwrap().items.len()
}

#[tokio::test]
async fn a_fresh_instance_reads_the_part_and_what_came_since_and_nothing_else() {
    let world = World::new();
    talk(&world, 60).await;
    seal_all(&world).await;
    world.remove_wal().await;
    assert_eq!(count(&world.instance(eager())).await, 60);
    world.say("u", "late", "after the part").await;
    let before = world.memory.calls().gets;
    assert_eq!(count(&world.instance(eager())).await, 61);
    // The manifest, the cover, the part, and what came since.
    assert_eq!(world.memory.calls().gets - before, 4);
}

#[tokio::test]
async fn a_part_is_left_only_where_there_is_much_and_anew_only_once_there_is_much_more() {
    let world = World::new();
    talk(&world, 20).await;
    count(&world.instance(Limits { part_least: 100_000, ..eager() })).await;
    assert_eq!(parts(&world), [""; 0]);
    count(&world.instance(Limits { part_least: 500, ..eager() })).await;
    let first = parts(&world);
    assert_eq!(first.len(), 1);
    world.say("u", "one", "more").await;
    count(&world.instance(Limits { part_least: 500, ..eager() })).await;
    assert_eq!(parts(&world), first, "an eighth more, and no less");
    talk(&world, 60).await;
    count(&world.instance(Limits { part_least: 500, ..eager() })).await;
    assert!(parts(&world).len() == 1 && parts(&world) != first);
}

#[tokio::test]
async fn a_part_that_cannot_be_read_or_is_of_another_kind_is_as_good_as_none() {
    let world = World::new();
    talk(&world, 30).await;
    seal_all(&world).await;
    count(&world.instance(eager())).await;
    let key = Key::raw(parts(&world).pop().unwrap());
    let bytes = world.memory.get(&key).await.unwrap().unwrap();
    for cut in [0, 5, 12, 100, bytes.len() - 1] {
        replace(&world, bytes[..cut].to_vec()).await;
        assert_eq!(count(&world.instance(eager())).await, 30, "{cut}");
    }
    let mut other = bytes.to_vec();
    other[6] = b'9';
    replace(&world, other).await;
    assert_eq!(count(&world.instance(eager())).await, 30);
    // Of another space: words are found, and vectors where the journal has some.
    replace(&world, bytes.to_vec()).await;
    let elsewhere = Portable::new(world.clone(), world.clock(), ledger(), "other/1/8/cos", eager());
    let recall = elsewhere.search(&scope("u"), ask("harbour")).await.unwrap();
    assert_eq!((recall.hits.len(), recall.pending), (10, 30));
}

/// Another part in the place of those that are there.
async fn replace(world: &World, bytes: Vec<u8>) {
    for key in parts(world) {
        world.memory.delete(&Key::raw(key)).await.unwrap();
    }
    let ulid = ulid::Ulid::from_parts(world.now().milliseconds(), 7);
    let key = holdfast_core::key::index_part(&scope("u"), ulid, &bytes);
    world.memory.put(&key, bytes.into()).await.unwrap();
}

#[tokio::test]
async fn a_part_of_before_an_erase_counts_for_nothing() {
    let world = World::new();
    talk(&world, 30).await;
    count(&world.instance(eager())).await;
    let kept = world.memory.get(&Key::raw(parts(&world).pop().unwrap())).await.unwrap().unwrap();
    let (texts, _) = unpack(&kept).unwrap().unwrap();
    assert!(texts.windows(7).any(|window| window == b"harbour"), "texts stand in it as they are");
    world.erase("u", async |_| {}).await;
    world.pass(300_000);
    // One that lands late, under a name of after the erase.
    replace(&world, kept.to_vec()).await;
    assert_eq!(count(&world.instance(eager())).await, 0);
    // Nor where only the ledger tells of the erase yet.
    world.remove_wal().await;
    assert_eq!(count(&world.instance(eager())).await, 0);
    world.say("u", "new", "after it").await;
    assert_eq!(count(&world.instance(eager())).await, 1);
}

#[tokio::test]
async fn what_is_kept_longer_than_it_was_is_read_from_the_journal_again() {
    let world = World::new();
    talk(&world, 30).await;
    world.pass(3 * 86_400_000);
    world.say("u", "late", "three days later").await;
    let kept = |days| Limits { retention_days: days, ..eager() };
    assert_eq!(count(&world.instance(kept(2))).await, 1);
    assert_eq!(parts(&world).len(), 1);
    assert_eq!(count(&world.instance(kept(0))).await, 31);
    assert_eq!(count(&world.instance(kept(2))).await, 1);
}
