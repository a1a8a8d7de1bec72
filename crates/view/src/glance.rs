//! The newest sessions of a user who is not loaded and of whom much is sealed: read alone, so that a list of them costs
//! neither the time nor the memory of all that was ever said (`docs/decisions/0035-a-glance-at-sessions.md`).

use crate::types::{Page, Reading, SessionPage};
use crate::{Frontier, Source, UserView};
use holdfast_core::Result;
use holdfast_journal::{self as journal, Front};
use holdfast_search::Nearest;

/// Sessions of a page that is worth it.
const MOST: u32 = 200;
/// Sessions that are read beyond those of the page at first, and at a time after that: some may be deleted, or older than
/// their frames say.
const MORE: usize = 8;
/// A glance that reads more than such a part of everything is none.
const PART: u64 = 4;

/// What a glance gave.
#[derive(Debug)]
pub enum Glance {
    /// The page.
    Page(SessionPage),
    /// The journal was opened at that time, in Unix milliseconds, and is to be read whole.
    Opened(u64),
    /// The user was erased meanwhile: the journal is to be opened anew.
    Nothing,
}

/// What is wanted of a glance.
#[derive(Debug, Clone)]
pub struct Wish {
    page: Page,
    after: Option<Frontier>,
    /// Bytes that must be sealed for it.
    least: u64,
    /// Messages of all users are kept for so many days at most; 0 is for ever.
    kept: u32,
}

impl Wish {
    /// What a list asks for, where a glance can answer it: the first page, newest first, of now.
    pub fn new(page: &Page, reading: &Reading, least: u64, kept: u32) -> Option<Self> {
        let first = page.after.is_none() && page.descending && page.limit <= MOST;
        let wish = || Self { page: page.clone(), after: reading.after.clone(), least, kept };
        (first && reading.as_of.is_none()).then(wish)
    }
}

impl<N: Nearest> UserView<N> {
    /// Looks at the newest sessions of a user who is not loaded. What was read of them stays, and the user is not loaded then.
    /// Another run of [`bring`](Self::bring) may not be under way.
    ///
    /// # Errors
    /// What the store may answer; `not_yet_visible` or `corrupt` for what is needed and cannot be read.
    pub async fn glance(&self, source: &impl Source, wish: &Wish) -> Result<Glance> {
        let begun = source.now();
        self.renew_stale();
        journal::open(source, &self.journal, begun).await?;
        let renewals = self.journal.borrow().renewals();
        let found = self.newest(source, wish).await?;
        let journal = self.journal.borrow();
        if journal.renewals() != renewals || journal.is_stale() {
            return Ok(Glance::Nothing);
        }
        Ok(found.map_or(Glance::Opened(begun), Glance::Page))
    }

    async fn newest(&self, source: &impl Source, wish: &Wish) -> Result<Option<SessionPage>> {
        if self.journal.borrow().sealed().is_none_or(|bytes| bytes < wish.least) {
            return Ok(None);
        }
        let mut sink = async |applied| {
            self.follow(applied)?;
            source.turn().await
        };
        if !journal::settle_tail(source, &self.journal, &mut sink).await? {
            return Ok(None);
        }
        let front = Front::of(&self.journal.borrow());
        let Some(mut front) = front else { return Ok(None) };
        let mut count = wish.page.limit as usize + MORE;
        loop {
            let read = front.read(source, &self.journal, count, &mut sink).await?;
            if !read || front.is_past(PART) || self.let_pass(wish.kept, source.now())? {
                return Ok(None);
            }
            if self.is_whole(&front, wish) {
                return self.seen(&front, wish, source.now());
            }
            count = MORE;
        }
    }

    /// Can no unread session stand on the page, nor right after it?
    fn is_whole(&self, front: &Front, wish: &Wish) -> bool {
        let Some(reach) = front.reach() else { return true };
        let (journal, wanted) = (self.journal.borrow(), wish.page.limit as usize + 1);
        let (found, _) = journal.view().sessions(None, wanted, true);
        found.len() == wanted && found.last().is_some_and(|last| last.last > reach)
    }

    /// The page, where what the reader has seen is in it.
    fn seen(&self, front: &Front, wish: &Wish, now: u64) -> Result<Option<SessionPage>> {
        if let Some(after) = &wish.after {
            let reaches = front.highest().is_some_and(|highest| highest.hlc >= after.hlc);
            if !self.lacking(after)?.is_empty() || !(reaches || self.reaches(after)) {
                return Ok(None);
            }
        }
        self.list_sessions(&wish.page, None, now).map(Some)
    }
}
