// What only Python can make, for tests in node: tests/web/made_by_python.py.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const HERE = [".venv/bin/python", ".venv/Scripts/python.exe"]
  .map((path) => join(ROOT, path))
  .find(existsSync);

export function madeByPython(what) {
  const options = { cwd: ROOT, encoding: /** @type {const} */ ("utf8"), maxBuffer: 2 ** 28 };
  const command = process.env.PYTHON ?? HERE ?? "python";
  return JSON.parse(execFileSync(command, ["-m", "tests.web.made_by_python", what], options));
}

export const bytesOf = (base64) => new Uint8Array(Buffer.from(base64, "base64"));
