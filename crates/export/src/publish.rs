//! Writing files of what was gathered, each after a look at the sessions in it as they are now.

use crate::asked::Asked;
use crate::gather::Kept;
use crate::progress::{Folder, Progress, Published, WorkPart};
use crate::source::Source;
use holdfast_core::attachment::read_whole;
use holdfast_core::erase::Ledger;
use holdfast_core::exported::Exported;
use holdfast_core::ports::{Clock, Ids, Objects};
use holdfast_core::{Case, Error, Result, Scope, TenantId, UserId, key};
use holdfast_formats::Stored;
use holdfast_formats::anonymize::Anonymizer;
use holdfast_formats::training::{
    Example, FileEntry, FileName, Format, LeftOut, Report, Split, TableWriter, Window,
    database_name, file_name, memory_file, memory_name, source_line, source_name,
};
use std::collections::{BTreeMap, BTreeSet};

/// A file is made of parts of about so many bytes together.
const FILE: u64 = 8 << 20;

/// The largest file of LangChain's tree.
const MEMORY_FILE: usize = 16 << 20;

/// Rows of a row group.
const ROW_GROUP: usize = 1_000;

/// Parts that make one file.
pub(crate) struct Group {
    pub split: Split,
    pub parts: Vec<WorkPart>,
    file: FileName,
}

/// The files that these parts make.
pub(crate) fn groups(format: Format, progress: &Progress) -> Vec<Group> {
    let mut all = Vec::new();
    for split in Split::ALL {
        let mut of_split: Vec<Vec<WorkPart>> = Vec::new();
        let mut bytes = 0;
        for part in progress.parts.iter().filter(|part| part.split == split) {
            match of_split.last_mut() {
                Some(last) if bytes + part.bytes <= FILE && format != Format::Langchain => {
                    bytes += part.bytes;
                    last.push(part.clone());
                }
                _ => {
                    bytes = part.bytes;
                    of_split.push(vec![part.clone()]);
                }
            }
        }
        let parts = u32::try_from(of_split.len()).unwrap_or(u32::MAX);
        let group = |(at, group)| {
            let part = u32::try_from(at).unwrap_or(u32::MAX);
            Group { split, parts: group, file: FileName { split, part, parts } }
        };
        all.extend(of_split.into_iter().enumerate().map(group));
    }
    all
}

/// Writes files.
pub(crate) struct Publisher<'a, O, C, I, S> {
    pub folder: &'a Folder<'a, O, C, I>,
    pub source: &'a S,
    pub asked: &'a Asked,
    pub tenant: &'a TenantId,
    pub key: &'a [u8],
    pub ledger: &'a Ledger,
}

/// What a look at a file's sessions, as they are now, found.
#[derive(Default)]
struct Looked {
    /// Users who were looked at: may they be learned from?
    users: BTreeMap<String, bool>,
    /// Why sessions may not stand in it, of all.
    sessions: BTreeMap<(String, String), Option<LeftOut>>,
    /// Examples that hold a message which is not there any more, by session.
    thinned: BTreeMap<(String, String), u64>,
}

impl Looked {
    /// Sessions that may not stand in the file.
    fn without(&self) -> impl Iterator<Item = (&(String, String), LeftOut)> {
        self.sessions.iter().filter_map(|(session, why)| Some((session, (*why)?)))
    }

    fn thinned(&self) -> Vec<(String, String, u64)> {
        let thinned = self.thinned.iter();
        thinned.map(|((user, session), count)| (user.clone(), session.clone(), *count)).collect()
    }
}

impl<O: Objects, C: Clock, I: Ids, S: Source> Publisher<'_, O, C, I, S> {
    /// Writes the file of a group.
    ///
    /// Whose messages are in it is written before it, so that an erase finds it wherever this stops.
    pub async fn publish(
        &self,
        number: usize,
        group: &Group,
    ) -> Result<(Published, BTreeMap<String, u64>)> {
        let mut done = Published { split: Some(group.split), ..Published::default() };
        let mut looked = Looked::default();
        let (mut replaced, mut users) = (BTreeMap::new(), BTreeSet::new());
        let mut file = Writing::new(self.asked.format)?;
        for part in &group.parts {
            let part = kept(&self.folder.part(part).await?)?;
            if self.asked.format == Format::Langchain {
                // Its files are written one by one: of this part, which is the group's only one.
                let gathered = part.iter().map(|kept| kept.user.clone()).collect();
                self.list_users(number, &gathered).await?;
            }
            for kept in self.sifted(part, &mut looked).await? {
                users.insert(kept.user.clone());
                if self.asked.format == Format::Langchain {
                    self.memory(&kept, &mut done, &mut replaced).await?;
                } else {
                    self.take(kept, &mut file)?;
                    done.examples += 1;
                }
            }
            file.flush()?;
        }
        for (session, why) in looked.without() {
            done.report.leave(why, 1);
            done.without.push(session.clone());
        }
        let thinned = looked.thinned.values().sum::<u64>();
        done.report.leave(LeftOut::MessageGone, usize::try_from(thinned).unwrap_or(usize::MAX));
        done.thinned = looked.thinned();
        self.list_users(number, &users).await?;
        if let Some(name) = file_name(self.asked.format, group.file).filter(|_| done.examples > 0) {
            self.put(&name, file, &mut done).await?;
        }
        Ok((done, replaced))
    }

    /// Says whose messages are in the file of this number.
    pub async fn list_users(&self, number: usize, users: &BTreeSet<String>) -> Result<()> {
        let scopes = users.iter().map(|user| self.scope(user)).collect::<Result<Vec<_>>>()?;
        let list = Exported::new(self.ledger, &scopes).encode()?;
        self.folder.put(&format!("{}{number}.json", key::EXPORT_USERS), list).await.map(drop)
    }

    /// Has something of the group to go that its file still holds?
    pub async fn changed(&self, group: &Group, published: &Published) -> Result<bool> {
        let mut looked = Looked::default();
        for part in &group.parts {
            self.sifted(kept(&self.folder.part(part).await?)?, &mut looked).await?;
        }
        let mut without = looked.without().map(|(session, _)| session);
        if without.any(|session| !published.without.contains(session))
            || looked.thinned() != published.thinned
        {
            return Ok(true);
        }
        for (user, session, count) in &published.counts {
            let scope = self.scope(user)?;
            if self.source.count(&scope, session, self.asked.as_of).await? != *count {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Those of a part's examples that may stand in a file, by what is there now.
    async fn sifted(&self, part: Vec<Kept>, looked: &mut Looked) -> Result<Vec<Kept>> {
        let mut ids: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        let mut stand = Vec::new();
        for kept in part {
            if self.look(&kept, looked).await?.is_none() {
                let session = (kept.user.clone(), kept.session.clone());
                ids.entry(session).or_default().extend(kept.ids().cloned());
                stand.push(kept);
            }
        }
        let mut gone = BTreeMap::new();
        for (session, ids) in ids {
            let ids = self.gone(&session, ids).await?;
            gone.insert(session, ids);
        }
        stand.retain(|kept| {
            let session = (kept.user.clone(), kept.session.clone());
            let lost =
                gone.get(&session).is_some_and(|gone| kept.ids().any(|id| gone.contains(id)));
            if lost {
                *looked.thinned.entry(session).or_default() += 1;
            }
            !lost
        });
        Ok(stand)
    }

    /// Those of a session's messages that were deleted since they were gathered.
    async fn gone(
        &self,
        (user, session): &(String, String),
        mut ids: BTreeSet<String>,
    ) -> Result<BTreeSet<String>> {
        let (scope, asked): (Scope, Vec<String>) =
            (self.scope(user)?, ids.iter().cloned().collect());
        for id in self.source.present(&scope, session, &asked).await? {
            ids.remove(&id);
        }
        let mut gone = BTreeSet::new();
        for id in ids {
            if !self.source.has(&scope, session, &id).await? {
                gone.insert(id);
            }
        }
        Ok(gone)
    }

    async fn look(&self, kept: &Kept, looked: &mut Looked) -> Result<Option<LeftOut>> {
        let session = (kept.user.clone(), kept.session.clone());
        if let Some(known) = looked.sessions.get(&session) {
            return Ok(*known);
        }
        let scope = self.scope(&kept.user)?;
        let trains = match looked.users.get(&kept.user) {
            Some(trains) => *trains,
            None => self.source.trains(&scope).await?,
        };
        looked.users.insert(kept.user.clone(), trains);
        let why = if trains {
            match self.source.session(&scope, &kept.session).await? {
                None => Some(LeftOut::Gone),
                Some(now) => (!now.trains()).then_some(LeftOut::NoTrain),
            }
        } else {
            Some(LeftOut::NoTrain)
        };
        looked.sessions.insert(session, why);
        Ok(why)
    }

    fn scope(&self, user: &str) -> Result<Scope> {
        Ok(Scope { tenant: self.tenant.clone(), user: UserId::parse(user)? })
    }

    fn take(&self, kept: Kept, file: &mut Writing) -> Result<()> {
        let Kept { user, session, ids, line, row } = kept;
        let (user, session) = self.named(user, session);
        match (file, row) {
            (Writing::Table { rows, .. }, Some(mut row)) => {
                (row.user, row.session) = (user, session);
                rows.push(row);
            }
            (Writing::Lines { lines, sources }, _) => {
                let window = Window { user, session, tools: None, said: Vec::new() };
                lines.push_str(&line);
                lines.push('\n');
                sources.push_str(&source_line(&window, &Example { line, message_ids: ids }));
                sources.push('\n');
            }
            (Writing::Table { .. }, None) => {
                return Err(Error::corrupt("a part of an export holds no rows: begin it anew"));
            }
        }
        Ok(())
    }

    /// Ids as the export shows them.
    fn named(&self, user: String, session: String) -> (String, String) {
        if !self.asked.anonymize {
            return (user, session);
        }
        let clean = Anonymizer::new(self.key, []);
        (clean.id(&user), clean.id(&session))
    }

    async fn put(&self, name: &str, file: Writing, done: &mut Published) -> Result<()> {
        match file {
            Writing::Lines { lines, sources } => {
                done.files.push(self.folder.put(&source_name(name), sources).await?);
                let entry = self.folder.put(name, lines).await?;
                done.files.push(FileEntry { examples: done.examples, ..entry });
            }
            Writing::Table { table, .. } => {
                let entry = self.folder.put(name, table.finish()?).await?;
                done.files.push(FileEntry { examples: done.examples, ..entry });
            }
        }
        Ok(())
    }

    /// A session's file in LangChain's tree.
    async fn memory(
        &self,
        kept: &Kept,
        done: &mut Published,
        replaced: &mut BTreeMap<String, u64>,
    ) -> Result<()> {
        let scope = self.scope(&kept.user)?;
        let count = self.source.count(&scope, &kept.session, self.asked.as_of).await?;
        done.counts.push((kept.user.clone(), kept.session.clone(), count));
        let mut feeds = Vec::new();
        let (mut after, mut bytes) = (None::<String>, 0);
        loop {
            let page = self
                .source
                .messages(&scope, &kept.session, after.as_deref(), self.asked.as_of)
                .await?;
            bytes += page.items.iter().map(|feed| feed.message.text().len()).sum::<usize>();
            feeds.extend(page.items.into_iter().filter(|feed| {
                self.asked.selection.takes_message(&feed.message, feed.order.hlc.milliseconds())
            }));
            after = page.next;
            if after.is_none() || bytes > MEMORY_FILE {
                break;
            }
        }
        done.report.sessions += 1;
        let stored = feeds.iter().map(|feed| Stored {
            id: &feed.id,
            conflict_of: feed.conflict_of.as_deref(),
            index: feed.index,
            order: feed.order,
            restored_from: None,
            message: &feed.message,
        });
        let mut report = Report::default();
        let text = memory_file(stored, MEMORY_FILE, &mut report);
        // Examples of the report are counted by the caller.
        report.examples = 0;
        done.report.add(&report);
        let Some(mut text) = text else { return Ok(()) };
        if self.asked.anonymize {
            let names = self.source.names(&scope).await?;
            let mut clean = Anonymizer::new(self.key, names.iter().map(String::as_str));
            text = clean.json(&text);
            for (kind, count) in clean.replaced {
                *replaced.entry(kind.name().to_owned()).or_default() += count;
            }
        }
        let (user, session) = self.named(kept.user.clone(), kept.session.clone());
        let entry = self.folder.put(&memory_name(&user, &session), text).await?;
        done.files.push(FileEntry { examples: 1, ..entry });
        done.examples += 1;
        self.database(kept, &scope, done).await
    }

    /// The session's database in LangChain's tree, where one is attached.
    async fn database(&self, kept: &Kept, scope: &Scope, done: &mut Published) -> Result<()> {
        let found = self.source.database(scope, &kept.session, self.asked.as_of).await?;
        let Some(attachment) = found else { return Ok(()) };
        // What lies in it cannot be told apart.
        if self.asked.anonymize || attachment.size > MEMORY_FILE as u64 {
            done.report.leave(LeftOut::Database, 1);
            return Ok(());
        }
        let objects = self.folder.outside.objects;
        match read_whole(objects, scope, &attachment).await {
            Ok(bytes) => {
                let name = database_name(&kept.user, &kept.session);
                done.files.push(self.folder.put(&name, bytes).await?);
            }
            // It was replaced since then, or is damaged.
            Err(error) if error.reason == "gone" || error.case == Case::Corrupt => {
                done.report.leave(LeftOut::Database, 1);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// A file that is being written.
enum Writing {
    Lines { lines: String, sources: String },
    Table { table: TableWriter, rows: Vec<holdfast_formats::training::Row> },
}

impl Writing {
    fn new(format: Format) -> Result<Self> {
        Ok(match format {
            Format::Parquet => Self::Table { table: TableWriter::new()?, rows: Vec::new() },
            _ => Self::Lines { lines: String::new(), sources: String::new() },
        })
    }

    /// Writes the rows so far.
    fn flush(&mut self) -> Result<()> {
        if let Self::Table { table, rows } = self {
            for group in rows.chunks(ROW_GROUP) {
                table.push(group)?;
            }
            rows.clear();
        }
        Ok(())
    }
}

/// The examples of a part.
fn kept(bytes: &[u8]) -> Result<Vec<Kept>> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(serde_json::from_slice).collect::<serde_json::Result<_>>().map_err(|e| {
        Error::corrupt("a part of an export cannot be read: begin it anew").caused_by(e)
    })
}
