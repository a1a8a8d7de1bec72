//! What a user's sessions and messages were at a time and are not now.

use crate::answer::message;
use crate::types::{Difference, DifferencePage, Part};
use crate::{Frontier, Source, UserView};
use holdfast_core::fold::{self, DifferenceAt, Wanted, Within, differences};
use holdfast_core::session::SessionFields;
use holdfast_core::thing::{ThingBody, ThingKind};
use holdfast_core::{Error, Order, Result, SessionId};
use holdfast_journal::{Journal, open, settle};
use holdfast_search::Nearest;
use std::cell::RefCell;
use std::mem;

/// Bytes of text after which a page ends.
const PAGE_BYTES: usize = 4 << 20;

impl<N: Nearest> UserView<N> {
    /// The user's journal up to the time without the deletes that came since, where those are wanted and there are any.
    ///
    /// # Errors
    /// What reading the journal may meet.
    pub async fn then(
        &self,
        source: &impl Source,
        wanted: &Wanted,
    ) -> Result<Option<RefCell<Journal>>> {
        if !wanted.deleted || !self.journal.borrow().view().deleted_since(wanted) {
            return Ok(None);
        }
        let session = wanted.session.as_deref().map(SessionId::parse).transpose()?;
        let within = Within { until: Some(wanted.until), session, only: None };
        let then = RefCell::new(self.journal.borrow().anew().within(within));
        let now = source.now();
        loop {
            open(source, &then, now).await?;
            let read = settle(source, &then, now, async |_| source.turn().await).await;
            if !then.borrow_mut().renew_stale() {
                return read.map(|()| Some(then));
            }
        }
    }

    /// A page of what was otherwise. `seen` is what was seen before the past was read, `moment` is Unix milliseconds.
    ///
    /// # Errors
    /// `invalid` for a place that is none; `unavailable` when the user was erased while the past was read.
    pub fn differences(
        &self,
        then: Option<&RefCell<Journal>>,
        wanted: &Wanted,
        part: &Part,
        seen: Frontier,
        moment: u64,
    ) -> Result<DifferencePage> {
        let after = part.after.as_deref().map(place).transpose()?;
        let (now, then) = (self.journal.borrow(), then.map(RefCell::borrow));
        if then.as_ref().is_some_and(|then| then.erased() != now.erased()) {
            return Err(Error::unavailable("the user was erased meanwhile: try again"));
        }
        let then = then.as_ref().map(|then| then.view());
        let all = differences(now.view(), then, wanted, moment);
        let left = all.iter().filter(|one| after.as_ref().is_none_or(|at| one.place() > *at));
        let (mut items, mut held, mut next, mut more) = (Vec::new(), 0, None, false);
        let mut of_things = false;
        for one in left {
            let (things, ..) = one.place();
            // Things may have been made of the messages of this page, which are to be there again before.
            let apart = mem::replace(&mut of_things, things) != things && !items.is_empty();
            if apart || items.len() >= part.limit as usize || held >= PAGE_BYTES {
                more = true;
                break;
            }
            let item = item(one)?;
            held += item.message.as_ref().map_or(0, |message| message.body.len());
            held += item.then.as_ref().map_or(0, String::len);
            items.push(item);
            next = Some(text(&one.place()));
        }
        // Not what is seen now: an erase from then on lies above what is made of this.
        Ok(DifferencePage { items, next: next.filter(|_| more), frontier: seen })
    }
}

fn item(one: &fold::Difference<'_>) -> Result<Difference> {
    let json = |fields: &SessionFields| Ok::<_, Error>(fields.encode()?.get().to_owned());
    Ok(match one {
        fold::Difference::Fields { session, then, now, order } => Difference {
            session: (*session).to_owned(),
            order: order.to_string(),
            then: Some(json(then)?),
            now: now.as_ref().map(json).transpose()?,
            ..Difference::default()
        },
        fold::Difference::Message { found, parent_lost } => Difference {
            session: found.entry.session.to_string(),
            id: Some(found.entry.id.to_string()),
            order: found.entry.order.to_string(),
            message: Some(message(found)),
            lost: *parent_lost,
            ..Difference::default()
        },
        fold::Difference::Thing { found, last, lost } => {
            let (text, sources) = (last.text.clone(), last.sources.clone());
            let body = ThingBody { text, sources, vectors: Vec::new() }.encode()?;
            Difference {
                kind: Some(found.kind.name()),
                session: found.session.unwrap_or_default().to_owned(),
                id: Some(found.id.to_owned()),
                order: last.order.to_string(),
                then: Some(body.get().to_owned()),
                lost: *lost,
                ..Difference::default()
            }
        }
        fold::Difference::LeftOut { kind, session, id, why, order } => Difference {
            kind: kind.map(ThingKind::name),
            session: (*session).to_owned(),
            id: id.map(str::to_owned),
            order: order.to_string(),
            left_out: Some(why),
            ..Difference::default()
        },
    })
}

fn text((things, session, rank, order): &DifferenceAt) -> String {
    format!("{order} {} {rank} {session}", u8::from(*things))
}

fn place(text: &str) -> Result<DifferenceAt> {
    let bad = || Error::invalid("this is no place among the differences").at("after");
    let mut parts = text.splitn(4, ' ');
    let mut part = || parts.next().ok_or_else(bad);
    let (order, things, rank, session) = (part()?, part()?, part()?, part()?);
    let rank = rank.parse().map_err(|_| bad())?;
    Ok((things == "1", session.to_owned(), rank, Order::parse(order)?))
}
