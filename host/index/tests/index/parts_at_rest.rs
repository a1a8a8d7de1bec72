//! Index parts as they lie in a bucket: those of today are those of the golden file, and damaged ones are no parts.

use crate::world::*;
use holdfast_core::graves::Of;
use holdfast_core::message::Message;
use holdfast_core::ports::Objects;
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Key, key};
use holdfast_search::Int8Scan;
use holdfast_view::{Limits, Space, UserView, pack, unpack};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::rc::Rc;

/// Messages of every make, in words of several languages, with what deletes and copies leave.
async fn written() -> (Key, Vec<u8>) {
    let (world, none) = (World::new(), Frontier::default());
    let texts = [
        "The kilns were running late, and Mara's harbour was quiet",
        "Wann wurde das Fahrrad gestohlen? Die Katzen haben es gesehen",
        "C’est l’heure pour les chevaux, dit-elle",
        "東京都に猫がいます",
        "Ἡ θάλασσα ἦταν ἥσυχη",
        "12,345.67 e-mails to a_b@c.example: 🦀",
    ];
    for (number, text) in texts.iter().enumerate() {
        let parent_id = (number == 2).then(|| "m3".to_owned());
        let metadata = (number == 1).then(|| "{\"archived\":true,\"n\":1.50}".to_owned());
        let message = Message { parent_id, metadata, ..said(text) };
        let given = if number == 4 { vec![] } else { vec![vectors(text, 0)] };
        let draft = draft_of("s", &format!("m{number}"), message, given);
        world.write("u", vec![draft], &none).await;
    }
    world.write("u", vec![draft("s", "m0", "another of the same id")], &none).await;
    world.write("u", vec![draft_of("s", "m5", said(texts[5]), vec![vectors("x", 1)])], &none).await;
    world.write("u", vec![tombstone(Of::Message, "s", "m3")], &none).await;
    world.write("u", vec![draft("t", "m0", "of a session that goes")], &none).await;
    world.write("u", vec![tombstone(Of::Session, "t", "t")], &none).await;
    let limits = Limits { part_worth: 0, part_least: 0, ..Limits::default() };
    world.instance(limits).history(&scope("u"), "s", &page(9), &latest()).await.unwrap();
    let mut keys = world.memory.keys().into_iter().filter(|key| key.contains("/idx/"));
    let key = Key::raw(keys.next().unwrap());
    let bytes = world.memory.get(&key).await.unwrap().unwrap().to_vec();
    (key, bytes)
}

fn view() -> UserView<Int8Scan> {
    let space = Rc::new(Space::new(SPACE));
    UserView::new(scope("u"), Some(&ledger()), space, Int8Scan::default())
}

#[tokio::test]
async fn a_part_is_written_as_it_always_was() {
    let (key, bytes) = written().await;
    assert_eq!(key.as_str(), key::index_part(&scope("u"), ulid_of(&key), &bytes).as_str());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/index/golden/part-2.hfx");
    if std::env::var_os("HOLDFAST_NEW_GOLDEN").is_some() {
        std::fs::write(path, &bytes).unwrap();
    }
    let golden = std::fs::read(path).unwrap();
    assert!(
        unpack(&bytes).unwrap() == unpack(&golden).unwrap(),
        "The same records make another part: what is kept of them, the fold or the analysis of texts has changed. Give the \
         head of parts (crates/view/src/part.rs) the next number, so that those of before are read by nobody, and write \
         the golden file of that number with HOLDFAST_NEW_GOLDEN=1."
    );
    assert!(view().restore(&golden).unwrap());
}

#[test]
fn a_part_of_a_form_of_before_is_none() {
    assert!(!view().restore(include_bytes!("golden/part-1.hfx")).unwrap());
}

fn ulid_of(key: &Key) -> ulid::Ulid {
    ulid::Ulid::from_string(key.ulid().unwrap()).unwrap()
}

#[tokio::test]
async fn damaged_parts_are_corrupt_or_harmless() {
    let (_, bytes) = written().await;
    let (plain, components) = unpack(&bytes).unwrap().unwrap();
    assert!(!components.is_empty());
    let number = |name: &str, or: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or)
    };
    let cases = number("PROPTEST_CASES", 4_000).max(4_000);
    let first = number("HOLDFAST_TEST_SEED", 0);
    let (mut taken, mut refused) = (0, 0);
    for seed in (0..cases).map(|case| first.wrapping_add(case)) {
        let mut random = StdRng::seed_from_u64(seed);
        let mut damaged = plain.clone();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..damaged.len());
            match random.random_range(0..4) {
                0 => damaged[at] = random.random(),
                1 => damaged[at] ^= 1 << random.random_range(0..8),
                2 => drop(damaged.splice(at..at, [0xff; 9])),
                _ => damaged.truncate(at.max(1)),
            }
        }
        let view = view();
        let fewer = components.len() - random.random_range(0..2) * random.random_range(0..20);
        match view.restore(&pack(&damaged, &components[..fewer])) {
            Ok(true) => {
                taken += 1;
                // Wrong answers are what the hash in its name is for; here nothing may break.
                view.loaded.set(true);
                let now = 1_774_000_100_000;
                let _ = view.list_sessions(&page(50), None, now);
                let _ = view.history("s", &page(50), None, now);
                let _ = view.participants();
                let _ = view.search(&question(), &mut Default::default(), now);
                let _ = view.part();
            }
            Ok(false) => refused += 1,
            Err(error) => {
                assert_eq!(error.case, Case::Corrupt, "{error:?}");
                refused += 1;
            }
        }
    }
    assert!(taken > 100 && refused > 1_000, "{taken} taken, {refused} refused");
}

#[tokio::test]
async fn a_part_that_is_not_what_was_written_is_corrupt() {
    let (_, bytes) = written().await;
    let refused = |bytes: &[u8]| view().restore(bytes).unwrap_err().case == Case::Corrupt;
    for at in 8..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(refused(&damaged), "at {at}");
        assert!(refused(&bytes[..at]), "cut at {at}");
    }
    assert!(refused(&[&bytes[..], b"more"].concat()));
    // Its checksum fits, and it would unpack to more than fits an instance.
    let mut longer = u32::MAX.to_le_bytes().to_vec();
    longer.splice(0..0, 4u32.to_le_bytes());
    let hash = twox_hash::XxHash3_64::oneshot(&longer).to_le_bytes();
    assert!(refused(&[&bytes[..8], &hash, &longer].concat()));
    // A block of 65 MiB of zeros, which says so, and which says less: one literal, then itself again and again.
    let mut block = vec![0x1f, 0, 1, 0];
    block.resize(block.len() + (65 << 20) / 255, 0xff);
    block.extend([0, 0x50, 0, 0, 0, 0, 0]);
    for says in [65_u32 << 20, 64, 0] {
        let length = u32::try_from(block.len() + 4).unwrap().to_le_bytes();
        let bomb = [&length[..], &says.to_le_bytes(), &block].concat();
        let hash = twox_hash::XxHash3_64::oneshot(&bomb).to_le_bytes();
        assert!(refused(&[&bytes[..8], &hash, &bomb].concat()), "it says {says}");
    }
}

fn question() -> holdfast_search::Question {
    holdfast_view::understand(ask("kiln harbour"), &Space::new(SPACE)).unwrap()
}
