//! Lists of users to tend: nobody who is named is forgotten, and a list that cannot be read stops nobody.

use crate::world::{NOW, World};
use bytes::Bytes;
use futures::executor::block_on;
use holdfast_core::ports::Objects;
use holdfast_core::{TenantId, UserId, key};
use holdfast_journal::{last_sweep, note_dirty, note_sweep, to_do};
use std::collections::BTreeSet;

fn users(ids: &[&str]) -> BTreeSet<UserId> {
    ids.iter().map(|id| UserId::parse(id).unwrap()).collect()
}

fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap()
}

#[test]
fn what_hosts_noted_is_to_do_until_it_is_done_and_what_is_noted_meanwhile_stays() {
    block_on(async {
        let (world, tenant) = (World::new(), tenant());
        let note = async |ids: &[&str]| {
            note_dirty(&world.outside(), &tenant, &users(ids)).await.unwrap();
        };
        note(&[]).await;
        assert!(world.memory.keys().is_empty());
        note(&["ann", "bob"]).await;
        note(&["bob", "É"]).await;
        let first = to_do(&world, &tenant).await.unwrap();
        assert_eq!(first.users, users(&["ann", "bob", "É"]));
        assert!(world.memory.keys()[0].starts_with("v1/t/acme/dirty/2026032009/"));
        note(&["ann"]).await;
        first.done(&world).await.unwrap();
        assert_eq!(to_do(&world, &tenant).await.unwrap().users, users(&["ann"]));
        let other = TenantId::parse("other").unwrap();
        assert!(to_do(&world, &other).await.unwrap().users.is_empty());
    });
}

#[test]
fn a_list_that_is_damaged_goes_and_one_of_a_newer_program_stays() {
    block_on(async {
        let (world, tenant) = (World::new(), tenant());
        let put = async |number: u128, text: &'static [u8]| {
            let ulid = ulid::Ulid::from_parts(NOW, number);
            world.put(&key::dirty_list(&tenant, ulid), Bytes::from_static(text)).await.unwrap();
        };
        put(1, b"nonsense").await;
        put(2, b"{\"v\":9,\"users\":[\"ann\"]}").await;
        let found = to_do(&world, &tenant).await.unwrap();
        assert!(found.users.is_empty());
        found.done(&world).await.unwrap();
        assert_eq!(world.memory.keys().len(), 1);
    });
}

#[test]
fn the_last_sweep_is_known_to_all_and_takes_the_place_of_earlier_ones() {
    block_on(async {
        let (world, tenant) = (World::new(), tenant());
        assert_eq!(last_sweep(&world, &tenant).await.unwrap(), None);
        for begun in [NOW, NOW + 5] {
            note_sweep(&world.outside(), &tenant, begun).await.unwrap();
            assert_eq!(last_sweep(&world, &tenant).await.unwrap(), Some(begun));
        }
        assert_eq!(world.memory.keys().len(), 1);
    });
}
