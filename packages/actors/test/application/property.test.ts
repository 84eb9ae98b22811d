import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ApplicationMode, Kernel } from "../../src/index.ts";
import { settle } from "../probe.ts";
import { logged, Member, type Part, written } from "./fixture.ts";

const names = ["a", "b", "c"] as const;
const modes = fc.constantFrom<ApplicationMode>("temporary", "transient", "permanent");

/** Something that happens to one application, or to one of all processes. */
const happening = fc.oneof(
  fc.record({ what: fc.constantFrom("start", "stop", "force"), name: fc.constantFrom(...names) }),
  fc.record({ what: fc.constantFrom("kill", "end", "settle"), at: fc.nat(20) }),
);
type Happening = { what: string; name?: string; at?: number };

/** Three applications, each depending on the one before; `open` counts `init` less `terminate` of each. */
function load(kernel: Kernel, modes: readonly ApplicationMode[], open: Map<string, number>): void {
  const detached: Part = { label: "detached", steps: [] };
  for (const [i, name] of names.entries()) {
    const count = (by: number) => () => void open.set(name, (open.get(name) ?? 0) + by);
    const begin = async (member: Member): Promise<void> => {
      expect(open.get(name)).toBe(1);
      member.spawn(Member, { args: [detached] });
    };
    const group = ["x", "y"].map((label) => ({ actor: Member, args: [{ label, steps: [], begin }] }));
    const rest = { group, dependsOn: names.slice(Math.max(0, i - 1), i), mode: modes[i] as ApplicationMode };
    kernel.loadApplication(written(name, [], { ...rest, init: count(1), terminate: count(-1) }));
  }
}

async function happen(kernel: Kernel, { what, name, at = 0 }: Happening): Promise<void> {
  if (name !== undefined) {
    await (what === "start" ? kernel.startApplication(name) : kernel.stopApplication(name, { force: what === "force" }));
    return;
  }
  const pids = kernel.processes();
  const pid = pids[at % Math.max(1, pids.length)];
  if (pid !== undefined && what === "kill") kernel.kill(pid);
  else if (pid !== undefined) kernel.send(pid, () => "normal");
}

describe("applications to which anything happens in any order", () => {
  test("have processes only while they run, no init without its terminate, and no member without an init", async () => {
    const plan = fc.record({ modes: fc.tuple(modes, modes, modes), happenings: fc.array(happening, { maxLength: 30 }) });
    await fc.assert(
      fc.asyncProperty(plan, async ({ modes, happenings }) => {
        const { kernel } = logged();
        const open = new Map<string, number>(names.map((name) => [name, 0]));
        load(kernel, modes, open);
        const pending: Promise<void>[] = [];
        for (const step of happenings) {
          const refused = (error: unknown) =>
            expect(error).toMatchObject({ code: expect.stringMatching(/^actor\.application_/) });
          if (step.what === "settle") await settle();
          else pending.push(happen(kernel, step).catch(refused));
        }
        await Promise.all(pending);
        await settle();
        for (const { name, state, processes, members } of kernel.applications()) {
          expect(["loaded", "running"]).toContain(state);
          expect(open.get(name)).toBe(state === "running" ? 1 : 0);
          expect([processes > 0, members.length > 0]).toEqual(state === "running" ? [true, true] : [false, false]);
        }
        const owned = kernel.applications().reduce((sum, { processes }) => sum + processes, 0);
        expect(kernel.info().processes).toBe(owned);
        await kernel.stop();
        expect([...open.values()]).toEqual([0, 0, 0]);
      }),
      { numRuns: 200 },
    );
  });
});
