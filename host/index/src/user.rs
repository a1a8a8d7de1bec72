//! One user here: the view, who reads for it now, and when it was last asked about.

use crate::flight::Flight;
use crate::near::Near;
use crate::settings::Settings;
use holdfast_core::{Key, Scope};
use holdfast_view::{Space, UserView};
use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;
use std::time::{Duration, Instant};
use ulid::Ulid;

/// A user whom somebody asked about: a [`UserView`] that is kept new in the background and may leave.
pub(crate) struct User {
    view: UserView<Near>,
    pub(crate) flight: Flight,
    /// Place among all users by use: the lowest leaves first.
    pub(crate) used: Cell<u64>,
    /// Bytes that are counted for it; none once it has left.
    pub(crate) bytes: Cell<Option<usize>>,
    /// Its first sessions were read alone before.
    pub(crate) glanced: Cell<bool>,
    /// Bytes of the objects that came one by one.
    pub(crate) alone: Cell<u64>,
    /// When the oldest of them was named: Unix milliseconds.
    pub(crate) oldest: Cell<Option<u64>>,
    asked: Cell<Instant>,
    poll_at: Cell<Instant>,
    pause: Cell<Duration>,
}

impl Deref for User {
    type Target = UserView<Near>;

    fn deref(&self) -> &Self::Target {
        &self.view
    }
}

impl User {
    pub(crate) fn new(scope: Scope, settings: &Settings, space: Rc<Space>) -> Self {
        let (now, near) = (Instant::now(), Near::new(settings.graph_from));
        Self {
            view: UserView::new(scope, settings.ledger.as_ref(), space, near),
            flight: Flight::default(),
            used: Cell::new(0),
            bytes: Cell::new(Some(0)),
            glanced: Cell::new(false),
            alone: Cell::new(0),
            oldest: Cell::new(None),
            asked: Cell::new(now),
            poll_at: Cell::new(now),
            pause: Cell::new(settings.poll_first),
        }
    }

    /// An object of the write-ahead log came by itself, and not with a segment.
    pub(crate) fn came_alone(&self, key: &Key, bytes: &[u8]) {
        let ulid = key.ulid().and_then(|ulid| Ulid::from_string(ulid).ok());
        let Some(at) = ulid.map(|ulid| ulid.timestamp_ms()) else { return };
        self.alone.set(self.alone.get().saturating_add(bytes.len() as u64));
        self.oldest.set(Some(self.oldest.get().map_or(at, |oldest| oldest.min(at))));
    }

    /// Somebody asks.
    pub(crate) fn asked(&self) {
        self.asked.set(Instant::now());
    }

    /// A run ended: the next poll is soon when something was `found`, later each time otherwise.
    pub(crate) fn polled(&self, found: bool, settings: &Settings) {
        let pause = if found { settings.poll_first } else { self.pause.get() * 2 };
        self.pause.set(pause.min(settings.poll_last));
        self.poll_at.set(Instant::now() + self.pause.get());
    }

    /// Nobody asked for so long that the tail was not polled: the view may be old.
    pub(crate) fn stale(&self, settings: &Settings) -> bool {
        !settings.single_host && self.poll_at.get() + settings.poll_last < Instant::now()
    }

    /// It is time for a poll in the background.
    pub(crate) fn due(&self, now: Instant, settings: &Settings) -> bool {
        self.loaded.get()
            && !self.flight.running()
            && self.poll_at.get() <= now
            && now.saturating_duration_since(self.asked.get()) < settings.idle
    }
}
