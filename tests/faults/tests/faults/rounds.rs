//! Sequential rounds to the store behind one answer of a whole host: each round waits for what the one before it said, and
//! what is asked at once is one. A store far away makes an answer late by its distance as many times.
//!
//! What a host does beside its answers is switched off, or is of other users and left out. Where more rounds are taken than
//! the journal alone needs, the case says what for.

use futures::future::join_all;
use holdfast_core::erase::Ledger;
use holdfast_core::{Scope, TenantId, UserId, key};
use holdfast_faults::{Answer, Api, Installation, seed};
use holdfast_servers::{Asked, Host, Rclone, Round};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// So many objects are sealed.
const SEALED: u64 = 4;

/// What is asked of a host.
#[derive(Clone, Copy)]
enum Ask {
    /// One message more in this session.
    Store(&'static str),
    /// The session `s`, with this consistency.
    Read(&'static str),
    /// By this mode, with this consistency.
    Search(&'static str, &'static str),
    /// A context for the session `s`.
    Context,
}
use Ask::{Context, Read, Search, Store};

/// What it is, whose, what is asked, and the rounds that it takes.
type Case<'a> = (&'static str, &'a str, Ask, usize);

/// A bucket behind a proxy that counts, and a key of it that is not its first: who first hears of that asks the bucket.
struct Bucket {
    installation: Installation,
    service: String,
}

/// A host with an empty local directory, which nobody has asked anything but whether it is ready.
struct Fresh {
    host: Host,
    _folder: TempDir,
}

impl Bucket {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(settings: &[(&str, &str)]) -> Self {
        let mut installation = Installation::behind_proxy(Rclone::start(), seed());
        for work in ["compact", "upkeep", "export", "summarize"] {
            installation = installation.with(&format!("{work}_interval_ms"), "0");
        }
        for (name, value) in settings {
            installation = installation.with(name, value);
        }
        let mut bucket = Self { installation, service: String::new() };
        let host = bucket.fresh(false).await;
        let permissions = ["read", "write", "keys"];
        let asked = json!({"kind": "service", "permissions": permissions});
        bucket.service = minted(&host.root(), &asked).await;
        bucket
    }

    /// A host that serves, with the components of the manifest for the index where it is `portable`.
    async fn fresh(&self, portable: bool) -> Fresh {
        let (host, folder) = match portable {
            true => self.installation.start_portable(),
            false => self.installation.start_beside(),
        };
        let fresh = Fresh { host, _folder: folder };
        let ready = async {
            while fresh.root().get("/readyz", None).await.status != 200 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(60), ready).await.expect("a host that is ready");
        fresh
    }

    /// The rounds until the answer, of what was asked for this user or for nobody in particular.
    async fn rounds(&self, user: &str, work: impl Future<Output = Answer>) -> Vec<Round> {
        let step = self.installation.proxy().lock_step().await;
        let _ = work.await;
        let (rounds, scope) = (step.end(), scope(user));
        let mut set = self.installation.settings().set.iter();
        let (_, secret) = set.find(|(name, _)| name == "root_secret").expect("a secret");
        let (own, erases) = (key::user(&scope), Ledger::new(secret).of(&scope));
        let concerns = |asked: &Asked| {
            let others = ["/u/", "/erased/"].iter().any(|part| asked.key.contains(part));
            !others || [&own, &erases].iter().any(|own| asked.key.starts_with(own.as_str()))
        };
        let own = |Round(asked)| Round(asked.into_iter().filter(concerns).collect());
        rounds.into_iter().map(own).filter(|round| !round.0.is_empty()).collect()
    }

    /// Asks one after another. All rounds are told, and any case that takes others than it says fails.
    async fn takes(&self, title: &str, api: &Api, cases: &[Case<'_>]) {
        let (mut told, mut wrong) = (String::new(), Vec::new());
        for (what, user, ask, expected) in cases {
            let rounds = self.rounds(user, answered(api, user, *ask)).await;
            told += &format!("  {what}: {}\n", shown(&rounds));
            if rounds.len() != *expected {
                wrong.push(format!("{what}: {} rounds, not {expected}", rounds.len()));
            }
        }
        println!("{title}\n{told}");
        assert!(wrong.is_empty(), "{title}: {wrong:#?}\n{told}");
    }
}

impl Fresh {
    /// By the installation's first key, which nobody looks up.
    fn root(&self) -> Api {
        Api::of(&self.host)
    }

    fn by(&self, key: &str) -> Api {
        Api::new(&self.host.url, key)
    }
}

fn scope(user: &str) -> Scope {
    let (tenant, user) = (TenantId::parse("default"), UserId::parse(user));
    Scope { tenant: tenant.expect("an id"), user: user.expect("an id") }
}

fn shown(rounds: &[Round]) -> String {
    let each: Vec<String> = rounds.iter().map(ToString::to_string).collect();
    format!("{} rounds: {}", rounds.len(), each.join(" → "))
}

async fn minted(api: &Api, asked: &Value) -> String {
    let made = api.post_for(201, "/v1/keys", asked).await.json();
    made["key"].as_str().expect("a key").to_owned()
}

async fn say(api: &Api, user: &str, session: &str, text: &str) -> Answer {
    let message = json!({"user_id": user, "role": "user", "content": text});
    api.post_for(201, &format!("/v1/sessions/{session}/messages"), &message).await
}

/// Some messages in an object each.
async fn fill(api: &Api, user: &str) {
    for _ in 0..SEALED {
        let _ = say(api, user, "s", "about lisbon").await;
    }
}

/// Seals all that the user has, and says one thing more.
async fn seal(api: &Api, user: &str) {
    let done = api.post_for(200, "/v1/upkeep/compact", &json!({"user_id": user})).await.json();
    assert_eq!(done["sealed"], SEALED, "{done}");
    let _ = say(api, user, "s", "about lisbon, later").await;
}

async fn answered(api: &Api, user: &str, ask: Ask) -> Answer {
    let (path, body) = match ask {
        Store(session) => return say(api, user, session, "of lisbon again").await,
        Read(consistency) => {
            let query = format!("user_id={user}&limit=5&consistency={consistency}");
            let answer = api.get(&format!("/v1/sessions/s/messages?{query}"), None).await;
            return told(answer, "lisbon");
        }
        Search(mode, consistency) => (
            "/v1/search",
            json!({"user_id": user, "query": "lisbon", "mode": mode, "consistency": consistency}),
        ),
        Context => {
            let asked =
                json!({"user_id": user, "session_id": "s", "query": "lisbon", "max_tokens": 600});
            ("/v1/context", asked)
        }
    };
    told(api.post(path, &body, None).await.expect("an answer"), "about lisbon")
}

/// The answer, which must have something of what was stored.
fn told(answer: Answer, text: &str) -> Answer {
    let answer = answer.expect(200);
    let body = String::from_utf8_lossy(&answer.body);
    assert!(body.contains(text), "{text} is not there: {body}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_takes_one_round_and_in_a_fresh_host_one_more_to_know_the_key_or_the_time() {
    let bucket = Bucket::new().await;
    for portable in [false, true] {
        let (host, other) = (bucket.fresh(portable).await, bucket.fresh(portable).await);
        // The native index has asked the store for the time before the host is ready; a component asks when it first writes.
        let first = 1 + usize::from(portable);
        let cases = [
            ("a store by the first key, the first of a host", "new", Store("s"), first),
            ("a store in a known session", "new", Store("s"), 1),
            ("a store in a new session", "new", Store("t"), 1),
            ("a store of a new user", "newer", Store("s"), 1),
        ];
        bucket.takes(&format!("portable: {portable}"), &host.root(), &cases).await;
        // An answer about the key says what time it is, too.
        let cases = [
            ("a store by a key, the first of a host", "new", Store("s"), 2),
            ("a store by a key that is known", "new", Store("s"), 1),
        ];
        bucket.takes(&format!("portable: {portable}"), &other.by(&bucket.service), &cases).await;
        // A key is as good as the one that made it, which is looked up when it is known which that is.
        let asked = json!({"kind": "user", "user_id": "new"});
        let own = other.by(&minted(&other.by(&bucket.service), &asked).await);
        let cases = [("a store by a key that a key made", "new", Store("s"), 3)];
        bucket.takes(&format!("portable: {portable}"), &own, &cases).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_and_a_search_take_no_round_or_one_where_a_user_is_at_hand_and_two_or_four_where_not()
 {
    reads(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_and_a_search_of_the_portable_index_take_the_same_rounds() {
    reads(true).await;
}

async fn reads(portable: bool) {
    let bucket = Bucket::with(&[("compact_objects", "3")]).await;
    {
        let host = bucket.fresh(false).await;
        let root = host.root();
        let loose = ["loose", "loose-too", "loose-three"];
        let sealed = ["sealed", "sealed-too", "sealed-three", "sealed-four", "sealed-five"];
        join_all(loose.iter().chain(&sealed).map(|user| fill(&root, user))).await;
        join_all(sealed.iter().map(|user| seal(&root, user))).await;
    }
    let host = bucket.fresh(portable).await;
    let reads = [
        // The key, the lists, the manifest, the cover, the segment: it waits for the key though that names the tenant.
        ("a read of what is sealed, the first of a host", "sealed", Read("latest"), 5),
        // The cover waits for the manifest, and the segment for the cover, though the manifest names both.
        ("a read of what is sealed, by a key that is known", "sealed-too", Read("latest"), 4),
        ("a read of what is not sealed", "loose", Read("latest"), 2),
        ("a read of the latest of a user who is at hand", "loose", Read("latest"), 1),
        ("a read of what is at hand", "loose", Read("local"), 0),
    ];
    bucket.takes(&format!("portable: {portable}"), &host.by(&bucket.service), &reads).await;
    let searches = [
        ("a search of what is not sealed", "loose-too", Search("keyword", "latest"), 2),
        ("a search of what is sealed", "sealed-three", Search("keyword", "latest"), 4),
        // It asks who speaks before it searches, of what the first question loaded.
        ("a search by meaning too", "loose-three", Search("hybrid", "latest"), 2),
        ("a search by meaning too of what is sealed", "sealed-four", Search("hybrid", "latest"), 4),
        ("a context of what is sealed", "sealed-five", Context, 4),
    ];
    let root = host.root();
    bucket.takes(&format!("portable: {portable}"), &root, &searches).await;
    // Components of the manifest hold an index each, and look again at what they looked at two seconds ago.
    let _ = answered(&root, "loose", Context).await;
    let at_hand = [
        ("a search of the latest of a user who is at hand", "loose", Search("hybrid", "latest"), 1),
        ("a context of the latest of a user who is at hand", "loose", Context, 1),
        ("a search of what is at hand", "loose", Search("hybrid", "local"), 0),
    ];
    bucket.takes(&format!("portable: {portable}"), &root, &at_hand).await;
}

/// A quarter of what is left in an index part. It hardly becomes less at rest.
fn long(rng: &mut StdRng) -> String {
    let words = (0..4_500).map(|_| format!(" {:x}", rng.random::<u64>()));
    format!("about lisbon{}", words.collect::<String>())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_index_parts_takes_a_round_more_and_one_that_is_read_or_left_another() {
    let bucket = Bucket::with(&[("compact_objects", "3")]).await;
    let users = ["loose", "sealed"];
    {
        let host = bucket.fresh(false).await;
        let mut rng = StdRng::seed_from_u64(seed());
        for user in users {
            for _ in 0..SEALED {
                let _ = say(&host.root(), user, "s", &long(&mut rng)).await;
            }
        }
        seal(&host.root(), "sealed").await;
    }
    // It lists the parts once it knows that much is to be read, reads it, and leaves one before it answers.
    let leaves = [
        ("a read of much", "loose", Read("latest"), 4),
        ("a read of much that is sealed", "sealed", Read("latest"), 6),
    ];
    {
        let host = bucket.fresh(true).await;
        bucket.takes("without a part", &host.root(), &leaves).await;
        for user in users {
            let _ = say(&host.root(), user, "s", "about lisbon, since then").await;
        }
    }
    // The list of parts waits for what is to be read to be known, and what came since for the part.
    let takes = [
        ("a read of much, of which there is a part", "loose", Read("latest"), 4),
        ("a read of much that is sealed, of which there is a part", "sealed", Read("latest"), 6),
    ];
    bucket.takes("with a part", &bucket.fresh(true).await.root(), &takes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_host_wrote_takes_one_round_more_and_with_its_token_one_in_all() {
    let bucket = Bucket::new().await;
    let host = bucket.fresh(false).await;
    fill(&host.root(), "ann").await;
    let _ = answered(&host.root(), "ann", Read("latest")).await;
    // Each is gone before it looks for more by itself.
    let elsewhere = async |text| say(&bucket.fresh(false).await.root(), "ann", "s", text).await;
    let _ = elsewhere("about lisbon, elsewhere").await;
    let cases = [
        ("a read of what another host wrote", "ann", Read("latest"), 2),
        ("a read after that", "ann", Read("latest"), 1),
    ];
    bucket.takes("two hosts", &host.root(), &cases).await;
    let stored = elsewhere("about porto").await;
    let path = "/v1/sessions/s/messages?user_id=ann&consistency=local";
    let by_name =
        async { told(host.root().get(path, stored.after.as_deref()).await, "about porto") };
    let rounds = bucket.rounds("ann", by_name).await;
    assert_eq!(rounds.len(), 1, "by its token: {}", shown(&rounds));
}

/// So often in a row a reader looks for more: once among them at the manifests too.
const CYCLE: usize = 32;

#[tokio::test(flavor = "multi_thread")]
async fn one_look_for_more_in_thirty_two_takes_a_round_for_the_manifests_and_two_for_a_new_one() {
    let bucket = Bucket::with(&[("compact_objects", "3")]).await;
    let host = bucket.fresh(false).await;
    for (user, sealed, looking) in [("ann", false, 2), ("ben", true, 4)] {
        fill(&host.root(), user).await;
        let _ = answered(&host.root(), user, Read("latest")).await;
        if sealed {
            seal(&host.root(), user).await;
        }
        let rounds = first_look(&bucket, &host.root(), user).await;
        assert_eq!(rounds.len(), looking, "{user}: {}", shown(&rounds));
    }
}

/// Reads the latest until that looks at the manifests. All other reads take a round.
async fn first_look(bucket: &Bucket, api: &Api, user: &str) -> Vec<Round> {
    for _ in 0..CYCLE - 4 {
        let _ = answered(api, user, Read("latest")).await;
    }
    for _ in 0..=CYCLE {
        let rounds = bucket.rounds(user, answered(api, user, Read("latest"))).await;
        println!("{user}: {}", shown(&rounds));
        if rounds.iter().flat_map(|round| &round.0).any(|asked| asked.part() == "man") {
            return rounds;
        }
        assert_eq!(rounds.len(), 1, "{user}: {}", shown(&rounds));
    }
    panic!("no look at the manifests");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_key_is_kept_each_answer_takes_a_round_more() {
    let bucket = Bucket::with(&[("key_ttl_ms", "0")]).await;
    let host = bucket.fresh(false).await;
    fill(&host.root(), "ann").await;
    let _ = answered(&host.root(), "ann", Read("latest")).await;
    let cases = [
        ("a store by a key", "ann", Store("s"), 2),
        ("a read by a key of the latest", "ann", Read("latest"), 2),
        ("a read by a key of what is at hand", "ann", Read("local"), 1),
    ];
    bucket.takes("no key is kept", &host.by(&bucket.service), &cases).await;
}
