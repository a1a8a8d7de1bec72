//! Exports and erases: an export that holds something of the erased user goes whole, every other stays.

use crate::erasing::{begin, everything, marked, swept};
use crate::world::{NOW, World, ledger, scope};
use bytes::Bytes;
use futures::executor::block_on;
use holdfast_core::exported::Exported;
use holdfast_core::ports::Objects;
use holdfast_core::{Key, Scope, TenantId, UserId, key};
use holdfast_journal::SECOND_SWEEP;
use ulid::Ulid;

const DATA: &str = "said by canary-exported";

fn other() -> Scope {
    Scope { user: UserId::parse("bob").unwrap(), ..scope() }
}

/// Puts files of an export that was begun then, and says where it lies.
async fn put(world: &World, begun: u64, files: &[(&str, Bytes)]) -> String {
    let prefix = key::export(&scope().tenant, Ulid::from_parts(begun, 7));
    for (name, bytes) in files {
        let key = Key::below(&prefix, &format!("{}{name}", prefix.as_str())).unwrap();
        world.memory.put(&key, bytes.clone()).await.unwrap();
    }
    prefix.as_str().to_owned()
}

fn whole(of: &[Scope], asked: &str) -> Vec<(&'static str, Bytes)> {
    let list = Exported::new(&ledger(), of).encode().unwrap();
    vec![
        ("_MANIFEST.json", Bytes::from("{}")),
        (key::EXPORT_ASKED, Bytes::from(asked.to_owned())),
        ("_work/users-0.json", list.into()),
        ("train.jsonl", Bytes::from(DATA)),
    ]
}

fn left(world: &World, export: &str) -> usize {
    world.memory.keys().iter().filter(|key| key.starts_with(export)).count()
}

#[test]
fn an_export_that_holds_the_user_goes_whole_and_the_others_stay() {
    block_on(async {
        let world = marked().await;
        let both = whole(&[scope(), other()], "{}");
        let both = put(&world, NOW - 5, &both).await;
        let others = put(&world, NOW - 4, &whole(&[other()], "{}")).await;
        let named = format!(r#"{{"selection":{{"users":["{}"]}}}}"#, scope().user);
        let named = put(&world, NOW - 3, &whole(&[], &named)).await;
        let unlisted: Vec<_> =
            whole(&[], "{}").into_iter().filter(|(name, _)| !name.contains("users")).collect();
        let unlisted = put(&world, NOW - 2, &unlisted).await;
        let spoiled = [whole(&[], "{}"), vec![("_work/users-0.json", Bytes::from("{"))]].concat();
        let spoiled = put(&world, NOW - 1, &spoiled).await;
        begin(&world).await.unwrap();
        let receipt = swept(&world).await;
        let gone = [&both, &named, &unlisted, &spoiled].map(|export| left(&world, export));
        assert_eq!((gone, left(&world, &others)), ([0; 4], 4));
        assert_eq!(receipt.removed["exp"], 15);
        world.pass(SECOND_SWEEP);
        swept(&world).await;
        assert_eq!(left(&world, &others), 4);
    });
}

#[test]
fn what_is_left_of_a_removal_or_a_cancelled_export_is_found_again() {
    block_on(async {
        let world = marked().await;
        let data = ("train.jsonl", Bytes::from(DATA));
        let list = Exported::new(&ledger(), &[other()]).encode().unwrap();
        let half = [data.clone(), ("_work/users-3.json", list.into())];
        let half = put(&world, NOW - 5, &half).await;
        let cancelled = ("_work/cancelled.json", Bytes::from("{}"));
        let asked = (key::EXPORT_ASKED, Bytes::from("{}"));
        let left_over = put(&world, NOW - 4, &[cancelled.clone(), asked.clone(), data]).await;
        let tidy = put(&world, NOW - 3, &[cancelled, asked]).await;
        let empty = put(&world, NOW - 2, &whole(&[], "{}")).await;
        begin(&world).await.unwrap();
        swept(&world).await;
        assert_eq!(
            [half, left_over, tidy, empty].map(|export| left(&world, &export)),
            [0, 0, 2, 4]
        );
    });
}

#[test]
fn an_export_that_still_runs_a_day_later_goes_with_what_it_gathered() {
    block_on(async {
        let world = marked().await;
        let files = [(key::EXPORT_ASKED, Bytes::from("{}")), ("_work/part-1", Bytes::from(DATA))];
        let running = put(&world, NOW - 5, &files).await;
        let later = put(&world, NOW + SECOND_SWEEP / 2, &files).await;
        begin(&world).await.unwrap();
        swept(&world).await;
        assert_eq!(left(&world, &running), 2, "it heeds the erase by itself");
        world.pass(SECOND_SWEEP);
        swept(&world).await;
        assert_eq!((left(&world, &running), left(&world, &later)), (0, 2));
    });
}

#[test]
fn without_an_erase_the_canary_of_an_export_is_found() {
    block_on(async {
        let world = marked().await;
        put(&world, NOW - 5, &whole(&[scope()], "{}")).await;
        assert!(everything(&world).await.contains(DATA));
        begin(&world).await.unwrap();
        swept(&world).await;
        assert!(!everything(&world).await.contains(DATA));
    });
}

#[test]
fn exports_of_another_tenant_are_not_looked_at() {
    block_on(async {
        let world = marked().await;
        let foreign = TenantId::parse("other").unwrap();
        let prefix = key::export(&foreign, Ulid::from_parts(NOW - 5, 7));
        let key = Key::below(&prefix, &format!("{}_MANIFEST.json", prefix.as_str())).unwrap();
        world.memory.put(&key, Bytes::from("{}")).await.unwrap();
        begin(&world).await.unwrap();
        swept(&world).await;
        assert!(world.memory.get(&key).await.unwrap().is_some());
    });
}
