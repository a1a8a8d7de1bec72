//! API keys in the bucket: made, found by name, listed, revoked.

use crate::world::World;
use bytes::Bytes;
use futures::executor::block_on;
use holdfast_core::access::{ApiKey, KeyRecord, Permission};
use holdfast_core::ports::Objects;
use holdfast_core::record::WriterKind;
use holdfast_core::{Case, KeyId, TenantId, key};
use holdfast_journal::{find_caller, find_key, list_keys, mint_key, revoke_key};
use holdfast_objects::Calls;

pub const SECRET: &str = "root secret";

pub fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

fn kid(name: &str) -> KeyId {
    KeyId::parse(name).unwrap()
}

pub fn api_key(name: &str) -> ApiKey {
    ApiKey::mint(tenant("t"), kid(name), &[7; 18], SECRET.as_bytes())
}

pub fn record(api_key: &ApiKey, parent: Option<&str>) -> KeyRecord {
    KeyRecord {
        v: 1,
        kid: api_key.kid.clone(),
        tenant: api_key.tenant.clone(),
        kind: WriterKind::Service,
        user: None,
        permissions: vec![Permission::Read, Permission::Keys],
        parent: parent.map(kid),
        name: Some("for tests".to_owned()),
        secret_sha256: api_key.sha256(),
        created_at: "2026-03-20T09:46:40Z".to_owned(),
    }
}

/// Makes a key of this name and parent.
pub async fn made(world: &World, name: &str, parent: Option<&str>) -> ApiKey {
    let key = api_key(name);
    mint_key(world, &record(&key, parent)).await.unwrap();
    key
}

/// A record in the bucket as no program of ours would make it.
async fn forged(world: &World, name: &str, parent: Option<&str>) -> ApiKey {
    let key = api_key(name);
    let json = Bytes::from(serde_json::to_vec(&record(&key, parent)).unwrap());
    world.memory.put(&key::api_key_created(&key.tenant, &key.kid), json).await.unwrap();
    key
}

async fn refused(world: &World, key: &ApiKey) {
    let error = find_caller(world, key).await.unwrap_err();
    assert_eq!((error.case, error.reason), (Case::Denied, "unauthenticated"));
}

#[test]
fn a_key_that_was_made_is_found_by_two_gets_and_allows_what_its_record_says() {
    block_on(async {
        let world = World::new();
        let key = made(&world, "a", None).await;
        let caller = find_caller(&world, &key).await.unwrap();
        assert_eq!(caller, record(&key, None).into());
        assert_eq!(world.memory.calls(), Calls { puts: 1, gets: 2, ..Calls::default() });
    });
}

#[test]
fn at_rest_lies_no_secret() {
    block_on(async {
        let world = World::new();
        let key = made(&world, "a", None).await;
        let text = key.reveal();
        let secret = text.rsplit('.').next().unwrap();
        let created = key::api_key_created(&key.tenant, &key.kid);
        let bytes = world.memory.get(&created).await.unwrap().unwrap();
        assert!(!String::from_utf8(bytes.to_vec()).unwrap().contains(&secret[..24]));
    });
}

#[test]
fn a_key_that_was_never_made_or_has_another_secret_is_refused() {
    block_on(async {
        let world = World::new();
        refused(&world, &api_key("a")).await;
        made(&world, "a", None).await;
        let other = ApiKey::mint(tenant("t"), kid("a"), &[8; 18], SECRET.as_bytes());
        refused(&world, &other).await;
    });
}

#[test]
fn a_revoked_key_is_refused_and_revoking_twice_is_not_an_error() {
    block_on(async {
        let world = World::new();
        let key = made(&world, "a", None).await;
        for _ in 0..2 {
            revoke_key(&world, &key.tenant, &key.kid).await.unwrap();
            refused(&world, &key).await;
        }
    });
}

#[test]
fn a_list_need_not_show_that_a_key_was_made_or_revoked() {
    block_on(async {
        let world = World::new();
        let key = made(&world, "a", None).await;
        world.memory.hide(key::api_key_created(&key.tenant, &key.kid).as_str());
        assert!(find_caller(&world, &key).await.is_ok());
        world.memory.hide(key::api_key_revoked(&key.tenant, &key.kid).as_str());
        revoke_key(&world, &key.tenant, &key.kid).await.unwrap();
        refused(&world, &key).await;
        assert!(find_key(&world, &key.tenant, &key.kid).await.unwrap().unwrap().1);
        world.memory.unhide_all();
        world.memory.hide(key::api_key_revoked(&key.tenant, &key.kid).as_str());
        assert!(list_keys(&world, &key.tenant).await.unwrap()[0].1);
    });
}

#[test]
fn revoking_a_key_ends_all_that_it_made() {
    block_on(async {
        let world = World::new();
        let grandparent = made(&world, "a", None).await;
        let parent = made(&world, "b", Some("a")).await;
        let child = made(&world, "c", Some("b")).await;
        let stranger = made(&world, "d", None).await;
        assert!(find_caller(&world, &child).await.is_ok());
        revoke_key(&world, &parent.tenant, &parent.kid).await.unwrap();
        refused(&world, &child).await;
        assert!(find_caller(&world, &grandparent).await.is_ok());
        assert!(find_caller(&world, &stranger).await.is_ok());
    });
}

#[test]
fn a_key_whose_parent_was_never_made_is_refused() {
    block_on(async {
        let world = World::new();
        let key = api_key("b");
        mint_key(&world, &record(&key, Some("a"))).await.unwrap_err();
        refused(&world, &forged(&world, "b", Some("a")).await).await;
    });
}

#[test]
fn a_key_has_at_most_8_parents_and_a_circle_of_parents_ends() {
    block_on(async {
        let world = World::new();
        made(&world, "k0", None).await;
        for depth in 1..=8 {
            made(&world, &format!("k{depth}"), Some(&format!("k{}", depth - 1))).await;
        }
        let error = mint_key(&world, &record(&api_key("k9"), Some("k8"))).await.unwrap_err();
        assert_eq!(error.reason, "denied");
        forged(&world, "k9", Some("k8")).await;
        assert!(find_caller(&world, &api_key("k8")).await.is_ok());
        refused(&world, &api_key("k9")).await;
        forged(&world, "k0", Some("k3")).await;
        let before = world.memory.calls().gets;
        refused(&world, &api_key("k1")).await;
        assert_eq!(world.memory.calls().gets - before, 2 * 9);
    });
}

#[test]
fn a_record_of_another_tenant_or_key_is_no_record() {
    block_on(async {
        let world = World::new();
        let key = api_key("a");
        let own = record(&key, None);
        let foreign = KeyRecord { tenant: tenant("other"), ..own.clone() };
        let renamed = KeyRecord { kid: kid("b"), ..own.clone() };
        let created = key::api_key_created(&key.tenant, &key.kid);
        for (put, known) in [(foreign, false), (renamed, false), (own, true)] {
            let json = Bytes::from(serde_json::to_vec(&put).unwrap());
            world.memory.put(&created, json).await.unwrap();
            assert_eq!(find_caller(&world, &key).await.is_ok(), known);
            assert_eq!(list_keys(&world, &key.tenant).await.unwrap().len(), usize::from(known));
        }
    });
}

#[test]
fn a_record_that_cannot_be_read_is_corrupt_and_named() {
    block_on(async {
        let world = World::new();
        let key = api_key("a");
        let created = key::api_key_created(&key.tenant, &key.kid);
        for (text, reason) in
            [("", "corrupt"), ("{\"v\":1}", "corrupt"), ("{\"v\":2,\"x\":0}", "newer_format")]
        {
            world.memory.put(&created, Bytes::from(text)).await.unwrap();
            let error = find_caller(&world, &key).await.unwrap_err();
            assert_eq!((error.case, error.reason), (Case::Corrupt, reason));
            assert!(error.detail.contains(created.as_str()), "{}", error.detail);
            assert_eq!(list_keys(&world, &key.tenant).await.unwrap_err().reason, reason);
        }
        // Whatever its record says, it can be ended.
        revoke_key(&world, &key.tenant, &key.kid).await.unwrap();
    });
}

#[test]
fn all_keys_of_a_tenant_are_listed_and_none_of_another() {
    block_on(async {
        let world = World::new();
        world.memory.set_page(3);
        for name in 10..30 {
            made(&world, &format!("k{name}"), None).await;
        }
        let other = ApiKey::mint(tenant("t2"), kid("x"), &[7; 18], SECRET.as_bytes());
        mint_key(&world, &record(&other, None)).await.unwrap();
        for name in ["k11", "k29"] {
            revoke_key(&world, &tenant("t"), &kid(name)).await.unwrap();
        }
        let stray = key::api_keys(&tenant("t"));
        let stray = holdfast_core::Key::raw(format!("{}created.json", stray.as_str()));
        world.memory.put(&stray, Bytes::from_static(b"?")).await.unwrap();
        let found = list_keys(&world, &tenant("t")).await.unwrap();
        let listed: Vec<String> = found.iter().map(|(record, _)| record.kid.to_string()).collect();
        assert_eq!(listed, (10..30).map(|name| format!("k{name}")).collect::<Vec<_>>());
        let revoked: Vec<&str> =
            found.iter().filter(|(_, revoked)| *revoked).map(|(r, _)| r.kid.as_str()).collect();
        assert_eq!(revoked, ["k11", "k29"]);
    });
}
