import { Link } from "@tanstack/react-router";

/** Tabs that are addresses: the chosen one stands in the URL. */
export function Tabs({
  label,
  tabs,
}: {
  label: string;
  tabs: readonly { text: string; to: string; search?: object; isCurrent: boolean }[];
}) {
  return (
    <nav className="tabs" aria-label={label}>
      {tabs.map(({ text, to, search = {}, isCurrent }) => (
        <Link key={text} to={to} search={search as never} activeProps={{}} aria-current={isCurrent ? "page" : undefined}>
          {text}
        </Link>
      ))}
    </nav>
  );
}
