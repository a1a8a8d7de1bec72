//! The door `holdfast:index`: the native index behind the types of the WIT package.

use super::Door;
use super::generated::holdfast::index::index as door;
use super::generated::holdfast::index::types as wit;
use crate::state::State;
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
        ask!(
            accessor,
            scope,
            history(session, page.into(), reading.into()),
            door::MessagePage::from
        )
    }

    async fn find_message(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        session: String,
        id: String,
        reading: wit::Reading,
    ) -> Answer<door::FoundMessage> {
        ask!(accessor, scope, find_message(session, id, reading.into()), door::FoundMessage::from)
    }

    async fn list_sessions(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        page: wit::Page,
        reading: wit::Reading,
    ) -> Answer<door::SessionPage> {
        ask!(accessor, scope, list_sessions(page.into(), reading.into()), door::SessionPage::from)
    }

    async fn select_sessions(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        filter: String,
        page: wit::Page,
        reading: wit::Reading,
    ) -> Answer<door::SessionPage> {
        ask!(
            accessor,
            scope,
            select_sessions(filter, page.into(), reading.into()),
            door::SessionPage::from
        )
    }

    async fn list_things(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        selection: door::Selection,
        page: wit::Page,
        reading: wit::Reading,
    ) -> Answer<door::ThingPage> {
        ask!(
            accessor,
            scope,
            list_things(selection.into(), page.into(), reading.into()),
            door::ThingPage::from
        )
    }

    async fn find_thing(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        kind: String,
        session: Option<String>,
        id: String,
        reading: wit::Reading,
    ) -> Answer<door::FoundThing> {
        ask!(accessor, scope, find_thing(kind, session, id, reading.into()), door::FoundThing::from)
    }

    async fn recall_memories(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        question: wit::Question,
    ) -> Answer<wit::ThingRecall> {
        ask!(accessor, scope, recall_memories(question.into()), wit::ThingRecall::from)
    }

    async fn timeline(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        page: wit::Page,
        reading: wit::Reading,
    ) -> Answer<door::TimelinePage> {
        ask!(accessor, scope, timeline(page.into(), reading.into()), door::TimelinePage::from)
    }

    async fn find_content(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        session: Option<String>,
        hash: String,
        reading: wit::Reading,
    ) -> Answer<door::MessagePage> {
        ask!(accessor, scope, find_content(session, hash, reading.into()), door::MessagePage::from)
    }

    async fn find_session(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        id: String,
        reading: wit::Reading,
    ) -> Answer<door::FoundSession> {
        ask!(accessor, scope, find_session(id, reading.into()), door::FoundSession::from)
    }

    async fn find_user(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        reading: wit::Reading,
    ) -> Answer<door::FoundUser> {
        ask!(accessor, scope, find_user(reading.into()), door::FoundUser::from)
    }

    async fn differences(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        until: u64,
        session: Option<String>,
        deleted: bool,
        after: Option<String>,
        limit: u32,
        reading: wit::Reading,
    ) -> Answer<door::DifferencePage> {
        let wanted = native::Wanted { until: Hlc(until), session, deleted };
        let part = native::Part { after, limit };
        let answer = door::DifferencePage::from;
        ask!(accessor, scope, differences(wanted, part, reading.into()), answer)
    }

    async fn changes(
        accessor: &Accessor<T, Self>,
        scope: wit::Scope,
        place: Option<String>,
        limit: u32,
        reading: wit::Reading,
    ) -> Answer<door::ChangePage> {
        ask!(accessor, scope, changes(place, limit, reading.into()), door::ChangePage::from)
    }
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    door::add_to_linker::<_, Door>(linker, |state| state)
}

holdfast_view::door_types!(wit, door);
