//! The engine: the only file that configures wasmtime.

use crate::settings::Settings;
use anyhow::{Context, Result, anyhow};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;
use wasmtime::{
    Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
};

/// How often a busy guest is looked at: it yields, and its deadline is checked.
pub const TICK: Duration = Duration::from_millis(10);

/// Makes the engine for `settings` and starts its clock, which ends with the engine.
pub fn start(settings: &Settings) -> Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.wasm_component_model_async(true);
    config.epoch_interruption(true);
    config.parallel_compilation(true);
    config.memory_init_cow(true);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(settings)));
    if let Some(dir) = &settings.cache_dir {
        config.cache(Some(cache(dir)?));
    }
    let engine = Engine::new(&config).map_err(|e| anyhow!("{e:#}")).context("start the engine")?;
    tick(&engine)?;
    Ok(engine)
}

/// Slots for instances, taken from one reserved range of addresses: a limit and a speed-up in one.
fn pooling(settings: &Settings) -> PoolingAllocationConfig {
    let count = settings.max_core_instances;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(count)
        .total_component_instances(count)
        .total_memories(count)
        .total_tables(count.saturating_mul(2))
        .total_stacks(count)
        .max_core_instances_per_component(100)
        .max_memories_per_component(32)
        .max_tables_per_component(64)
        .max_component_instance_size(8 << 20)
        .max_core_instance_size(8 << 20)
        .max_memory_size(settings.instance.memory.max(1 << 20))
        .table_elements(settings.instance.table_elements);
    pool
}

/// Compiled components, keyed by their bytes and everything that shapes machine code, written atomically.
fn cache(dir: &Path) -> Result<Cache> {
    let dir = std::path::absolute(dir).context("find the cache directory")?;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .with_context(|| format!("create the cache directory {}", dir.display()))?;
    let mut config = CacheConfig::new();
    config.with_directory(dir);
    Cache::new(config)
        .map_err(|e| anyhow!("{e:#}"))
        .context("open the cache of compiled components")
}

fn tick(engine: &Engine) -> Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new()
        .name("epoch".into())
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })
        .context("start the engine's clock")?;
    Ok(())
}
