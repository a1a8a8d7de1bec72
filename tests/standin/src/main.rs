//! `holdfast-standin spin.toml 127.0.0.1:0 name=value …`: serves the application until it is ended.

use anyhow::{Context, Result};
use holdfast_standin::{Manifest, Standin};
use std::path::Path;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let manifest = arguments.next().context("the path of a spin.toml")?;
    let listen = arguments.next().context("an address to listen on")?.parse()?;
    let given = arguments.map(|pair| {
        let (name, value) = pair.split_once('=').context("name=value")?;
        Ok((name.to_owned(), value.to_owned()))
    });
    let manifest = Manifest::read(Path::new(&manifest), &given.collect::<Result<_>>()?)?;
    let running =
        Standin::start(&manifest, listen, &std::env::temp_dir().join("holdfast-standin"))?;
    println!("address  http://{}", running.address);
    loop {
        std::thread::park();
    }
}
