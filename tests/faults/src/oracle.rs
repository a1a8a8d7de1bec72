//! The checker of the simulation as the judge of a real store: it hears what lies there and what was acknowledged, decodes it by
//! itself, and says whether what a host shows keeps the promises.

use crate::{ACCESS_KEY, Acknowledged, Api, Call, Installation, SECRET_KEY, history};
use holdfast_core::ports::Objects;
use holdfast_core::{Key, Scope, TenantId, UserId, key};
use holdfast_journal::list;
use holdfast_objects::Settings;
use holdfast_ports::bucket;
use holdfast_servers::Host;
use holdfast_sim::checker::{Checker, Clocks, Home, Promise, Reading, Seen, Snapshot};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{SystemTime, UNIX_EPOCH};

/// What lies in a bucket, heard.
pub struct Oracle {
    checker: Checker,
    /// Users with their sessions.
    users: BTreeMap<String, BTreeSet<String>>,
    /// Messages as they were stored, by user, session and id.
    stored: HashMap<(String, String, String), Vec<String>>,
    heard: u64,
    hosts: usize,
}

impl Oracle {
    /// Reads the journals of those who sent `calls`, when nobody writes any more.
    ///
    /// # Panics
    /// When something that was acknowledged is not there as it was.
    pub async fn hear(
        installation: &Installation,
        host: &Host,
        calls: &[Call],
        promised: &[Acknowledged],
    ) -> Self {
        let bucket = bucket(settings(installation, host)).expect("the bucket");
        let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for call in calls {
            users.entry(call.user.clone()).or_default().insert(call.session.clone());
        }
        let homes = users.keys().map(|user| Home {
            journal: key::user(&scope(user)).as_str().to_owned(),
            // Nobody is erased.
            ledger: "no ledger".to_owned(),
        });
        let checker = Checker::new(homes.collect());
        let mut oracle = Self { checker, users, stored: HashMap::new(), heard: now(), hosts: 0 };
        let mut keys: BTreeMap<String, Key> = BTreeMap::new();
        for user in oracle.users.keys().cloned().collect::<Vec<_>>() {
            for key in list(&bucket, &scope(&user)).await.expect("a list") {
                let bytes = bucket.get(&key).await.expect("a read").expect("an object");
                oracle.checker.sent(key.as_str(), &bytes).expect("P4");
                oracle.checker.landed(key.as_str());
                oracle.note(&user, &String::from_utf8_lossy(&bytes));
                keys.insert(key.ulid().expect("a ULID").to_owned(), key);
            }
        }
        for one in promised {
            let ulids: BTreeSet<&str> = one.orders.iter().map(|order| &order[17..43]).collect();
            // One that was repeated may be answered with places of several objects.
            if let (1, Some(ulid)) = (ulids.len(), ulids.first()) {
                let key = keys.get(*ulid).map_or(*ulid, Key::as_str);
                let times = (0, oracle.heard);
                let heard = oracle.checker.acknowledged(key, &one.orders, times, Clocks::Known);
                let _: Promise = heard.unwrap_or_else(|broken| panic!("{broken}"));
            }
        }
        assert!(oracle.checker.acknowledged * 2 > promised.len() as u64, "most is heard of");
        oracle
    }

    fn note(&mut self, user: &str, object: &str) {
        #[derive(serde::Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            message: &'a RawValue,
        }
        #[derive(serde::Deserialize)]
        struct Line<'a> {
            kind: String,
            id: String,
            #[serde(default)]
            session: String,
            #[serde(borrow)]
            body: Option<&'a RawValue>,
        }
        for line in object.lines().skip(1) {
            let line: Line<'_> = serde_json::from_str(line).expect("a record");
            let Some(body) = line.body.filter(|_| line.kind == "message") else { continue };
            let body: Body<'_> = serde_json::from_str(body.get()).expect("a message");
            let all = self.stored.entry((user.to_owned(), line.session, line.id)).or_default();
            all.push(body.message.get().to_owned());
        }
    }

    /// Asks a host for everything: each message is one that lies there, byte for byte, once, in its place (P1, P4), what it
    /// names is there (P2), and so is all that was acknowledged and all that landed (P1). What is wrong, else.
    pub async fn judge(&mut self, api: &Api) -> Result<(), String> {
        self.hosts += 1;
        for (user, (name, sessions)) in self.users.iter().enumerate() {
            let began = now().max(self.heard + 1);
            let mut items = Vec::new();
            for session in sessions {
                for text in history(api, name, session, None, "latest").await.1 {
                    let page: Vec<Value> = serde_json::from_str(&text).expect("messages");
                    items.extend(page.iter().map(|item| self.seen(name, session, item)));
                }
            }
            let snapshot = Snapshot {
                host: self.hosts,
                life: self.hosts as u64,
                since: began,
                user,
                items,
                sessions: Vec::new(),
            };
            let reading =
                Reading { began, latest: true, promised: &Promise::default(), omitted: &|_| false };
            let _: Promise = self.checker.saw(&snapshot, &reading)?;
            self.checker.settled(&snapshot)?;
        }
        Ok(())
    }

    fn seen(&self, user: &str, session: &str, item: &Value) -> Seen {
        let text = |member: &str| item[member].as_str().expect("a text").to_owned();
        let shown = text("id");
        let id = shown.split_once('~').map_or(&*shown, |(id, _)| id).to_owned();
        let same = |stored: &&String| {
            let stored: BTreeMap<String, Value> = serde_json::from_str(stored).expect("a message");
            stored.iter().all(|(member, value)| member == "id" || item[member] == *value)
        };
        let name = (user.to_owned(), session.to_owned(), id.clone());
        let stored = self.stored.get(&name).into_iter().flatten().find(same);
        Seen {
            session: session.to_owned(),
            shown,
            id,
            text: stored.cloned().unwrap_or_else(|| item.to_string()),
            order: text("order"),
            rank: item["index"].as_u64().expect("a rank") as u32,
        }
    }
}

/// The way to the store, past every proxy.
fn settings(installation: &Installation, host: &Host) -> Settings {
    if let Some(server) = installation.server() {
        return server.settings();
    }
    let (endpoint, bucket) = host.bucket.rsplit_once('/').expect("an address");
    Settings {
        endpoint: endpoint.to_owned(),
        region: "us-east-1".to_owned(),
        bucket: bucket.to_owned(),
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        ..Settings::default()
    }
}

fn scope(user: &str) -> Scope {
    Scope {
        tenant: TenantId::parse("default").expect("an id"),
        user: UserId::parse(user).expect("an id"),
    }
}

/// Unix milliseconds.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}
