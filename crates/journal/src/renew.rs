//! What a journal does when it learns of an erase: it forgets everything, and is read anew.

use crate::heads::Heads;
use crate::read::Journal;
use holdfast_core::erase::{Erased, Ledger};
use holdfast_core::fold::{Applied, View};
use holdfast_core::{Hlc, Key, Part, key};

impl Journal {
    /// Looks for the user's erases there too: before that only those that the journal itself holds are known.
    #[must_use]
    pub fn with_ledger(mut self, ledger: &Ledger) -> Self {
        self.ledger = Some(ledger.of(&self.scope));
        self
    }

    /// Another of the same user, by the same rules and with the same ledger, that knows nothing yet.
    #[must_use]
    pub fn anew(&self) -> Self {
        let mut new = Self::with_rules(self.scope.clone(), self.rules);
        new.ledger.clone_from(&self.ledger);
        new
    }

    /// The user's last erase that is known.
    pub fn erased(&self) -> Erased {
        self.heads.erased
    }

    /// Forgets everything because of an erase, but what was named and may not be listed: all is to be read anew.
    pub fn renew(&mut self, erased: Erased) {
        let erased = erased.max(self.erased());
        let leaves =
            self.leaves.values().filter_map(|text| Key::below(&key::user(&self.scope), text));
        let named: Vec<Key> = self.owed.keys().cloned().chain(leaves).collect();
        let mut new = Self::with_rules(self.scope.clone(), self.rules);
        new.view = View::within(self.view.limits().clone());
        (new.ledger, new.markers) = (self.ledger.take(), std::mem::take(&mut self.markers));
        (new.rotation, new.renewals) = (self.rotation, self.renewals + 1);
        new.heads = Heads::of(erased);
        if let Some(at) = erased.at() {
            new.view.erase(at);
        }
        new.owe(named.into_iter().filter(|key| matches!(key.part(), Part::Wal | Part::Manifest)));
        *self = new;
    }

    /// Lets everything up to the horizon pass in its view.
    pub fn let_pass(&mut self, horizon: Hlc) -> Applied {
        self.view.let_pass(horizon)
    }

    /// How often it was renewed: numbers of its view's messages mean others each time.
    pub fn renewals(&self) -> u64 {
        self.renewals
    }

    /// It learned of an erase by itself, and is to be [renewed](Self::renew_stale).
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// [Renews](Self::renew) a journal that learned of an erase by itself; says whether it did.
    pub fn renew_stale(&mut self) -> bool {
        let stale = self.stale;
        if stale {
            self.renew(self.erased());
        }
        stale
    }

    /// The fold may have met an erase: what that settles is owed no longer.
    pub(crate) fn note_erase(&mut self) {
        let erased = self.view.graves().erased().map(Erased::by).unwrap_or_default();
        if erased > self.heads.erased {
            self.heads.erased = erased;
            self.stale = true;
            self.forgive();
        }
    }

    /// One that is gone may be so because of an erase. One that is there by name is there at once.
    pub(crate) fn is_erased(&self, key: &Key) -> bool {
        self.heads.erased.may_lack(key)
    }
}
