import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";
import "./table.css";

const RELOADED = "ringwall.reloaded";
const RELOAD_AGAIN_MS = 30_000;

// A page's file is gone: the server was replaced by another version while this one was open. A
// reload gets the new one; if it just did, it is something else, and no reason to go round in rings.
window.addEventListener("vite:preloadError", () => {
  const last = Number(sessionStorage.getItem(RELOADED) ?? 0);
  if (Date.now() - last < RELOAD_AGAIN_MS) return;
  sessionStorage.setItem(RELOADED, String(Date.now()));
  window.location.reload();
});

const target = document.getElementById("app");
if (target !== null) mount(App, { target });
