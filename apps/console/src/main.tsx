import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queries } from "./api.ts";
import { router } from "./router.tsx";
import { takeTokenFromAddress } from "./session.ts";
import "./style/index.css";
import { setTheme, themeOf } from "./theme.ts";

takeTokenFromAddress();
setTheme(themeOf());
const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}
