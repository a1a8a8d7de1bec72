//! What all that lies in the bucket says: how much it is, how much of it was read, and whether journals are tended.

use futures::stream::{self, StreamExt};
use holdfast_core::erase::Ledger;
use holdfast_core::ports::{Objects, Outside};
use holdfast_core::{Result, Scope, TenantId, key};
use holdfast_journal::{Lag, Rules, lag, next_user, tenants};
use holdfast_objects::{Finding, Verdict};
use holdfast_ports::{Bucket, Period, SystemIds};

/// Users whose journals are looked at at a time.
const AT_ONCE: usize = 8;
/// Users that a finding names.
const NAMED: usize = 5;

/// How much is looked at, at most.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Objects that are counted.
    pub objects: u64,
    /// Users whose journals are looked at.
    pub users: usize,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// Objects,
    pub objects: u64,
    /// their bytes;
    pub bytes: u64,
    /// there are more.
    pub more: bool,
}

/// Counts what lies in the bucket, by its lists.
///
/// # Errors
/// What the store may answer.
pub async fn stored(store: &Bucket, bounds: Bounds) -> Result<Stored> {
    let (everything, mut stored, mut after) =
        (key::everything(), Stored::default(), None::<String>);
    loop {
        let page = store.list(&everything, after.as_deref()).await?;
        stored.objects += page.objects.len() as u64;
        stored.bytes += page.objects.iter().map(|object| object.size).sum::<u64>();
        after = page.next;
        if after.is_none() {
            return Ok(stored);
        }
        if stored.objects >= bounds.objects {
            return Ok(Stored { more: true, ..stored });
        }
    }
}

/// How much is stored.
pub fn size(stored: Stored) -> Finding {
    let least = if stored.more { "more than " } else { "" };
    let found = format!("{least}{} objects, {}", stored.objects, bytes(stored.bytes));
    Finding { name: "stored", verdict: Verdict::Good, found, advice: "" }
}

/// How what was read compares with what is stored; what is not known is none.
pub fn egress(read: Option<Period>, stored: Option<Stored>) -> Finding {
    let (name, advice) = ("egress", "");
    let Some(read) = read else {
        let found = match stored {
            Some(stored) => format!(
                "not known here; a host without its cache reads up to {}: ask a running one with --url",
                bytes(stored.bytes)
            ),
            None => "not known here".to_owned(),
        };
        return Finding { name, verdict: Verdict::Good, found, advice };
    };
    let mut found = format!("{} read by this host in {} h", bytes(read.bytes), read.hours);
    let Some(stored) = stored else {
        found.push_str("; full=true compares it with what is stored");
        return Finding { name, verdict: Verdict::Good, found, advice };
    };
    let per_cent = (u128::from(read.bytes) * 100) / u128::from(stored.bytes.max(1));
    found.push_str(&format!(", {per_cent} % of what is stored"));
    // A small bucket is read often, and nobody minds.
    let much = read.bytes > stored.bytes && !stored.more && read.bytes > 1 << 30;
    if !much {
        return Finding { name, verdict: Verdict::Good, found, advice };
    }
    let advice = "providers without egress fees expect less than what is stored a month: raise cache_mib and index_memory_mib, and see that each host keeps its data directory";
    Finding { name, verdict: Verdict::Warn, found, advice }
}

/// Users of whom the bucket has keys.
#[derive(Debug, Default)]
pub struct Users {
    /// Those whose ids their keys tell,
    pub named: Vec<Scope>,
    /// and how many others there are: their keys hold a hash of the id alone.
    pub unnamed: usize,
    /// There are more.
    pub more: bool,
}

/// Users of a tenant, or of all.
///
/// # Errors
/// What the store may answer.
pub async fn users(store: &Bucket, whose: Option<&TenantId>, bounds: Bounds) -> Result<Users> {
    let tenants = match whose {
        Some(tenant) => vec![tenant.clone()],
        None => tenants(store).await?,
    };
    let mut users = Users::default();
    for tenant in tenants {
        let mut place = None::<String>;
        while let Some(user) = next_user(store, &tenant, place.as_deref()).await? {
            if users.named.len() + users.unnamed >= bounds.users {
                return Ok(Users { more: true, ..users });
            }
            users.unnamed += usize::from(user.scope.is_none());
            users.named.extend(user.scope);
            place = Some(user.place);
        }
    }
    Ok(users)
}

/// Whether there are users whose journals nobody can look at without being told their ids.
pub fn long_ids(users: &Users) -> Finding {
    let (name, first) = ("long ids", if users.more { "first " } else { "" });
    let all = users.named.len() + users.unnamed;
    if users.unnamed == 0 {
        let found = format!("the keys of the {first}{all} users tell their ids");
        return Finding { name, verdict: Verdict::Good, found, advice: "" };
    }
    let found = format!(
        "{} of the {first}{all} users were not looked at: their ids are too long for a key, which holds a hash",
        users.unnamed
    );
    let advice = "look at each with `holdfast verify --user <id>`; ids of at most 66 bytes always stand in their keys";
    Finding { name, verdict: Verdict::Warn, found, advice }
}

/// Whether these users' journals are tended.
pub async fn compaction(store: &Bucket, ledger: &Ledger, users: &[Scope], more: bool) -> Finding {
    let clock = store.clock();
    let outside = Outside { objects: store, clock: &clock, ids: &SystemIds };
    let rules = Rules::default();
    let one = async |scope: &Scope| {
        let found = lag(&outside, scope, ledger, &rules).await;
        (scope.clone(), found)
    };
    let lags: Vec<(Scope, Result<Lag>)> =
        stream::iter(users.iter().map(one)).buffer_unordered(AT_ONCE).collect().await;
    behind(lags, &rules, store.now(), more)
}

fn behind(mut lags: Vec<(Scope, Result<Lag>)>, rules: &Rules, now: u64, more: bool) -> Finding {
    let name = "compaction";
    let looked = lags.len();
    let most = lags.iter().filter_map(|(_, lag)| lag.as_ref().ok()).map(|lag| lag.objects).max();
    let first = if more { "first " } else { "" };
    lags.retain(|(_, found)| found.as_ref().map_or(true, |lag| lag.is_long(rules, now)));
    if lags.is_empty() {
        let most = most.unwrap_or(0);
        let found =
            format!("of the {first}{looked} users none is behind: at most {most} objects unsealed");
        return Finding { name, verdict: Verdict::Good, found, advice: "" };
    }
    lags.sort_by_key(|(_, found)| {
        std::cmp::Reverse(found.as_ref().map_or(usize::MAX, |l| l.objects))
    });
    let show = |(scope, found): &(Scope, Result<Lag>)| match found {
        Ok(lag) => format!("{}/{} ({} objects)", scope.tenant, scope.user, lag.objects),
        Err(error) => format!("{}/{} ({})", scope.tenant, scope.user, error.reason),
    };
    let shown: Vec<String> = lags.iter().take(NAMED).map(show).collect();
    let and = if lags.len() > NAMED { ", …" } else { "" };
    let found = format!(
        "{} of the {first}{looked} users have many objects that no segment holds: {}{and}",
        lags.len(),
        shown.join(", ")
    );
    let advice = "uncompacted journals are slow to load, never wrong: let a host run with compact_interval_ms, or call `holdfast upkeep` from cron; what is corrupt is told by `holdfast verify`";
    Finding { name, verdict: Verdict::Warn, found, advice }
}

/// A number of bytes in the largest unit that fits.
pub fn bytes(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.iter().find(|(shift, _)| bytes >> shift > 0);
    let Some((shift, name)) = unit else { return format!("{bytes} bytes") };
    let tenths = (u128::from(bytes) * 10) >> shift;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::{Error, UserId};

    fn scope(user: &str) -> Scope {
        Scope { tenant: TenantId::parse("acme").unwrap(), user: UserId::parse(user).unwrap() }
    }

    #[test]
    fn users_whose_keys_do_not_tell_their_ids_are_warned_of() {
        let users = |unnamed, more| Users { named: vec![scope("ann")], unnamed, more };
        let all = long_ids(&users(0, false));
        assert_eq!((all.verdict, all.advice), (Verdict::Good, ""));
        assert_eq!(all.found, "the keys of the 1 users tell their ids");
        let some = long_ids(&users(2, true));
        assert_eq!(some.verdict, Verdict::Warn);
        assert!(some.found.starts_with("2 of the first 3 users were not looked at"), "{some:?}");
        assert!(some.advice.contains("--user <id>"));
    }

    #[test]
    fn more_read_than_stored_is_warned_of_when_it_is_much() {
        let read = |bytes| Some(Period { bytes, hours: 7 });
        let stored = |bytes| Some(Stored { objects: 1, bytes, more: false });
        assert_eq!(egress(read(5 << 30), stored(4 << 30)).verdict, Verdict::Warn);
        assert_eq!(egress(read(3 << 30), stored(4 << 30)).verdict, Verdict::Good);
        assert_eq!(egress(read(5 << 20), stored(4 << 20)).verdict, Verdict::Good);
        let found = egress(read(3 << 30), stored(4 << 30)).found;
        assert_eq!(found, "3.0 GiB read by this host in 7 h, 75 % of what is stored");
        assert!(egress(None, stored(4 << 30)).found.contains("up to 4.0 GiB"));
    }

    #[test]
    fn users_whom_nobody_tends_are_named_and_those_that_cannot_be_read_first() {
        let rules = Rules::default();
        let few = Lag { objects: 639, bytes: 1, oldest: Some(100) };
        let many = Lag { objects: 640, ..few };
        let now = 100 + 2 * rules.seal_after;
        let fine = behind(vec![(scope("ann"), Ok(few))], &rules, now - 1, false);
        assert_eq!(fine.verdict, Verdict::Good);
        assert_eq!(fine.found, "of the 1 users none is behind: at most 639 objects unsealed");
        let old = behind(vec![(scope("ann"), Ok(few))], &rules, now, false);
        assert_eq!(old.verdict, Verdict::Warn);
        let broken = (scope("zoe"), Err(Error::corrupt("x")));
        let lags = vec![(scope("ann"), Ok(many)), (scope("bob"), Ok(few)), broken];
        let found = behind(lags, &rules, 100, true).found;
        assert!(found.starts_with("2 of the first 3 users"), "{found}");
        assert!(found.ends_with("acme/zoe (corrupt), acme/ann (640 objects)"), "{found}");
    }
}
