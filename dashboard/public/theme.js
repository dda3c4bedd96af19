// Sets the remembered theme before the first paint. A file of its own, because the content security
// policy allows no inline script.
(function () {
  var theme = null;
  try {
    theme = localStorage.getItem("ringwall.theme");
  } catch {
    // Storage is off: the system's choice it is.
  }
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
})();
