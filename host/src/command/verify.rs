//! `holdfast verify`: reads everything of users in the bucket and says what is wrong.

use super::local;
use super::settings::Values;
use crate::doctor::fleet::bytes as size;
use crate::native::apart;
use anyhow::Result;
use clap::Args;
use holdfast_core::erase::Ledger;
use holdfast_core::ports::Outside;
use holdfast_core::{Error, Key, Scope, TenantId, UserId};
use holdfast_journal::{Next, Rules, Verified, compact, mend, next_user, tenants};
use holdfast_ports::{Bucket, SystemIds, bucket};
use serde_json::json;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Examples of `--help`.
pub const EXAMPLES: &str = "Examples:
  holdfast verify                              all users of the bucket that the environment names (HOLDFAST_S3_…)
  holdfast verify --user ann --tenant acme     one user
  holdfast verify --repair                     and mend what can be mended: segments, from what they were made of
  holdfast verify --json                       for programs: an object a user

It reads every byte of the users that it looks at (egress), and writes nothing without --repair. Without a bucket in the
settings it looks at the local store below --data-dir, which no `holdfast up` may be using.

Exit code 0 when all is whole, 8 when something is wrong, 7 when nothing wrong was found and not all was looked at: the
store did not answer, or users' ids are too long for a key, which then holds a hash. --user <id> looks at each of those.";

/// Arguments of `holdfast verify`.
#[derive(Args)]
pub struct Verify {
    /// One user only; of the tenant `root_tenant` without --tenant.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Users of one tenant only.
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Seal anew what can be read no longer from what it was made of, while that is there. Nothing is removed.
    #[arg(long)]
    repair: bool,
    /// One JSON object a user.
    #[arg(long)]
    json: bool,
    /// Where a local installation keeps its secrets and its store.
    #[arg(long, default_value = "data")]
    data_dir: PathBuf,
    /// A file of settings, `name = \"value\"` a line (TOML).
    #[arg(long)]
    settings: Option<PathBuf>,
    /// One setting, `name=value`; may be repeated. `holdfast settings` lists them.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
}

/// Looks at the users, one after the other; a line each.
pub fn run(verify: &Verify) -> Result<()> {
    let mut values = Values::gather(verify.settings.as_deref(), std::env::vars(), &verify.set)?;
    let whose = Whose::new(verify, values.text("root_tenant"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (repair, json) = (verify.repair, verify.json);
    let totals = runtime.block_on(async {
        let embedded = local::existing_store(&mut values, &verify.data_dir).await?;
        let (store, ledger) = (values.store()?, values.ledger());
        let totals = apart(async move || {
            let store = bucket(store)?;
            let mut look = Look { repair, json, ledger, totals: Totals::default() };
            look.all(&store, &whose).await?;
            Ok(look.totals)
        })
        .await;
        if let Some(embedded) = embedded {
            embedded.shutdown().await;
        }
        anyhow::Ok(totals?)
    })?;
    eprintln!("{}", totals.text());
    Ok(totals.judged()?)
}

/// Whose journals are looked at.
enum Whose {
    One(Scope),
    Tenant(TenantId),
    All,
}

impl Whose {
    fn new(verify: &Verify, root_tenant: &str) -> Result<Self> {
        let tenant = verify.tenant.as_deref().map(TenantId::parse).transpose()?;
        Ok(match (&verify.user, tenant) {
            (Some(user), tenant) => {
                let tenant = tenant.map_or_else(|| TenantId::parse(root_tenant), Ok)?;
                Self::One(Scope { tenant, user: UserId::parse(user)? })
            }
            (None, Some(tenant)) => Self::Tenant(tenant),
            (None, None) => Self::All,
        })
    }
}

/// What all users have together.
#[derive(Default)]
struct Totals {
    users: u64,
    wrong: u64,
    unnamed: u64,
    objects: u64,
    bytes: u64,
}

impl Totals {
    fn text(&self) -> String {
        let Self { users, wrong, unnamed, objects, bytes } = self;
        let size = size(*bytes);
        let unnamed = match unnamed {
            0 => String::new(),
            _ => format!("; {unnamed} users were not looked at"),
        };
        format!("{users} users, {objects} objects, {size}; {wrong} users are not whole{unnamed}")
    }

    /// What is wrong comes before what was not looked at.
    fn judged(&self) -> holdfast_core::Result<()> {
        match (self.wrong, self.unnamed) {
            (0, 0) => Ok(()),
            (0, unnamed) => Err(Error::unavailable(format!(
                "{unnamed} users were not looked at, since their ids are too long for a key: --user <id> looks at each"
            ))),
            (wrong, _) => Err(Error::corrupt(format!("{wrong} users are not whole: see above"))),
        }
    }
}

/// One run.
struct Look {
    repair: bool,
    json: bool,
    ledger: Ledger,
    totals: Totals,
}

impl Look {
    async fn all(&mut self, store: &Bucket, whose: &Whose) -> holdfast_core::Result<()> {
        match whose {
            Whose::One(scope) => return self.user(store, scope).await,
            Whose::Tenant(tenant) => return self.tenant(store, tenant).await,
            Whose::All => {}
        }
        for tenant in tenants(store).await? {
            self.tenant(store, &tenant).await?;
        }
        Ok(())
    }

    async fn tenant(&mut self, store: &Bucket, tenant: &TenantId) -> holdfast_core::Result<()> {
        let mut place = None;
        while let Some(user) = next_user(store, tenant, place.as_deref()).await? {
            match &user.scope {
                Some(scope) => self.user(store, scope).await?,
                None => self.totals.unnamed += 1,
            }
            place = Some(user.place);
        }
        Ok(())
    }

    async fn user(&mut self, store: &Bucket, scope: &Scope) -> holdfast_core::Result<()> {
        if std::io::stderr().is_terminal() {
            eprint!("{}/{} …\r", scope.tenant, scope.user);
        }
        let mut verified = verified(store, scope).await?;
        let mut mended = 0;
        if self.repair && !verified.is_whole() {
            match repaired(store, scope, &self.ledger).await {
                Ok(segments) => mended = segments,
                Err(error) => eprintln!("{}/{} is not mended: {error}", scope.tenant, scope.user),
            }
            verified = self::verified(store, scope).await?;
        }
        self.totals.users += 1;
        self.totals.wrong += u64::from(!verified.is_whole());
        self.totals.objects += verified.objects;
        self.totals.bytes += verified.bytes;
        println!(
            "{}",
            if self.json { line(scope, &verified, mended) } else { row(scope, &verified, mended) }
        );
        Ok(())
    }
}

async fn verified(store: &Bucket, scope: &Scope) -> holdfast_core::Result<Verified> {
    let clock = store.clock();
    let outside = Outside { objects: store, clock: &clock, ids: &SystemIds };
    holdfast_journal::verify(&outside, scope, &Rules::default()).await
}

/// Mends what can be, then seals and merges what is due: how many segments were mended.
async fn repaired(store: &Bucket, scope: &Scope, ledger: &Ledger) -> holdfast_core::Result<usize> {
    let clock = store.clock();
    let outside = Outside { objects: store, clock: &clock, ids: &SystemIds };
    let mended = mend(&outside, scope, ledger, &Rules::default()).await?.merged;
    while compact(&outside, scope, ledger, &Rules::default()).await?.next == Next::More {}
    Ok(mended)
}

fn lists(verified: &Verified) -> [(&'static str, &[Key]); 4] {
    let Verified { missing, corrupt, newer, replaced, .. } = verified;
    [("missing", missing), ("corrupt", corrupt), ("newer", newer), ("replaced", replaced)]
}

fn row(scope: &Scope, verified: &Verified, mended: usize) -> String {
    let whole = match (verified.is_whole(), &verified.unreadable) {
        (true, _) => "whole".to_owned(),
        (false, None) => "readable, not whole".to_owned(),
        (false, Some(error)) => format!("not readable: {error}"),
    };
    let (objects, size) = (verified.objects, size(verified.bytes));
    let mended = if mended > 0 { format!("; {mended} segments mended") } else { String::new() };
    let mut row =
        format!("{}/{}: {objects} objects, {size}, {whole}{mended}", scope.tenant, scope.user);
    for (name, keys) in lists(verified) {
        row.extend(keys.iter().map(|key| format!("\n  {name:9} {key}")));
    }
    row
}

fn line(scope: &Scope, verified: &Verified, mended: usize) -> String {
    let mut line = json!({
        "tenant": scope.tenant.as_str(),
        "user": scope.user.as_str(),
        "whole": verified.is_whole(),
        "readable": verified.unreadable.is_none(),
        "objects": verified.objects,
        "bytes": verified.bytes,
        "mended": mended,
    });
    for (name, keys) in lists(verified) {
        if let Some(members) = line.as_object_mut() {
            members.insert(name.to_owned(), keys.iter().map(Key::as_str).collect());
        }
    }
    line.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope { tenant: TenantId::parse("acme").unwrap(), user: UserId::parse("ann").unwrap() }
    }

    #[test]
    fn a_row_names_what_is_wrong() {
        let mut verified = Verified { objects: 3, bytes: 5 << 20, ..Verified::default() };
        assert_eq!(row(&scope(), &verified, 0), "acme/ann: 3 objects, 5.0 MiB, whole");
        verified.corrupt.push(Key::raw("v1/x"));
        let wrong = "acme/ann: 3 objects, 5.0 MiB, readable, not whole; 1 segments mended\n  corrupt   v1/x";
        assert_eq!(row(&scope(), &verified, 1), wrong);
        let json: serde_json::Value = serde_json::from_str(&line(&scope(), &verified, 0)).unwrap();
        assert_eq!(json["corrupt"], json!(["v1/x"]));
        assert_eq!((&json["whole"], &json["readable"]), (&json!(false), &json!(true)));
    }

    #[test]
    fn users_that_were_not_looked_at_are_no_success_and_what_is_wrong_comes_first() {
        let code = |wrong, unnamed| {
            let totals = Totals { users: 3, wrong, unnamed, ..Totals::default() };
            totals.judged().map_err(|error| (error.case.exit_code(), error.detail))
        };
        assert_eq!(code(0, 0), Ok(()));
        let (exit, detail) = code(0, 2).unwrap_err();
        assert!(detail.starts_with("2 users were not looked at"), "{detail}");
        assert!(detail.contains("--user <id>"), "{detail}");
        assert_eq!((exit, code(1, 2).unwrap_err().0), (7, 8));
    }

    #[test]
    fn sizes_are_in_the_largest_unit_that_fits() {
        for (bytes, text) in
            [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (u64::MAX, "16777215.9 TiB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
