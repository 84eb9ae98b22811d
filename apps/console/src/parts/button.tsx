import type { ButtonHTMLAttributes } from "react";

export type ButtonKind = "normal" | "primary" | "danger" | "danger-fill" | "plain";

export function Button({
  kind = "normal",
  busy = false,
  disabled,
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & { kind?: ButtonKind; busy?: boolean }) {
  return (
    <button
      type="button"
      className="button"
      data-kind={kind}
      aria-busy={busy || undefined}
      disabled={busy || disabled}
      {...rest}
    />
  );
}
