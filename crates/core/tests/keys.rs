//! Object keys of any ids: they stay below their tenant and user, and different ids never meet.
#![allow(clippy::unwrap_used, reason = "tests")]

use holdfast_core::{Key, Scope, TenantId, UserId, key};
use proptest::prelude::*;

fn scope(user: &str) -> Option<Scope> {
    let tenant = TenantId::parse("acme").unwrap();
    Some(Scope { tenant, user: UserId::parse(user).ok()? })
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9/~.%_ -]{1,12}",
        prop::collection::vec(any::<char>(), 1..90).prop_map(String::from_iter),
        "(\\.\\./){1,4}[a-z]{0,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn keys_never_leave_their_tenant_and_user(user in id(), bytes in prop::collection::vec(any::<u8>(), 0..20), time in 0..4_000_000_000_000_u64) {
        let Some(scope) = scope(&user) else { return Ok(()) };
        let prefix = key::user(&scope);
        let segment = prefix.as_str().strip_prefix("v1/t/acme/u/").and_then(|rest| rest.strip_suffix('/'));
        let segment = segment.unwrap();
        prop_assert!(segment.len() <= 200 && !segment.is_empty());
        prop_assert!(segment.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-~".contains(&b)));
        let ulid = ulid::Ulid::from_parts(time, 7);
        let object = key::wal_object(&scope, ulid, &bytes);
        prop_assert!(object.as_str().starts_with(prefix.as_str()));
        prop_assert_eq!(object.hash().map(str::to_owned), Some(key::hash32(&bytes)));
        prop_assert_eq!(object.ulid().map(str::to_owned), Some(ulid.to_string()));
        prop_assert_eq!(Key::below(&key::wal(&scope), object.as_str()), Some(object.clone()));
        prop_assert_eq!(Key::below(&key::manifests(&scope), object.as_str()), None);
    }

    #[test]
    fn different_users_never_meet(one in id(), other in id()) {
        if let (Some(a), Some(b)) = (scope(&one), scope(&other)) {
            let (x, y) = (key::user(&a), key::user(&b));
            prop_assert_eq!(x == y, one == other);
            prop_assert!(one == other || !x.as_str().starts_with(y.as_str()));
        }
    }
}
