//! The typed door `index`: each call enters the instance's index and answers in the door's types.

use crate::bindings::Door;
use crate::bindings::exports::holdfast::index::index as door;
use crate::bindings::holdfast::index::types as wit;
use crate::held::{Index, index};
use holdfast_core::{Result, Scope, TenantId, UserId, wit_error};
use holdfast_view::{Hlc, Part, Wanted, door_types};

door_types!(wit, door);
wit_error!(wit);

async fn enter(scope: wit::Scope) -> Result<(&'static Index, Scope)> {
    let scope =
        Scope { tenant: TenantId::parse(&scope.tenant)?, user: UserId::parse(&scope.user)? };
    Ok((index().await?, scope))
}

/// One call: enter, ask, turn the answer into the door's type.
macro_rules! ask {
    ($scope:ident, |$index:ident, $user:ident| $asked:expr) => {{
        let asked = async {
            let ($index, $user) = enter($scope).await?;
            $asked
        };
        let answer: Result<_> = asked.await;
        Ok(answer.map_err(wit::Error::from)?.into())
    }};
}

impl door::Guest for Door {
    async fn known(
        scope: wit::Scope,
        session: String,
        ids: Vec<String>,
    ) -> Result<door::Knowledge, wit::Error> {
        ask!(scope, |index, user| Ok(index.known(&user, &session, &ids)))
    }

    async fn upsert(scope: wit::Scope, objects: Vec<wit::Object>) -> Result<(), wit::Error> {
        let objects: Vec<_> = objects.into_iter().map(|o| (o.key, o.bytes.into())).collect();
        ask!(scope, |index, user| index.upsert(&user, &objects))
    }

    async fn participants(scope: wit::Scope) -> Result<Vec<String>, wit::Error> {
        ask!(scope, |index, user| index.participants(&user).await)
    }

    async fn search(scope: wit::Scope, question: wit::Question) -> Result<wit::Recall, wit::Error> {
        ask!(scope, |index, user| index.search(&user, question.into()).await)
    }

    async fn history(
        scope: wit::Scope,
        session: String,
        page: wit::Page,
        reading: wit::Reading,
    ) -> Result<door::MessagePage, wit::Error> {
        ask!(scope, |index, user| index
            .history(&user, &session, &page.into(), &reading.into())
            .await)
    }

    async fn find_message(
        scope: wit::Scope,
        session: String,
        id: String,
        reading: wit::Reading,
    ) -> Result<door::FoundMessage, wit::Error> {
        ask!(scope, |index, user| index.find_message(&user, &session, &id, &reading.into()).await)
    }

    async fn list_sessions(
        scope: wit::Scope,
        page: wit::Page,
        reading: wit::Reading,
    ) -> Result<door::SessionPage, wit::Error> {
        ask!(scope, |index, user| index.list_sessions(&user, &page.into(), &reading.into()).await)
    }

    async fn select_sessions(
        scope: wit::Scope,
        filter: String,
        page: wit::Page,
        reading: wit::Reading,
    ) -> Result<door::SessionPage, wit::Error> {
        ask!(scope, |index, user| index
            .select_sessions(&user, &filter, &page.into(), &reading.into())
            .await)
    }

    async fn list_things(
        scope: wit::Scope,
        selection: door::Selection,
        page: wit::Page,
        reading: wit::Reading,
    ) -> Result<door::ThingPage, wit::Error> {
        ask!(scope, |index, user| index
            .list_things(&user, &selection.into(), &page.into(), &reading.into())
            .await)
    }

    async fn find_thing(
        scope: wit::Scope,
        kind: String,
        session: Option<String>,
        id: String,
        reading: wit::Reading,
    ) -> Result<door::FoundThing, wit::Error> {
        ask!(scope, |index, user| index
            .find_thing(&user, &kind, (session.as_deref(), &id), &reading.into())
            .await)
    }

    async fn recall_memories(
        scope: wit::Scope,
        question: wit::Question,
    ) -> Result<wit::ThingRecall, wit::Error> {
        ask!(scope, |index, user| index.recall_memories(&user, question.into()).await)
    }

    async fn timeline(
        scope: wit::Scope,
        page: wit::Page,
        reading: wit::Reading,
    ) -> Result<door::TimelinePage, wit::Error> {
        ask!(scope, |index, user| index.timeline(&user, &page.into(), &reading.into()).await)
    }

    async fn find_content(
        scope: wit::Scope,
        session: Option<String>,
        hash: String,
        reading: wit::Reading,
    ) -> Result<door::MessagePage, wit::Error> {
        ask!(scope, |index, user| index
            .find_content(&user, session.as_deref(), &hash, &reading.into())
            .await)
    }

    async fn find_session(
        scope: wit::Scope,
        id: String,
        reading: wit::Reading,
    ) -> Result<door::FoundSession, wit::Error> {
        ask!(scope, |index, user| index.find_session(&user, &id, &reading.into()).await)
    }

    async fn find_user(
        scope: wit::Scope,
        reading: wit::Reading,
    ) -> Result<door::FoundUser, wit::Error> {
        ask!(scope, |index, user| index.find_user(&user, &reading.into()).await)
    }

    async fn differences(
        scope: wit::Scope,
        until: u64,
        session: Option<String>,
        deleted: bool,
        after: Option<String>,
        limit: u32,
        reading: wit::Reading,
    ) -> Result<door::DifferencePage, wit::Error> {
        let wanted = Wanted { until: Hlc(until), session, deleted };
        let part = Part { after, limit };
        ask!(scope, |index, user| index.differences(&user, &wanted, &part, &reading.into()).await)
    }

    async fn changes(
        scope: wit::Scope,
        place: Option<String>,
        limit: u32,
        reading: wit::Reading,
    ) -> Result<door::ChangePage, wit::Error> {
        ask!(scope, |index, user| index
            .changes(&user, place.as_deref(), limit, &reading.into())
            .await)
    }
}
