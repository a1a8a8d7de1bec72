//! Whose bucket it is: a mark that each installation leaves beside the format's version, made of its root secret, which it does
//! not tell.
//!
//! Hosts with the same root secret are one installation, however many. A second one on the same bucket does not know the
//! first one's keys, nor whom it erased.

use bytes::Bytes;
use holdfast_core::clock::rfc3339;
use holdfast_core::ports::{Ids, Objects};
use holdfast_core::record::VERSION;
use holdfast_core::{Key, Result, key, token};
use holdfast_objects::{Finding, Verdict};
use holdfast_ports::{Bucket, SystemIds};
use serde_json::{Value, json};
use ulid::Ulid;

/// A record below `v1/format/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Where it lies.
    pub key: Key,
    /// Version that its writer writes.
    pub version: u64,
    /// The writer's installation; none in those of before there were marks.
    pub installation: Option<String>,
}

/// What an installation with this root secret is known by.
pub fn fingerprint(root_secret: &str) -> String {
    token::mac(root_secret.as_bytes(), &[b"installation"])
        .map(|byte| format!("{byte:02x}"))
        .concat()
}

/// All marks of a bucket.
///
/// # Errors
/// What the store may answer.
pub async fn marks(store: &Bucket) -> Result<Vec<Mark>> {
    let (prefix, mut marks, mut after) = (key::formats(), Vec::new(), None::<String>);
    loop {
        let page = store.list(&prefix, after.as_deref()).await?;
        for listed in &page.objects {
            let Some(key) = Key::below(&prefix, &listed.key) else { continue };
            let bytes = store.get(&key).await?.unwrap_or_default();
            let record: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let version = record.get("v").and_then(Value::as_u64).unwrap_or(0);
            let installation = record.get("installation").and_then(Value::as_str);
            marks.push(Mark { key, version, installation: installation.map(str::to_owned) });
        }
        after = page.next;
        if after.is_none() {
            return Ok(marks);
        }
    }
}

/// Leaves the mark of an installation.
///
/// # Errors
/// What the store may answer.
pub async fn leave(store: &Bucket, installation: &str) -> Result<()> {
    let mut random = [0; 16];
    random[6..].copy_from_slice(&SystemIds.random());
    let ulid = Ulid::from_parts(store.now(), u128::from_be_bytes(random));
    let record = json!({"v": VERSION, "installation": installation});
    store.put(&key::format(ulid), Bytes::from(record.to_string())).await
}

/// What the marks say to the installation `own`; none where the root secret is not known.
pub fn judge(marks: &[Mark], own: Option<&str>) -> Finding {
    let name = "installations";
    let mut others: Vec<(&str, &Key)> = Vec::new();
    let marked = marks.iter().filter_map(|mark| Some((mark.installation.as_deref()?, &mark.key)));
    for (installation, key) in marked.clone() {
        if Some(installation) != own && !others.iter().any(|(known, _)| *known == installation) {
            others.push((installation, key));
        }
    }
    let good =
        |found: &str| Finding { name, verdict: Verdict::Good, found: found.to_owned(), advice: "" };
    let ours = marked.clone().any(|(installation, _)| Some(installation) == own);
    match (others.len(), own) {
        (0, _) if ours => return good("this is the only one"),
        (0, _) => return good("no host has left its mark yet"),
        (1, None) => return good("one (whether it is ours: root_secret is not set here)"),
        _ => {}
    }
    let since = |key: &Key| {
        let at = key.ulid().and_then(|ulid| Ulid::from_string(ulid).ok());
        rfc3339(at.unwrap_or_default().timestamp_ms())
    };
    let shown: Vec<String> =
        others.iter().map(|(_, key)| format!("{key} of {}", since(key))).collect();
    Finding {
        name,
        verdict: Verdict::Warn,
        found: format!("others with another root_secret left their mark: {}", shown.join(", ")),
        advice: "give each installation a bucket of its own: one does not know the other's keys, nor whom it erased. After a change of root_secret, erase again who was erased before, and remove the old mark",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(installation: Option<&str>) -> Mark {
        let key = key::format(Ulid::from_parts(1_774_000_000_000, 7));
        Mark { key, version: 1, installation: installation.map(str::to_owned) }
    }

    #[test]
    fn hosts_with_one_root_secret_are_one_installation_and_a_second_secret_is_a_second() {
        let (own, other) = (fingerprint(&"a".repeat(32)), fingerprint(&"b".repeat(32)));
        assert_ne!(own, other);
        let marks = [mark(None), mark(Some(&own)), mark(Some(&own))];
        assert_eq!(judge(&marks, Some(&own)).verdict, Verdict::Good);
        assert_eq!(judge(&marks, None).verdict, Verdict::Good);
        let marks = [mark(Some(&own)), mark(Some(&other)), mark(Some(&other))];
        for own in [None, Some(own.as_str())] {
            assert_eq!(judge(&marks, own).verdict, Verdict::Warn);
        }
        let found = judge(&marks, Some(&own)).found;
        assert_eq!(found.matches("v1/format/").count(), 1, "{found}");
        assert!(found.contains("2026-03-20T"), "{found}");
        assert_eq!(judge(&[mark(None)], Some(&own)).found, "no host has left its mark yet");
    }
}
