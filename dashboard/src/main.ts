import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";

// A page's file is gone: the server was replaced by another version while this one was open.
window.addEventListener("vite:preloadError", () => {
  window.location.reload();
});

const target = document.getElementById("app");
if (target !== null) mount(App, { target });
