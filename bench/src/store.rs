//! A store of one message against a raw signed PUT of the same bytes to the same store.

use crate::Sizes;
use crate::fill::{embedding, prose};
use crate::spread::Spread;
use crate::table::{Figure, Table};
use bytes::Bytes;
use holdfast_core::ports::{Clock, Ids, Objects};
use holdfast_core::{Scope, TenantId, UserId, key};
use holdfast_faults::Api;
use holdfast_objects::Settings;
use holdfast_ports::{Bucket, SystemClock, SystemIds, bucket};
use holdfast_servers::Host;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

/// Words of a message.
const WORDS: usize = 50;
/// Calls before the measured ones.
const WARM: usize = 20;

fn body(rng: &mut StdRng) -> Value {
    json!({"user_id": "ann", "role": "user", "content": prose(rng, WORDS)})
}

async fn store(api: &Api, body: &Value) {
    let _ = api.post_for(201, "/v1/sessions/bench/messages", body).await;
}

/// The two in turns, so that both see the same machine.
pub async fn against_a_raw_put(host: &Host, sizes: Sizes, table: &mut Table) {
    let (api, bucket) = (Api::of(host), raw(host));
    let mut rng = StdRng::seed_from_u64(1);
    for _ in 0..WARM {
        store(&api, &body(&mut rng)).await;
    }
    let bytes = written(&bucket).await;
    let (mut stores, mut puts) = (Spread::default(), Spread::default());
    for _ in 0..sizes.calls {
        let body = body(&mut rng);
        stores.time(store(&api, &body)).await;
        puts.time(put(&bucket, bytes.clone())).await;
    }
    let raw = "raw signed PUT of the same bytes";
    let p50 = Figure::plain("store of a 50-word message, p50", stores.p50(), "ms");
    table.add(p50.beside(raw, puts.p50()).at_most(1.5));
    let p95 = Figure::plain("store of a 50-word message, p95", stores.p95(), "ms");
    table.add(p95.beside(raw, puts.p95()));
}

/// The whole call, and the same with the vector brought along.
pub async fn with_the_embedder(api: &Api, sizes: Sizes, table: &mut Table) {
    let mut rng = StdRng::seed_from_u64(2);
    let (mut whole, mut brought) = (Spread::default(), Spread::default());
    for n in 0..WARM + sizes.calls {
        let plain = body(&mut rng);
        let mut with_vector = body(&mut rng);
        with_vector["embedding"] = embedding(&mut rng);
        if n == WARM {
            (whole, brought) = (Spread::default(), Spread::default());
        }
        whole.time(store(api, &plain)).await;
        brought.time(store(api, &with_vector)).await;
    }
    let what = "store of a 50-word message, with the embedder, p50";
    table.add(Figure::limit(what, whole.p50(), "ms", 60.0));
    let share = 100.0 * (1.0 - brought.p50() / whole.p50());
    table.add(Figure::plain("embedding's share of that call", share, "%"));
}

/// The host's bucket, as the host itself reaches it.
fn raw(host: &Host) -> Bucket {
    let (endpoint, rest) = host.bucket.rsplit_once('/').expect("address and bucket");
    let name = rest.split_whitespace().next().expect("a bucket");
    let settings = Settings {
        endpoint: endpoint.to_owned(),
        region: "us-east-1".to_owned(),
        bucket: name.to_owned(),
        access_key: holdfast_faults::ACCESS_KEY.to_owned(),
        secret_key: holdfast_faults::SECRET_KEY.to_owned(),
        ..Settings::default()
    };
    bucket(settings).expect("the bucket")
}

fn scope(tenant: &str) -> Scope {
    let (tenant, user) = (TenantId::parse(tenant).expect("id"), UserId::parse("ann").expect("id"));
    Scope { tenant, user }
}

/// The bytes that a store wrote.
async fn written(bucket: &Bucket) -> Bytes {
    let page = bucket.list(&key::wal(&scope("default")), None).await.expect("a list");
    let newest = page.objects.last().expect("an object");
    let prefix = key::wal(&scope("default"));
    let found = holdfast_core::Key::below(&prefix, &newest.key).expect("a key");
    bucket.get(&found).await.expect("an answer").expect("the object")
}

async fn put(bucket: &Bucket, bytes: Bytes) {
    let mut random = [0; 16];
    random[6..].copy_from_slice(&SystemIds.random());
    let ulid = ulid::Ulid::from_parts(SystemClock.now(), u128::from_be_bytes(random));
    let key = key::wal_object(&scope("raw"), ulid, &bytes);
    bucket.put(&key, bytes).await.expect("a PUT");
}
