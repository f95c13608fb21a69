// data-time-zone: the browser's own zone, so that times are right from the first sign-in on.
for (const input of document.querySelectorAll("[data-time-zone]")) {
  input.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
}
