//! What a tenant may spend a day: held before, settled after, never more than the limit, whoever asks at once.

use crate::world::{DAY, World};
use futures::executor::block_on;
use futures::future::join_all;
use holdfast_core::{Case, TenantId};
use holdfast_journal::{Held, hold, spent, tidy_spent};

fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap()
}

async fn held(world: &World, limit: u64, tokens: u64) -> holdfast_core::Result<Held> {
    hold(&world.outside(), &tenant(), limit, tokens).await
}

async fn so_far(world: &World) -> u64 {
    spent(&world.outside(), &tenant()).await.unwrap()
}

#[test]
fn what_is_held_counts_until_it_is_known_what_it_cost() {
    block_on(async {
        let world = World::new();
        let first = held(&world, 1_000, 600).await.unwrap();
        assert_eq!(so_far(&world).await, 600);
        let refused = held(&world, 1_000, 401).await.unwrap_err();
        assert_eq!((refused.case, refused.reason), (Case::Exhausted, "budget_spent"));
        assert!(refused.detail.contains("400 are left"), "{}", refused.detail);
        for _ in 0..2 {
            first.settle(&world.outside(), 150).await.unwrap();
            assert_eq!(so_far(&world).await, 150);
        }
        let second = held(&world, 1_000, 401).await.unwrap();
        // Nobody says what it cost: all of it counts.
        drop(second);
        assert_eq!(so_far(&world).await, 551);
        held(&world, 1_000, 449).await.unwrap().settle(&world.outside(), 2_000).await.unwrap();
        assert_eq!(so_far(&world).await, 2_551);
    });
}

#[test]
fn a_refusal_leaves_nothing_and_says_when_the_next_day_begins() {
    block_on(async {
        let world = World::new();
        held(&world, 100, 100).await.unwrap();
        let before = world.memory.keys();
        let refused = held(&world, 100, 1).await.unwrap_err();
        assert_eq!(world.memory.keys(), before);
        let wait = u64::from(refused.retry_after.unwrap()) * 1_000;
        assert!(wait > 0 && wait <= DAY, "{wait}");
        world.pass(wait);
        assert_eq!(so_far(&world).await, 0);
        held(&world, 100, 100).await.unwrap();
    });
}

#[test]
fn of_many_at_once_no_more_go_through_than_fit() {
    block_on(async {
        let world = World::new();
        let all = join_all((0..8).map(|_| held(&world, 1_000, 300))).await;
        let through = all.iter().filter(|one| one.is_ok()).count();
        assert!(through <= 3, "{through}");
        assert_eq!(so_far(&world).await, 300 * through as u64);
    });
}

#[test]
fn a_tenant_does_not_spend_for_another() {
    block_on(async {
        let world = World::new();
        held(&world, 100, 100).await.unwrap();
        let other = TenantId::parse("other").unwrap();
        hold(&world.outside(), &other, 100, 100).await.unwrap();
    });
}

#[test]
fn what_is_two_days_old_goes_and_what_may_still_count_stays() {
    block_on(async {
        let world = World::new();
        for _ in 0..3 {
            held(&world, 1_000, 10).await.unwrap();
        }
        world.pass(DAY);
        held(&world, 1_000, 10).await.unwrap();
        tidy_spent(&world.outside(), &tenant()).await.unwrap();
        assert_eq!(world.memory.keys().len(), 4, "a clock that is behind counts yesterday");
        world.pass(DAY);
        tidy_spent(&world.outside(), &tenant()).await.unwrap();
        assert_eq!(world.memory.keys().len(), 1);
    });
}
