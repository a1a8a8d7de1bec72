//! Walks over tenants and users: each once, whatever lies beside them.

use crate::world::World;
use bytes::Bytes;
use futures::executor::block_on;
use holdfast_core::ports::Objects;
use holdfast_core::{Key, Scope, TenantId, UserId, key};
use holdfast_journal::{next_user, tenants};

fn tenant(id: &str) -> TenantId {
    TenantId::parse(id).unwrap()
}

async fn put(world: &World, key: &str) {
    world.memory.put(&Key::raw(key), Bytes::from_static(b"x")).await.unwrap();
}

#[test]
fn every_user_of_a_tenant_is_met_once_and_nobody_else() {
    block_on(async {
        let world = World::new();
        let users = ["ann", "ann-marie", "Bob", "a/b", "é"];
        for user in users {
            let scope = Scope { tenant: tenant("t"), user: UserId::parse(user).unwrap() };
            for part in ["wal/20260101/x", "wal/20260102/y", "seg/z"] {
                put(&world, &format!("{}{part}", key::user(&scope).as_str())).await;
            }
        }
        let long = Scope { tenant: tenant("t"), user: UserId::parse(&"É".repeat(100)).unwrap() };
        put(&world, &format!("{}wal/1", key::user(&long).as_str())).await;
        for other in ["v1/t/t/keys/k/created.json", "v1/t/other/u/zoe/wal/1", "v1/t/t/u/stray"] {
            put(&world, other).await;
        }
        let (mut met, mut nameless, mut place) = (Vec::new(), 0, None);
        while let Some(user) = next_user(&world, &tenant("t"), place.as_deref()).await.unwrap() {
            match user.scope {
                Some(scope) => met.push(scope.user.as_str().to_owned()),
                None => nameless += 1,
            }
            place = Some(user.place);
        }
        met.sort();
        let mut all = users.map(str::to_owned);
        all.sort();
        assert_eq!((met.as_slice(), nameless), (all.as_slice(), 2));
        let elsewhere = next_user(&world, &tenant("t"), Some("v1/t/other/u/")).await.unwrap();
        assert!(elsewhere.is_some(), "a foreign place begins anew");
    });
}

#[test]
fn every_tenant_is_met_once() {
    block_on(async {
        let world = World::new();
        for key in [
            "v1/format/1.json",
            "v1/t/a/keys/k/created.json",
            "v1/t/a/u/x/wal/1",
            "v1/t/b/u/y/wal/1",
        ] {
            put(&world, key).await;
        }
        let met = tenants(&world).await.unwrap();
        assert_eq!(met.iter().map(TenantId::as_str).collect::<Vec<_>>(), ["a", "b"]);
    });
}
