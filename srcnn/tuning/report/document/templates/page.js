// A frame without an origin may open no other page, and one that it loads in its own place stays blank: there a link shows its
// address to copy. On a page of its own links are links.
document.addEventListener("click", function (event) {
  var link = event.target.closest && event.target.closest("a[href]");
  if (!link) { return; }
  var address = link.getAttribute("href");
  if (address.charAt(0) === "#") {
    var place = document.getElementById(address.slice(1));
    if (place) { event.preventDefault(); place.scrollIntoView(); }
  } else if (window.parent !== window && window.origin === "null") {
    event.preventDefault();
    var bar = document.getElementById("address");
    bar.hidden = false;
    bar.querySelector("input").value = link.href;
    bar.querySelector("input").select();
  }
});
document.querySelector("#address button").addEventListener("click", function () {
  document.getElementById("address").hidden = true;
});
