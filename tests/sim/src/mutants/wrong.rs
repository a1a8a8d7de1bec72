//! Where mutants are wrong: in what the store sees, in what a host sees of it, and when.

use super::Mutant;
use crate::bucket::Role;
use crate::plan::{MINUTE, SECOND};
use crate::world::World;
use bytes::Bytes;
use holdfast_core::cover::Cover;
use holdfast_core::ports::Page;
use holdfast_core::record::{Kind, Record};
use holdfast_core::thing::ThingKind;
use holdfast_core::{Key, Part, key};
use holdfast_journal::Journal;
use ulid::Ulid;

impl Mutant {
    /// The name that the store sees for `key`.
    pub fn stored_name(self, key: &str) -> String {
        let own = || key.to_owned();
        let Some((folder, name)) = key.rsplit_once('/') else { return own() };
        let Some(ulid) = name.get(..26).and_then(|t| Ulid::from_string(t).ok()) else {
            return own();
        };
        match self {
            // Seconds make the name, and nothing else.
            Mutant::SharedKey if key.ends_with(".jsonl") => {
                let second = ulid.timestamp_ms() / SECOND * SECOND;
                format!("{folder}/{}-{}.jsonl", Ulid::from_parts(second, 0), "0".repeat(32))
            }
            Mutant::NamesOfHashAlone if is_sealed(key) => {
                let rest = name.get(26..).unwrap_or_default();
                format!("{folder}/{}{rest}", Ulid::nil())
            }
            _ => own(),
        }
    }

    /// Remembers what is stored under another name than its own.
    pub fn note_alias(self, world: &World, name: &str, key: &str) {
        if self == Mutant::NamesOfHashAlone && name != key {
            let mut aliases = world.aliases.borrow_mut();
            aliases.entry(name.to_owned()).or_default().insert(key.to_owned());
        }
    }

    /// The name under which `key` is looked for.
    pub fn found_name(self, world: &World, role: Role, key: &str) -> String {
        if self != Mutant::PrefixBlindErase || role != Role::Sweeps || world.store.is_there(key) {
            return self.stored_name(key);
        }
        let others = world.users.iter().map(key::user);
        let mut others = others.filter_map(|to| {
            let from = world.users.iter().map(key::user);
            let from = from.filter(|from| key.starts_with(from.as_str()));
            let rest = from.filter_map(|from| key.strip_prefix(from.as_str()).map(str::to_owned));
            rest.map(|rest| format!("{}{rest}", to.as_str())).find(|key| world.store.is_there(key))
        });
        others.next().unwrap_or_else(|| key.to_owned())
    }

    /// What a list answers.
    pub fn list(
        self,
        world: &World,
        role: Role,
        (prefix, after): (&str, Option<&str>),
        now: u64,
        reader: usize,
    ) -> Page {
        let mut page = world.store.list(prefix, after, now, reader);
        match self {
            Mutant::NamesOfHashAlone => {
                let aliases = world.aliases.borrow();
                let listed = std::mem::take(&mut page.objects);
                page.objects = listed
                    .into_iter()
                    .flat_map(|one| match aliases.get(&one.key) {
                        None => vec![one],
                        Some(keys) => {
                            let named = |key: &String| {
                                let mut named = one.clone();
                                named.key.clone_from(key);
                                named
                            };
                            keys.iter().map(named).collect()
                        }
                    })
                    .collect();
            }
            Mutant::HeadAgeRuleAlone if prefix.ends_with("/man/") => {
                let newest = world.store.all(prefix).last().map_or(0, |one| one.modified);
                page.objects.retain(|one| one.modified + world.plan.rules.grace > newest);
            }
            Mutant::PartsStay if role == Role::Collects => {
                page.objects.retain(|one| !one.key.contains("/idx/"));
            }
            Mutant::PrefixBlindErase if role == Role::Sweeps && after.is_none() => {
                let blind = prefix.trim_end_matches('/');
                let users = world.users.iter().map(key::user);
                for other in users
                    .filter(|other| other.as_str() != prefix && other.as_str().starts_with(blind))
                {
                    let more = world.store.list(other.as_str(), None, now, usize::MAX);
                    page.objects.extend(more.objects.into_iter().filter_map(|mut one| {
                        let rest = one.key.strip_prefix(other.as_str())?.to_owned();
                        one.key = format!("{prefix}{rest}");
                        Some(one)
                    }));
                }
            }
            _ => {}
        }
        page
    }

    /// The bytes that come of a GET.
    pub fn got_bytes(self, role: Role, key: &Key, bytes: Bytes) -> Bytes {
        match (self, role, key.part()) {
            (Mutant::TombstoneDropped, Role::Tends, Part::Wal) => {
                kept(&bytes, |record| record.kind != Kind::Tombstone)
            }
            (Mutant::AttachmentForgotten, Role::Collects, Part::Wal) => {
                kept(&bytes, |record| record.kind != Kind::Thing(ThingKind::Attachment))
            }
            (Mutant::PurgeForgotten, Role::Tends, Part::Cover) => {
                without_purges(&bytes).unwrap_or(bytes)
            }
            _ => bytes,
        }
    }

    /// The bytes that a reader takes a WAL object for.
    pub fn read_bytes(self, bytes: &Bytes, journal: &Journal) -> Bytes {
        match self {
            Mutant::TombstoneLoses => kept(bytes, |record| match &record.session {
                Some(session) if record.kind == Kind::Tombstone => {
                    journal.view().session(session.as_str()).is_some()
                }
                _ => true,
            }),
            Mutant::DerivedByItsOwnTime => {
                let text = String::from_utf8_lossy(bytes);
                let own = |line: &str| {
                    let parts = line.split_once(r#","from":""#);
                    let parts = parts.and_then(|(a, b)| Some((a, b.split_once('"')?.1)));
                    parts.map_or_else(
                        || line.to_owned(),
                        |(before, after)| format!("{before}{after}"),
                    )
                };
                let lines: Vec<String> = text.lines().map(own).collect();
                Bytes::from(lines.join("\n") + "\n")
            }
            _ => bytes.clone(),
        }
    }

    /// Where a list really begins.
    pub fn list_from(self, prefix: &str, after: Option<&str>) -> Option<String> {
        let own = after.map(str::to_owned);
        if self != Mutant::HorizonWithoutMargin {
            return own;
        }
        // Only the start that a poll made up is a bare ULID.
        let start = after.and_then(|after| after.strip_prefix(prefix));
        let start = start.and_then(|name| Ulid::from_string(name).ok());
        match start {
            Some(start) => {
                let late = Ulid::from_parts(start.timestamp_ms() + 20 * MINUTE, 0);
                Some(format!("{prefix}{late}"))
            }
            None => own,
        }
    }
}

/// The cover as if no purge were among the records of its segment.
fn without_purges(bytes: &Bytes) -> Option<Bytes> {
    let mut cover = Cover::decode(bytes).ok()?;
    cover.purges.clear();
    cover.encode().ok().map(Bytes::from)
}

fn is_sealed(key: &str) -> bool {
    key.contains("/seg/") || key.contains("/cov/")
}

/// The object without the records that are not wanted.
fn kept(bytes: &Bytes, wanted: impl Fn(&Record) -> bool) -> Bytes {
    let text = String::from_utf8_lossy(bytes);
    let keep = |line: &&str| serde_json::from_str(line).is_ok_and(|record| wanted(&record));
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let lines: Vec<&str> = std::iter::once(header).chain(lines.filter(keep)).collect();
    Bytes::from(lines.join("\n") + "\n")
}
