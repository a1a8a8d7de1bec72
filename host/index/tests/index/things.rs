//! Memories: found beside messages, alike after a restart and a compaction, gone with their sources, ended by time.

use crate::world::*;
use holdfast_core::graves::Of;
use holdfast_core::memory::{Event, Memory};
use holdfast_core::record::{Record, Stamp};
use holdfast_core::thing::{Source, ThingBody, ThingKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Order, SessionId};
use holdfast_index::{Index, Part, Selection, ThingRecall, Wanted};
use holdfast_journal::Written;
use holdfast_view::Limits;

/// Milliseconds of the tests' first moment.
const NOW: u64 = 1_774_000_000_000;

fn memory(text: &str) -> Memory {
    Memory {
        text: text.to_owned(),
        category: Some("c".to_owned()),
        importance: "0.5".to_owned(),
        metadata: Some("{\"n\":1}".to_owned()),
        expires_at: None,
        event: Event::Saved,
    }
}

fn body(memory: &Memory, sources: Vec<Source>, embedded: bool) -> ThingBody {
    let mut body = ThingBody::new(memory, sources).unwrap();
    body.vectors = if embedded { vec![vectors(&memory.text, 0)] } else { Vec::new() };
    body
}

async fn save(world: &World, id: &str, body: ThingBody) -> Written {
    let id = id.to_owned();
    let record =
        move |stamp: &Stamp| Ok(vec![Record::thing(ThingKind::Memory, (None, &id), stamp, &body)?]);
    world.write_as("u", record, &Frontier::default()).await
}

async fn recall(index: &Index, text: &str) -> ThingRecall {
    index.recall_memories(scope("u"), ask(text)).await.unwrap()
}

async fn found(index: &Index, text: &str) -> Vec<String> {
    recall(index, text).await.hits.into_iter().map(|hit| hit.thing.id).collect()
}

async fn listed(index: &Index) -> Vec<String> {
    let selection = Selection { kind: "memory".to_owned(), ..Selection::default() };
    let page = index.list_things(scope("u"), selection, page(100), latest()).await.unwrap();
    page.items.into_iter().map(|thing| thing.id).collect()
}

fn source(session: &str, message: &str, order: &str) -> Source {
    let (session, order) = (SessionId::parse(session).unwrap(), Order::parse(order).unwrap());
    Source { session, message: Some(message.to_owned()), order, start: None, end: None }
}

#[tokio::test]
async fn memories_answer_alike_when_told_loaded_and_sealed() {
    let world = World::new();
    let index = world.host(|_| {});
    assert!(found(&index, "kiln").await.is_empty());
    for (id, text) in [("a", "a quiet kiln"), ("b", "the ferry left"), ("c", "kiln and ferry")] {
        let written = save(&world, id, body(&memory(text), Vec::new(), true)).await;
        index.upsert(scope("u"), object(&written)).await.unwrap();
    }
    let edit = Memory { event: Event::Edited, ..memory("the ferry stayed") };
    let written = save(&world, "b", body(&edit, Vec::new(), true)).await;
    index.upsert(scope("u"), object(&written)).await.unwrap();
    let told = recall(&index, "quiet ferry").await;
    assert_eq!(told.hits.len(), 3);
    assert!(told.hits.iter().any(|hit| hit.thing.last.body.contains("ferry stayed")));
    assert_eq!(recall(&world.host(|_| {}), "quiet ferry").await.hits, told.hits);
    world.seal("u").await;
    world.remove_wal().await;
    let sealed = world.host(|_| {});
    assert_eq!(recall(&sealed, "quiet ferry").await.hits, told.hits);
    let history = sealed.find_thing(scope("u"), "memory".into(), None, "b".into(), local()).await;
    assert_eq!(history.unwrap().history.len(), 2);
    assert_eq!(listed(&sealed).await, ["a", "c", "b"]);
}

#[tokio::test]
async fn a_memory_leaves_the_search_with_its_source_and_by_its_tombstone() {
    let world = World::new();
    let index = world.host(|_| {});
    let said = world.say("u", "m1", "a quiet kiln").await;
    let order = said.orders[0].to_string();
    save(&world, "a", body(&memory("a quiet kiln"), vec![source("s", "m1", &order)], true)).await;
    save(&world, "b", body(&memory("another kiln"), Vec::new(), true)).await;
    assert_eq!(listed(&index).await, ["a", "b"]);
    let mut inside = ask("kiln");
    inside.session = Some("s".to_owned());
    let of_session = index.recall_memories(scope("u"), inside).await.unwrap();
    assert_eq!(of_session.hits.len(), 1, "only what was made of the session");
    let grave = vec![tombstone(Of::Message, "s", "m1")];
    let written = world.write("u", grave, &Frontier::default()).await;
    index.upsert(scope("u"), object(&written)).await.unwrap();
    assert_eq!(found(&index, "kiln").await, ["b"]);
    let grave = |stamp: &Stamp| {
        Ok(vec![Record::tombstone(Of::Thing(ThingKind::Memory), (None, "b"), stamp)?])
    };
    let written = world.write_as("u", grave, &Frontier::default()).await;
    index.upsert(scope("u"), object(&written)).await.unwrap();
    assert!(found(&index, "kiln").await.is_empty() && listed(&index).await.is_empty());
    let gone = index.find_thing(scope("u"), "memory".into(), None, "b".into(), local()).await;
    assert!(gone.unwrap().deleted);
}

#[tokio::test]
async fn a_memory_without_vectors_is_pending_until_a_copy_brings_them() {
    let world = World::new();
    let index = world.host(|_| {});
    let written = save(&world, "a", body(&memory("a quiet kiln"), Vec::new(), false)).await;
    index.upsert(scope("u"), object(&written)).await.unwrap();
    assert_eq!((recall(&index, "kiln").await.pending, found(&index, "kiln").await.len()), (1, 1));
    let pending = index.pending(9).await.unwrap();
    let (_, waiting) = &pending[0];
    assert!(waiting.memory && waiting.id == "a");
    let raw = serde_json::value::RawValue::from_string(waiting.body.clone()).unwrap();
    let mut embedded = ThingBody::decode(&raw).unwrap();
    embedded.vectors = vec![vectors("a quiet kiln", 0)];
    let stamp = Stamp { at: waiting.at, by: waiting.by.clone() };
    let copy = Record::thing(ThingKind::Memory, (None, "a"), &stamp, &embedded).unwrap();
    let written = world.write_as("u", |_| Ok(vec![copy]), &Frontier::default()).await;
    index.upsert(scope("u"), object(&written)).await.unwrap();
    assert!(index.pending(9).await.unwrap().is_empty());
    let recalled = recall(&index, "kiln").await;
    assert_eq!((recalled.pending, recalled.hits.len()), (0, 1));
    assert!(recalled.hits[0].stages.iter().any(|stage| stage.name == "cosine"));
    let found = index.find_thing(scope("u"), "memory".into(), None, "a".into(), local()).await;
    assert_eq!(found.unwrap().history.len(), 1, "a copy is no version");
    // An edit that leaves the text keeps the vectors.
    let edit = Memory { category: None, event: Event::Edited, ..memory("a quiet kiln") };
    let written = save(&world, "a", body(&edit, Vec::new(), false)).await;
    index.upsert(scope("u"), object(&written)).await.unwrap();
    assert_eq!(recall(&index, "kiln").await.pending, 0);
}

#[tokio::test]
async fn a_memory_ends_by_itself() {
    let world = World::new();
    let index = world.host(|_| {});
    let end = holdfast_core::clock::rfc3339(NOW + 1_000);
    let ending = Memory { expires_at: Some(end), ..memory("a quiet kiln") };
    let written = save(&world, "a", body(&ending, Vec::new(), true)).await;
    index.upsert(scope("u"), object(&written)).await.unwrap();
    assert_eq!(found(&index, "kiln").await, ["a"]);
    world.pass(2_000);
    assert!(found(&index, "kiln").await.is_empty() && listed(&index).await.is_empty());
    let gone = index.find_thing(scope("u"), "memory".into(), None, "a".into(), local()).await;
    assert!(gone.unwrap().item.is_none());
}

#[tokio::test]
async fn what_was_otherwise_of_memories_is_told_behind_the_messages_by_both_indexes() {
    let world = World::new();
    let said = world.say("u", "m1", "a quiet kiln").await;
    let order = said.orders[0].to_string();
    let made_of = vec![source("s", "m1", &order)];
    save(&world, "a", body(&memory("a quiet kiln"), made_of, true)).await;
    let until = save(&world, "b", body(&memory("the ferry left"), Vec::new(), true)).await;
    let until = until.orders[0].hlc;
    world.pass(10);
    let edit = Memory { event: Event::Edited, ..memory("the ferry stayed") };
    save(&world, "b", body(&edit, Vec::new(), true)).await;
    world.write("u", vec![tombstone(Of::Message, "s", "m1")], &Frontier::default()).await;
    world.seal("u").await;
    let (index, instance) = (world.host(|_| {}), world.instance(Limits::default()));
    let wanted = Wanted { until, session: None, deleted: true };
    let (mut part, mut pages) = (Part { after: None, limit: 100 }, Vec::new());
    loop {
        let (user, asked) = (scope("u"), part.clone());
        let one = index.differences(user.clone(), wanted.clone(), asked, latest()).await.unwrap();
        let other = instance.differences(&user, &wanted, &part, &latest()).await.unwrap();
        assert_eq!((&one.items, &one.next), (&other.items, &other.next));
        let told = one.items.iter().map(|one| (one.kind, one.id.clone().unwrap(), one.lost));
        pages.push(told.collect::<Vec<_>>());
        let Some(next) = one.next else { break };
        part.after = Some(next);
    }
    let memory = Some("memory");
    let messages = vec![(None, "m1".to_owned(), false)];
    let memories = vec![(memory, "a".to_owned(), true), (memory, "b".to_owned(), false)];
    assert_eq!(pages, [messages, memories]);
}

#[tokio::test]
async fn a_memory_passes_with_its_message_and_one_that_ended_is_named() {
    const DAY: u64 = 86_400_000;
    let world = World::new();
    let said = world.say("u", "m1", "a quiet kiln").await;
    let made_of = vec![source("s", "m1", &said.orders[0].to_string())];
    world.pass(9 * DAY);
    save(&world, "a", body(&memory("a quiet kiln"), made_of, true)).await;
    save(&world, "b", body(&memory("another kiln"), Vec::new(), true)).await;
    let end = holdfast_core::clock::rfc3339(NOW + 10 * DAY);
    let ending = Memory { expires_at: Some(end), ..memory("the last kiln") };
    let ended = save(&world, "c", body(&ending, Vec::new(), true)).await;
    let index = world.host(|settings| settings.retention_days = 10);
    assert_eq!(found(&index, "kiln").await.len(), 3);
    world.pass(DAY + 1_000);
    assert_eq!(found(&index, "kiln").await, ["b"]);
    let said = index.find_user(scope("u"), latest()).await.unwrap();
    let named: Vec<_> = said.ended.iter().map(|one| (one.id.as_str(), one.at)).collect();
    assert_eq!((said.unsaid, named), (1, vec![("c", ended.orders[0].hlc)]));
    let limits = Limits { retention_days: 10, ..Limits::default() };
    let other = world.instance(limits).find_user(&scope("u"), &latest()).await.unwrap();
    assert_eq!((other.unsaid, &other.ended), (said.unsaid, &said.ended));
}

#[tokio::test]
async fn what_has_passed_is_written_down_by_what_the_store_last_told_any_shard() {
    const DAY: u64 = 86_400_000;
    let world = World::new();
    world.say("u", "m1", "a quiet kiln").await;
    let others = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let index = world.host(|settings| (settings.retention_days, settings.single_host) = (10, true));
    let unsaid = async || index.find_user(scope("u"), latest()).await.unwrap().unsaid;
    assert_eq!(unsaid().await, 0);
    // By our clock alone, which may have been set: nobody asked the store since.
    world.pass(11 * DAY);
    assert_eq!((found(&index, "kiln").await.len(), unsaid().await), (0, 0));
    for other in others {
        index.find_user(scope(other), latest()).await.unwrap();
    }
    assert_eq!(unsaid().await, 1);
}
