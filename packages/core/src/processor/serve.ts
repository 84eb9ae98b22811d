import { coreError, type MetanodeError } from "../errors.ts";
import { dialLink } from "../link/grpc.ts";
import type { ProcessorDefinition } from "./author.ts";
import { attachProcessor } from "./runtime.ts";

/** The environment that a host starts a processor with. Part of the processor contract, in every language. */
export const PROCESSOR_ENVIRONMENT = {
  /** Where to dial: `unix:/path`. */
  address: "METANODE_ADDRESS",
  /** Valid for one successful handshake. */
  secret: "METANODE_SECRET",
  /** The name of this process. */
  name: "METANODE_PROCESSOR",
} as const;

/** How long the process may live on after its node is gone (M-25 asks for 2 s). */
const EXIT_GRACE_MS = 1_000;

/**
 * Serves a processor from the process that calls it, until the node ends the link. The last lines of a processor file:
 *
 * ```ts
 * if (import.meta.main) await serve(pricing);
 * ```
 *
 * Standard output and error are free for logs: the host captures both.
 * @throws {MetanodeError} config.invalid – the process was not started by a host; what the node refused with.
 */
export async function serve(definition: ProcessorDefinition<never, never> | ProcessorDefinition): Promise<void> {
  const address = process.env[PROCESSOR_ENVIRONMENT.address];
  const secret = process.env[PROCESSOR_ENVIRONMENT.secret];
  if (address === undefined || secret === undefined) {
    throw coreError(
      "config.invalid",
      `${definition.name} is a processor and is started by a node: add it to the node's configuration, or try it with \`metanode processor check -- <command>\``,
      { details: { expected: Object.values(PROCESSOR_ENVIRONMENT) } },
    );
  }
  // Programs that the handlers start need not know.
  delete process.env[PROCESSOR_ENVIRONMENT.secret];
  const name = process.env[PROCESSOR_ENVIRONMENT.name] ?? definition.name;
  const attached = await attachProcessor(definition, dialLink(address), { secret, name });
  const error: MetanodeError | undefined = await attached.closed;
  process.exitCode = error === undefined ? 0 : 1;
  // An orphan must not live on because some timer or socket of a handler does. This file is the process's main, which
  // is why it may end it.
  setTimeout(() => process.exit(), EXIT_GRACE_MS).unref();
}
