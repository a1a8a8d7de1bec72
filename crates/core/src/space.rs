//! Names of embedding spaces that several parts must agree on: whoever makes vectors, and whoever searches them.

/// Space of the native host's model: model, weights, dimensions, metric, truncation, template of the input.
pub const NATIVE: &str = "minilm-l6-v2/f32/384/cos/t256/spk1";

/// Space of `portable-models`: the input vectors of MiniLM's tokens, centred, weighed by rarity (SIF), in int8, summed.
pub const PORTABLE: &str = "minilm-l6-v2-static/i8/384/cos/sif1/spk1";

/// Space of a model behind an OpenAI-compatible API. The third part is the number of dimensions, as in every space.
pub fn remote(model: &str, dimensions: u32) -> String {
    // Parts of a name are split at slashes.
    format!("{}/remote/{dimensions}/cos/spk1", model.replace('/', ":"))
}

/// Is it the space of a model that comes with a runtime? A bucket may be served by several: what one writes the other searches.
pub fn is_runtimes(space: &str) -> bool {
    [NATIVE, PORTABLE].contains(&space)
}

/// The number of dimensions that a space's name says: its third part, where a metric follows.
pub fn dimensions(space: &str) -> Option<u32> {
    let mut parts = space.split('/').skip(2);
    let (dimensions, _metric) = (parts.next()?, parts.next()?);
    dimensions.parse().ok()
}

/// Checks that `text` is an origin and nothing more: scheme, host and maybe a port, in lower case.
///
/// # Errors
/// What is wrong with it.
pub fn origin(text: &str) -> Result<(), &'static str> {
    let Some(("http" | "https", authority)) = text.split_once("://") else {
        return Err(
            "must be an origin, as https://host:port: its scheme is neither http nor https",
        );
    };
    if authority.contains(['/', '?', '#']) {
        return Err("must be an origin, as https://host:port: the path is a setting of its own");
    }
    if authority.contains('@') {
        return Err("must be an origin, as https://host:port: a user or password is no part of it");
    }
    let odd = |c: char| c.is_ascii_uppercase() || c.is_whitespace() || "{},*".contains(c);
    if authority.is_empty() || authority.contains(odd) {
        return Err("must be one origin in lower case, as https://host:port");
    }
    Ok(())
}

/// Checks where an OpenAI-compatible API is that writes, and with which model: `generate_endpoint`, `generate_path`,
/// `generate_model`.
///
/// # Errors
/// The setting that is wrong, and what is wrong with it.
pub fn generator(
    endpoint: &str,
    path: &str,
    model: &str,
) -> Result<(), (&'static str, &'static str)> {
    origin(endpoint).map_err(|what| ("generate_endpoint", what))?;
    if !path.starts_with('/') {
        return Err(("generate_path", "must begin with /"));
    }
    if model.is_empty() {
        return Err(("generate_model", "is not set, and generate_endpoint is"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_more() {
        for good in ["https://api.example.com", "http://127.0.0.1:8080", "http://[::1]:80"] {
            assert_eq!(origin(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "api.example.com",
            "ftp://x",
            "https://",
            "https://x/",
            "https://x/v1",
            "https://X",
            "https://u@x",
            "https://a,https://b",
            "https://*",
            "https://x y",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_generator_is_an_origin_a_path_and_a_model() {
        assert_eq!(generator("https://x", "/v1", "m"), Ok(()));
        for (endpoint, path, model, wrong) in [
            ("https://x/v1", "/v1", "m", "generate_endpoint"),
            ("https://x", "v1", "m", "generate_path"),
            ("https://x", "/v1", "", "generate_model"),
        ] {
            assert_eq!(generator(endpoint, path, model).unwrap_err().0, wrong);
        }
    }

    #[test]
    fn a_models_space_says_its_dimensions_in_the_third_part() {
        assert_eq!(dimensions(&remote("a/b", 256)), Some(256));
        assert_eq!(dimensions(&remote("text-embedding-3-small", 1536)), Some(1536));
        assert_eq!([NATIVE, PORTABLE].map(dimensions), [Some(384), Some(384)]);
    }

    #[test]
    fn a_name_of_another_form_says_no_dimensions() {
        for space in ["", "mine", "mine/2", "mine/f32/2", "mine/f32/two/cos", "a/b/-1/cos"] {
            assert_eq!(dimensions(space), None, "{space}");
        }
    }
}
