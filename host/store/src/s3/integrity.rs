//! Checks a received body against the digests that its sender announced.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::dto::Checksum;
use s3s::{S3Result, TrailingHeaders, s3_error};

/// Header names of the checksums that S3 knows.
const NAMES: [&str; 5] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
];

/// Digests announced in headers or promised for the trailer, and the hashers they need.
pub(super) struct Integrity {
    md5: Option<Vec<u8>>,
    wanted: Vec<(&'static str, Option<String>)>,
    hasher: ChecksumHasher,
}

impl Integrity {
    /// Reads what the headers announce.
    pub(super) fn announced(headers: &HeaderMap) -> S3Result<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let md5 = match text("content-md5") {
            Some(digest) => Some(STANDARD.decode(digest).map_err(|_| s3_error!(InvalidDigest))?),
            None => None,
        };
        if md5.as_ref().is_some_and(|digest| digest.len() != 16) {
            return Err(s3_error!(InvalidDigest));
        }
        let trailer = text("x-amz-trailer").unwrap_or_default().to_ascii_lowercase();
        let mut wanted = Vec::new();
        for name in NAMES {
            if let Some(sum) = text(name) {
                wanted.push((name, Some(sum.to_owned())));
            } else if trailer.split(',').any(|promised| promised.trim() == name) {
                wanted.push((name, None));
            }
        }
        let hasher = hasher(&wanted);
        Ok(Self { md5, wanted, hasher })
    }

    /// Takes the next bytes of the body.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// Fails with `BadDigest` unless all that was announced is true of the body.
    pub(super) fn check(self, md5: [u8; 16], trailers: Option<&TrailingHeaders>) -> S3Result<()> {
        if self.md5.is_some_and(|announced| announced != md5) {
            return Err(s3_error!(BadDigest, "the body does not have the announced Content-MD5"));
        }
        let trailers = trailers.and_then(TrailingHeaders::take).unwrap_or_default();
        let sums = self.hasher.finalize();
        for (name, announced) in self.wanted {
            let trailed = || trailers.get(name)?.to_str().ok().map(str::to_owned);
            if announced.or_else(trailed).as_ref() != of(&sums, name) {
                return Err(s3_error!(BadDigest, "the body does not have the announced {name}"));
            }
        }
        Ok(())
    }
}

fn hasher(wanted: &[(&'static str, Option<String>)]) -> ChecksumHasher {
    let mut hasher = ChecksumHasher::default();
    for (name, _) in wanted {
        match name.trim_start_matches("x-amz-checksum-") {
            "crc32" => hasher.crc32 = Some(Default::default()),
            "crc32c" => hasher.crc32c = Some(Default::default()),
            "crc64nvme" => hasher.crc64nvme = Some(Default::default()),
            "sha1" => hasher.sha1 = Some(Default::default()),
            _ => hasher.sha256 = Some(Default::default()),
        }
    }
    hasher
}

fn of<'a>(sums: &'a Checksum, name: &str) -> Option<&'a String> {
    match name.trim_start_matches("x-amz-checksum-") {
        "crc32" => sums.checksum_crc32.as_ref(),
        "crc32c" => sums.checksum_crc32c.as_ref(),
        "crc64nvme" => sums.checksum_crc64nvme.as_ref(),
        "sha1" => sums.checksum_sha1.as_ref(),
        _ => sums.checksum_sha256.as_ref(),
    }
}
