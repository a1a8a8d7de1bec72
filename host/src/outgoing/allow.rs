//! Destinations that a component may reach: `allowed_outbound_hosts`, with Spin's grammar.
//!
//! `scheme://host[:port]`. Scheme: letters or `*`. Host: a name, an IP address or network (`10.0.0.0/8`), `*`,
//! `*.suffix`, `self`. Port: a number, a range `a..b` (end excluded), `*`; left out, the scheme's own.
//! Stricter than Spin: an IP address is reached only where an entry names it or its network, and addresses of one
//! link (169.254.0.0/16, fe80::/10), where machines keep their secrets, likewise, whatever a name resolves to.

use anyhow::{Context, Result, bail, ensure};
use http::Uri;
use std::fmt;
use std::net::IpAddr;

/// The destinations of one component.
#[derive(Debug, Clone, Default)]
pub struct AllowList(Vec<Entry>);

#[derive(Debug, Clone)]
struct Entry {
    scheme: Option<String>,
    host: Host,
    ports: Ports,
}

#[derive(Debug, Clone, PartialEq)]
enum Host {
    Any,
    Suffix(String),
    Name(String),
    Network(IpAddr, u8),
    Itself,
}

#[derive(Debug, Clone)]
enum Ports {
    Any,
    Range(u16, u16),
}

/// Where a request that may leave its component goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Way {
    /// To another server.
    Out,
    /// To the component with this id, of the same application.
    Within(String),
}

/// Hosts below this one are components of the same application.
const WITHIN: &str = ".spin.internal";

/// Why a request may not leave.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Add this entry to `allowed_outbound_hosts`, if it is meant.
    NotListed(String),
    /// Calls to `self` are not supported.
    Itself(String),
    /// No host in the URI.
    NoHost,
}

impl AllowList {
    /// Parses entries whose variables are resolved. An entry that is empty after that allows nothing.
    pub fn parse(entries: &[String]) -> Result<Self> {
        let entries = entries.iter().map(|entry| entry.trim()).filter(|entry| !entry.is_empty());
        entries.map(Entry::parse).collect::<Result<_>>().map(Self)
    }

    /// May a request go to `uri`, and which way? What its name resolves to is checked when connecting.
    ///
    /// A component of the application must be named (`http://ID.spin.internal`, `http://*.spin.internal`): an entry for
    /// any host does not mean it.
    pub fn check(&self, uri: &Uri) -> Result<Way, Refusal> {
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(Refusal::NoHost)?;
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        if host == "self.alt" {
            return Err(Refusal::Itself(host.to_owned()));
        }
        let within = host.strip_suffix(WITHIN).filter(|id| !id.is_empty());
        let scheme = uri.scheme_str().unwrap_or("http");
        let port = uri.port_u16().or_else(|| well_known(scheme)).unwrap_or(0);
        let matches = |entry: &&Entry| entry.allows_scheme(scheme) && entry.ports.allow(port);
        let mut entries = self.0.iter().filter(matches);
        let allowed = match literal(host) {
            Some(ip) => entries.any(|entry| entry.host.names(ip)),
            None if looks_numeric(host) => {
                entries.any(|entry| entry.host == Host::Name(host.into()))
            }
            None if within.is_some() => {
                scheme == "http" && entries.any(|entry| entry.host.allows_within(host))
            }
            None => entries.any(|entry| entry.host.allows(host)),
        };
        match within {
            Some(id) if allowed => Ok(Way::Within(id.to_owned())),
            Some(_) => Err(Refusal::NotListed(format!("http://{host}"))),
            None if allowed => Ok(Way::Out),
            None => Err(Refusal::NotListed(format!("{scheme}://{host}:{port}"))),
        }
    }

    /// May a connection go to this address, which was named or resolved?
    pub fn allows_address(&self, ip: IpAddr) -> bool {
        !is_link_local(ip) || self.0.iter().any(|entry| entry.host.names(ip))
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self> {
        ensure!(text != "insecure:allow-all", "{text:?} is not allowed: use \"*://*:*\"");
        let (scheme, rest) = text.split_once("://").with_context(|| {
            format!("{text:?} has no scheme: write <scheme>://<host>[:<port>], with * for any")
        })?;
        let (host, port) = split_port(rest);
        let port = match port.split_once('/') {
            Some((port, "")) => port,
            Some(_) => bail!("{text:?} has a path: write only <scheme>://<host>[:<port>]"),
            None => port,
        };
        let list = |part: &str| part.starts_with('{');
        ensure!(
            !list(scheme) && !list(host) && !list(port),
            "{text:?} has a list: write one entry each"
        );
        let letters = scheme.chars().all(char::is_alphabetic) && !scheme.is_empty();
        ensure!(scheme == "*" || letters, "{text:?} has a scheme that is not made of letters");
        Ok(Self {
            scheme: (scheme != "*").then(|| scheme.to_owned()),
            host: Host::parse(host).with_context(|| format!("{text:?} has a wrong host"))?,
            ports: Ports::parse(port, scheme)
                .with_context(|| format!("{text:?} has a wrong port"))?,
        })
    }

    fn allows_scheme(&self, scheme: &str) -> bool {
        self.scheme.as_deref().is_none_or(|own| own == scheme)
    }
}

/// Splits at the last colon that is not within an address's brackets.
fn split_port(rest: &str) -> (&str, &str) {
    if let Some((host, port)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, port.strip_prefix(':').unwrap_or(port));
    }
    rest.rsplit_once(':').unwrap_or((rest, ""))
}

impl Host {
    fn parse(host: &str) -> Result<Self> {
        let host = host.trim();
        if let Some(network) = network(host) {
            return Ok(network);
        }
        let host = host.trim_end_matches('/');
        ensure!(!host.is_empty(), "it is empty");
        ensure!(!host.contains('/'), "it has a path");
        if host == "*" {
            return Ok(Host::Any);
        }
        if host == "self" || host == "self.alt" {
            return Ok(Host::Itself);
        }
        let lower = host.to_ascii_lowercase();
        ensure!(lower == host, "it has upper-case letters: write {lower:?}");
        let (suffix, name) = match host.strip_prefix("*.") {
            Some(suffix) => (true, suffix),
            None => (false, host),
        };
        ensure!(!name.contains('*'), "* stands for a whole host or its first part only");
        Ok(if suffix { Host::Suffix(format!(".{name}")) } else { Host::Name(name.into()) })
    }

    fn allows(&self, name: &str) -> bool {
        match self {
            Host::Any => true,
            Host::Suffix(suffix) => name.ends_with(suffix.as_str()),
            Host::Name(own) => own == name,
            Host::Network(..) | Host::Itself => false,
        }
    }

    fn allows_within(&self, name: &str) -> bool {
        match self {
            Host::Suffix(suffix) => suffix == WITHIN && name.ends_with(WITHIN),
            other => *other != Host::Any && other.allows(name),
        }
    }

    fn names(&self, ip: IpAddr) -> bool {
        matches!(self, Host::Network(base, bits) if contains(*base, *bits, ip.to_canonical()))
    }
}

fn network(host: &str) -> Option<Host> {
    let (address, bits) = match host.split_once('/') {
        Some((address, bits)) if !bits.is_empty() => (address, Some(bits.parse::<u8>().ok()?)),
        Some((address, _)) => (address, None),
        None => (host, None),
    };
    let ip = literal(address)?;
    let whole = if ip.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(whole);
    (bits <= whole).then_some(Host::Network(ip, bits))
}

fn contains(base: IpAddr, bits: u8, ip: IpAddr) -> bool {
    let shift = |whole: u8| u32::from(whole.saturating_sub(bits));
    match (base, ip) {
        (IpAddr::V4(base), IpAddr::V4(ip)) => {
            let (base, ip) = (u64::from(base.to_bits()), u64::from(ip.to_bits()));
            base >> shift(32) == ip >> shift(32)
        }
        (IpAddr::V6(base), IpAddr::V6(ip)) => {
            let (base, ip) = (base.to_bits(), ip.to_bits());
            bits == 0 || base >> shift(128) == ip >> shift(128)
        }
        _ => false,
    }
}

/// The address that a host of a URI spells, brackets or not; an IPv4 address in IPv6 clothes is IPv4.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// Resolvers read `2130706433`, `0x7f.1` and the like as addresses: such names are literals in disguise.
fn looks_numeric(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or(host);
    let hex =
        last.strip_prefix("0x").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_hexdigit()));
    hex || (!last.is_empty() && last.chars().all(|c| c.is_ascii_digit()))
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

impl Ports {
    fn parse(port: &str, scheme: &str) -> Result<Self> {
        if port == "*" {
            return Ok(Ports::Any);
        }
        if port.is_empty() {
            let port =
                well_known(scheme).context("none is given and the scheme has none of its own")?;
            return Ok(Ports::Range(port, port));
        }
        if let Some((start, end)) = port.split_once("..") {
            let (start, end): (u16, u16) = (start.parse()?, end.parse()?);
            return Ok(Ports::Range(start, end.checked_sub(1).context("an empty range")?));
        }
        let port = port.parse().with_context(|| format!("{port:?} is not a number"))?;
        Ok(Ports::Range(port, port))
    }

    fn allow(&self, port: u16) -> bool {
        match self {
            Ports::Any => true,
            Ports::Range(start, end) => (*start..=*end).contains(&port),
        }
    }
}

fn well_known(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "redis" => Some(6379),
        "mqtt" => Some(1883),
        _ => None,
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NotListed(entry) => {
                write!(f, "allowed_outbound_hosts does not name it: add {entry:?} if it is meant")
            }
            Refusal::Itself(host) => {
                write!(f, "{host} is not supported by this host: name http://<component>{WITHIN}")
            }
            Refusal::NoHost => f.write_str("the request names no host"),
        }
    }
}

impl From<Refusal> for wasmtime_wasi_http::Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotListed(_) => Self::HttpRequestDenied,
            Refusal::Itself(_) => Self::InternalError(Some(refusal.to_string())),
            Refusal::NoHost => Self::HttpRequestUriInvalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(entries: &[&str], uri: &str) -> bool {
        let entries: Vec<String> = entries.iter().map(|e| (*e).to_owned()).collect();
        AllowList::parse(&entries).unwrap().check(&uri.parse().unwrap()).is_ok()
    }

    #[test]
    fn entries_match_scheme_host_and_port_as_spin_does() {
        for (entry, uri, expected) in [
            ("https://example.com", "https://example.com/x", true),
            ("https://example.com", "https://example.com:443/x", true),
            ("https://example.com", "https://example.com:8443/", false),
            ("https://example.com", "http://example.com/", false),
            ("https://example.com", "https://EXAMPLE.com./", true),
            ("*://example.com:*", "http://example.com:9/", true),
            ("http://*.example.com", "http://a.b.example.com/", true),
            ("http://*.example.com", "http://example.com/", false),
            ("http://*", "http://anything/", true),
            ("http://*", "http://anything:81/", false),
            ("http://localhost:8000..8002", "http://localhost:8001/", true),
            ("http://localhost:8000..8002", "http://localhost:8002/", false),
            ("https://example.com/", "https://example.com/", true),
        ] {
            assert_eq!(allows(&[entry], uri), expected, "{entry} {uri}");
        }
    }

    #[test]
    fn ip_literals_need_an_entry_that_names_them() {
        for (entry, uri, expected) in [
            ("*://*:*", "http://127.0.0.1/", false),
            ("*://*:*", "http://[::1]/", false),
            ("*://*:*", "http://2130706433/", false),
            ("*://*:*", "http://0x7f000001/", false),
            ("*://*:*", "http://127.1/", false),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/", true),
            ("http://127.0.0.1:9000", "http://[::ffff:127.0.0.1]:9000/", true),
            ("http://[::1]:9000", "http://[::1]:9000/", true),
            ("http://10.0.0.0/8:80", "http://10.1.2.3/", true),
            ("http://10.0.0.0/8:80", "http://11.1.2.3/", false),
        ] {
            assert_eq!(allows(&[entry], uri), expected, "{entry} {uri}");
        }
    }

    #[test]
    fn link_local_addresses_need_an_entry_that_names_them() {
        let metadata: IpAddr = "169.254.169.254".parse().unwrap();
        let mapped: IpAddr = "::ffff:169.254.169.254".parse().unwrap();
        let v6: IpAddr = "fe80::1".parse().unwrap();
        let wide = AllowList::parse(&["*://*:*".into()]).unwrap();
        assert!(![metadata, mapped, v6].into_iter().any(|ip| wide.allows_address(ip)));
        let named = AllowList::parse(&["http://169.254.169.254".into()]).unwrap();
        assert!(named.allows_address(metadata) && named.allows_address(mapped));
    }

    #[test]
    fn a_component_of_the_application_is_reached_only_where_an_entry_names_it() {
        let way = |entry: &str, uri: &str| {
            AllowList::parse(&[entry.into()]).unwrap().check(&uri.parse().unwrap())
        };
        let (named, uri) = ("http://mcp.spin.internal", "http://mcp.spin.internal/x");
        assert_eq!(way(named, uri), Ok(Way::Within("mcp".into())));
        assert_eq!(way("http://*.spin.internal", uri), Ok(Way::Within("mcp".into())));
        for entry in ["*://*:*", "http://*", "http://other.spin.internal", "http://*.internal", ""]
        {
            assert_eq!(way(entry, uri), Err(Refusal::NotListed(named.into())), "{entry}");
        }
        for uri in ["https://mcp.spin.internal/", "http://mcp.spin.internal:81/"] {
            assert!(way("*://mcp.spin.internal:80", uri).is_err(), "{uri}");
        }
        let itself = Refusal::Itself("self.alt".into());
        assert_eq!(way("http://self", "http://self.alt/x"), Err(itself));
    }

    #[test]
    fn wrong_entries_say_what_is_wrong() {
        for (entry, words) in [
            ("example.com", "no scheme"),
            ("*", "no scheme"),
            ("insecure:allow-all", "not allowed"),
            ("https://example.com/path", "path"),
            ("https://Example.com", "upper-case"),
            ("https://a.*.com", "*"),
            ("ftp://example.com", "port"),
            ("http://example.com:eighty", "port"),
            ("{http,https}://example.com", "list"),
            ("ht-tp://example.com", "letters"),
        ] {
            let error = AllowList::parse(&[entry.into()]).unwrap_err();
            assert!(format!("{error:#}").contains(words), "{entry}: {error:#}");
        }
    }

    #[test]
    fn an_empty_entry_allows_nothing() {
        assert!(!allows(&[""], "http://example.com/"));
    }
}
