//! Clients who do by chance what clients of the simulation do, all at once, and what is judged of it at the end.

use crate::client::{Client, Door, Expected, Walk};
use crate::replay::{Counts, Replay};
use crate::tape::{Event, Tape};
use crate::{Api, Call, Installation, Recorder, erased, oracle};
use futures::future::join_all;
use holdfast_servers::{Host, Server};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const CLIENTS: u64 = 4;
const SESSIONS: usize = 3;
/// Of so many requests of who erases one does.
const ERASE: usize = 24;
/// The first is erased now and then, where a recorder hears what is removed.
const USERS: [&str; 3] = ["crowd-0", "crowd-1", "crowd-2"];

/// Several clients with users of their own.
pub struct Crowd {
    tape: Arc<Tape>,
    recorder: Option<Recorder>,
    members: Vec<Member>,
    lives: AtomicUsize,
}

/// A client, and what it has sent.
struct Member {
    client: Client,
    name: u64,
    erases: bool,
    rng: StdRng,
    made: usize,
    sent: Vec<Call>,
}

impl Crowd {
    /// Clients of hosts on a store that they do not see: nobody is erased.
    pub fn new(seed: u64) -> Self {
        Self::with(seed, Arc::default(), None)
    }

    /// Clients of hosts on `server`, whose address is from now on that of a recorder.
    pub fn before(server: &mut Server, seed: u64) -> Self {
        let tape = Arc::default();
        let recorder = Recorder::before(server, &tape);
        Self::with(seed, tape, Some(recorder))
    }

    fn with(seed: u64, tape: Arc<Tape>, recorder: Option<Recorder>) -> Self {
        let member = |name| Member {
            client: Client::new(&tape),
            name,
            erases: recorder.is_some(),
            rng: StdRng::seed_from_u64(seed.wrapping_mul(31).wrapping_add(name)),
            made: 0,
            sent: Vec::new(),
        };
        let members = (0..CLIENTS).map(member).collect();
        Self { tape, recorder, members, lives: AtomicUsize::new(0) }
    }

    /// What may happen to requests from now on.
    pub fn expect(&mut self, expected: Expected) {
        self.members.iter_mut().for_each(|member| member.client.expected = expected);
    }

    /// The way to a host that has just started.
    pub fn door(&self, host: &Host) -> Door {
        Door { api: Api::of(host), host: self.lives.fetch_add(1, Ordering::SeqCst) }
    }

    /// Each client makes requests until it has `ended`, and at most so many.
    pub async fn live(&mut self, doors: &[Door], ended: &AtomicBool, most: usize) {
        join_all(self.members.iter_mut().map(|member| member.live(doors, ended, most))).await;
    }

    /// Looks at everything at each of these hosts, when nobody writes any more and all faults have stopped, and judges all
    /// that was shown since the beginning.
    ///
    /// # Errors
    /// The promise that was broken.
    pub async fn judge(
        &mut self,
        installation: &Installation,
        host: &Host,
        doors: &[Door],
    ) -> Result<Counts, String> {
        self.expect(Expected::default());
        if let Some(recorder) = &self.recorder {
            recorder.settled().await;
        }
        self.show_tokens(doors).await;
        let client = &mut self.members[0].client;
        let mut swept = Vec::new();
        for user in USERS {
            if client.sweep(&doors[0], user).await {
                swept.push(user);
            }
            for door in doors {
                assert!(client.read(door, user, (true, true), None).await, "a view of {user}");
            }
        }
        let mut replay = Replay::new(installation, &USERS);
        if self.recorder.is_none() {
            for (key, bytes) in oracle::stored(installation, host, &USERS).await {
                replay.hear(&Event::Sent(key.clone(), bytes))?;
                replay.hear(&Event::Landed(key, 0))?;
            }
        }
        let tape = self.tape.all();
        tape.iter().try_for_each(|event| replay.hear(event))?;
        for user in swept {
            erased::judge_erase(installation, host, &replay, &tape, user).await?;
        }
        println!("the crowd: {}", replay.counts);
        Ok(replay.counts)
    }
}

impl Crowd {
    /// Everybody shows each host what they have seen.
    async fn show_tokens(&mut self, doors: &[Door]) {
        for Member { client, .. } in &mut self.members {
            for user in USERS {
                let token = client.token(user);
                for door in doors.iter().filter(|_| token.is_some()) {
                    let shown = client.read(door, user, (false, false), token.clone()).await;
                    assert!(shown, "a view of {user} by a token");
                }
            }
        }
    }
}

impl Member {
    async fn live(&mut self, doors: &[Door], ended: &AtomicBool, most: usize) {
        for number in 0..most {
            if ended.load(Ordering::SeqCst) {
                return;
            }
            if self.erases && number % ERASE == ERASE / 3 {
                let door = self.some(doors);
                let _ = self.client.erase(door, USERS[0]).await;
            } else {
                self.request(doors).await;
            }
            let think = Duration::from_millis(self.rng.random_range(0..20));
            tokio::time::sleep(think).await;
        }
    }

    async fn request(&mut self, doors: &[Door]) {
        let user = *USERS.choose(&mut self.rng).expect("users");
        let door = self.some(doors);
        match self.rng.random_range(0..100) {
            0..40 => self.store(door, user).await,
            40..46 => self.repeat(door).await,
            46..56 => self.delete_message(door).await,
            56..59 => {
                let session = self.session();
                let _ = self.client.delete(door, (user, &session), None).await;
            }
            59..85 => {
                let token = self.client.token(user).filter(|_| self.rng.random_bool(0.75));
                let latest = self.rng.random_bool(0.6);
                let _ = self.client.read(door, user, (latest, false), token).await;
            }
            _ => self.walk(doors, user).await,
        }
    }

    /// Mostly at home.
    fn some<'d>(&mut self, doors: &'d [Door]) -> &'d Door {
        match self.rng.random_bool(0.6) {
            true => &doors[self.name as usize % doors.len()],
            false => doors.choose(&mut self.rng).expect("a door"),
        }
    }

    fn session(&mut self) -> String {
        format!("s{}", self.rng.random_range(0..SESSIONS))
    }

    async fn store(&mut self, door: &Door, user: &str) {
        let session = self.session();
        let count = if self.rng.random_bool(0.3) { self.rng.random_range(2..5) } else { 1 };
        let mut messages = Vec::new();
        for _ in 0..count {
            self.made += 1;
            // Now and then two clients choose the same id.
            let id = match self.rng.random_bool(0.06) {
                true => format!("shared{}-{}", self.rng.random_range(0..3), messages.len()),
                false => format!("c{}m{}", self.name, self.made),
            };
            messages.push((id, format!("c{} says {}", self.name, self.made)));
        }
        let call = Call { user: user.to_owned(), session, messages };
        let _ = self.client.store(door, &call).await;
        self.sent.push(call);
    }

    /// Sends again what was sent before, acknowledged or not.
    async fn repeat(&mut self, door: &Door) {
        if let Some(call) = self.sent.choose(&mut self.rng).cloned() {
            let _ = self.client.store(door, &call).await;
        }
    }

    async fn delete_message(&mut self, door: &Door) {
        if let Some(call) = self.sent.choose(&mut self.rng) {
            let (id, _) = call.messages.choose(&mut self.rng).expect("a message");
            let _ = self.client.delete(door, (&call.user, &call.session), Some(id)).await;
        }
    }

    async fn walk(&mut self, doors: &[Door], user: &str) {
        self.made += 1;
        let (session, limit) = (self.session(), self.rng.random_range(1..5));
        let name = format!("c{}w{}", self.name, self.made);
        let mut walk = Walk::new(name, (user, &session), limit);
        let home = self.some(doors);
        loop {
            let door = if self.rng.random_bool(0.85) { home } else { self.some(doors) };
            if !self.client.page(door, &mut walk).await {
                return;
            }
        }
    }
}
