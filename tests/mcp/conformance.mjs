// Runs the official conformance suite of MCP against HOLDFAST_URL, once for each revision, and ends with 1 when a scenario
// fails that failures-<revision>.yml does not list, or passes that it lists. The suite knows no keys: they are put in here.

import { spawn } from "node:child_process";
import http from "node:http";
import path from "node:path";

const here = import.meta.dirname;
const suite = process.argv[2];
const target = new URL(process.env.HOLDFAST_URL);
const own = { authorization: `Bearer ${process.env.HOLDFAST_KEY}`, "holdfast-user": "conformance" };

const proxy = http.createServer((request, response) => {
  const { method, url: path } = request;
  const headers = { ...request.headers, ...own };
  const { hostname, port } = target;
  const onward = http.request({ hostname, port, method, path, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.rawHeaders);
    answer.pipe(response);
  });
  onward.on("error", () => response.destroy());
  request.pipe(onward);
});

function run(what, revision, url) {
  const failures = path.join(here, `failures-${revision}.yml`);
  const choice = ["server", "--url", url, ...what, "--expected-failures", failures];
  console.log(`== ${what.join(" ")}`);
  return new Promise((done) => spawn(process.execPath, [suite, ...choice], { stdio: "inherit" }).on("exit", done));
}

// What each revision requires, and what the suite has come to check since without counting it.
const runs = [
  [["--requirements", "2025-11-25"], "2025-11-25"],
  [["--requirements", "2026-07-28"], "2026-07-28"],
  [["--scenario", "http-header-validation", "--spec-version", "2026-07-28"], "2026-07-28"],
];

proxy.listen(0, "127.0.0.1", async () => {
  const url = `http://127.0.0.1:${proxy.address().port}/mcp`;
  let code = 0;
  for (const [what, revision] of runs) {
    code = (await run(what, revision, url)) === 0 ? code : 1;
  }
  process.exit(code);
});
