//! Who asks: what is checked without I/O, how long a verdict stands, and when it falls.

use crate::keys::{SECRET, api_key, made, tenant};
use crate::world::{MINUTE, NOW, World};
use futures::executor::block_on;
use holdfast_core::access::{ApiKey, Permission};
use holdfast_core::{Case, KeyId};
use holdfast_journal::{Authority, key_text, revoke_key};
use holdfast_objects::Calls;
use std::cell::RefCell;

const TTL: u64 = 30_000;

fn root() -> ApiKey {
    ApiKey::mint(tenant("t"), KeyId::parse("root").unwrap(), &[1; 18], b"another secret")
}

fn authority() -> Authority {
    Authority {
        root_secret: SECRET.to_owned(),
        root_key_sha256: root().sha256(),
        root_tenant: tenant("t"),
        key_ttl: TTL,
        verdicts: RefCell::default(),
    }
}

#[test]
fn the_root_key_may_do_everything_and_needs_no_store() {
    block_on(async {
        let world = World::new();
        world.memory.set_unreachable(true);
        let caller = authority().caller(&world, NOW, &root().reveal()).await.unwrap();
        assert_eq!((caller.tenant, caller.kid.as_str()), (tenant("t"), "root"));
        assert_eq!(caller.permissions, Permission::ALL);
        assert_eq!(world.memory.calls(), Calls::default());
    });
}

#[test]
fn without_a_root_key_nobody_is_root() {
    block_on(async {
        let world = World::new();
        let none = Authority { root_key_sha256: String::new(), ..authority() };
        let error = none.caller(&world, NOW, &root().reveal()).await.unwrap_err();
        assert_eq!(error.reason, "unauthenticated");
    });
}

#[test]
fn a_made_up_key_is_refused_without_asking_the_store() {
    block_on(async {
        let world = World::new();
        let text = made(&world, "a", None).await.reveal();
        let calls = world.memory.calls();
        let elsewhere = ApiKey::mint(tenant("t"), api_key("a").kid, &[7; 18], b"wrong").reveal();
        let cut = &text[..text.len() - 1];
        let mut made_up = vec![elsewhere, cut.to_owned(), text.replace("hf_t.", "hf_t2.")];
        made_up.extend([text.replace(".a.", ".b."), format!("{text}A"), text.to_uppercase()]);
        made_up.extend(["", "hf_", "hf_t.a.", "hf_..", "hf_t.a.é", "x"].map(str::to_owned));
        for text in made_up {
            let error = authority().caller(&world, NOW, &text).await.unwrap_err();
            assert_eq!((error.case, error.reason), (Case::Denied, "unauthenticated"), "{text}");
        }
        assert_eq!(world.memory.calls(), calls);
    });
}

#[test]
fn a_verdict_is_kept_for_its_time_and_then_asked_for_again() {
    block_on(async {
        let (world, authority) = (World::new(), authority());
        let key = made(&world, "a", None).await;
        for (at, gets) in [(0, 2), (TTL - 1, 2), (TTL, 4), (2 * TTL - 1, 4), (2 * TTL, 6)] {
            let caller = authority.caller(&world, NOW + at, &key.reveal()).await.unwrap();
            assert_eq!(caller.kid, key.kid);
            assert_eq!(world.memory.calls().gets, gets, "after {at} ms");
        }
    });
}

#[test]
fn a_revoked_key_is_refused_once_its_verdict_is_old_and_stays_so() {
    block_on(async {
        let (world, authority) = (World::new(), authority());
        let key = made(&world, "a", None).await;
        authority.caller(&world, NOW, &key.reveal()).await.unwrap();
        revoke_key(&world, &key.tenant, &key.kid).await.unwrap();
        assert!(authority.caller(&world, NOW + TTL - 1, &key.reveal()).await.is_ok());
        let error = authority.caller(&world, NOW + TTL, &key.reveal()).await.unwrap_err();
        assert_eq!(error.reason, "unauthenticated");
        world.memory.set_unreachable(true);
        let error = authority.caller(&world, NOW + TTL, &key.reveal()).await.unwrap_err();
        assert_eq!(error.case, Case::Unavailable);
    });
}

#[test]
fn a_verdict_outlives_an_unreachable_store_by_5_minutes_and_no_longer() {
    block_on(async {
        let (world, authority) = (World::new(), authority());
        let key = made(&world, "a", None).await;
        authority.caller(&world, NOW, &key.reveal()).await.unwrap();
        world.memory.set_unreachable(true);
        let last = NOW + 5 * MINUTE - 1;
        assert!(authority.caller(&world, NOW + TTL, &key.reveal()).await.is_ok());
        assert!(authority.caller(&world, last, &key.reveal()).await.is_ok());
        let error = authority.caller(&world, last + 1, &key.reveal()).await.unwrap_err();
        assert_eq!(error.case, Case::Unavailable);
        // It fell: an earlier time does not bring it back.
        assert!(authority.caller(&world, last, &key.reveal()).await.is_err());
        world.memory.set_unreachable(false);
        assert!(authority.caller(&world, last + 2, &key.reveal()).await.is_ok());
    });
}

#[test]
fn a_key_that_was_never_seen_is_not_let_in_by_an_unreachable_store() {
    block_on(async {
        let world = World::new();
        let key = made(&world, "a", None).await;
        world.memory.set_unreachable(true);
        let error = authority().caller(&world, NOW, &key.reveal()).await.unwrap_err();
        assert_eq!(error.case, Case::Unavailable);
    });
}

#[test]
fn a_clock_that_was_set_back_does_not_make_a_verdict_last() {
    block_on(async {
        let (world, authority) = (World::new(), authority());
        let key = made(&world, "a", None).await;
        authority.caller(&world, NOW, &key.reveal()).await.unwrap();
        revoke_key(&world, &key.tenant, &key.kid).await.unwrap();
        let error = authority.caller(&world, NOW - TTL, &key.reveal()).await.unwrap_err();
        assert_eq!(error.reason, "unauthenticated");
    });
}

#[test]
fn a_key_comes_by_either_header_and_two_that_differ_are_refused() {
    let given = |authorization, x_api_key| key_text(authorization, x_api_key);
    for authorization in ["Bearer hf_t.a.b", "bearer  hf_t.a.b ", "TOKEN hf_t.a.b"] {
        assert_eq!(given(Some(authorization), None).unwrap(), "hf_t.a.b");
        assert_eq!(given(Some(authorization), Some(" hf_t.a.b")).unwrap(), "hf_t.a.b");
    }
    assert_eq!(given(Some("Basic eDp5"), Some("hf_t.a.b")).unwrap(), "hf_t.a.b");
    for none in [None, Some("Bearer"), Some("Basic eDp5"), Some("hf_t.a.b")] {
        assert_eq!(given(none, None).unwrap_err().reason, "unauthenticated");
    }
    let error = given(Some("Bearer hf_t.a.b"), Some("hf_t.a.c")).unwrap_err();
    assert_eq!(error.reason, "contradicting_scope");
}
