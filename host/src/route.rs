//! Which route of the manifest answers a path, with Spin's precedence: an exact path beats a parameter, that beats a
//! wildcard, and of wildcards the longest prefix wins.

use anyhow::{Result, anyhow, ensure};
use std::collections::BTreeMap;

/// The routes of an application. `T` is what answers.
pub struct Routes<T> {
    router: routefinder::Router<Route<T>>,
}

/// One route.
pub struct Route<T> {
    /// As written in the manifest.
    pub pattern: String,
    /// Without the trailing wildcard.
    pub prefix: String,
    /// What answers.
    pub target: T,
}

/// A route that matches a path.
pub struct Found<'a, T> {
    /// The route.
    pub route: &'a Route<T>,
    /// Values of `:name` parts.
    pub params: Vec<(String, String)>,
    /// The part that `/...` stands for, with its leading slash.
    pub rest: String,
}

impl<T> Routes<T> {
    /// Makes the table. Of two equal routes the last one wins in Spin, with a warning; here they are an error.
    pub fn new(routes: impl IntoIterator<Item = (String, T)>) -> Result<Self> {
        let mut router = routefinder::Router::new();
        let mut seen = BTreeMap::new();
        for (pattern, target) in routes {
            let (spec, prefix) = spec(&pattern);
            ensure!(
                seen.insert(spec.clone(), ()).is_none(),
                "the route {pattern:?} is there twice: remove one"
            );
            let route = Route { pattern: pattern.clone(), prefix, target };
            router.add(&*spec, route).map_err(|why| anyhow!("the route {pattern:?}: {why}"))?;
        }
        Ok(Self { router })
    }

    /// The route for `path`, which has no query.
    pub fn find<'a>(&'a self, path: &str) -> Option<Found<'a, T>> {
        let found = self.router.best_match(path)?;
        let captures = found.captures();
        let params =
            captures.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let rest = captures.wildcard().map_or(String::new(), |rest| {
            let slash = if path.ends_with('/') && !rest.ends_with('/') { "/" } else { "" };
            if rest.is_empty() { slash.to_owned() } else { format!("/{rest}{slash}") }
        });
        Some(Found { route: found.handler(), params, rest })
    }
}

/// `/x/...` in routefinder's words, and its prefix.
fn spec(pattern: &str) -> (String, String) {
    let absolute =
        if pattern.starts_with('/') { pattern.to_owned() } else { format!("/{pattern}") };
    let route = absolute.strip_suffix('/').unwrap_or(&absolute);
    match route.strip_suffix("/...").or_else(|| route.strip_suffix("/*")) {
        Some(prefix) => (format!("{prefix}/*"), prefix.to_owned()),
        None => (route.to_owned(), route.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(patterns: &[&str]) -> Routes<String> {
        Routes::new(patterns.iter().map(|p| ((*p).to_owned(), (*p).to_owned()))).unwrap()
    }

    #[test]
    fn precedence_is_spins() {
        let all = [
            "/...",
            "/",
            "/v1/...",
            "/v1/sessions/...",
            "/v1/sessions/:session",
            "/v1/sessions/:session/messages/...",
            "/v1/sessions/list",
            "/:user/profile",
            "/me/profile",
        ];
        for order in [all.to_vec(), all.iter().rev().copied().collect()] {
            let routes = routes(&order);
            for (path, expected) in [
                ("/", "/"),
                ("/x", "/..."),
                ("/x/y/z", "/..."),
                ("/v1", "/v1/..."),
                ("/v1/", "/v1/..."),
                ("/v1/x", "/v1/..."),
                ("/v1/sessions", "/v1/sessions/..."),
                ("/v1/sessions/list", "/v1/sessions/list"),
                ("/v1/sessions/abc", "/v1/sessions/:session"),
                ("/v1/sessions/abc/other", "/v1/sessions/..."),
                ("/v1/sessions/abc/messages", "/v1/sessions/:session/messages/..."),
                ("/v1/sessions/abc/messages/1/chunks", "/v1/sessions/:session/messages/..."),
                ("/me/profile", "/me/profile"),
                ("/you/profile", "/:user/profile"),
            ] {
                assert_eq!(routes.find(path).unwrap().route.target, expected, "{path}");
            }
        }
    }

    #[test]
    fn parameters_and_the_rest_are_captured() {
        let routes = routes(&["/s/:session/m/..."]);
        let found = routes.find("/s/a%2Fb/m/1/2").unwrap();
        assert_eq!(found.params, [("session".to_owned(), "a%2Fb".to_owned())]);
        assert_eq!((&*found.rest, &*found.route.prefix), ("/1/2", "/s/:session/m"));
        assert_eq!(routes.find("/s/a/m").unwrap().rest, "");
        assert_eq!(routes.find("/s/a/m/").unwrap().rest, "/");
    }

    #[test]
    fn a_path_without_a_route_is_not_found() {
        assert!(routes(&["/a", "/b/..."]).find("/c").is_none());
        assert!(routes(&["/a"]).find("/a/b").is_none());
    }

    #[test]
    fn the_same_route_twice_is_an_error() {
        let twice = [("/a/...".to_owned(), ()), ("/a/*".to_owned(), ())];
        assert!(Routes::new(twice).is_err());
    }
}
