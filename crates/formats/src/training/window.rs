//! A session in parts of bounded size, cut before a user speaks.

use super::report::{LeftOut, Mended, Report};
use super::said::Said;
use holdfast_core::message::Role;

/// How large a part of a session may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Messages.
    pub messages: usize,
    /// Bytes of text, about.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { messages: 256, bytes: 4 << 20 }
    }
}

/// A part of a session, its first instructions included: most often the whole of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Whose session.
    pub user: String,
    /// The session.
    pub session: String,
    /// JSON text of the tools that its assistant has, an array in OpenAI's form.
    pub tools: Option<String>,
    /// What is said, in order.
    pub said: Vec<Said>,
}

/// Takes a session's messages in and gives parts of it.
#[derive(Debug)]
pub struct Cutter {
    limits: Limits,
    user: String,
    session: String,
    tools: Option<String>,
    /// Instructions before anybody spoke: they begin each part.
    head: Vec<Said>,
    body: Vec<Said>,
    bytes: usize,
    /// Where the last turn begins in `body`.
    turn: usize,
    begun: bool,
    skipping: bool,
}

impl Cutter {
    /// A session that begins. `tools` is the JSON text of an array, as the session's metadata holds it.
    pub fn new(limits: Limits, user: &str, session: &str, tools: Option<&str>) -> Self {
        let tools =
            tools.filter(|text| crate::json::items(text).is_some_and(|all| !all.is_empty()));
        Self {
            limits,
            user: user.to_owned(),
            session: session.to_owned(),
            tools: tools.map(crate::json::compact),
            head: Vec::new(),
            body: Vec::new(),
            bytes: 0,
            turn: 0,
            begun: false,
            skipping: false,
        }
    }

    /// Takes the next message; gives the part that it does not fit into any more.
    pub fn push(&mut self, said: Said, report: &mut Report) -> Option<Window> {
        if !self.begun && said.role == Role::System {
            self.instruct(said, report);
            return None;
        }
        let follows = self.body.last().is_some_and(|last| last.role == Role::User);
        if said.role == Role::User && !(follows && self.begun) {
            self.turn = self.body.len();
            self.skipping = false;
        }
        self.begun = true;
        if self.skipping {
            report.leave(LeftOut::TurnTooLarge, 1);
            return None;
        }
        let full = self.full_with(&said) && self.turn > 0;
        let cut = full.then(|| self.cut(report));
        if self.full_with(&said) {
            report.leave(LeftOut::TurnTooLarge, self.body.len() + 1);
            self.body.clear();
            (self.turn, self.bytes) = (0, size(&self.head));
            self.skipping = true;
            return cut;
        }
        self.bytes += said.size();
        self.body.push(said);
        cut
    }

    /// The rest of the session.
    pub fn finish(mut self) -> Option<Window> {
        let all = self.body.len();
        (all > 0).then(|| self.take(all))
    }

    fn instruct(&mut self, said: Said, report: &mut Report) {
        if self.bytes + said.size() > self.limits.bytes / 2
            || self.head.len() * 2 >= self.limits.messages
        {
            report.leave(LeftOut::TurnTooLarge, 1);
            return;
        }
        self.bytes += said.size();
        self.head.push(said);
    }

    fn full_with(&self, said: &Said) -> bool {
        self.bytes + said.size() > self.limits.bytes
            || self.head.len() + self.body.len() >= self.limits.messages
    }

    fn cut(&mut self, report: &mut Report) -> Window {
        report.mend(Mended::Cut, 1);
        let turn = std::mem::take(&mut self.turn);
        let window = self.take(turn);
        self.bytes = size(&self.head) + size(&self.body);
        window
    }

    fn take(&mut self, count: usize) -> Window {
        let part = self.body.drain(..count);
        Window {
            user: self.user.clone(),
            session: self.session.clone(),
            tools: self.tools.clone(),
            said: self.head.iter().cloned().chain(part).collect(),
        }
    }
}

fn size(said: &[Said]) -> usize {
    said.iter().map(Said::size).sum()
}
