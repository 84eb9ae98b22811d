import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button, type ButtonKind } from "./button.tsx";
import { Dialog } from "./dialog.tsx";
import { TextField } from "./field.tsx";
import { type Role, useMay } from "./role.ts";
import { complain, say } from "./toasts.tsx";

/**
 * Something that changes the node: it is told when it is done or has failed, and what is on the screen is asked anew.
 */
export function useAct<A = void, R = unknown>(
  work: (argument: A) => Promise<R>,
  options: { done?: string; after?: (result: R) => void } = {},
) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: work,
    onSuccess: (result) => {
      if (options.done !== undefined) say(options.done);
      // What was asked about one thing is not asked again at once: the thing may be gone by now.
      void cache.invalidateQueries({ predicate: ({ meta }) => meta?.isAboutOne !== true });
      options.after?.(result);
    },
    onError: complain,
  });
}

/** A button for {@link useAct}. */
export function ActButton(props: {
  text: string;
  done: string;
  work: () => Promise<unknown>;
  kind?: ButtonKind;
  /** @default operator */
  needs?: Role;
}) {
  const { text, done, work, kind = "normal", needs = "operator" } = props;
  const may = useMay(needs);
  const act = useAct(work, { done });
  return (
    <Button kind={kind} busy={act.isPending} {...may} onClick={() => act.mutate()}>
      {text}
    </Button>
  );
}

/** A button for what cannot be taken back: it asks for the name of what it is about. */
export function DangerButton(props: {
  text: string;
  /** What happens, for people. */
  what: string;
  /** To be typed. */
  name: string;
  done: string;
  /** Passes the headers on: they say why, for the audit log. */
  work: (headers: Record<string, string>) => Promise<unknown>;
  after?: () => void;
  /** @default operator */
  needs?: Role;
}) {
  const { text, what, name, done, work, after, needs = "operator" } = props;
  const may = useMay(needs);
  const [reason, setReason] = useState("");
  const [isOpen, setOpen] = useState(false);
  const [typed, setTyped] = useState("");
  const close = (): void => {
    setOpen(false);
    setTyped("");
    setReason("");
  };
  const act = useAct(() => work(reason === "" ? {} : { "x-reason": reason }), {
    done,
    after: () => {
      close();
      after?.();
    },
  });
  return (
    <>
      <Button kind="danger" {...may} onClick={() => setOpen(true)}>
        {text} …
      </Button>
      <Dialog
        title={`${text}: ${name}`}
        open={isOpen}
        onClose={close}
        actions={
          <Button kind="danger-fill" busy={act.isPending} disabled={typed !== name} onClick={() => act.mutate()}>
            {text}
          </Button>
        }
      >
        <p>{what}</p>
        <TextField label={`Type ${name} to go on`} value={typed} onChange={setTyped} />
        <TextField label="Reason (optional)" value={reason} onChange={setReason} hint="Stands in the audit log." />
      </Dialog>
    </>
  );
}
