//! From the start of the process to the first answer of a component, with compiled components in the cache.

use crate::Sizes;
use crate::spread::Spread;
use crate::table::{Figure, Table};
use holdfast_faults::{Api, Installation};

/// Starts hosts one after another; the installation has served before, so its cache is warm.
pub async fn cold(
    installation: &Installation,
    sizes: Sizes,
    how: &str,
    limit: f64,
    table: &mut Table,
) {
    let mut spread = Spread::default();
    for _ in 0..sizes.starts {
        let begun = async {
            let host = installation.start();
            first_answer(&Api::of(&host)).await;
            host
        };
        spread.time(begun).await.kill();
    }
    let what = format!("cold start to the first answer, {how}, p50");
    table.add(Figure::limit(what, spread.p50(), "ms", limit));
}

/// A request that goes through a component and the index.
pub async fn first_answer(api: &Api) {
    let _ = api.get("/v1/sessions?user_id=nobody", None).await.expect(200);
}
