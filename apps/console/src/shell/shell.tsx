import { answerOf } from "@metanode/client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api } from "../api.ts";
import type { Step } from "../journal.ts";
import { State } from "../parts/badge.tsx";
import { Button } from "../parts/button.tsx";
import { Empty } from "../parts/notice.tsx";
import { useEvents } from "../parts/stream.ts";
import { Toasts } from "../parts/toasts.tsx";
import { setToken, useToken } from "../session.ts";
import { Palette } from "./palette.tsx";
import { screens } from "./screens.ts";
import { SignIn } from "./sign-in.tsx";

/** The frame of the console: who is not signed in sees the way in, everybody else the screens. */
export function Shell() {
  const token = useToken();
  return token === undefined ? <SignIn /> : <Signed />;
}

function Signed() {
  const [isOpen, setOpen] = useState(false);
  const path = useRouterState({ select: ({ location }) => location.pathname });
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new screen closes the menu
  useEffect(() => setOpen(false), [path]);
  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to the screen
      </a>
      <header className="topbar">
        <Brand />
        <Button aria-expanded={isOpen} aria-controls="side" onClick={() => setOpen(!isOpen)}>
          Menu
        </Button>
      </header>
      <aside className="side" id="side" data-open={isOpen} aria-label="Console">
        <Brand />
        <nav aria-label="Screens">
          <ul>
            {screens.map(({ text, to }) => (
              <li key={to}>
                <Link to={to} activeOptions={{ exact: to === "/" }} activeProps={{ "aria-current": "page" }}>
                  {text}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <Foot />
      </aside>
      <main className="main" id="main" tabIndex={-1}>
        <Outlet />
      </main>
      <Live />
      <Palette />
      <Toasts />
    </div>
  );
}

/** What is asked anew when something of a kind has happened. */
const ASKED: Readonly<Record<string, string>> = { processor: "processors", graph: "graphs", task: "failed-tasks" };

/** Changes are on the screen as soon as they have happened, not at the next look. */
function Live() {
  const cache = useQueryClient();
  useEvents("/api/v1/events?kinds=processor,graph,task", ({ event, data }) => {
    if (event === "resync") void cache.invalidateQueries();
    if (event !== "step") return;
    const { kind, code } = JSON.parse(data) as Step;
    // Tasks that went well are many, and on no list.
    const key = kind === "task" && code === undefined ? undefined : ASKED[kind];
    if (key !== undefined) void cache.invalidateQueries({ queryKey: [key] }, { cancelRefetch: false });
  });
  return null;
}

function Brand() {
  return (
    <Link className="brand" to="/" aria-label="Metanode, overview">
      <img src="/console/icon.svg" alt="" width="22" height="22" />
      Metanode
    </Link>
  );
}

function Foot() {
  const { data, isError } = useQuery({ queryKey: ["node"], queryFn: () => answerOf(api.GET("/api/v1/node")) });
  return (
    <div className="foot">
      <div className="row">
        {isError ? <State state="down" /> : <State state={data?.health.status ?? "starting"} />}
        <span className="wrap">{data?.name}</span>
      </div>
      <span className="muted small">
        <kbd>Ctrl K</kbd> goes anywhere
      </span>
      <Button kind="plain" onClick={() => setToken(undefined)}>
        Sign out
      </Button>
    </div>
  );
}

export function NotFound() {
  return (
    <Empty title="There is no such screen">
      <Link to="/">Go to the overview</Link>
    </Empty>
  );
}
