//! The checker of the simulation as the judge of a real store: it hears what lies there and what was acknowledged, decodes it by
//! itself, and says whether what a host shows keeps the promises.

use crate::replay::scope;
use crate::tape::now;
use crate::wal::Texts;
use crate::{ACCESS_KEY, Acknowledged, Api, Call, Installation, SECRET_KEY, history};
use bytes::Bytes;
use holdfast_core::ports::{Listed, Objects};
use holdfast_core::{Key, Prefix, key};
use holdfast_journal::list;
use holdfast_objects::Settings;
use holdfast_ports::bucket;
use holdfast_servers::Host;
use holdfast_sim::checker::{Checker, Clocks, Home, Promise, Reading, Snapshot};
use holdfast_sim::store::Stored;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What lies in a bucket, heard.
pub struct Oracle {
    checker: Checker,
    /// Users with their sessions.
    users: BTreeMap<String, BTreeSet<String>>,
    texts: Texts,
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
        let mut oracle = Self { checker, users, texts: Texts::default(), heard: now(), hosts: 0 };
        let mut keys: BTreeMap<String, Key> = BTreeMap::new();
        for user in oracle.users.keys().cloned().collect::<Vec<_>>() {
            for key in list(&bucket, &scope(&user)).await.expect("a list") {
                let bytes = bucket.get(&key).await.expect("a read").expect("an object");
                oracle.checker.sent(key.as_str(), &bytes).expect("P4");
                oracle.checker.landed(key.as_str());
                oracle.texts.note(&user, &String::from_utf8_lossy(&bytes));
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
                    items.extend(page.iter().map(|item| self.texts.seen(name, session, item)));
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

/// The secret that tokens and ledgers are made with.
pub(crate) fn root_secret(installation: &Installation) -> String {
    let all = &installation.settings().set;
    let secret = all.iter().find(|(name, _)| name == "root_secret");
    secret.expect("a root secret").1.clone()
}

/// The WAL objects of these users.
pub(crate) async fn stored(
    installation: &Installation,
    host: &Host,
    users: &[&str],
) -> Vec<(String, Bytes)> {
    let mut found = Vec::new();
    for user in users {
        let wal = key::wal(&scope(user));
        let objects = all(installation, host, wal.as_str()).await;
        found.extend(objects.into_iter().map(|one| (one.key, one.bytes)));
    }
    found
}

/// All that lies below a prefix.
pub(crate) async fn all(installation: &Installation, host: &Host, prefix: &str) -> Vec<Stored> {
    let bucket = bucket(settings(installation, host)).expect("the bucket");
    let (prefix, mut after, mut found) = (Prefix::raw(prefix), None, Vec::new());
    loop {
        let page = bucket.list(&prefix, after.as_deref()).await.expect("a list");
        for Listed { key, modified, .. } in page.objects {
            let bytes = bucket.get(&Key::raw(&key)).await.expect("a read").expect("an object");
            found.push(Stored { key, bytes, modified });
        }
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}
