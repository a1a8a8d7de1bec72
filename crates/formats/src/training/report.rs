//! What an export did and did not take: counts with reasons, added up over its steps.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why something stands in no example. The unit is a message, unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// It says nothing that the format carries.
    NoText,
    /// A block of content that is no text, as an image; the rest of its message stays.
    Block,
    /// It took an id that another message had.
    Conflict,
    /// A key of a user wrote it as a system, an assistant or a tool.
    UntrustedWriter,
    /// An answer in whose place another of the same parent stands.
    Sibling,
    /// Its turn holds an answer that was rated bad.
    RatedBad,
    /// Instructions after the beginning, which the format cannot carry.
    SystemNotFirst,
    /// A display name that the format cannot carry; its message stays.
    Name,
    /// A tool call without an id, a name or an object of arguments; its message stays.
    ToolCallMalformed,
    /// A tool call that is not answered right after it; its message stays if it says more.
    ToolCallUnanswered,
    /// A tool's answer that is not right after its call.
    ToolAnswerUncalled,
    /// Something of tools, in a format without tools.
    ToolsNotCarried,
    /// What an assistant says beside a call, where the format holds one or the other; the call stays.
    TextBesideCall,
    /// What an assistant says before a call, in a message of its own, where only one of them may stand.
    TextBeforeCall,
    /// An answer to nothing, in a format that begins with a user.
    AnswerFirst,
    /// What came after the last answer.
    NoAnswer,
    /// Its turn is larger than an example may be.
    TurnTooLarge,
    /// A feedback that makes no example: nothing to compare with, or no prompt before it.
    NoPair,
    /// A session that is larger than a file of the format may be. The unit is a session.
    SessionTooLarge,
    /// A database that is larger than a file of the format may be, or gone, or was to be made anonymous. The unit is a
    /// database.
    Database,
    /// An example with a message that was deleted while the export ran. The unit is an example.
    MessageGone,
    /// A session that is marked `no_train`. The unit is a session.
    NoTrain,
    /// A user who is marked `no_train`. The unit is a user.
    NoTrainUser,
    /// A user who was erased, or a session that was deleted, while the export ran. The unit is a session.
    Gone,
}

/// What was changed so that a format can carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mended {
    /// A message was joined to the one before it, which has its role.
    Merged,
    /// A session was cut into one example more.
    Cut,
}

/// Counts of an export, or of a step of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Lines, rows or files.
    pub examples: u64,
    /// Sessions that were read.
    pub sessions: u64,
    /// Messages that were read.
    pub messages: u64,
    /// What stands nowhere, by reason.
    #[serde(default)]
    pub left_out: BTreeMap<LeftOut, u64>,
    /// What was changed.
    #[serde(default)]
    pub mended: BTreeMap<Mended, u64>,
}

impl Report {
    /// Counts what is left out.
    pub fn leave(&mut self, why: LeftOut, count: usize) {
        if count > 0 {
            *self.left_out.entry(why).or_default() += count as u64;
        }
    }

    /// Counts what was changed.
    pub fn mend(&mut self, how: Mended, count: usize) {
        if count > 0 {
            *self.mended.entry(how).or_default() += count as u64;
        }
    }

    /// Adds the counts of another step.
    pub fn add(&mut self, other: &Self) {
        self.examples += other.examples;
        self.sessions += other.sessions;
        self.messages += other.messages;
        for (why, count) in &other.left_out {
            *self.left_out.entry(*why).or_default() += count;
        }
        for (how, count) in &other.mended {
            *self.mended.entry(*how).or_default() += count;
        }
    }
}
