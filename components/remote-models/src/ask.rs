//! Asking the API: a batch at a time, once more where a connection was dead, and nothing taken on trust.

use bytes::Bytes;
use futures::future::{Either, select};
use holdfast_core::ports::Clock;
use holdfast_core::{Case, Error, Result};
use holdfast_kit::{GuestClock, Reach, Remote, WasiTransport};
use serde::{Deserialize, Serialize};
use std::pin::pin;

/// Texts of one request.
const BATCH: usize = 64;
/// Bytes of a component in the largest answer that is read: a number in JSON and its comma.
const NUMBER: usize = 32;
/// Room for what stands beside the numbers.
const AROUND: usize = 64 * 1024;

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'static str,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: usize,
    embedding: Vec<f32>,
}

/// One vector a text, each of length 1, in the order of the texts.
///
/// # Errors
/// `model_unavailable` when the API cannot be reached in time, refuses, or answers what is not one vector of
/// `embed_dimensions` finite components for each text.
pub async fn embed(remote: &Remote, texts: &[String]) -> Result<Vec<f32>> {
    let all = async {
        let mut values = Vec::new();
        for batch in texts.chunks(BATCH) {
            values.extend(one_batch(remote, batch).await?);
        }
        Ok(values)
    };
    match select(pin!(all), pin!(GuestClock.sleep(remote.deadline))).await {
        Either::Left((values, _)) => values,
        Either::Right(_) => Err(failed("did not answer in time")),
    }
}

async fn one_batch(remote: &Remote, texts: &[String]) -> Result<Vec<f32>> {
    let request = Request { model: &remote.model, input: texts, encoding_format: "float" };
    let body = serde_json::to_vec(&request)
        .map_err(|e| Error::internal("a request for vectors cannot be written").caused_by(e))?;
    let most = AROUND + texts.len() * NUMBER * remote.dimensions as usize;
    let answer = send(remote, body.into(), most).await?;
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(failed(&format!(
            "answered {status}: check embed_endpoint, embed_path and embed_key"
        )));
    }
    let answer: Answer = serde_json::from_slice(answer.body())
        .map_err(|e| failed("answered what is no list of vectors").caused_by(e))?;
    in_order(answer, texts.len(), remote.dimensions as usize)
}

/// Asking twice is safe: a connection that the other side has closed is tried again, once.
async fn send(remote: &Remote, body: Bytes, most: usize) -> Result<http::Response<Bytes>> {
    let mut again = true;
    loop {
        match WasiTransport.send_within(request(remote, body.clone())?, most).await {
            Ok(answer) => return Ok(answer),
            Err(error) if again && error.reach == Reach::Closed => again = false,
            Err(error) => return Err(failed("cannot be reached").caused_by(error)),
        }
    }
}

fn request(remote: &Remote, body: Bytes) -> Result<http::Request<Bytes>> {
    let mut builder = http::Request::post(format!("{}{}", remote.endpoint, remote.path))
        .header("content-type", "application/json")
        .header("content-length", body.len());
    if !remote.key.is_empty() {
        builder = builder.header("authorization", format!("Bearer {}", remote.key));
    }
    builder
        .body(body)
        .map_err(|e| failed("cannot be asked: check embed_path and embed_key").caused_by(e))
}

fn in_order(answer: Answer, texts: usize, dimensions: usize) -> Result<Vec<f32>> {
    let mut rows: Vec<Option<Vec<f32>>> = vec![None; texts];
    for Item { index, embedding } in answer.data {
        if embedding.len() != dimensions {
            let found = embedding.len();
            return Err(failed(&format!(
                "gives vectors of {found} components, and embed_dimensions is {dimensions}"
            )));
        }
        let place = rows.get_mut(index).filter(|row| row.is_none());
        let place = place.ok_or_else(|| failed("gave a vector for a text that was not asked"))?;
        *place = Some(unit(embedding).ok_or_else(|| failed("gave a vector without a direction"))?);
    }
    let rows: Option<Vec<Vec<f32>>> = rows.into_iter().collect();
    Ok(rows.ok_or_else(|| failed("left out the vector of a text"))?.concat())
}

/// The same direction at length 1.
fn unit(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if !length.is_finite() || length <= 0.0 {
        return None;
    }
    vector.iter_mut().for_each(|value| *value /= length);
    Some(vector)
}

/// What concerns the API; the caller goes on without vectors.
fn failed(what: &str) -> Error {
    let detail = format!("the API of the embedding model {what}");
    Error::because(Case::Unavailable, "model_unavailable", detail)
}
