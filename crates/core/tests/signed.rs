//! What we sign (tokens, cursors, keys) serves its own scope and use only, and whom a key may act for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use holdfast_core::access::{ApiKey, Caller, Permission};
use holdfast_core::record::WriterKind;
use holdfast_core::token::{Frontier, Signer};
use holdfast_core::{Hlc, KeyId, Scope, TenantId, UserId};
use proptest::prelude::*;
use support::{NOW, order};

const SECRET: &[u8] = b"root secret";

fn scope(tenant: &str, user: &str) -> Scope {
    Scope { tenant: TenantId::parse(tenant).unwrap(), user: UserId::parse(user).unwrap() }
}

fn frontier(scope: &Scope, keys: usize) -> Frontier {
    let prefix = holdfast_core::key::user(scope);
    let key = |n| format!("{}wal/20260320/{n}.jsonl", prefix.as_str());
    Frontier {
        hlc: Hlc::at(NOW),
        head: Some(format!("{}man/x.json", prefix.as_str())),
        keys: (0..keys).map(key).collect(),
    }
}

#[test]
fn a_token_comes_back_as_it_was_given() {
    let scope = scope("acme", "Bob/é");
    let signer = Signer::new(SECRET, &scope);
    let frontier = frontier(&scope, 8);
    let text = signer.after(&frontier);
    assert_eq!(signer.read_after(&text, NOW).unwrap(), frontier);
    let empty = Frontier::default();
    assert_eq!(signer.read_after(&signer.after(&empty), NOW).unwrap(), empty);
}

#[test]
fn a_token_serves_its_scope_secret_and_use_only() {
    let bob = scope("acme", "bob");
    let token = Signer::new(SECRET, &bob).after(&frontier(&bob, 1));
    for other in
        [scope("acme", "bo"), scope("acmeb", "ob"), scope("acme", "Bob"), scope("b", "bob")]
    {
        let error = Signer::new(SECRET, &other).read_after(&token, NOW).unwrap_err();
        assert_eq!((error.reason, error.status()), ("invalid_token", 400));
    }
    assert!(Signer::new(b"other", &bob).read_after(&token, NOW).is_err());
    assert!(Signer::new(SECRET, &bob).read_cursor("q", &token).is_err());
    let cursor = Signer::new(SECRET, &bob).cursor("q", order(1, 1), 1);
    assert!(Signer::new(SECRET, &bob).read_after(&cursor, NOW).is_err());
}

#[test]
fn a_token_from_the_future_is_refused() {
    let scope = scope("acme", "bob");
    let signer = Signer::new(SECRET, &scope);
    let token =
        |ahead: u64| signer.after(&Frontier { hlc: Hlc::at(NOW + ahead), ..Default::default() });
    assert!(signer.read_after(&token(5_001), NOW).is_ok());
    assert!(signer.read_after(&token(5_002), NOW).is_err());
    assert!(signer.read_after(&token(60_000), NOW).is_err());
    assert!(signer.read_after(&token(60_000), NOW + 60_000).is_ok());
}

#[test]
fn a_token_with_too_many_keys_is_refused_and_joining_keeps_as_many_as_it_may_have() {
    let scope = scope("acme", "bob");
    let signer = Signer::new(SECRET, &scope);
    assert!(signer.read_after(&signer.after(&frontier(&scope, 65)), NOW).is_err());
    let (one, other) = (frontier(&scope, 60), frontier(&scope, 80));
    let joined = one.joined(&other);
    assert_eq!(joined.keys.len(), 64);
    assert_eq!(joined.keys[..60], one.keys);
}

#[test]
fn a_cursor_serves_its_own_query_only() {
    let (bob, ann) = (scope("acme", "bob"), scope("acme", "ann"));
    let signer = Signer::new(SECRET, &bob);
    let cursor = signer.cursor("messages s asc", order(7, 3), 12);
    assert_eq!(signer.read_cursor("messages s asc", &cursor).unwrap(), (order(7, 3), 12));
    let error = signer.read_cursor("messages s desc", &cursor).unwrap_err();
    assert_eq!((error.reason, error.status()), ("invalid_cursor", 400));
    assert!(Signer::new(SECRET, &ann).read_cursor("messages s asc", &cursor).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_token_that_was_tampered_with_is_refused(at: prop::sample::Index, to in "[ -~]") {
        let scope = scope("acme", "bob");
        let signer = Signer::new(SECRET, &scope);
        for text in [signer.after(&frontier(&scope, 2)), signer.cursor("q", order(7, 3), 12)] {
            let at = at.index(text.len());
            let forged = format!("{}{to}{}", &text[..at], &text[at + 1..]);
            if forged != text {
                prop_assert!(signer.read_after(&forged, NOW).is_err());
                prop_assert!(signer.read_cursor("q", &forged).is_err());
            }
            prop_assert!(signer.read_after(&text[..at], NOW).is_err());
        }
    }

    #[test]
    fn whatever_the_text_reading_it_answers(text in ".{0,40}") {
        let scope = scope("acme", "bob");
        let signer = Signer::new(SECRET, &scope);
        prop_assert!(signer.read_after(&text, NOW).is_err());
        prop_assert!(signer.read_cursor("q", &text).is_err());
        prop_assert!(ApiKey::parse(&text, SECRET).is_err());
    }

    #[test]
    fn a_key_that_was_tampered_with_is_refused(at: prop::sample::Index, to in "[ -~]", random: [u8; 18]) {
        let (tenant, kid) = (TenantId::parse("acme").unwrap(), KeyId::parse("k-1").unwrap());
        let key = ApiKey::mint(tenant, kid, &random, SECRET);
        let text = key.reveal();
        prop_assert!(ApiKey::parse(&text, SECRET).unwrap() == key);
        let at = at.index(text.len());
        let forged = format!("{}{to}{}", &text[..at], &text[at + 1..]);
        if forged != text {
            let error = ApiKey::parse(&forged, SECRET).unwrap_err();
            prop_assert_eq!((error.reason, error.status()), ("unauthenticated", 401));
            prop_assert!(!error.detail.contains(&forged));
        }
    }
}

#[test]
fn made_up_keys_are_refused_and_keys_do_not_show_in_logs() {
    let (tenant, kid) = (TenantId::parse("acme").unwrap(), KeyId::parse("k").unwrap());
    let key = ApiKey::mint(tenant.clone(), kid.clone(), &[7; 18], SECRET);
    let other = ApiKey::mint(tenant, kid, &[7; 18], b"other secret");
    assert!(ApiKey::parse(&other.reveal(), SECRET).is_err());
    for made_up in
        ["", "hf_", "hf_acme.k", "hf_acme.k.", "hf_acme.k.short", "hf_a/b.k.x", "acme.k.x"]
    {
        assert!(ApiKey::parse(made_up, SECRET).is_err(), "{made_up}");
    }
    let moved = key.reveal().replace("hf_acme", "hf_evil");
    assert!(ApiKey::parse(&moved, SECRET).is_err());
    assert_eq!(format!("{key:?}"), "hf_acme.k.***");
    assert_eq!(key.sha256().len(), 64);
}

fn caller(kind: WriterKind, user: Option<&str>, permissions: Vec<Permission>) -> Caller {
    Caller {
        tenant: TenantId::parse("acme").unwrap(),
        kid: KeyId::parse("k").unwrap(),
        kind,
        user: user.map(|user| UserId::parse(user).unwrap()),
        permissions,
    }
}

#[test]
fn every_kind_of_key_acts_for_whom_it_may() {
    use WriterKind::{Admin, Service, User};
    const NAMES: [Option<&str>; 3] = [None, Some("ann"), Some("bob")];
    for kind in [Service, User, Admin] {
        for own in NAMES {
            let caller = caller(kind, own, Permission::ALL.to_vec());
            // Body, query, header.
            for named in NAMES
                .iter()
                .flat_map(|a| NAMES.iter().flat_map(move |b| NAMES.map(|c| [*a, *b, c])))
            {
                let mut names: Vec<&str> = named.iter().flatten().copied().collect();
                names.dedup();
                let expected = match (names.as_slice(), own) {
                    ([_, _, ..], _) => Err("contradicting_scope"),
                    _ if kind == Admin => Err("denied"),
                    (_, None) if kind == User => Err("denied"),
                    ([], None) => Err("missing_scope"),
                    ([], Some(own)) => Ok(own),
                    ([name], Some(own)) if own != *name => Err("denied"),
                    ([name], _) => Ok(*name),
                };
                let scope = caller.scope(&named);
                let found = scope.as_ref().map(|s| s.user.as_str()).map_err(|e| e.reason);
                assert_eq!(found, expected, "{kind:?} of {own:?} naming {named:?}");
                if let Ok(scope) = scope {
                    assert_eq!(scope.tenant.as_str(), "acme");
                }
            }
        }
    }
}

#[test]
fn a_key_may_do_what_its_permissions_name() {
    for one in Permission::ALL {
        let caller = caller(WriterKind::User, Some("ann"), vec![one]);
        for other in Permission::ALL {
            assert_eq!(caller.may(other).is_ok(), one == other);
        }
        assert_eq!(caller.may_set_roles(), one == Permission::Roles);
    }
    assert!(caller(WriterKind::Service, None, Vec::new()).may_set_roles());
    assert!(!caller(WriterKind::User, Some("a"), Vec::new()).may_set_roles());
    let denied =
        caller(WriterKind::User, Some("a"), Vec::new()).may(Permission::Export).unwrap_err();
    assert_eq!(denied.status(), 403);
    assert!(denied.detail.contains("export"));
}

#[test]
fn ids_that_break_rules_are_no_scope() {
    let caller = caller(WriterKind::Service, None, Vec::new());
    for bad in ["", "a\nb", "\u{7f}", &"x".repeat(257)] {
        assert_eq!(caller.scope(&[Some(bad)]).unwrap_err().status(), 422);
    }
}
