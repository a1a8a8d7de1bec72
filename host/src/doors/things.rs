//! Things of the door `holdfast:index`: the native index's types as those of the WIT package.

use super::generated::holdfast::index::index as door;
use super::generated::holdfast::index::types as wit;
use holdfast_index as native;

impl From<door::Selection> for native::Selection {
    fn from(selection: door::Selection) -> Self {
        let door::Selection { kind, session, filter } = selection;
        Self { kind, session, filter }
    }
}

impl From<native::Version> for wit::Version {
    fn from(version: native::Version) -> Self {
        Self {
            order: version.order,
            at: version.at.0,
            by: version.by,
            trusted: version.trusted,
            body: version.body,
            sources: version.sources,
        }
    }
}

impl From<native::Thing> for wit::Thing {
    fn from(thing: native::Thing) -> Self {
        Self {
            kind: thing.kind,
            session: thing.session,
            id: thing.id,
            created_at: thing.created_at.0,
            last: thing.last.into(),
            sources: thing.sources,
        }
    }
}

impl From<native::ThingPage> for door::ThingPage {
    fn from(page: native::ThingPage) -> Self {
        Self {
            items: page.items.into_iter().map(wit::Thing::from).collect(),
            next: page.next,
            frontier: page.frontier.into(),
        }
    }
}

impl From<native::FoundThing> for door::FoundThing {
    fn from(found: native::FoundThing) -> Self {
        Self {
            item: found.item.map(wit::Thing::from),
            history: found.history.into_iter().map(wit::Version::from).collect(),
            deleted: found.deleted,
            frontier: found.frontier.into(),
        }
    }
}

impl From<native::ThingRecall> for wit::ThingRecall {
    fn from(recall: native::ThingRecall) -> Self {
        let stage = |s: native::Stage| wit::Stage { name: s.name.to_owned(), value: s.value };
        let hit = |hit: native::ThingHit| wit::ThingHit {
            thing: hit.thing.into(),
            score: hit.score,
            stages: hit.stages.into_iter().map(stage).collect(),
        };
        Self {
            hits: recall.hits.into_iter().map(hit).collect(),
            pending: recall.pending,
            frontier: recall.frontier.into(),
        }
    }
}

impl From<native::Moment> for wit::Moment {
    fn from(moment: native::Moment) -> Self {
        match moment {
            native::Moment::Message(message) => Self::Message(message.into()),
            native::Moment::Session(session) => Self::Session(session.into()),
            native::Moment::Memory(thing) => Self::Memory(thing.into()),
        }
    }
}

impl From<native::Timeline> for door::TimelinePage {
    fn from(page: native::Timeline) -> Self {
        let next = page.next.map(|(after, rank)| door::TimelinePlace { after, rank });
        Self {
            items: page.items.into_iter().map(wit::Moment::from).collect(),
            next,
            frontier: page.frontier.into(),
        }
    }
}
