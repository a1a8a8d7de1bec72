//! Reading conversations into parts, a bounded stretch of them a step.

use crate::asked::Asked;
use crate::progress::{Folder, Phase, Progress, WorkPart};
use crate::source::{Feedback, Source, SourceSession};
use holdfast_core::ports::{Clock, Ids, Objects};
use holdfast_core::{Result, Scope, TenantId, UserId};
use holdfast_formats::Stored;
use holdfast_formats::anonymize::Anonymizer;
use holdfast_formats::training::{
    Cutter, Format, LeftOut, Limits, Report, Row, Said, Split, Verdicts, Window, examples, rows,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A step gathers about so many bytes before they are written.
const PART: usize = 6 << 20;

/// A step ends after so many milliseconds, at the end of a session.
const STEP: u64 = 4_000;

/// Longer sessions are left out: one is read in one step.
const LONGEST: u32 = 200_000;

/// Sessions a part of LangChain's tree: each is a file of its own.
const FILES: usize = 64;

/// One example of a part, with what it is from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub user: String,
    pub session: String,
    pub ids: Vec<String>,
    /// The example's line; empty in the tree.
    #[serde(default)]
    pub line: String,
    /// The example's row, in parquet.
    #[serde(default)]
    pub row: Option<Row>,
}

impl Kept {
    /// Ids of the messages that it was made of.
    pub fn ids(&self) -> impl Iterator<Item = &String> {
        let said = self.row.iter().flat_map(|row| &row.said);
        self.ids.iter().chain(said.flat_map(|said| &said.ids))
    }
}

/// One step of gathering.
pub(crate) struct Gatherer<'a, O, C, I, S> {
    pub folder: &'a Folder<'a, O, C, I>,
    pub source: &'a S,
    pub asked: &'a Asked,
    pub tenant: &'a TenantId,
    pub key: &'a [u8],
}

/// Parts that are being filled.
#[derive(Default)]
struct Open {
    lines: BTreeMap<Split, (String, u64)>,
    bytes: usize,
    sessions: usize,
    /// Sessions that were met, and users that were done: a step goes on by at least one.
    met: usize,
}

impl<O: Objects, C: Clock, I: Ids, S: Source> Gatherer<'_, O, C, I, S> {
    /// Goes on for a while.
    pub async fn step(&self, progress: &mut Progress) -> Result<()> {
        let begun = self.folder.outside.clock.now();
        let mut open = Open::default();
        let over = |open: &Open| {
            open.bytes >= PART
                || (self.asked.format == Format::Langchain && open.sessions >= FILES)
                || (open.met > 0 && self.folder.outside.clock.now().saturating_sub(begun) >= STEP)
        };
        while !over(&open) {
            let Some((scope, after)) = self.user(progress).await? else {
                progress.phase = Phase::Publishing;
                break;
            };
            let done = match scope {
                Some(scope) => self.sessions(&scope, progress, &mut open, &over).await?,
                None => true,
            };
            if done {
                open.met += 1;
                progress.place = after.or_else(|| progress.place.take());
                progress.asked_done += 1;
                (progress.sessions, progress.page_done) = (None, Vec::new());
            }
        }
        self.flush(progress, &mut open).await
    }

    /// The user who is next: of those who were asked for, else of all.
    async fn user(&self, progress: &Progress) -> Result<Option<(Option<Scope>, Option<String>)>> {
        let asked = &self.asked.selection.users;
        if !asked.is_empty() {
            let Some(user) = asked.get(progress.asked_done) else { return Ok(None) };
            let scope = Scope { tenant: self.tenant.clone(), user: UserId::parse(user)? };
            return Ok(Some((Some(scope), None)));
        }
        let next = self.source.next_user(progress.place.as_deref()).await?;
        Ok(next.map(|(scope, place)| (scope, Some(place))))
    }

    /// Takes the user's sessions; false when the step is over before their end.
    async fn sessions(
        &self,
        scope: &Scope,
        progress: &mut Progress,
        open: &mut Open,
        over: &impl Fn(&Open) -> bool,
    ) -> Result<bool> {
        if !self.source.trains(scope).await? {
            progress.report.leave(LeftOut::NoTrainUser, 1);
            return Ok(true);
        }
        let names = self.names(scope).await?;
        let mut clean = names.map(|n| Anonymizer::new(self.key, n.iter().map(String::as_str)));
        loop {
            let page =
                self.source.sessions(scope, progress.sessions.as_deref(), self.asked.as_of).await?;
            for session in &page.items {
                if progress.page_done.contains(&session.id) {
                    continue;
                }
                if over(open) {
                    count(progress, clean);
                    return Ok(false);
                }
                self.session(scope, session, progress, open, clean.as_mut()).await?;
                progress.page_done.push(session.id.clone());
                open.met += 1;
            }
            if page.next.is_none() {
                count(progress, clean);
                return Ok(true);
            }
            (progress.sessions, progress.page_done) = (page.next, Vec::new());
        }
    }

    /// Names to be replaced, when personal data are.
    async fn names(&self, scope: &Scope) -> Result<Option<Vec<String>>> {
        Ok(if self.asked.anonymize { Some(self.source.names(scope).await?) } else { None })
    }

    async fn session(
        &self,
        scope: &Scope,
        session: &SourceSession,
        progress: &mut Progress,
        open: &mut Open,
        mut clean: Option<&mut Anonymizer>,
    ) -> Result<()> {
        if !self.asked.selection.takes_session(&session.id, &session.metadata) {
            return Ok(());
        }
        if !session.trains() {
            progress.report.leave(LeftOut::NoTrain, 1);
            return Ok(());
        }
        if session.messages > LONGEST {
            progress.report.leave(LeftOut::SessionTooLarge, 1);
            return Ok(());
        }
        let said = self.source.feedback(scope, &session.id, self.asked.as_of).await?;
        if !self.asked.selection.takes_feedback(&said) {
            return Ok(());
        }
        open.sessions += 1;
        if self.asked.format == Format::Langchain {
            let (user, session) = (scope.user.to_string(), session.id.clone());
            return open.keep(
                Split::Train,
                &Kept { user, session, ids: Vec::new(), line: String::new(), row: None },
            );
        }
        progress.report.sessions += 1;
        let mut verdicts = verdicts(said, self.asked.untrusted, &mut progress.report);
        if let Some(clean) = clean.as_deref_mut() {
            let corrections = verdicts.values_mut().filter_map(|one| one.correction.as_mut());
            corrections.for_each(|text| *text = clean.text(text));
        }
        self.windows((scope, session, &verdicts), progress, open, clean).await
    }

    async fn windows(
        &self,
        (scope, session, verdicts): (&Scope, &SourceSession, &Verdicts),
        progress: &mut Progress,
        open: &mut Open,
        mut clean: Option<&mut Anonymizer>,
    ) -> Result<()> {
        let tools = session.tools();
        let user = scope.user.as_str();
        let mut cutter = Cutter::new(Limits::default(), user, &session.id, tools.as_deref());
        let mut after: Option<String> = None;
        loop {
            let page = self
                .source
                .messages(scope, &session.id, after.as_deref(), self.asked.as_of)
                .await?;
            for feed in &page.items {
                if !self.asked.selection.takes_message(&feed.message, feed.order.hlc.milliseconds())
                {
                    continue;
                }
                let stored = Stored {
                    id: &feed.id,
                    conflict_of: feed.conflict_of.as_deref(),
                    index: feed.index,
                    order: feed.order,
                    restored_from: None,
                    message: &feed.message,
                };
                let trusted = feed.trusted || self.asked.untrusted;
                let Some(mut said) = Said::of(&stored, trusted, &mut progress.report) else {
                    continue;
                };
                if let Some(clean) = clean.as_deref_mut() {
                    clean.said(&mut said);
                }
                if let Some(window) = cutter.push(said, &mut progress.report) {
                    self.write(&window, verdicts, progress, open).await?;
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        match cutter.finish() {
            Some(window) => self.write(&window, verdicts, progress, open).await,
            None => Ok(()),
        }
    }

    async fn write(
        &self,
        window: &Window,
        verdicts: &Verdicts,
        progress: &mut Progress,
        open: &mut Open,
    ) -> Result<()> {
        let split = self.asked.shares.of(self.asked.seed, &window.user, &window.session);
        for kept in made(self.asked.format, window, verdicts, &mut progress.report) {
            open.keep(split, &kept)?;
        }
        // A long session fills several parts in one step.
        if open.bytes >= PART { self.flush(progress, open).await } else { Ok(()) }
    }

    async fn flush(&self, progress: &mut Progress, open: &mut Open) -> Result<()> {
        open.bytes = 0;
        for (split, (lines, examples)) in std::mem::take(&mut open.lines) {
            let name = format!("_work/part-{}-{}.jsonl", self.folder.ulid(), split.name());
            let entry = self.folder.put(&name, lines).await?;
            let (bytes, sha256) = (entry.bytes, entry.sha256);
            progress.parts.push(WorkPart { name, split, bytes, sha256, examples });
        }
        Ok(())
    }
}

impl Open {
    fn keep(&mut self, split: Split, kept: &Kept) -> Result<()> {
        let (lines, examples) = self.lines.entry(split).or_default();
        let before = lines.len();
        lines.push_str(&crate::progress::text(kept)?);
        lines.push('\n');
        *examples += 1;
        self.bytes += lines.len() - before;
        Ok(())
    }
}

/// What stands of what was said, by message: of each the newest. What a message should have said is an assistant's word, and
/// counts like one when no service key wrote it.
fn verdicts(said: Vec<Feedback>, untrusted: bool, report: &mut Report) -> Verdicts {
    let mut verdicts = Verdicts::new();
    for feedback in said {
        let mut better = feedback.better_answer;
        if better.is_some() && !feedback.trusted && !untrusted {
            report.leave(LeftOut::UntrustedWriter, 1);
            better = None;
        }
        let verdict = verdicts.entry(feedback.message).or_default();
        verdict.good = feedback.good.or(verdict.good);
        verdict.correction = better.or(verdict.correction.take());
    }
    verdicts
}

fn made(format: Format, window: &Window, verdicts: &Verdicts, report: &mut Report) -> Vec<Kept> {
    let (user, session) = (&window.user, &window.session);
    let kept =
        |ids, line, row| Kept { user: user.clone(), session: session.clone(), ids, line, row };
    if format == Format::Parquet {
        let rows = rows(window, verdicts, report).into_iter();
        return rows.map(|row| kept(Vec::new(), String::new(), Some(row))).collect();
    }
    let examples = examples(format, window, verdicts, report).into_iter();
    examples.map(|example| kept(example.message_ids, example.line, None)).collect()
}

fn count(progress: &mut Progress, clean: Option<Anonymizer>) {
    for (kind, count) in clean.into_iter().flat_map(|clean| clean.replaced) {
        *progress.replaced.entry(kind.name().to_owned()).or_default() += count;
    }
}
