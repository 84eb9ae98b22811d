import { describe, expect, test } from "vitest";
import { Actor, createKernel, type Kernel, MetaBehaviour, type PID, Supervisor } from "../../src/index.ts";
import { findMeta, findProcess, listMetas, listProcesses, processTree } from "../../src/module/index.ts";

class Idle extends MetaBehaviour {
  readonly #end = Promise.withResolvers<void>();
  override start(): Promise<void> {
    return this.#end.promise;
  }
  override terminate(): void {
    this.#end.resolve();
  }
}

class Leaf extends Actor {
  override init(metas = 0): void {
    for (let i = 0; i < metas; i++) this.spawnMeta(new Idle());
  }
}

class Top extends Supervisor {
  override init() {
    return {
      children: [
        { name: "first", actor: Leaf, args: [2] },
        { name: "second", actor: Leaf },
      ],
    };
  }
}

async function kernelWith(): Promise<AsyncDisposable & { kernel: Kernel; top: PID; leaf: PID }> {
  const kernel = createKernel({ name: "dir@here" });
  const top = (await kernel.spawn(Top, { name: "top" })) as PID;
  const leaf = kernel.spawn(Leaf, { name: "1001", args: [1] }) as unknown as PID;
  return { kernel, top, leaf, [Symbol.asyncDispose]: () => kernel.stop() };
}

const code = (wanted: string): unknown => expect.objectContaining({ code: wanted });

describe("a process", () => {
  test("is found by its id, its name, its PID in text, and its name in text", async () => {
    await using found = await kernelWith();
    const { kernel, top, leaf } = found;
    for (const text of [String(top.id), "top", "name:top", String(top), `<${String(top).slice(1, 9)}.top>`]) {
      expect(findProcess(kernel, text).id, text).toBe(top.id);
    }
    expect(findProcess(kernel, "1001").id).toBe(top.id);
    expect(findProcess(kernel, "name:1001").id).toBe(leaf.id);
  });

  test("is not found by what nobody is, nor by a PID of another node", async () => {
    await using found = await kernelWith();
    const { kernel, top } = found;
    const foreign = String(top).replace(/^<\w{8}/, "<12345678");
    for (const text of ["", "nobody", "name:", "999", "1", "<>", foreign, "1e3", "-1", "99999999999999999999"]) {
      expect(() => findProcess(kernel, text), text).toThrow(code("actor.process_unknown") as Error);
    }
    kernel.kill(top);
    await new Promise((resolve) => setImmediate(resolve));
    expect(() => findProcess(kernel, String(top.id))).toThrow(code("actor.process_unknown") as Error);
  });
});

describe("a meta-process", () => {
  test("is found by its id and by its alias in text, and by nothing else", async () => {
    await using found = await kernelWith();
    const { kernel } = found;
    const [alias] = kernel.metas();
    if (alias === undefined) throw new Error("there is no meta-process");
    expect(findMeta(kernel, String(alias.id)).id).toBe(alias.id);
    expect(findMeta(kernel, String(alias)).id).toBe(alias.id);
    for (const text of ["", "top", "999", String(alias).replace(/<\w{8}/, "<12345678")]) {
      expect(() => findMeta(kernel, text), text).toThrow(code("actor.meta_unknown") as Error);
    }
  });
});

describe("the list of processes", () => {
  test("comes in pages, oldest first, each once", async () => {
    await using found = await kernelWith();
    const { kernel } = found;
    const seen: number[] = [];
    let afterId: number | undefined = 0;
    while (afterId !== undefined) {
      const { items, nextAfter }: ReturnType<typeof listProcesses> = listProcesses(kernel, { afterId, limit: 3 });
      seen.push(...items.map(({ pid }) => pid.id));
      afterId = nextAfter;
    }
    expect(seen).toEqual(kernel.processes().map(({ id }) => id));
    expect(seen).toHaveLength(4);
  });

  test("of metas can be that of one process", async () => {
    await using found = await kernelWith();
    const { kernel, leaf } = found;
    expect(listMetas(kernel, { limit: 10 }).items).toHaveLength(3);
    expect(listMetas(kernel, { limit: 10, parent: leaf }).items).toMatchObject([{ behaviour: "Idle", parent: leaf }]);
    expect(listMetas(kernel, { limit: 2 }).nextAfter).toBeGreaterThan(0);
  });
});

describe("the tree of processes", () => {
  test("has each below what spawned it, with its meta-processes", async () => {
    await using found = await kernelWith();
    const { roots, isCut } = processTree(found.kernel, 100);
    expect(isCut).toBe(false);
    expect(roots.map(({ info, children, metas }) => [info.name, children.length, metas.length])).toEqual([
      ["top", 2, 0],
      ["1001", 0, 1],
    ]);
    expect(roots[0]?.children.map(({ info, metas }) => [info.name, metas.length])).toEqual([
      ["first", 2],
      ["second", 0],
    ]);
  });

  test("is cut where it is asked to be, and says so", async () => {
    await using found = await kernelWith();
    const { roots, isCut } = processTree(found.kernel, 2);
    expect(isCut).toBe(true);
    expect(roots.map(({ info, children }) => [info.name, children.map((one) => one.info.name)])).toEqual([["top", ["first"]]]);
  });
});
