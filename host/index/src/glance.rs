//! The first sessions of a user who is not here: where much is sealed they are read without the rest.

use crate::load::Brought;
use crate::shard::Shard;
use crate::user::User;
use holdfast_core::{Result, Scope};
use holdfast_view::{Glance, Page, Reading, SessionPage, Wish};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

impl Shard {
    /// The page, where a glance gave it. Else what the whole load brought that it became, if it was begun at all.
    pub(crate) async fn first_sessions(
        self: &Rc<Self>,
        scope: &Scope,
        page: &Page,
        reading: &Reading,
    ) -> Result<(Option<SessionPage>, Brought)> {
        let user = self.user(scope);
        let (least, kept) = (self.settings.glance_from, self.settings.retention_days);
        let wish = Wish::new(page, reading, least, kept);
        // Who reads already may bring all of it soon.
        let Some(wish) = wish.filter(|_| !user.loaded.get() && !user.flight.running()) else {
            return Ok((None, Brought::Nothing));
        };
        let (found, (ticket, _)) = (Rc::new(RefCell::new(None)), user.flight.board(false));
        let (shard, flown, given) = (self.clone(), user.clone(), found.clone());
        tokio::task::spawn_local(async move {
            let first = Cell::new(true);
            let run = async || match first.replace(false) {
                true => shard.look(&flown, &wish, &given).await,
                false => shard.refresh(&flown, None).await,
            };
            flown.flight.begin(run).await;
        });
        self.in_time(user.flight.land(ticket), &user).await?;
        let found = found.take();
        // Somebody stays: what comes next shall not wait for all of it.
        if found.is_some() && user.glanced.replace(true) && user.flight.board(false).1 {
            self.begin(&user);
        }
        Ok((found, Brought::Everything))
    }

    /// A glance, or the load that it gives way to.
    async fn look(
        &self,
        user: &User,
        wish: &Wish,
        found: &RefCell<Option<SessionPage>>,
    ) -> Result<()> {
        let before = user.journal.borrow().renewals();
        let glance = user.glance(self, wish).await;
        self.forget_renewed(user, before).await?;
        match glance {
            Ok(Glance::Page(page)) => {
                self.shared.glances.fetch_add(1, Relaxed);
                *found.borrow_mut() = Some(page);
                self.weigh(user);
                Ok(())
            }
            Ok(Glance::Opened(at)) => self.refresh(user, Some(at)).await,
            // A load says what is wrong.
            Ok(Glance::Nothing) | Err(_) => self.refresh(user, None).await,
        }
    }
}
