//! A mirror that knows nothing but the feed of changes, told now by one host and now by the other while both write.

use futures::future::join_all;
use holdfast_faults::{Api, Installation};
use http::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const WRITERS: usize = 4;
const EACH: usize = 20;

/// Orders of messages as they were told, by session, id and digest, with the text; and what was deleted.
#[derive(Default)]
struct Mirror {
    cursor: Option<String>,
    messages: BTreeMap<(String, String, String), (String, BTreeSet<String>)>,
    names: BTreeMap<String, BTreeMap<String, String>>,
    dead: BTreeSet<(String, String)>,
    until: BTreeMap<String, String>,
    told: usize,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Mirror {
    /// One page from this host; whether there are more.
    async fn ask(&mut self, api: &Api) -> bool {
        let cursor = self.cursor.as_ref().map(|cursor| format!("&cursor={cursor}"));
        let path = format!("/v1/users/ann/changes?limit=7{}", cursor.unwrap_or_default());
        let page = api.get(&path, None).await.expect(200).json();
        for change in page["data"].as_array().expect("a list") {
            self.told += 1;
            self.take(change);
        }
        self.cursor = Some(text(&page["next_cursor"]));
        page["has_more"].as_bool().expect("has_more")
    }

    fn take(&mut self, change: &Value) {
        let (session, id) = (text(&change["session_id"]), text(&change["id"]));
        let order = text(&change["order"]);
        match (text(&change["kind"]).as_str(), text(&change["of"]).as_str()) {
            ("message", _) if change["message"].is_object() => {
                let key = (session, id, text(&change["digest"]));
                let said = text(&change["message"]["content"]);
                self.messages.entry(key).or_insert((said, BTreeSet::new())).1.insert(order);
            }
            ("session", _) if change["fields"]["name"].is_string() => {
                let name = text(&change["fields"]["name"]);
                self.names.entry(session).or_default().insert(order, name);
            }
            ("tombstone", "message") => drop(self.dead.insert((session, id))),
            ("tombstone", "session") => {
                let until = self.until.entry(session).or_default();
                *until = order.max(until.clone());
            }
            _ => {}
        }
    }

    /// Texts of a session in order, and its name.
    fn session(&self, session: &str) -> (Vec<String>, Option<String>) {
        let until = self.until.get(session).and_then(|until| until.get(..16)).unwrap_or_default();
        let left = |order: &&String| order.get(..16) > Some(until);
        let of_it = self.messages.iter().filter(|((of, id, _), _)| {
            of == session && !self.dead.contains(&(of.clone(), id.clone()))
        });
        let placed = of_it.filter_map(|(_, (said, orders))| {
            Some((orders.iter().find(left)?.clone(), said.clone()))
        });
        let placed: BTreeMap<String, String> = placed.collect();
        let mut names = self.names.get(session).into_iter().flatten();
        let name = names.rfind(|(order, _)| left(order)).map(|(_, name)| name.clone());
        (placed.into_values().collect(), name)
    }
}

async fn write(hosts: [Api; 2], writer: usize) {
    for n in 0..EACH {
        let api = &hosts[(writer + n) % 2];
        let session = format!("s{}", n % 3);
        let path = format!("/v1/sessions/{session}/messages");
        let id = format!("w{writer}-{n}");
        let body =
            json!({"user_id": "ann", "id": id, "role": "user", "content": format!("{id} says")});
        api.post_for(201, &path, &body).await;
        let send = async |method, path: String, body: Option<Value>| {
            let body = body.map(|body| body.to_string().into());
            let other = &hosts[(writer + n + 1) % 2];
            other.send(method, &path, body, None).await.expect("an answer")
        };
        // Others may have deleted the session just before: then there is nothing to change.
        let answer = match n % 7 {
            2 => {
                let path = format!("{path}/{id}?user_id=ann");
                send(Method::DELETE, path, None).await
            }
            4 => {
                let name = json!({"user_id": "ann", "name": format!("named {writer}-{n}")});
                send(Method::PATCH, format!("/v1/sessions/{session}"), Some(name)).await
            }
            6 if writer == 1 => {
                send(Method::DELETE, format!("/v1/sessions/{session}?user_id=ann"), None).await
            }
            _ => continue,
        };
        assert!(answer.status < 500, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_of_the_changes_of_two_hosts_has_what_both_show() {
    let installation = Installation::rclone();
    let (one, _kept) = installation.start_beside();
    let (other, _kept_too) = installation.start_beside();
    let hosts = [Api::of(&one), Api::of(&other)];
    let mut mirror = Mirror::default();
    let writing = join_all((0..WRITERS).map(|writer| tokio::spawn(write(hosts.clone(), writer))));
    let mut writing = std::pin::pin!(writing);
    // It follows while they write, first one host, then the other.
    for turn in 0_usize.. {
        tokio::select! {
            biased;
            done = &mut writing => {
                done.into_iter().for_each(|writer| writer.expect("a writer"));
                break;
            }
            _ = mirror.ask(&hosts[turn % 2]) => {}
        }
    }
    for api in &hosts {
        while mirror.ask(api).await {}
    }
    for (api, session) in hosts.iter().flat_map(|api| ["s0", "s1", "s2"].map(|s| (api, s))) {
        let path = format!("/v1/sessions/{session}/messages?user_id=ann&limit=1000");
        let page = api.get(&path, None).await;
        let shown: Vec<String> = match page.status {
            404 => Vec::new(),
            _ => {
                let items = page.json()["data"].as_array().expect("messages").clone();
                items.iter().map(|message| text(&message["content"])).collect()
            }
        };
        let name = api.get(&format!("/v1/sessions/{session}?user_id=ann"), None).await.json();
        let name = name["name"].as_str().map(str::to_owned);
        assert_eq!(mirror.session(session), (shown, name), "{session}");
    }
    let told = mirror.told;
    assert!(!mirror.ask(&hosts[0]).await && mirror.told == told, "and then nothing");
}
