//! What a user's sessions and messages were at a time and are not now.

use crate::answer::message;
use crate::types::{Difference, DifferencePage, Part};
use crate::{Frontier, Source, UserView};
use holdfast_core::fold::{self, Wanted, Within, differences};
use holdfast_core::session::SessionFields;
use holdfast_core::{Error, Order, Result, SessionId};
use holdfast_journal::{Journal, open, settle};
use holdfast_search::Nearest;
use std::cell::RefCell;

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
        let within = Within { until: Some(wanted.until), session };
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

    /// A page of what was otherwise. `seen` is what was seen before the past was read.
    ///
    /// # Errors
    /// `invalid` for a place that is none; `unavailable` when the user was erased while the past was read.
    pub fn differences(
        &self,
        then: Option<&RefCell<Journal>>,
        wanted: &Wanted,
        part: &Part,
        seen: Frontier,
    ) -> Result<DifferencePage> {
        let after = part.after.as_deref().map(place).transpose()?;
        let (now, then) = (self.journal.borrow(), then.map(RefCell::borrow));
        if then.as_ref().is_some_and(|then| then.erased() != now.erased()) {
            return Err(Error::unavailable("the user was erased meanwhile: try again"));
        }
        let all = differences(now.view(), then.as_ref().map(|then| then.view()), wanted);
        let left = all.iter().filter(|one| after.as_ref().is_none_or(|at| one.place() > *at));
        let (mut items, mut held, mut next, mut more) = (Vec::new(), 0, None, false);
        for one in left {
            if items.len() >= part.limit as usize || held >= PAGE_BYTES {
                more = true;
                break;
            }
            let item = item(one)?;
            held += item.message.as_ref().map_or(0, |message| message.body.len());
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
            parent_lost: *parent_lost,
            ..Difference::default()
        },
        fold::Difference::LeftOut { session, id, why, order } => Difference {
            session: (*session).to_owned(),
            id: id.map(str::to_owned),
            order: order.to_string(),
            left_out: Some(why),
            ..Difference::default()
        },
    })
}

fn text((session, kind, order): &(String, u8, Order)) -> String {
    format!("{order} {kind} {session}")
}

fn place(text: &str) -> Result<(String, u8, Order)> {
    let bad = || Error::invalid("this is no place among the differences").at("after");
    let mut parts = text.splitn(3, ' ');
    let (Some(order), Some(kind), Some(session)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(bad());
    };
    let kind = kind.parse().map_err(|_| bad())?;
    Ok((session.to_owned(), kind, Order::parse(order)?))
}
