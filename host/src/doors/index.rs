//! The door `holdfast:index`: the native index behind the types of the WIT package.

use super::Door;
use super::generated::holdfast::index::index as door;
use super::generated::holdfast::index::types as wit;
use crate::state::State;
use holdfast_core::token::Frontier;
use holdfast_core::{Error, Hlc, Scope, TenantId, UserId};
use holdfast_index as native;
use wasmtime::component::{Accessor, Linker};

type Answer<T> = wasmtime::Result<Result<T, wit::Error>>;

impl door::Host for &mut State {}

/// The index and the scope of a call.
fn enter<T: Send + 'static>(
    accessor: &Accessor<T, Door>,
    scope: wit::Scope,
) -> Result<(native::Index, Scope), Error> {
    let index = accessor.with(|mut access| access.get().doors.index.clone());
    let index = index.ok_or_else(|| Error::unavailable("this host has no index"))?;
    let scope =
        Scope { tenant: TenantId::parse(&scope.tenant)?, user: UserId::parse(&scope.user)? };
    Ok((index, scope))
}

/// One call: enter, ask, turn the answer into the door's type.
macro_rules! ask {
    ($accessor:ident, $scope:ident, $method:ident($($argument:expr),*), $answer:expr) => {{
        let asked = async {
            let (index, scope) = enter($accessor, $scope)?;
            index.$method(scope, $($argument),*).await
        };
        Ok(asked.await.map($answer).map_err(wit::Error::from))
    }};
}

impl<T: Send + 'static> door::HostWithStore<T> for Door {
    async fn known(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        session: String,
        ids: Vec<String>,
    ) -> Answer<door::Knowledge> {
        ask!(accessor, scope, known(session, ids), door::Knowledge::from)
    }

    async fn upsert(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        objects: Vec<wit::Object>,
    ) -> Answer<()> {
        let objects = objects.into_iter().map(|o| (o.key, o.bytes.into())).collect();
        let written = accessor.with(|mut access| access.get().doors.written.clone());
        if let (Ok(tenant), Ok(user)) = (TenantId::parse(&scope.tenant), UserId::parse(&scope.user))
        {
            written.add(&Scope { tenant, user });
        }
        ask!(accessor, scope, upsert(objects), |()| ())
    }

    async fn participants(accessor: &Accessor<T, Self>, scope: wit::Scope) -> Answer<Vec<String>> {
        ask!(accessor, scope, participants(), |names| names)
    }

    async fn search(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        question: wit::Question,
    ) -> Answer<wit::Recall> {
        ask!(accessor, scope, search(question.into()), wit::Recall::from)
    }

    async fn history(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        session: String,
        page: wit::Page,
        reading: wit::Reading,
    ) -> Answer<door::MessagePage> {
        ask!(accessor, scope, history(session, page.into(), reading.into()), |found| {
            door::MessagePage {
                items: found.items.into_iter().map(wit::Message::from).collect(),
                more: found.more,
                late: found.late.into_iter().map(wit::Message::from).collect(),
                frontier: found.frontier.into(),
            }
        })
    }

    async fn find_message(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        session: String,
        id: String,
        reading: wit::Reading,
    ) -> Answer<door::FoundMessage> {
        ask!(accessor, scope, find_message(session, id, reading.into()), |found| {
            door::FoundMessage {
                item: found.item.map(wit::Message::from),
                frontier: found.frontier.into(),
            }
        })
    }

    async fn list_sessions(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        page: wit::Page,
        reading: wit::Reading,
    ) -> Answer<door::SessionPage> {
        ask!(accessor, scope, list_sessions(page.into(), reading.into()), |found| {
            door::SessionPage {
                items: found.items.into_iter().map(wit::Session::from).collect(),
                next: found.next,
                frontier: found.frontier.into(),
            }
        })
    }

    async fn find_session(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        id: String,
        reading: wit::Reading,
    ) -> Answer<door::FoundSession> {
        ask!(accessor, scope, find_session(id, reading.into()), |found| {
            door::FoundSession {
                item: found.item.map(wit::Session::from),
                frontier: found.frontier.into(),
            }
        })
    }
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    door::add_to_linker::<_, Door>(linker, |state| state)
}

impl From<Frontier> for wit::Frontier {
    fn from(frontier: Frontier) -> Self {
        Self { hlc: frontier.hlc.0, head: frontier.head, keys: frontier.keys }
    }
}

impl From<wit::Frontier> for Frontier {
    fn from(frontier: wit::Frontier) -> Self {
        Self { hlc: Hlc(frontier.hlc), head: frontier.head, keys: frontier.keys }
    }
}

impl From<wit::Reading> for native::Reading {
    fn from(reading: wit::Reading) -> Self {
        let consistency = match reading.consistency {
            wit::Consistency::Latest => native::Consistency::Latest,
            wit::Consistency::Local => native::Consistency::Local,
        };
        Self {
            consistency,
            after: reading.after.map(Frontier::from),
            as_of: reading.as_of.map(Hlc),
        }
    }
}

impl From<wit::Page> for native::Page {
    fn from(page: wit::Page) -> Self {
        Self { after: page.after, rank: page.rank, limit: page.limit, descending: page.descending }
    }
}

impl From<wit::Question> for native::Question {
    fn from(question: wit::Question) -> Self {
        let mode = match question.mode {
            wit::Mode::Hybrid => native::Mode::Hybrid,
            wit::Mode::Vector => native::Mode::Vector,
            wit::Mode::Keyword => native::Mode::Keyword,
        };
        let boosts = native::Boosts {
            speaker: question.boosts.speaker,
            date: question.boosts.date,
            same_session: question.boosts.same_session,
            dense_places: question.boosts.dense_places,
        };
        Self {
            text: question.text,
            vector: question.vector,
            space: question.space,
            session: question.session,
            from_session: question.from_session,
            filter: question.filter,
            mode,
            boosts,
            limit: question.limit,
            reading: question.reading.into(),
        }
    }
}

impl From<native::Knowledge> for door::Knowledge {
    fn from(known: native::Knowledge) -> Self {
        let present =
            |p: native::Present| door::Present { id: p.id, digest: p.digest, order: p.order };
        Self {
            present: known.present.into_iter().map(present).collect(),
            deleted: known.deleted,
            session_deleted: known.session_deleted,
            frontier: known.frontier.into(),
            clock_offset: known.clock_offset,
        }
    }
}

impl From<native::Message> for wit::Message {
    fn from(message: native::Message) -> Self {
        Self {
            session: message.session,
            id: message.id,
            conflict_of: message.conflict_of,
            order: message.order,
            rank: message.rank,
            at: message.at.0,
            by: message.by,
            trusted: message.trusted,
            body: message.body,
        }
    }
}

impl From<native::Session> for wit::Session {
    fn from(session: native::Session) -> Self {
        Self {
            id: session.id,
            body: session.body,
            order: session.order,
            created_at: session.created_at.0,
            last_activity: session.last_activity.0,
            messages: session.messages,
        }
    }
}

impl From<native::Recall> for wit::Recall {
    fn from(recall: native::Recall) -> Self {
        let stage = |s: native::Stage| wit::Stage { name: s.name.to_owned(), value: s.value };
        let hit = |hit: native::Hit| wit::Hit {
            message: hit.message.into(),
            score: hit.score,
            stages: hit.stages.into_iter().map(stage).collect(),
        };
        Self {
            hits: recall.hits.into_iter().map(hit).collect(),
            pending: recall.pending,
            indexed_through: recall.indexed_through,
            frontier: recall.frontier.into(),
        }
    }
}
