/**
 * Checks who imports whom: `node scripts/check-boundaries.ts [folder]`. The rules stand in lib/boundary-table.ts.
 * Prints one line per breach (`file:line: [rule] text`) on stdout; exit status 1 if there is one.
 */
import { findViolations } from "./lib/boundaries.ts";
import { readRepository } from "./lib/boundary-files.ts";
import { repositoryRoot } from "./lib/workspaces.ts";

const repository = readRepository(process.argv[2] ?? repositoryRoot);
const violations = findViolations(repository);
for (const { file, line, rule, text } of violations) console.log(`${file}:${line}: [${rule}] ${text}`);
const references = repository.files.reduce((sum, file) => sum + file.references.length, 0);
console.error(
  `${violations.length === 0 ? "ok" : "failed"}: ${repository.workspaces.length} workspaces, ${repository.files.length} modules, ` +
    `${references} imports, ${violations.length} breaches`,
);
if (violations.length > 0) process.exitCode = 1;
