//! AWS Signature Version 4 for S3, by the vendor's own signer; time and payload hash are arguments.
//!
//! Source: "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk (AWS Signature
//! Version 4)" and "Authenticating Requests: Using Query Parameters", Amazon S3 API reference. The tests are its examples.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode,
};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use holdfast_core::{Error, Result};
use http::{HeaderValue, Request};
use std::time::{Duration, SystemTime};

/// Who signs, and for which region.
#[derive(Debug, Clone)]
pub struct Signer {
    credentials: Credentials,
    region: String,
}

impl Signer {
    /// A signer with these credentials.
    pub fn new(access: &str, secret: &str, token: Option<String>, region: &str) -> Self {
        let credentials = Credentials::new(access, secret, token, None, "settings");
        Self { credentials, region: region.to_owned() }
    }

    fn run<'a>(
        &self,
        request: SignableRequest<'a>,
        settings: SigningSettings,
        now: u64,
    ) -> Result<aws_sigv4::http_request::SigningInstructions> {
        let identity = self.credentials.clone().into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(SystemTime::UNIX_EPOCH + Duration::from_millis(now))
            .settings(settings)
            .build()
            .map_err(unsignable)?
            .into();
        let output = aws_sigv4::http_request::sign(request, &parameters).map_err(unsignable)?;
        Ok(output.into_parts().0)
    }
}

/// Adds `authorization`, `x-amz-date` and `x-amz-content-sha256` to a request whose other headers are all signed.
///
/// `sha256` is the hex SHA-256 of the body, `now` Unix milliseconds.
///
/// # Errors
/// `internal` when the request cannot be signed, which its maker must prevent.
pub fn sign(request: &mut Request<Bytes>, sha256: &str, signer: &Signer, now: u64) -> Result<()> {
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| value.to_str().map(|value| (name.as_str(), value)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unsignable)?;
    let body = SignableBody::Precomputed(sha256.to_owned());
    let uri = request.uri().to_string();
    let signable = SignableRequest::new(request.method().as_str(), uri, headers.into_iter(), body)
        .map_err(unsignable)?;
    let (added, _) = signer.run(signable, s3(SignatureLocation::Headers), now)?.into_parts();
    for header in added {
        let mut value = HeaderValue::from_str(header.value()).map_err(unsignable)?;
        value.set_sensitive(header.sensitive());
        request.headers_mut().insert(header.name(), value);
    }
    Ok(())
}

/// `url` with a signature in its query: whoever has it may GET the object for `seconds` from `now` on.
///
/// # Errors
/// `internal` when the URL cannot be signed, which its maker must prevent.
pub fn presign(url: &str, signer: &Signer, now: u64, seconds: u32) -> Result<String> {
    let mut settings = s3(SignatureLocation::QueryParams);
    settings.expires_in = Some(Duration::from_secs(u64::from(seconds)));
    settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
    let none = std::iter::empty();
    let signable = SignableRequest::new("GET", url, none, SignableBody::UnsignedPayload)
        .map_err(unsignable)?;
    let mut request = Request::builder().uri(url).body(()).map_err(unsignable)?;
    signer.run(signable, settings, now)?.apply_to_request_http1x(&mut request);
    Ok(request.uri().to_string())
}

fn s3(location: SignatureLocation) -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.signature_location = location;
    settings
}

fn unsignable(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("a request to the object store cannot be signed").caused_by(cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// 20130524T000000Z, the time of all examples.
    const NOW: u64 = 1_369_353_600_000;
    const HOST: &str = "https://examplebucket.s3.amazonaws.com";

    fn signer() -> Signer {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        Signer::new("AKIAIOSFODNN7EXAMPLE", secret, None, "us-east-1")
    }

    fn authorization(
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &'static str,
    ) -> String {
        let mut request = Request::builder().method(method).uri(format!("{HOST}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Bytes::from_static(body.as_bytes())).unwrap();
        let sha256 = hex::encode(Sha256::digest(body));
        sign(&mut request, &sha256, &signer(), NOW).unwrap();
        assert_eq!(request.headers()["x-amz-content-sha256"], sha256.as_str());
        assert_eq!(request.headers()["x-amz-date"], "20130524T000000Z");
        request.headers()["authorization"].to_str().unwrap().to_owned()
    }

    fn expected(signed: &str, signature: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders={signed}, Signature={signature}"
        )
    }

    #[test]
    fn the_published_get_object_example_has_its_published_signature() {
        assert_eq!(
            authorization("GET", "/test.txt", &[("range", "bytes=0-9")], ""),
            expected(
                "host;range;x-amz-content-sha256;x-amz-date",
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
            )
        );
    }

    #[test]
    fn the_published_put_object_example_has_its_published_signature() {
        let headers = [
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ];
        assert_eq!(
            authorization("PUT", "/test%24file.text", &headers, "Welcome to Amazon S3."),
            expected(
                "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
            )
        );
    }

    #[test]
    fn the_published_bucket_lifecycle_example_has_its_published_signature() {
        assert_eq!(
            authorization("GET", "/?lifecycle", &[], ""),
            expected(
                "host;x-amz-content-sha256;x-amz-date",
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
            )
        );
    }

    #[test]
    fn the_published_list_objects_example_has_its_published_signature() {
        assert_eq!(
            authorization("GET", "/?max-keys=2&prefix=J", &[], ""),
            expected(
                "host;x-amz-content-sha256;x-amz-date",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
            )
        );
    }

    #[test]
    fn the_published_presigned_url_example_has_its_published_signature() {
        let url = presign(&format!("{HOST}/test.txt"), &signer(), NOW, 86_400).unwrap();
        assert!(
            url.ends_with(
                "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
            ),
            "{url}"
        );
    }

    #[test]
    fn a_session_token_is_sent_and_signed() {
        let token = Some("TOKEN".to_owned());
        let signer = Signer::new("AK", "SK", token, "us-east-1");
        let mut request = Request::builder().uri(format!("{HOST}/k")).body(Bytes::new()).unwrap();
        sign(&mut request, &hex::encode(Sha256::digest("")), &signer, NOW).unwrap();
        assert_eq!(request.headers()["x-amz-security-token"], "TOKEN");
        let authorization = request.headers()["authorization"].to_str().unwrap();
        assert!(authorization.contains("x-amz-security-token"), "{authorization}");
    }
}
