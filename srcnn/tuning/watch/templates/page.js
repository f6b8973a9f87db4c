// Keeps the page up to date: asks for the state's stamp, and replaces the parts that have changed. The scroll position, opened
// parts and the focus stay. Everything that is shown comes from the server as HTML.
(function () {
  "use strict";
  var box = document.getElementById("refresh"), lost = document.getElementById("lost");
  document.getElementById("control").hidden = false;
  function stamp() { return document.getElementById("status").dataset.stamp; }
  function put(text) {
    var fresh = new DOMParser().parseFromString(text, "text/html");
    var missing = false;
    fresh.querySelectorAll("[data-live]").forEach(function (part) {
      missing = missing || !document.getElementById(part.id);
    });
    if (missing) { location.reload(); return; }
    fresh.querySelectorAll("[data-live]").forEach(function (part) {
      var old = document.getElementById(part.id);
      if (part.id === "status") {
        old.dataset.stamp = part.dataset.stamp;
        old.dataset.running = part.dataset.running;
      }
      if (old.innerHTML !== part.innerHTML && !old.contains(document.activeElement)) { old.innerHTML = part.innerHTML; }
    });
  }
  function ask() {
    return fetch("state.json", { method: "HEAD", cache: "no-store" }).then(function (answer) {
      lost.textContent = "";
      document.getElementById("age").textContent = answer.headers.get("X-Updated") || "";
      if (answer.headers.get("ETag") === '"' + stamp() + '"') { return null; }
      return fetch("live.html", { cache: "no-store" }).then(function (found) { return found.text(); }).then(put);
    }).catch(function () {
      lost.textContent = "The server of this page has ended; this is the last state that it sent.";
    });
  }
  function later() {
    var running = document.getElementById("status").dataset.running === "1";
    setTimeout(function () {
      if (box.checked && !document.hidden) { ask().then(later); } else { later(); }
    }, running ? 1000 : 3000);
  }
  later();
}());
