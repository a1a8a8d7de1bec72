//! Clients store, read and delete attachments.

use super::{Client, Outcome};
use crate::host::{Place, Reading};
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error};

impl Client {
    /// Stores, reads or deletes one.
    pub(super) async fn attach(&mut self, user: usize, host: usize) -> Outcome {
        let random = &self.world.random;
        let place = Place { session: self.session(), name: format!("file{}", random.below(2)) };
        match random.below(10) {
            0..5 => self.put(user, host, place).await,
            5..8 => self.get(user, host, place).await,
            _ => self.detach(user, host, place).await,
        }
    }

    async fn put(&mut self, user: usize, host: usize, place: Place) -> Outcome {
        let world = self.world.clone();
        self.made += 1;
        let bytes = format!("bytes {} of client {}", self.made, self.name).into_bytes();
        let (token, began, sane) = (self.token(user), world.now(), world.is_sane(host));
        let (text, promised) = token.unzip();
        match world.call(host, |host| host.attach(user, place, text, bytes)).await {
            Some(Ok(stored)) => {
                let (times, clocks) = ((began, world.now()), self.clocks(host, sane));
                let mut checker = world.checker.borrow_mut();
                let kept = checker.acknowledged(&stored.key, &stored.orders, times, clocks)?;
                drop(checker);
                world.counts.add(&world.counts.attached, 1);
                let mut promise = promised.unwrap_or_default();
                promise.join(kept);
                self.keep_token(user, stored.token, promise);
                Ok(())
            }
            Some(Err(error)) => self.refused_attachment(user, &error),
            None => Ok(()),
        }
    }

    async fn detach(&mut self, user: usize, host: usize, place: Place) -> Outcome {
        let world = self.world.clone();
        let physical = world.random.chance(500_000);
        let known = Frontier::default();
        match world.call(host, |host| host.detach(user, place, known, physical)).await {
            Some(Err(error)) => self.refused_attachment(user, &error),
            _ => Ok(()),
        }
    }

    async fn get(&mut self, user: usize, host: usize, place: Place) -> Outcome {
        let world = self.world.clone();
        let latest = world.random.chance(600_000);
        let after = self.token(user).map(|(text, _)| text);
        let (reading, of) = (Reading { latest, after }, place.clone());
        match world.call(host, |host| host.attached(user, of, reading)).await {
            Some(Ok(Some(bytes))) => {
                world.checker.borrow().read_attached(user, (&place.session, &place.name), &bytes)
            }
            Some(Err(error)) => self.refused_attachment(user, &error),
            _ => Ok(()),
        }
    }

    /// One that was replaced may be gone, and the user may be erased while another comes.
    fn refused_attachment(&mut self, user: usize, error: &Error) -> Outcome {
        if error.case == Case::Conflict {
            return Ok(());
        }
        self.refused(user, error)
    }
}
