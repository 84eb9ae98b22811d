/** Reads a path (`user.id`, `items.0.price`) out of a value; `undefined` where there is nothing of its own. An empty path is the value. */
export function pathReader(path: string): (value: unknown) => unknown {
  if (path === "" || path === ".") return (value) => value;
  const parts = path.replace(/^\./, "").split(".");
  return (value) => {
    let at = value;
    for (const part of parts) {
      if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
      at = Reflect.get(at, part);
    }
    return at;
  };
}
