//! The operation: start, advance, cancel, show, list.

use crate::MANIFEST;
use crate::asked::Asked;
use crate::gather::Gatherer;
use crate::progress::{CANCELLED, Folder, Phase, Progress, Published, fresh, stepped};
use crate::publish::{Publisher, groups};
use crate::source::Source;
use hmac::{Hmac, Mac};
use holdfast_core::clock::rfc3339;
use holdfast_core::erase::Ledger;
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::{Error, Result, TenantId, key};
use holdfast_formats::training::{Format, Manifest, Report, Split, card};
use sha2::Sha256;
use std::collections::{BTreeMap, BTreeSet};
use ulid::Ulid;

/// How an export stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// There is more to do.
    Running,
    /// It is whole.
    Done,
    /// It was cancelled.
    Cancelled,
}

impl Status {
    /// Name as answers spell it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Done => "done",
            Status::Cancelled => "cancelled",
        }
    }
}

/// An export as its owner sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its id.
    pub id: String,
    /// What was asked.
    pub asked: Asked,
    /// How it stands.
    pub status: Status,
    /// Counts so far.
    pub report: Report,
    /// Files, once it is whole.
    pub manifest: Option<Manifest>,
}

impl Shown {
    /// Its id, parsed.
    ///
    /// # Errors
    /// `not_found`, never seen of an export that was shown.
    pub fn ulid(&self) -> Result<Ulid> {
        parse(&self.id)
    }
}

/// A page of exports, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listed {
    /// The page.
    pub items: Vec<Shown>,
    /// Id after which the next page begins.
    pub next: Option<String>,
}

fn folder<'a, O: Objects, C: Clock, I: Ids>(
    outside: &'a Outside<'a, O, C, I>,
    tenant: &TenantId,
    export: Ulid,
) -> Folder<'a, O, C, I> {
    Folder { outside, prefix: key::export(tenant, export) }
}

fn parse(id: &str) -> Result<Ulid> {
    let ulid = Ulid::from_string(id).ok().filter(|ulid| ulid.to_string() == id);
    ulid.ok_or_else(|| Error::not_found("there is no export of this id"))
}

/// Begins an export; nothing is read yet.
///
/// # Errors
/// What the store may answer.
pub async fn start<O: Objects, C: Clock, I: Ids>(
    outside: &Outside<'_, O, C, I>,
    tenant: &TenantId,
    asked: Asked,
) -> Result<Shown> {
    let ulid = fresh(outside);
    folder(outside, tenant, ulid).ask(&asked).await?;
    let (id, status) = (ulid.to_string(), Status::Running);
    Ok(Shown { id, asked, status, report: Report::default(), manifest: None })
}

/// How an export stands. `owner` is the user of a key that acts for one user only.
///
/// # Errors
/// `not_found` when there is none that this owner may see.
pub async fn show<O: Objects, C: Clock, I: Ids>(
    outside: &Outside<'_, O, C, I>,
    tenant: &TenantId,
    id: &str,
    owner: Option<&str>,
) -> Result<Shown> {
    let folder = folder(outside, tenant, parse(id)?);
    let asked = folder.asked().await?.filter(|asked| seen_by(asked, owner));
    let asked = asked.ok_or_else(|| Error::not_found("there is no export of this id"))?;
    let manifest: Option<Manifest> = folder.json(MANIFEST).await?;
    let id = id.to_owned();
    if let Some(manifest) = manifest {
        let report = manifest.report.clone();
        return Ok(Shown { id, asked, status: Status::Done, report, manifest: Some(manifest) });
    }
    if folder.is_cancelled().await? {
        let (status, report) = (Status::Cancelled, Report::default());
        return Ok(Shown { id, asked, status, report, manifest: None });
    }
    let report = folder.progress().await?.0.report;
    Ok(Shown { id, asked, status: Status::Running, report, manifest: None })
}

fn seen_by(asked: &Asked, owner: Option<&str>) -> bool {
    owner.is_none_or(|owner| asked.owner.as_deref() == Some(owner))
}

/// Exports after `after` (an id), oldest first, at most `limit`.
///
/// # Errors
/// What the store may answer.
pub async fn list<O: Objects, C: Clock, I: Ids>(
    outside: &Outside<'_, O, C, I>,
    tenant: &TenantId,
    after: Option<&str>,
    limit: usize,
    owner: Option<&str>,
) -> Result<Listed> {
    let prefix = key::exports(tenant);
    // `0` follows `/`: the place after everything of an export.
    let place = |id: &str| format!("{}{id}0", prefix.as_str());
    let mut at = after.map(parse).transpose()?.map(|ulid| place(&ulid.to_string()));
    let mut listed = Listed::default();
    loop {
        let page = outside.objects.list(&prefix, at.as_deref()).await?;
        let first = page.objects.first().and_then(|one| one.key.strip_prefix(prefix.as_str()));
        let Some(id) = first.and_then(|rest| rest.split('/').next()) else { return Ok(listed) };
        if listed.items.len() == limit {
            listed.next = listed.items.last().map(|last| last.id.clone());
            return Ok(listed);
        }
        match show(outside, tenant, id, owner).await {
            Ok(shown) => listed.items.push(shown),
            Err(error) if error.case == holdfast_core::Case::NotFound => {}
            Err(error) => return Err(error),
        }
        at = Some(place(id));
    }
}

/// Exports of a tenant that are neither whole nor cancelled, by id, each with the moment of its last step (Unix
/// milliseconds). Lists, and reads nothing.
///
/// # Errors
/// What the store may answer.
pub async fn running<O: Objects, C: Clock, I: Ids>(
    outside: &Outside<'_, O, C, I>,
    tenant: &TenantId,
) -> Result<Vec<(String, u64)>> {
    let prefix = key::exports(tenant);
    let (mut found, mut after) = (BTreeMap::new(), None);
    loop {
        let page = outside.objects.list(&prefix, after.as_deref()).await?;
        for listed in &page.objects {
            let rest = listed.key.strip_prefix(prefix.as_str()).unwrap_or_default();
            let Some((ulid, name)) = rest.split_once('/') else { continue };
            let Ok(ulid) = Ulid::from_string(ulid) else { continue };
            let (ended, last) = found.entry(ulid).or_insert((false, ulid.timestamp_ms()));
            *ended |= name == MANIFEST || name == CANCELLED;
            *last = stepped(name).map_or(*last, |step| step.timestamp_ms().max(*last));
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let running = found.into_iter().filter(|(_, (ended, _))| !ended);
    Ok(running.map(|(ulid, (_, last))| (ulid.to_string(), last)).collect())
}

/// Ends an export that is not whole, and removes what it gathered. Cancelling again is not an error.
///
/// # Errors
/// `not_found`; `conflict` when it is whole already.
pub async fn cancel<O: Objects, C: Clock, I: Ids>(
    outside: &Outside<'_, O, C, I>,
    tenant: &TenantId,
    id: &str,
    owner: Option<&str>,
) -> Result<Shown> {
    let shown = show(outside, tenant, id, owner).await?;
    if shown.status == Status::Done {
        let detail = "the export is done: there is nothing left to cancel";
        return Err(Error::new(holdfast_core::Case::Conflict, detail));
    }
    let folder = folder(outside, tenant, parse(id)?);
    folder.cancel().await?;
    remove_files(&folder).await?;
    folder.tidy().await?;
    Ok(Shown { status: Status::Cancelled, report: Report::default(), ..shown })
}

/// Removes files that were written of an export that will not be whole.
async fn remove_files<O: Objects, C: Clock, I: Ids>(folder: &Folder<'_, O, C, I>) -> Result<()> {
    let (mut lists, mut after) = (Vec::new(), None);
    loop {
        let page = folder.outside.objects.list(&folder.prefix, after.as_deref()).await?;
        for listed in &page.objects {
            let name = listed.key.strip_prefix(folder.prefix.as_str()).unwrap_or_default();
            if name.starts_with(key::EXPORT_USERS) {
                lists.push(folder.key(name)?);
            } else if !name.starts_with(key::EXPORT_WORK) {
                folder.outside.objects.delete(&folder.key(name)?).await?;
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    // By these an erase finds what is left.
    for list in lists {
        folder.outside.objects.delete(&list).await?;
    }
    Ok(())
}

/// One bounded step of an export: reads some sessions, or writes a file, or looks at one again, or ends it. `secret` is the
/// installation's own, for placeholders.
///
/// # Errors
/// `not_found`; what source and store may answer: then nothing is lost, and the same call goes on.
pub async fn advance<O: Objects, C: Clock, I: Ids>(
    outside: &Outside<'_, O, C, I>,
    source: &impl Source,
    tenant: &TenantId,
    id: &str,
    secret: &str,
) -> Result<Shown> {
    let shown = show(outside, tenant, id, None).await?;
    let folder = folder(outside, tenant, parse(id)?);
    if shown.status != Status::Running {
        if shown.status == Status::Cancelled {
            remove_files(&folder).await?;
        }
        folder.tidy().await?;
        return Ok(shown);
    }
    let (mut progress, last) = folder.progress().await?;
    let key = export_key(secret.as_bytes(), tenant, id);
    let asked = &shown.asked;
    let gatherer = Gatherer { folder: &folder, source, asked, tenant, key: &key };
    let ledger = Ledger::new(secret);
    let publisher =
        Publisher { folder: &folder, source, asked, tenant, key: &key, ledger: &ledger };
    match progress.phase {
        Phase::Gathering => gatherer.step(&mut progress).await?,
        Phase::Publishing => publish(&publisher, &mut progress).await?,
        Phase::Looking => {
            if look(&publisher, &mut progress).await? {
                let manifest = finish(&folder, asked, id, &progress).await?;
                folder.tidy().await?;
                let report = manifest.report.clone();
                let manifest = Some(manifest);
                return Ok(Shown { status: Status::Done, report, manifest, ..shown });
            }
        }
    }
    folder.save(&progress, last).await?;
    Ok(Shown { report: progress.report, ..shown })
}

/// The key of an export's placeholders.
fn export_key(secret: &[u8], tenant: &TenantId, id: &str) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return Vec::new() };
    mac.update(format!("export\n{tenant}\n{id}").as_bytes());
    mac.finalize().into_bytes().to_vec()
}

async fn publish<O: Objects, C: Clock, I: Ids, S: Source>(
    publisher: &Publisher<'_, O, C, I, S>,
    progress: &mut Progress,
) -> Result<()> {
    let groups = groups(publisher.asked.format, progress);
    let number = progress.published.len();
    match groups.get(number) {
        Some(group) => {
            let (published, replaced) = publisher.publish(number, group).await?;
            progress.published.push(published);
            for (kind, count) in replaced {
                *progress.replaced.entry(kind).or_default() += count;
            }
        }
        None => {
            if number == 0 {
                // Of nobody: an erase need not take it for one that holds anybody.
                publisher.list_users(0, &BTreeSet::new()).await?;
            }
            progress.phase = Phase::Looking;
        }
    }
    Ok(())
}

/// Looks at one file's sessions again, and writes it anew when one has to go; true when all were looked at.
async fn look<O: Objects, C: Clock, I: Ids, S: Source>(
    publisher: &Publisher<'_, O, C, I, S>,
    progress: &mut Progress,
) -> Result<bool> {
    let groups = groups(publisher.asked.format, progress);
    let (Some(group), Some(old)) =
        (groups.get(progress.looked), progress.published.get_mut(progress.looked))
    else {
        return Ok(true);
    };
    if publisher.changed(group, old).await? {
        let (new, _) = publisher.publish(progress.looked, group).await?;
        let gone =
            old.files.iter().filter(|file| !new.files.iter().any(|one| one.name == file.name));
        for file in gone {
            publisher.folder.outside.objects.delete(&publisher.folder.key(&file.name)?).await?;
        }
        *old = new;
        // Who spoke up here may have spoken up where was looked already.
        progress.looked = 0;
    } else {
        progress.looked += 1;
    }
    Ok(false)
}

/// Card and manifest.
async fn finish<O: Objects, C: Clock, I: Ids>(
    folder: &Folder<'_, O, C, I>,
    asked: &Asked,
    id: &str,
    progress: &Progress,
) -> Result<Manifest> {
    let mut report = progress.report.clone();
    let mut splits: BTreeMap<Split, u64> = BTreeMap::new();
    let mut files = Vec::new();
    let mut examples = 0;
    for Published { files: more, split, examples: made, report: found, .. } in &progress.published {
        files.extend(more.iter().cloned());
        examples += made;
        if let Some(split) = split.filter(|_| *made > 0) {
            *splits.entry(split).or_default() += made;
        }
        report.add(found);
    }
    report.examples = examples;
    if asked.format != Format::Langchain {
        let splits: Vec<(Split, u64)> =
            splits.iter().map(|(split, made)| (*split, *made)).collect();
        files.push(folder.put("README.md", card(asked.format, id, &splits)).await?);
    }
    let manifest = Manifest {
        v: 1,
        export: id.to_owned(),
        format: asked.format,
        created_at: rfc3339(asked.created),
        as_of: rfc3339(asked.as_of),
        seed: asked.seed,
        shares: asked.shares,
        anonymized: asked.anonymize,
        files,
        splits,
        report,
        replaced: progress.replaced.clone(),
    };
    folder.put(MANIFEST, crate::progress::text(&manifest)?).await?;
    Ok(manifest)
}
