//! Reading: objects in any order, by list or by name, and what cannot be read.

use crate::world::{NOW, World, ids, scope};
use futures::executor::block_on;
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Hlc, Key, key};
use holdfast_journal::{Journal, list};

#[test]
fn a_key_that_no_list_shows_is_wanted_by_name() {
    block_on(async {
        let world = World::new();
        let first = world.store(&Frontier::default(), &["a"]).await.unwrap();
        let second = world.store(&first.frontier, &["b"]).await.unwrap();
        world.memory.hide(first.key.as_str());
        assert_eq!(list(&world, &scope()).await.unwrap(), std::slice::from_ref(&second.key));
        let mut journal = Journal::new(scope());
        assert_eq!(world.absorb(&mut journal, &second.key).await, std::slice::from_ref(&first.key));
        assert!(world.absorb(&mut journal, &first.key).await.is_empty());
        assert_eq!(ids(&journal), ["a", "b"]);
    });
}

#[test]
fn absorbing_an_object_twice_changes_nothing() {
    block_on(async {
        let world = World::new();
        let first = world.store(&Frontier::default(), &["a"]).await.unwrap();
        let second = world.store(&first.frontier, &["b"]).await.unwrap();
        let mut journal = world.load().await;
        let frontier = journal.frontier();
        for written in [&first, &second, &first] {
            let absorbed = journal.absorb(&written.key, &written.bytes).unwrap();
            assert!(absorbed.applied.is_empty() && absorbed.wanted.is_empty());
        }
        assert_eq!((journal.objects(), journal.view().len()), (2, 2));
        assert_eq!(journal.frontier(), frontier);
        assert!(journal.missing([first.key, second.key]).is_empty());
    });
}

#[test]
fn what_is_missing_is_each_unknown_object_once_oldest_first() {
    block_on(async {
        let world = World::new();
        let mut keys = Vec::new();
        for at in [NOW + 2, NOW, NOW + 90_000_000, NOW + 1] {
            keys.push(world.empty(at, &[]).await);
        }
        let mut journal = Journal::new(scope());
        world.absorb(&mut journal, &keys[3]).await;
        let stranger = Key::raw(format!("{}20260320/.keep", key::wal(&scope()).as_str()));
        let asked = keys.iter().chain(&keys).cloned().chain([stranger]);
        let expected = [keys[1].clone(), keys[0].clone(), keys[2].clone()];
        assert_eq!(journal.missing(asked), expected);
    });
}

#[test]
fn an_object_that_cannot_be_read_is_corrupt_and_named() {
    block_on(async {
        let header = "{\"v\":1}\n";
        let cases = [
            ("", "corrupt"),
            ("{}", "corrupt"),
            ("no JSON\n", "corrupt"),
            (&format!("{header}{{\"v\":1}}\n"), "corrupt"),
            (&format!("{header}\n"), "corrupt"),
            ("{\"v\":2}\n", "newer_format"),
            (&format!("{header}{{\"v\":7,\"what\":\"ever\"}}\n"), "newer_format"),
        ];
        for (text, reason) in cases {
            let world = World::new();
            let key = world.raw(NOW, text).await;
            let mut journal = Journal::new(scope());
            let error = journal.absorb(&key, text.as_bytes()).unwrap_err();
            assert_eq!((error.case, error.reason), (Case::Corrupt, reason), "{text:?}");
            assert!(error.detail.contains(key.as_str()), "{}", error.detail);
            // It is still missing, and nothing of it counts.
            assert_eq!(journal.missing([key]).len(), 1);
            assert_eq!((journal.objects(), journal.frontier()), (0, Frontier::default()));
        }
        let stranger = Key::raw("v1/t/t/u/u/wal/20260320/readme.txt");
        let error = Journal::new(scope()).absorb(&stranger, b"{\"v\":1}\n").unwrap_err();
        assert!(error.case == Case::Corrupt && error.detail.contains("readme.txt"));
    });
}

#[test]
fn an_object_of_nothing_but_what_newer_writers_add_is_read() {
    block_on(async {
        let world = World::new();
        let record = "{\"v\":1,\"kind\":\"wish\",\"id\":\"w\",\"at\":\"0000000000000007\",\"by\":\"admin/k\",\"x\":1}";
        let key = world.raw(NOW, &format!("{{\"v\":1,\"more\":true}}\n{record}\n")).await;
        let mut journal = Journal::new(scope());
        world.absorb(&mut journal, &key).await;
        assert_eq!((journal.objects(), journal.view().len()), (1, 0));
        assert_eq!(journal.frontier().hlc, Hlc(7));
    });
}

#[test]
fn the_frontier_is_what_nothing_else_names_in_any_order_of_arrival() {
    block_on(async {
        let world = World::new();
        let a = world.empty(NOW, &[]).await;
        let b = world.empty(NOW + 1, &[]).await;
        let c = world.empty(NOW + 2, &[a.as_str()]).await;
        let d = world.empty(NOW + 3, &[c.as_str(), a.as_str()]).await;
        for order in [[&a, &b, &c, &d], [&d, &c, &b, &a], [&c, &a, &d, &b]] {
            let mut journal = Journal::new(scope());
            for key in order {
                world.absorb(&mut journal, key).await;
            }
            assert_eq!(journal.frontier().keys, [d.as_str(), b.as_str()]);
        }
    });
}

#[test]
fn a_frontier_has_the_64_newest_and_shrinks_by_the_8_that_a_new_object_names() {
    block_on(async {
        let world = World::new();
        let mut journal = Journal::new(scope());
        let mut keys = Vec::new();
        for at in 0..100 {
            let key = world.empty(NOW + at, &[]).await;
            world.absorb(&mut journal, &key).await;
            keys.push(key.to_string());
        }
        let frontier = journal.frontier();
        assert_eq!(frontier.keys, keys.iter().rev().take(64).cloned().collect::<Vec<_>>());
        world.now.set(NOW + 100);
        let written = world.store(&frontier, &["a"]).await.unwrap();
        world.absorb(&mut journal, &written.key).await;
        let after = journal.frontier().keys;
        assert!(after.contains(&written.key.to_string()));
        let (named, rest) = frontier.keys.split_at(8);
        assert!(named.iter().all(|key| !after.contains(key)), "{after:?}");
        assert_eq!(after[1..], *rest);
        // Whoever brings the token of the answer sees all of it.
        assert_eq!(written.frontier.keys, after);
    });
}

#[test]
fn a_foreign_key_is_not_wanted() {
    block_on(async {
        let world = World::new();
        let own = world.empty(NOW, &[]).await;
        let foreign = own.as_str().replace("/u/u/", "/u/v/");
        let climbing = own.as_str().replace("/wal/", "/wal/../../v/wal/");
        let other = "v1/t/t/keys/k/created.json";
        let stranger = format!("{}20260320/notes.txt", key::wal(&scope()).as_str());
        let prev = [foreign.as_str(), &climbing, other, &stranger, "", own.as_str()];
        let key = world.empty(NOW + 1, &prev).await;
        let mut journal = Journal::new(scope());
        assert_eq!(world.absorb(&mut journal, &key).await, [own]);
    });
}

#[test]
fn a_record_far_ahead_counts_in_the_view_and_in_nobodys_token() {
    block_on(async {
        let world = World::new();
        world.store(&Frontier::default(), &["a"]).await.unwrap();
        world.now.set(NOW * 2);
        world.store(&Frontier::default(), &["far"]).await.unwrap();
        world.now.set(NOW + 1);
        let journal = world.load().await;
        assert_eq!(ids(&journal), ["a", "far"]);
        assert_eq!(journal.frontier().hlc, Hlc::at(NOW * 2));
        assert_eq!(journal.frontier_at(NOW + 1).hlc, Hlc::at(NOW));
        assert_eq!(journal.frontier_at(NOW + 1).keys.len(), 2);
        // So the next order still lies above what was seen and may be followed.
        world.now.set(NOW - 1_000);
        let written = world.store(&journal.frontier_at(NOW - 1_000), &["b"]).await.unwrap();
        assert!(written.orders[0].hlc > Hlc::at(NOW));
    });
}
