//! Vectors of texts, kept between runs: a text is embedded once in the life of a target folder.

use holdfast_models::Embedder;
use holdfast_models::files::{TOKENIZER, WEIGHTS, read_verified};
use holdfast_static::{Table, make};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

type Hash = [u8; 32];

/// Texts with their vectors.
type Made = Vec<(Hash, Vec<f32>)>;

/// What makes vectors.
enum Maker {
    Model(Box<Embedder>),
    /// The table of `portable-models`.
    Table(Vec<u8>),
}

impl Maker {
    fn space(&self) -> &str {
        match self {
            Self::Model(model) => model.space(),
            Self::Table(_) => holdfast_core::space::PORTABLE,
        }
    }

    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        match self {
            Self::Model(model) => model.embed(texts).map_err(|error| error.to_string()),
            Self::Table(bytes) => {
                let table = Table::read(bytes).map_err(|error| error.to_string())?;
                Ok(texts.iter().map(|text| table.embed(text)).collect())
            }
        }
    }
}

/// The model, with a file of what it gave.
pub struct Vectors {
    model: Maker,
    file: Option<PathBuf>,
    known: HashMap<Hash, Vec<f32>>,
}

impl Vectors {
    /// Loads the model of `folder`; `kept` holds the vectors of earlier runs.
    ///
    /// # Errors
    /// What cannot be loaded or read.
    pub fn load(folder: &Path, kept: &Path) -> Result<Self, String> {
        let model = Embedder::load(folder).map_err(|error| error.to_string())?;
        let bytes = std::fs::read(kept).unwrap_or_default();
        let size = 32 + 4 * model.dimensions();
        let known = bytes.chunks_exact(size).filter_map(entry).collect();
        Ok(Self { model: Maker::Model(Box::new(model)), file: Some(kept.to_owned()), known })
    }

    /// The table of `portable-models`, made from the model of `folder`.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn portable(folder: &Path) -> Result<Self, String> {
        let read = |file| read_verified(folder, file).map_err(|fault| fault.to_string());
        let table =
            make(&read(&WEIGHTS)?, &read(&TOKENIZER)?).map_err(|error| error.to_string())?;
        Ok(Self { model: Maker::Table(table), file: None, known: HashMap::new() })
    }

    /// Embeds the texts that are new, and keeps their vectors.
    ///
    /// # Errors
    /// What the model or the file system says.
    pub fn learn(&mut self, texts: &[String]) -> Result<(), String> {
        let hashes: HashMap<Hash, &String> =
            texts.iter().map(|text| (self.hash(text), text)).collect();
        let new: Vec<_> =
            hashes.into_iter().filter(|(hash, _)| !self.known.contains_key(hash)).collect();
        for batch in new.chunks(256) {
            let made = self.embed(batch)?;
            self.keep(&made).map_err(|error| error.to_string())?;
            self.known.extend(made);
        }
        Ok(())
    }

    /// The vector of a text that was learned; empty otherwise.
    pub fn of(&self, text: &str) -> &[f32] {
        self.known.get(&self.hash(text)).map_or(&[], Vec::as_slice)
    }

    /// Half of the batch on another thread.
    fn embed(&self, batch: &[(Hash, &String)]) -> Result<Made, String> {
        let (one, two) = batch.split_at(batch.len() / 2);
        let work = |part: &[(Hash, &String)]| -> Result<Made, String> {
            let texts: Vec<String> = part.iter().map(|(_, text)| (*text).clone()).collect();
            let vectors = self.model.embed(&texts)?;
            Ok(part.iter().map(|(hash, _)| *hash).zip(vectors).collect())
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(|| work(two));
            let mut made = work(one)?;
            made.extend(other.join().map_err(|_| "the embedding thread died".to_owned())??);
            Ok(made)
        })
    }

    fn keep(&self, made: &[(Hash, Vec<f32>)]) -> std::io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
        let mut bytes = Vec::new();
        for (hash, vector) in made {
            bytes.extend_from_slice(hash);
            bytes.extend(vector.iter().flat_map(|value| value.to_le_bytes()));
        }
        file.write_all(&bytes)
    }

    fn hash(&self, text: &str) -> Hash {
        let mut hash = Sha256::new();
        hash.update(self.model.space());
        hash.update([0]);
        hash.update(text);
        hash.finalize().into()
    }
}

fn entry(bytes: &[u8]) -> Option<(Hash, Vec<f32>)> {
    let (hash, values) = bytes.split_first_chunk::<32>()?;
    let (values, _) = values.as_chunks::<4>();
    Some((*hash, values.iter().map(|value| f32::from_le_bytes(*value)).collect()))
}
