//! `docs/compose.md`: its excerpts are what the files hold, and its lines do what it says.

use holdfast_http_tests::root;
use holdfast_servers::{Host, HostSettings};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The address that the page listens on.
const ADDRESS: &str = "127.0.0.1:8081";

fn page() -> String {
    std::fs::read_to_string(root().join("docs/compose.md")).unwrap()
}

/// The lines of the page's block of this kind.
fn block(kind: &str) -> Vec<String> {
    let page = page();
    let (_, rest) = page.split_once(&format!("```sh {kind}\n")).expect("the block");
    let (lines, _) = rest.split_once("```").expect("its end");
    lines.lines().map(str::to_owned).collect()
}

/// A shell with `holdfast` and the venv's programs on its path, a data folder and a port of its own.
struct Shell {
    data: TempDir,
    path: String,
    port: String,
}

/// A process that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Shell {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let program = Host::command("up", &[], &HostSettings::default());
        let program = std::fs::canonicalize(program.get_program()).unwrap();
        std::os::unix::fs::symlink(program, data.path().join("holdfast")).unwrap();
        let cache = root().join("target/tests/cache");
        std::fs::create_dir_all(&cache).unwrap();
        std::fs::create_dir(data.path().join("data")).unwrap();
        std::os::unix::fs::symlink(&cache, data.path().join("data/cache")).unwrap();
        let venv = std::path::absolute(root().join("target/tools/venv/bin")).unwrap();
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{}:{path}", data.path().display(), venv.display());
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        Self { data, path, port: free.to_string() }
    }

    /// The line in a shell, the page's address replaced by this one's.
    fn line(&self, line: &str) -> Command {
        let mut command = Command::new("bash");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HOLDFAST_")) {
            command.env_remove(name);
        }
        let line = format!("exec {}", line.replace(ADDRESS, &self.port));
        command.args(["-euc", &line]).current_dir(root()).env("PATH", &self.path);
        command.env("HOLDFAST_NO_MODEL", "1");
        command
    }

    /// Runs `holdfast up …` until it listens.
    fn serve(&self, line: &str) -> Running {
        // Everything of the page, and for the test a folder of its own and patience with a busy machine.
        let more = "--set request_deadline_ms=120000 --set load_deadline_ms=60000";
        let line = format!("{line} --data-dir {}/data {more}", self.data.path().display());
        let mut running = Running(self.line(&line).stdout(Stdio::null()).spawn().unwrap());
        let begun = Instant::now();
        while TcpStream::connect(&self.port).is_err() {
            assert!(running.0.try_wait().unwrap().is_none(), "ended: see its messages above");
            assert!(begun.elapsed() < Duration::from_secs(300), "it does not listen");
            std::thread::park_timeout(Duration::from_millis(50));
        }
        running
    }

    /// Runs a block but for `cargo` and `pip`, which ran before the tests; gives what its last line said.
    fn run(&self, block: &[String]) -> String {
        let (mut serving, mut said) = (Vec::new(), String::new());
        for line in block {
            if line.starts_with("cargo ") || line.starts_with("pip ") {
                continue;
            }
            if line.starts_with("holdfast up ") {
                serving.push(self.serve(line));
                continue;
            }
            let done = self.line(line).output().unwrap();
            said = String::from_utf8_lossy(&done.stdout).into_owned();
            let errors = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{line}\n{said}{errors}");
        }
        assert!(!serving.is_empty(), "nothing was served");
        said
    }
}

#[test]
fn the_page_shows_what_the_examples_hold_and_no_example_is_longer_than_forty_lines() {
    let page = page();
    let mut excerpts = 0;
    for part in page.split("<!-- examples/").skip(1) {
        let (path, rest) = part.split_once(" -->\n```").expect("a mark");
        let (_, rest) = rest.split_once('\n').expect("a language");
        let (shown, _) = rest.split_once("```").expect("its end");
        let held = std::fs::read_to_string(root().join("examples").join(path)).unwrap();
        assert!(held.contains(shown), "{path} does not hold:\n{shown}");
        excerpts += 1;
    }
    assert_eq!(excerpts, 3);
    for section in page.split("\n## ").skip(1).take(2) {
        assert!(section.lines().count() <= 40, "{} lines", section.lines().count());
    }
}

#[test]
fn the_pages_rust_example_remembers_through_a_dependency() {
    let said = Shell::new().run(&block("rust"));
    assert!(said.contains("Lisbon") && said.contains("3 May"), "{said}");
}

#[test]
fn the_pages_python_example_remembers_through_a_composition() {
    if !installed().is_file() {
        println!("skipped: componentize-py is not installed (`cargo xtask tools` does it)");
        return;
    }
    let said = Shell::new().run(&block("python"));
    assert!(said.contains("Lisbon") && said.contains("3 May"), "{said}");
}

#[test]
fn on_our_host_an_application_may_leave_index_and_models_to_it() {
    let shell = Shell::new();
    let memory = shell.data.path().join("memory.wasm");
    let rooms = "target/components/store-message.wasm target/components/retrieve-context.wasm";
    let compose = format!("holdfast compose {rooms} --export holdfast:memory/ --open --output");
    let done = shell.line(&format!("{compose} {}", memory.display())).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success() && said.contains("imports  holdfast:index/index@0.1.0"),
        "{said}"
    );
    let manifest = std::fs::read_to_string(root().join("examples/rust-app/spin.toml")).unwrap();
    let root = std::path::absolute(root()).unwrap();
    let manifest = manifest
        .replace("../../target/components/holdfast-memory.wasm", &memory.display().to_string())
        .replace(r#"["allowed_outbound_hosts", "variables"]"#, "true")
        .replace("../..", &root.display().to_string());
    let path = shell.data.path().join("spin.toml");
    std::fs::write(&path, manifest).unwrap();
    let up = format!("holdfast up --manifest {} --listen {ADDRESS}", path.display());
    let ask = |words: &str| format!("curl -sS http://{ADDRESS}/ann -d '{words}'");
    let said = shell.run(&[up, ask("We fly to Lisbon on 3 May."), ask("When do we fly?")]);
    assert!(said.contains("Lisbon"), "{said}");
}

fn installed() -> PathBuf {
    root().join("target/tools/venv/bin/componentize-py")
}

#[test]
fn what_nothing_satisfies_is_named_and_not_written() {
    let shell = Shell::new();
    let composed = |more: &str| {
        let whole = shell.data.path().join("whole.wasm");
        let line = format!(
            "holdfast compose target/components/store-message.wasm --with target/components/flat-index.wasm {more} --output {}",
            whole.display()
        );
        let done = shell.line(&line).output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        (done.status.success(), said.into_owned(), whole.is_file())
    };
    let (done, said, there) = composed("");
    assert!(!done && !there && said.contains("holdfast:models/embedder@0.1.0"), "{said}");
    let (done, said, _) = composed("--with target/components/mcp.wasm");
    assert!(!done && said.contains("leave it out"), "{said}");
    let (done, said, there) = composed("--open");
    assert!(done && there && said.contains("exports  holdfast:memory/messages@0.1.0"), "{said}");
}
