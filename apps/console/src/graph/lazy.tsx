import { type ComponentProps, lazy, Suspense } from "react";
import { Loading } from "../parts/notice.tsx";

const Drawn = lazy(async () => ({ default: (await import("./canvas.tsx")).Canvas }));

/** A canvas whose code is fetched when the first one is shown. */
export function Canvas(props: ComponentProps<typeof Drawn>) {
  return (
    <Suspense fallback={<Loading what="the drawing" />}>
      <Drawn {...props} />
    </Suspense>
  );
}
