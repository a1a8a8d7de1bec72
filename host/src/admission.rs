//! Who may come in how often: requests and bytes by tenant, and by address for those who bring no valid key.
//!
//! A key is told from a made-up one by its MAC (or the first key's hash), without I/O; whether it is revoked is the
//! component's business. A full bucket of tokens is one second's worth.

use holdfast_core::access::ApiKey;
use holdfast_core::{Case, Error, Result, TenantId, token};
use holdfast_journal::key_text;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Buckets kept; beyond it the fullest, which say the least, are dropped.
const MAX_BUCKETS: usize = 10_000;

/// How much may come in, each second. 0 is without limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// Requests of one tenant.
    pub tenant_requests: u32,
    /// Bytes of one tenant's request bodies.
    pub tenant_bytes: u32,
    /// Requests from one address that carry no valid key.
    pub address_requests: u32,
}

/// Keeps the buckets.
pub struct Admission {
    rates: Rates,
    root_secret: String,
    root_key_sha256: String,
    requests: Buckets<TenantId>,
    bytes: Buckets<TenantId>,
    addresses: Buckets<IpAddr>,
}

impl Admission {
    /// An admission that knows which keys are the installation's.
    pub fn new(rates: Rates, root_secret: &str, root_key_sha256: &str) -> Self {
        Self {
            rates,
            root_secret: root_secret.to_owned(),
            root_key_sha256: root_key_sha256.to_owned(),
            requests: Buckets::default(),
            bytes: Buckets::default(),
            addresses: Buckets::default(),
        }
    }

    /// Lets a request in.
    ///
    /// # Errors
    /// `exhausted`, with the seconds after which there is room again.
    pub fn admit(&self, headers: &HeaderMap, from: IpAddr, now: Instant) -> Result<()> {
        let Some(tenant) = self.tenant(headers) else {
            let rate = self.rates.address_requests;
            let what = "requests without a valid key from this address";
            return self.addresses.take(from, 1, rate, now).map_err(|wait| exhausted(what, wait));
        };
        let size = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let requests = self.requests.take(tenant.clone(), 1, self.rates.tenant_requests, now);
        requests.map_err(|wait| exhausted("requests of this tenant", wait))?;
        let bytes = self.bytes.take(tenant, size.unwrap_or(0), self.rates.tenant_bytes, now);
        bytes.map_err(|wait| exhausted("bytes of this tenant", wait))
    }

    fn tenant(&self, headers: &HeaderMap) -> Option<TenantId> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let text = key_text(header("authorization"), header("x-api-key")).ok()?;
        let key = ApiKey::parse_unchecked(&text)?;
        let first = token::same(self.root_key_sha256.as_bytes(), key.sha256().as_bytes());
        (first || ApiKey::parse(&text, self.root_secret.as_bytes()).is_ok()).then_some(key.tenant)
    }
}

fn exhausted(what: &str, wait: u32) -> Error {
    Error::new(Case::Exhausted, format!("too many {what}: wait {wait} s")).retry_after(wait)
}

/// Buckets of tokens by name.
struct Buckets<K>(Mutex<HashMap<K, (f64, Instant)>>);

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Hash + Eq> Buckets<K> {
    /// Takes `tokens` of `rate` a second; what is larger than a whole bucket takes a full one. Else the seconds to wait.
    fn take(&self, name: K, tokens: u32, rate: u32, now: Instant) -> std::result::Result<(), u32> {
        if rate == 0 {
            return Ok(());
        }
        let (rate, tokens) = (f64::from(rate), f64::from(tokens.min(rate)));
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let filled = |(left, last): (f64, Instant)| {
            rate.min(left + now.saturating_duration_since(last).as_secs_f64() * rate)
        };
        if buckets.len() >= MAX_BUCKETS {
            buckets.retain(|_, bucket| filled(*bucket) < rate);
        }
        let bucket = buckets.entry(name).or_insert((rate, now));
        let left = filled(*bucket);
        let taken = left >= tokens;
        *bucket = (if taken { left - tokens } else { left }, now);
        // A rate is positive and a bucket holds a second's worth at most.
        if taken { Ok(()) } else { Err(((tokens - left) / rate).ceil().max(1.0) as u32) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::KeyId;
    use std::time::Duration;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn admission(rates: Rates) -> (Admission, HeaderMap) {
        let (tenant, kid) = (TenantId::parse("t").unwrap(), KeyId::parse("k").unwrap());
        let key = ApiKey::mint(tenant, kid, &[7; 18], SECRET.as_bytes()).reveal();
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {key}").parse().unwrap());
        (Admission::new(rates, SECRET, ""), headers)
    }

    fn here() -> IpAddr {
        IpAddr::from([127, 0, 0, 1])
    }

    #[test]
    fn a_tenant_has_its_requests_a_second_and_then_waits() {
        let (admission, headers) = admission(Rates { tenant_requests: 3, ..Rates::default() });
        let now = Instant::now();
        for _ in 0..3 {
            admission.admit(&headers, here(), now).unwrap();
        }
        let error = admission.admit(&headers, here(), now).unwrap_err();
        assert_eq!((error.status(), error.retry_after), (429, Some(1)));
        admission.admit(&headers, here(), now + Duration::from_secs(1)).unwrap();
    }

    #[test]
    fn a_tenant_has_its_bytes_a_second() {
        let (admission, mut headers) = admission(Rates { tenant_bytes: 1000, ..Rates::default() });
        headers.insert(CONTENT_LENGTH, "600".parse().unwrap());
        let now = Instant::now();
        admission.admit(&headers, here(), now).unwrap();
        assert!(admission.admit(&headers, here(), now).is_err());
        admission.admit(&headers, here(), now + Duration::from_millis(300)).unwrap();
    }

    #[test]
    fn made_up_keys_are_counted_by_address_and_cost_no_tenant_anything() {
        let rates = Rates { tenant_requests: 1, address_requests: 2, ..Rates::default() };
        let (admission, headers) = admission(rates);
        let mut made_up = HeaderMap::new();
        made_up
            .insert("authorization", "Bearer hf_t.k.AAAAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap());
        let now = Instant::now();
        for _ in 0..2 {
            admission.admit(&made_up, here(), now).unwrap();
        }
        assert!(admission.admit(&made_up, here(), now).is_err());
        admission.admit(&headers, here(), now).unwrap();
        admission.admit(&made_up, IpAddr::from([127, 0, 0, 2]), now).unwrap();
    }
}
