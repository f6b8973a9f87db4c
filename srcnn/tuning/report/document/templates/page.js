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
// A slider lays two pictures of a comparison on each other: the right one is cut off where the slider stands.
document.querySelectorAll(".comparison").forEach(function (box) {
  var shots = Array.prototype.slice.call(box.querySelectorAll(".shots img"));
  var slider = box.querySelector(".slider"), range = slider.querySelector("input");
  var sides = slider.querySelectorAll("select"), shown = slider.querySelectorAll(".stage img");
  var line = slider.querySelector(".line");
  function label(key) {
    var shot = shots.filter(function (one) { return one.dataset.key === key; })[0];
    return shot.parentNode.querySelector("figcaption").textContent;
  }
  function show() {
    shots.forEach(function (shot) {
      if (shot.dataset.key === sides[0].value) { shown[0].src = shot.src; }
      if (shot.dataset.key === sides[1].value) { shown[1].src = shot.src; }
    });
    shown[1].style.clipPath = "inset(0 0 0 " + range.value + "%)";
    line.style.left = range.value + "%";
    range.setAttribute("aria-valuetext", range.value + " % " + label(sides[0].value) + ", the rest " + label(sides[1].value));
  }
  sides.forEach(function (side, place) {
    shots.forEach(function (shot) {
      var option = document.createElement("option");
      option.value = shot.dataset.key;
      option.textContent = label(shot.dataset.key);
      side.appendChild(option);
    });
    side.value = place ? box.dataset.right : box.dataset.left;
    side.addEventListener("change", show);
  });
  range.addEventListener("input", show);
  slider.hidden = false;
  show();
});
// What is folded is printed too.
window.addEventListener("beforeprint", function () {
  document.querySelectorAll("details").forEach(function (one) { one.open = true; });
});
