//! The nouns of `holdfast:index` between the types that bindings generate and our own: one mapping for the host and guests.

/// Implements the conversions for the modules of `types` and of `index` that bindings generated in the calling crate.
#[macro_export]
macro_rules! door_types {
    ($wit:ident, $door:ident) => {
        impl From<$crate::Frontier> for $wit::Frontier {
            fn from(frontier: $crate::Frontier) -> Self {
                Self { hlc: frontier.hlc.0, head: frontier.head, keys: frontier.keys }
            }
        }

        impl From<$wit::Frontier> for $crate::Frontier {
            fn from(frontier: $wit::Frontier) -> Self {
                Self { hlc: $crate::Hlc(frontier.hlc), head: frontier.head, keys: frontier.keys }
            }
        }

        impl From<$wit::Reading> for $crate::Reading {
            fn from(reading: $wit::Reading) -> Self {
                let consistency = match reading.consistency {
                    $wit::Consistency::Latest => $crate::Consistency::Latest,
                    $wit::Consistency::Local => $crate::Consistency::Local,
                };
                Self {
                    consistency,
                    after: reading.after.map($crate::Frontier::from),
                    as_of: reading.as_of.map($crate::Hlc),
                }
            }
        }

        impl From<$wit::Page> for $crate::Page {
            fn from(page: $wit::Page) -> Self {
                Self {
                    after: page.after,
                    rank: page.rank,
                    limit: page.limit,
                    descending: page.descending,
                }
            }
        }

        impl From<$wit::Question> for $crate::Question {
            fn from(question: $wit::Question) -> Self {
                let mode = match question.mode {
                    $wit::Mode::Hybrid => $crate::Mode::Hybrid,
                    $wit::Mode::Vector => $crate::Mode::Vector,
                    $wit::Mode::Keyword => $crate::Mode::Keyword,
                };
                let boosts = $crate::Boosts {
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

        impl From<$crate::Knowledge> for $door::Knowledge {
            fn from(known: $crate::Knowledge) -> Self {
                let present = |p: $crate::Present| $door::Present {
                    id: p.id,
                    digest: p.digest,
                    order: p.order,
                };
                Self {
                    present: known.present.into_iter().map(present).collect(),
                    deleted: known.deleted,
                    session_deleted: known.session_deleted,
                    frontier: known.frontier.into(),
                    clock_offset: known.clock_offset,
                }
            }
        }

        impl From<$crate::Message> for $wit::Message {
            fn from(message: $crate::Message) -> Self {
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
                    restored_from: message.restored_from,
                }
            }
        }

        impl From<$crate::Session> for $wit::Session {
            fn from(session: $crate::Session) -> Self {
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

        impl From<$crate::Recall> for $wit::Recall {
            fn from(recall: $crate::Recall) -> Self {
                let stage =
                    |s: $crate::Stage| $wit::Stage { name: s.name.to_owned(), value: s.value };
                let hit = |hit: $crate::Hit| $wit::Hit {
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
        impl From<$crate::MessagePage> for $door::MessagePage {
            fn from(page: $crate::MessagePage) -> Self {
                Self {
                    items: page.items.into_iter().map($wit::Message::from).collect(),
                    more: page.more,
                    late: page.late.into_iter().map($wit::Message::from).collect(),
                    frontier: page.frontier.into(),
                }
            }
        }

        impl From<$crate::SessionPage> for $door::SessionPage {
            fn from(page: $crate::SessionPage) -> Self {
                Self {
                    items: page.items.into_iter().map($wit::Session::from).collect(),
                    next: page.next,
                    frontier: page.frontier.into(),
                }
            }
        }

        impl From<$crate::Change> for $door::Change {
            fn from(change: $crate::Change) -> Self {
                Self {
                    kind: change.kind,
                    session: change.session,
                    id: change.id,
                    order: change.order,
                    arrived: change.arrived,
                    of: change.of.map(str::to_owned),
                    hidden: change.hidden,
                    digest: change.digest,
                    message: change.message.map($wit::Message::from),
                    fields: change.fields,
                }
            }
        }

        impl From<$crate::ChangePage> for $door::ChangePage {
            fn from(page: $crate::ChangePage) -> Self {
                Self {
                    items: page.items.into_iter().map($door::Change::from).collect(),
                    place: page.place,
                    more: page.more,
                    frontier: page.frontier.into(),
                }
            }
        }

        impl From<$crate::Difference> for $door::Difference {
            fn from(one: $crate::Difference) -> Self {
                Self {
                    kind: one.kind.map(str::to_owned),
                    session: one.session,
                    id: one.id,
                    order: one.order,
                    then: one.then,
                    now: one.now,
                    message: one.message.map($wit::Message::from),
                    lost: one.lost,
                    left_out: one.left_out.map(str::to_owned),
                }
            }
        }

        impl From<$crate::DifferencePage> for $door::DifferencePage {
            fn from(page: $crate::DifferencePage) -> Self {
                Self {
                    items: page.items.into_iter().map($door::Difference::from).collect(),
                    next: page.next,
                    frontier: page.frontier.into(),
                }
            }
        }

        impl From<$crate::Ended> for $door::Ended {
            fn from(one: $crate::Ended) -> Self {
                let (kind, session) = (one.kind.name().to_owned(), one.session);
                let session = session.map(|session| session.to_string());
                Self { kind, session, id: one.id, at: one.at.0 }
            }
        }

        impl From<$crate::UserFound> for $door::FoundUser {
            fn from(found: $crate::UserFound) -> Self {
                Self {
                    order: found.order,
                    body: found.body,
                    retention_days: found.retention_days,
                    horizon: found.horizon.map(|horizon| horizon.0),
                    unsaid: found.unsaid,
                    ended: found.ended.into_iter().map($door::Ended::from).collect(),
                    frontier: found.frontier.into(),
                }
            }
        }

        impl From<$crate::Found<$crate::Message>> for $door::FoundMessage {
            fn from(found: $crate::Found<$crate::Message>) -> Self {
                Self { item: found.item.map($wit::Message::from), frontier: found.frontier.into() }
            }
        }

        impl From<$crate::Found<$crate::Session>> for $door::FoundSession {
            fn from(found: $crate::Found<$crate::Session>) -> Self {
                Self { item: found.item.map($wit::Session::from), frontier: found.frontier.into() }
            }
        }

        impl From<$door::Selection> for $crate::Selection {
            fn from(selection: $door::Selection) -> Self {
                let $door::Selection { kind, session, filter } = selection;
                Self { kind, session, filter }
            }
        }

        impl From<$crate::Version> for $wit::Version {
            fn from(version: $crate::Version) -> Self {
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

        impl From<$crate::Thing> for $wit::Thing {
            fn from(thing: $crate::Thing) -> Self {
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

        impl From<$crate::ThingPage> for $door::ThingPage {
            fn from(page: $crate::ThingPage) -> Self {
                Self {
                    items: page.items.into_iter().map($wit::Thing::from).collect(),
                    next: page.next,
                    frontier: page.frontier.into(),
                }
            }
        }

        impl From<$crate::FoundThing> for $door::FoundThing {
            fn from(found: $crate::FoundThing) -> Self {
                Self {
                    item: found.item.map($wit::Thing::from),
                    history: found.history.into_iter().map($wit::Version::from).collect(),
                    deleted: found.deleted,
                    frontier: found.frontier.into(),
                }
            }
        }

        impl From<$crate::ThingRecall> for $wit::ThingRecall {
            fn from(recall: $crate::ThingRecall) -> Self {
                let stage =
                    |s: $crate::Stage| $wit::Stage { name: s.name.to_owned(), value: s.value };
                let hit = |hit: $crate::ThingHit| $wit::ThingHit {
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

        impl From<$crate::Moment> for $wit::Moment {
            fn from(moment: $crate::Moment) -> Self {
                match moment {
                    $crate::Moment::Message(message) => Self::Message(message.into()),
                    $crate::Moment::Session(session) => Self::Session(session.into()),
                    $crate::Moment::Memory(thing) => Self::Memory(thing.into()),
                }
            }
        }

        impl From<$crate::Timeline> for $door::TimelinePage {
            fn from(page: $crate::Timeline) -> Self {
                let next = page.next.map(|(after, rank)| $door::TimelinePlace { after, rank });
                Self {
                    items: page.items.into_iter().map($wit::Moment::from).collect(),
                    next,
                    frontier: page.frontier.into(),
                }
            }
        }
    };
}
