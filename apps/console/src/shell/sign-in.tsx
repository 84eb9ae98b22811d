import { answerOf, createClient } from "@metanode/client";
import { useEffect, useState } from "react";
import { Button } from "../parts/button.tsx";
import { TextField } from "../parts/field.tsx";
import { setToken } from "../session.ts";

/** The way in: a token, tried before it is kept. */
export function SignIn() {
  const [token, setTyped] = useState("");
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    document.title = "Sign in · Metanode";
  }, []);
  const enter = async (): Promise<void> => {
    setBusy(true);
    setProblem(undefined);
    try {
      await answerOf(createClient({ url: "", token: token.trim() }).GET("/api/v1/node"));
      setToken(token.trim());
    } catch (error) {
      setProblem((error as Error).message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className="main" id="main">
      <form
        className="card stack"
        style={{ maxWidth: 460, margin: "10vh auto 0" }}
        onSubmit={(event) => {
          event.preventDefault();
          void enter();
        }}
      >
        <div className="row">
          <img src="/console/icon.svg" alt="" width="28" height="28" />
          <h1>Metanode</h1>
        </div>
        <p>This console shows and changes a node, so it asks who you are.</p>
        <TextField
          label="Token"
          type="password"
          value={token}
          onChange={setTyped}
          problem={problem}
          hint="It stays in this browser."
        />
        <div className="row">
          <Button kind="primary" type="submit" busy={isBusy} disabled={token.trim() === ""}>
            Sign in
          </Button>
        </div>
        <div className="stack small muted">
          <p>The owner's token lies in the node's data folder; this prints the address of the console with it:</p>
          <pre className="pre">npx metanode console</pre>
          <p>More tokens, with the roles viewer, operator or admin, are made with:</p>
          <pre className="pre">npx metanode token create alice --role operator</pre>
        </div>
      </form>
    </main>
  );
}
