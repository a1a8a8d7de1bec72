//! What is left of a user who was erased: no byte of before (P6), and receipts that name what went (P7).

use crate::replay::Replay;
use crate::tape::Event;
use crate::{Installation, oracle};
use holdfast_core::key::hash32;
use holdfast_servers::Host;
use holdfast_sim::checker::Broken;
use holdfast_sim::store::Stored;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// How long after an erase everything that is hidden by it is there, in milliseconds: its sweep lists what is there later.
const PASSED: u64 = 1_000;

/// Judges, by a replay of the tape, what lies in the bucket when the first half of the user's last erase is done.
///
/// # Errors
/// The promise that is broken.
///
/// # Panics
/// When what lies there cannot be read.
pub async fn judge_erase(
    installation: &Installation,
    host: &Host,
    replay: &Replay,
    tape: &[Event],
    user: &str,
) -> Result<(), Broken> {
    let number = replay.users.iter().position(|one| one == user).expect("a user that is judged");
    let (journal, ledger) = &replay.homes[number];
    let at = replay.checker.erased_until(number);
    let passed = u64::from_str_radix(&at[..12], 16).expect("a hybrid time") + PASSED;
    let mut objects = oracle::all(installation, host, journal).await;
    // What came later is hidden, and goes with a collection.
    let late = |key: &str| {
        tape.iter().any(|e| matches!(e, Event::Landed(landed, at) if landed == key && *at > passed))
    };
    objects.retain(|one| !late(&one.key));
    replay.checker.bytes(number, &objects, u64::MAX)?;
    let ledger = oracle::all(installation, host, ledger).await;
    receipts(&ledger, at)?;
    let named = swept(&ledger);
    let removed = tape.iter().filter_map(|event| match event {
        Event::Removed(key) if key.starts_with(journal) => Some(key),
        _ => None,
    });
    for key in removed {
        if !named.contains(&hash32(key.as_bytes())) {
            return Err(format!("P7: {key} was removed, and no sweep names it"));
        }
    }
    let stays = objects.iter().find(|one| named.contains(&hash32(one.key.as_bytes())));
    stays.map_or(Ok(()), |one| Err(format!("P7: {} is there, and a sweep names it", one.key)))
}

/// P7: the last erase has a receipt, which is signed by what its sweeps name.
fn receipts(ledger: &[Stored], at: &str) -> Result<(), Broken> {
    let receipts = ledger.iter().filter(|one| one.key.ends_with("-receipt.json"));
    let of_it = |one: &&Stored| json(one)["at"] == at;
    let Some(receipt) = receipts.clone().rfind(of_it) else {
        return Err(format!("P7: the erase at {at} has no receipt, of {}", receipts.count()));
    };
    let name = receipt.key.rsplit('/').next().unwrap_or_default();
    let mine: Vec<&Stored> = ledger.iter().filter(|one| one.key.contains(&name[..26])).collect();
    let names = swept(mine.iter().copied());
    let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
    let receipt = json(receipt);
    if receipt["sha256"] != hex::encode(Sha256::digest(lines.as_bytes())) {
        return Err(format!("P7: {receipt} is not of what was removed: {lines}"));
    }
    let counts = receipt["removed"].as_object().cloned().unwrap_or_default();
    match counts.values().filter_map(Value::as_u64).sum::<u64>() == names.len() as u64 {
        true => Ok(()),
        false => Err(format!("P7: {receipt} counts others than the {} that went", names.len())),
    }
}

/// The hashes of what sweeps have named.
fn swept<'s>(ledger: impl IntoIterator<Item = &'s Stored>) -> BTreeSet<String> {
    let sweeps = ledger.into_iter().filter(|one| one.key.ends_with("-swept.json"));
    let names = sweeps.flat_map(|sweep| {
        let parts = json(sweep)["removed"].as_object().cloned().unwrap_or_default();
        parts.into_iter().flat_map(|(_, names)| names.as_array().cloned().unwrap_or_default())
    });
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn json(one: &Stored) -> Value {
    serde_json::from_slice(&one.bytes).expect("JSON")
}
